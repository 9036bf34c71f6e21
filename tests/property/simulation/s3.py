"""S3 as the engine sees it: consistent, but now and then away."""

from __future__ import annotations

from random import Random
from typing import Protocol

import anyio

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.messages import Diagnosis
from tests.property.simulation.ecs import Weather

AWAY = CallError(Failure(Kind.PAYLOAD, Diagnosis("S3 can't take the workload now.")))


class World(Protocol):
    """Whose weather it is."""

    weather: Weather
    random: Random


class SimulatedS3:
    """Stands for `S3Client`. What is put outlives every engine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.objects: dict[str, bytes] = {}

    async def put(self, url: str, data: bytes) -> None:
        await self._pass(self.world.weather.unreachable)
        self.objects[url] = data
        await self._pass(self.world.weather.lost)

    async def delete(self, url: str) -> None:
        await self._pass(self.world.weather.unreachable)
        self.objects.pop(url, None)
        await self._pass(self.world.weather.lost)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _pass(self, failing: float) -> None:
        await anyio.sleep(self.world.random.uniform(0, self.world.weather.latency))
        if self.world.random.random() < failing:
            raise AWAY
