"""Simulates S3 as the engine sees it: consistent, but down now and then."""

from __future__ import annotations

from random import Random
from typing import Protocol

import anyio

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.messages import Diagnosis
from tests.property.simulation.ecs import Conditions

S3_DOWN = CallError(Failure(Kind.PAYLOAD, Diagnosis("S3 can't take the workload now.")))


class World(Protocol):
    """The part of the simulated world that S3 needs."""

    conditions: Conditions
    random: Random


class SimulatedS3:
    """Replaces `S3Client`. Its objects outlive every engine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.objects: dict[str, bytes] = {}

    async def put(self, url: str, data: bytes) -> None:
        await self._transfer(self.world.conditions.unreachable)
        self.objects[url] = data
        await self._transfer(self.world.conditions.lost)

    async def delete(self, url: str) -> None:
        await self._transfer(self.world.conditions.unreachable)
        self.objects.pop(url, None)
        await self._transfer(self.world.conditions.lost)

    async def aclose(self) -> None:
        """Close nothing, as nothing is open."""

    async def _transfer(self, failing: float) -> None:
        await anyio.sleep(self.world.random.uniform(0, self.world.conditions.latency))
        if self.world.random.random() < failing:
            raise S3_DOWN
