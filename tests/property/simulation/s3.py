"""Simulates S3 as the engine and the containers see it: consistent, but late, down or refusing now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from typing import Any, Protocol

import anyio
from botocore.exceptions import ClientError, ReadTimeoutError
from sqlalchemy.util import await_only

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.standby.command import is_standby
from tests.property.simulation.ecs import Conditions

S3_DOWN = Failure(Kind.PAYLOAD, Diagnosis("S3 can't take the workload now."))
S3_DENIED = Failure(Kind.DENIED, Diagnosis("S3 denied access to the workload's object."))
LATEST = 60.0
"""Seconds after which a request that its client has given up may still be carried out."""
EPOCH = 1_700_000_000.0
"""The time of S3's clock when the simulation's is 0."""


class World(Protocol):
    """The part of the simulated world that S3 needs."""

    conditions: Conditions
    random: Random
    now: Callable[[], float]

    def hand_over_step(self) -> None:
        """Note that a hand-over gets on."""


class SimulatedS3:
    """Replaces `S3Client`. Its objects outlive every engine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.objects: dict[str, bytes] = {}
        self.modified: dict[str, float] = {}
        """When each object was last written."""
        self.deleted: dict[str, float] = {}
        """When each object was deleted, if it was."""
        self.created: dict[str, float] = {}
        """When each object was first written."""
        self.overwritten: list[str] = []
        """Standbys' objects that were changed."""
        self._appeared: dict[str, asyncio.Event] = {}

    # --- what the engine calls ------------------------------------------------------------------------

    async def put(self, url: str, data: bytes) -> None:
        await self._arrive()
        self.write(url, data)
        await self._return()

    async def put_once(self, url: str, data: bytes) -> bool:
        assert is_standby(url), "a conditional PutObject is only made for standbys' objects"
        self.world.hand_over_step()
        await self._arrive()
        if self.world.random.random() < self.world.conditions.late:
            # Its client gets no answer, and gives up. S3 carries it out all the same, at some time.
            delay = self.world.random.choice((0.0, self.world.random.uniform(0, LATEST)))
            asyncio.get_running_loop().call_later(delay, self.write_once, url, data)
            await anyio.sleep_forever()
        is_new = self.write_once(url, data)
        self.world.hand_over_step()
        await self._return()
        return is_new

    async def delete(self, url: str) -> None:
        await self._arrive()
        if self.objects.pop(url, None) is not None:
            self.deleted[url] = self.world.now()
        await self._return()

    async def aclose(self) -> None:
        """Close nothing, as nothing is open."""

    # --- how S3 acts ----------------------------------------------------------------------------------

    def write(self, url: str, data: bytes) -> None:
        if is_standby(url) and url in self.objects:
            self.overwritten.append(url)
        self.created.setdefault(url, self.world.now())
        self.objects[url] = data
        self.modified[url] = self.world.now()
        self.appeared(url).set()

    def write_once(self, url: str, data: bytes) -> bool:
        if url in self.objects:
            return False
        self.write(url, data)
        return True

    def appeared(self, url: str) -> asyncio.Event:
        """Return what is set once an object has been written."""
        return self._appeared.setdefault(url, asyncio.Event())

    @property
    def is_down(self) -> bool:
        """Whether nothing reaches S3 now."""
        since, until = self.world.conditions.s3_down
        return since <= self.world.now() < until

    async def _arrive(self) -> None:
        await self._travel()
        since, until = self.world.conditions.s3_denied
        if since <= self.world.now() < until:
            raise CallError(S3_DENIED)
        if self.is_down or self.world.random.random() < self.world.conditions.unreachable:
            raise CallError(S3_DOWN)

    async def _return(self) -> None:
        await self._travel()
        if self.world.random.random() < self.world.conditions.lost:
            raise CallError(S3_DOWN)

    async def _travel(self) -> None:
        await anyio.sleep(self.world.random.uniform(0, self.world.conditions.latency))


class ContainerS3:
    """Replaces a standby's S3 client: `waiting.wait` calls it, and sleeps by it, in a greenlet."""

    class exceptions:  # noqa: N801  botocore's name
        ClientError = ClientError

    def __init__(self, s3: SimulatedS3, lease: str, own: str, until: float) -> None:
        """Take the URLs of its lease and of its object, and when it is too old."""
        self._s3 = s3
        self._own = own
        self._lease = lease
        self._until = until
        self._looks_at_lease_from = 0.0

    def get_object(self, **where: str) -> dict[str, Any]:
        answer: dict[str, Any] = await_only(self._get(f"s3://{where['Bucket']}/{where['Key']}"))
        return answer

    async def _get(self, url: str) -> dict[str, Any]:
        world = self._s3.world
        await anyio.sleep(world.random.uniform(0, world.conditions.latency))
        if self._s3.is_down or world.random.random() < world.conditions.unreachable:
            raise ReadTimeoutError(endpoint_url="https://s3")
        found, now = self._s3.objects.get(url), world.now()
        await anyio.sleep(world.random.uniform(0, world.conditions.latency))
        if world.random.random() < world.conditions.lost:
            raise ReadTimeoutError(endpoint_url="https://s3")
        since, until = world.conditions.s3_forbidden
        if found is None or since <= now < until:
            answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "GetObject")
        if url == self._lease:
            self._looks_at_lease_from = now + 30
        date = datetime.fromtimestamp(EPOCH + now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return {
            "Body": BytesIO(found),
            "LastModified": datetime.fromtimestamp(EPOCH + self._s3.modified[url], UTC),
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def sleep(self, seconds: float) -> None:
        """Sleep for so long; or, where no look could show anything new, until one may: that saves a thousand looks."""
        await_only(self._sleep(seconds))

    async def _sleep(self, seconds: float) -> None:
        idle = min(self._looks_at_lease_from, self._until) - self._s3.world.now()
        if idle > 0 and self._own not in self._s3.objects:
            appeared = self._s3.appeared(self._own)
            appeared.clear()
            with anyio.move_on_after(idle):
                await appeared.wait()
        await anyio.sleep(seconds * self._s3.world.random.random())
