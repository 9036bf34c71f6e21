"""Notes when a task passes each step from the scheduler to its container: wrappers that only call what they wrap."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.scheduler_process import Measured
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.workers.hand_over import HandOver
from ecs_async_executor.executor.row_claim import RowClaim

QUEUED, ORDERED, CLAIM, CLAIMED = "queued", "ordered", "claim", "claimed"
PUT, WRITTEN, RUN_TASK, BEAT = "put", "written", "run_task", "beat"


@dataclass(frozen=True, slots=True)
class Stamp:
    """One step of one task. `at` is in epoch seconds; `took`, of a heartbeat, in seconds."""

    what: str
    ti_id: str
    at: float
    took: float = 0.0


class Stamps:
    """A file that several threads of one process write, and another process reads when they are done."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, what: str, ti_id: Any = "", took: float = 0.0) -> None:
        """Append one, in a single write."""
        line = json.dumps(asdict(Stamp(what, str(ti_id), time.time(), took))) + "\n"
        with self._path.open("ab", buffering=0) as file:
            file.write(line.encode())

    def read(self) -> list[Stamp]:
        """Return all."""
        if not self._path.exists():
            return []
        return [Stamp(**json.loads(line)) for line in self._path.read_text("utf-8").splitlines()]


class Stamped(Measured):
    """Notes what the scheduler gives to the executor that follows in the MRO, and each heartbeat."""

    stamps: ClassVar[Stamps]

    def queue_workload(self, workload: Any, session: Any) -> None:
        """Queue it, noted."""
        self.stamps.note(QUEUED, workload.ti.id)
        super().queue_workload(workload, session)

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            self.stamps.note(ORDERED, workload.ti.id)
        super()._process_workloads(workload_items)

    def heartbeat(self) -> None:
        """Heartbeat, noted."""
        begun = time.perf_counter()
        super().heartbeat()
        self.stamps.note(BEAT, took=time.perf_counter() - begun)


def stamp_engine(stamps: Stamps) -> None:
    """Note the steps that the engine takes; for a process of its own."""
    _stamp_claims(stamps)
    _stamp_calls(stamps)


def _stamp_claims(stamps: Stamps) -> None:
    claim, claimed = RowClaim.__call__, HandOver.claimed
    ti_ids: dict[str, Any] = {}

    def noted_claim(self: RowClaim, arn: str) -> None:
        ti_ids[self.run_id] = self.ti_id
        stamps.note(CLAIM, self.ti_id)
        claim(self, arn)

    def noted_claimed(self: HandOver, run_id: str, arn: str, *, held: bool) -> None:
        stamps.note(CLAIMED, ti_ids.get(run_id, ""))
        claimed(self, run_id, arn, held=held)

    _replace(RowClaim, "__call__", noted_claim)
    _replace(HandOver, "claimed", noted_claimed)


def _stamp_calls(stamps: Stamps) -> None:
    put_once: Callable[..., Awaitable[Any]] = S3Client.put_once
    run_task: Callable[..., Awaitable[Any]] = EcsClient.run_task

    async def noted_put(self: S3Client, url: str, data: bytes) -> Any:
        ti_id = json.loads(data)["ti"]["id"] if data else ""
        stamps.note(PUT, ti_id)
        answer = await put_once(self, url, data)
        stamps.note(WRITTEN, ti_id)
        return answer

    async def noted_run(self: EcsClient, body: Mapping[str, Any]) -> Any:
        stamps.note(RUN_TASK, ti_of(body))
        return await run_task(self, body)

    _replace(S3Client, "put_once", noted_put)
    _replace(EcsClient, "run_task", noted_run)


def ti_of(body: Mapping[str, Any]) -> str:
    """Return the id of the task instance that a RunTask request is for; empty for a standby's."""
    command = next(each["command"] for each in body["overrides"]["containerOverrides"] if "command" in each)
    return "" if "-c" in command else str(json.loads(command[-1])["ti"]["id"])


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)
