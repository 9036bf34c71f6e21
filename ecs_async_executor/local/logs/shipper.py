"""Ships containers' output to CloudWatch Logs in the background: a slow or absent service loses lines, not time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.state.definitions import LogTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

# Amazon CloudWatch Logs API Reference, "PutLogEvents": 10,000 events and 1 MiB, with 26 bytes per event.
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_OVERHEAD = 26
# The awslogs driver's buffer is bounded too ("max-buffer-size"); we drop the oldest lines first.
MAX_BUFFERED = 50_000
_CALL = aiohttp.ClientTimeout(total=5)
# On a busy laptop, moto takes a while to import what its first answer needs.
_FIRST_CALL = aiohttp.ClientTimeout(total=60)
_EVERY_SECONDS = 0.25
_CLOSE_SECONDS = 2.0
_ATTEMPTS = 20


class _RefusedError(Exception):
    """CloudWatch Logs returned an error."""

    def __init__(self, action: str, status: int, answer: str) -> None:
        super().__init__(f"{action}: HTTP {status}")
        self.answer = answer


@dataclass(slots=True, eq=False)
class _Stream:
    target: LogTarget
    name: str
    created: bool = False
    failures: int = 0
    events: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MAX_BUFFERED))


class LogShipper:
    """Writes log streams named `prefix/container/task-id`; creates them, and groups where allowed, as needed."""

    def __init__(self, endpoint_url: str, clock: Callable[[], float]) -> None:
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._waiting: dict[str, _Stream] = {}
        self._known_groups: set[LogTarget] = set()
        self._session = aiohttp.ClientSession()
        self._closing = asyncio.Event()
        self._background = asyncio.get_running_loop().create_task(self._ship_until_closed())

    async def create_groups(self, names: Sequence[str], regions: Sequence[str]) -> None:
        """Create log groups, each in every Region; keep existing ones.

        Raises:
            ConfigurationError: CloudWatch Logs rejects one, or does not answer.
        """
        for name, region in itertools.product(names, regions):
            group = _Stream(LogTarget(name, "", region, create_group=True), "")
            try:
                await self._call(group, "CreateLogGroup", tolerate=True, timeout=_FIRST_CALL)
            except (aiohttp.ClientError, asyncio.TimeoutError, _RefusedError) as error:
                raise ConfigurationError(f"can't create the log group {name!r} ({error}).") from None

    async def lacks_group(self, target: LogTarget, container: str, task_id: str) -> bool:
        """Tell whether a container can't start because its log group is missing and may not be created.

        Creates the stream, as the awslogs driver does. If the service does not answer, the group counts as present.
        """
        if target.create_group or target in self._known_groups:
            return False
        try:
            await self._call(
                _Stream(target, _name(target, container, task_id)), "CreateLogStream", tolerate=True
            )
        except _RefusedError as error:
            return "ResourceNotFoundException" in error.answer
        except (aiohttp.ClientError, asyncio.TimeoutError):
            return False
        self._known_groups.add(target)
        return False

    def open(self, target: LogTarget, container: str, task_id: str) -> Callable[[str], None]:
        """Return the function that accepts a container's lines."""
        stream = _Stream(target, _name(target, container, task_id))

        def write(line: str) -> None:
            if line:  # CloudWatch Logs rejects empty events
                stream.events.append((int(self._clock() * 1000), line))
                self._waiting[stream.name] = stream

        return write

    async def close(self) -> None:
        """Ship the remaining lines, for at most two seconds."""
        self._closing.set()
        await asyncio.wait([self._background], timeout=_CLOSE_SECONDS)
        self._background.cancel()
        await asyncio.gather(self._background, return_exceptions=True)
        await self._session.close()

    async def _ship_until_closed(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _EVERY_SECONDS)
            for stream in list(self._waiting.values()):
                await self._ship(stream)

    async def _ship(self, stream: _Stream) -> None:
        """Write a stream's waiting lines; give the stream up after repeated failures."""
        try:
            if not stream.created:
                await self._create(stream)
            while stream.events:
                batch = _batch(stream.events)
                events = [{"timestamp": at, "message": line} for at, line in batch]
                await self._call(stream, "PutLogEvents", logEvents=events)
                for _ in batch:
                    stream.events.popleft()
            self._waiting.pop(stream.name, None)
        except (aiohttp.ClientError, asyncio.TimeoutError, _RefusedError) as error:
            stream.failures += 1
            if stream.failures == _ATTEMPTS:
                log.warning("Gave up the log stream %s: %r", stream.name, error)
            if stream.failures >= _ATTEMPTS:
                stream.events.clear()
                self._waiting.pop(stream.name, None)

    async def _create(self, stream: _Stream) -> None:
        if stream.target.create_group:
            await self._call(stream, "CreateLogGroup", tolerate=True)
        await self._call(stream, "CreateLogStream", tolerate=True)
        stream.created = True

    async def _call(
        self,
        stream: _Stream,
        action: str,
        *,
        tolerate: bool = False,
        timeout: aiohttp.ClientTimeout = _CALL,
        **params: Any,
    ) -> None:
        """Call an action of CloudWatch Logs; `tolerate` accepts ResourceAlreadyExistsException as success."""
        if action != "CreateLogGroup":
            params["logStreamName"] = stream.name
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"Logs_20140328.{action}",
            "Authorization": "AWS4-HMAC-SHA256 Credential=local/20200101/"
            f"{stream.target.region}/logs/aws4_request, SignedHeaders=host, Signature=local",
        }
        document = {"logGroupName": stream.target.group, **params}
        async with self._session.post(
            self._endpoint_url, json=document, headers=headers, timeout=timeout
        ) as response:
            text = await response.text()
            if response.status != 200 and not (tolerate and "ResourceAlreadyExistsException" in text):
                raise _RefusedError(action, response.status, text)


def _name(target: LogTarget, container: str, task_id: str) -> str:
    return f"{target.prefix}/{container}/{task_id}"


def _batch(events: deque[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the longest prefix of `events` that fits into one PutLogEvents call."""
    batch: list[tuple[int, str]] = []
    size = 0
    for at, line in events:
        size += len(line.encode()) + EVENT_OVERHEAD
        if len(batch) == MAX_EVENTS or (batch and size > MAX_BYTES):
            break
        batch.append((at, line))
    return batch
