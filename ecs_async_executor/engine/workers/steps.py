"""The steps of a launch (search, prepare, upload, send): runs one, and tells the ledger its outcome."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import anyio
from typing_extensions import assert_never

from ecs_async_executor.engine.admission.calls import Emit
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.diagnosis.faults import fault_of, stack_of
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Report, Request


@dataclass(frozen=True, slots=True)
class Started:
    """This launch has started a task, now or earlier."""

    arn: str
    capacity: str = ""
    """Its size and where it runs, if RunTask said so."""
    created_at: float | None = None
    """When ECS created it, in epoch seconds, if RunTask said so."""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The step failed; what that means for the launch depends on the failure."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Prepared:
    """The run waits for its next turn: ECS has answered, or must be asked again then."""


@dataclass(frozen=True, slots=True)
class AnswerNeeded:
    """ECS must be asked something before the send: the run waits for the answer, and takes no launch slot for it."""


@dataclass(frozen=True, slots=True)
class UploadNeeded:
    """The payload must be in S3 before the send: the run waits for the uploader."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The payload is in S3, and this is the request to send."""

    request: Request


Outcome: TypeAlias = Started | NotStarted | Prepared | AnswerNeeded | UploadNeeded | Uploaded
Step: TypeAlias = Callable[[Entry], Awaitable[Outcome]]
"""Raises `CallError` in place of returning `NotStarted`."""


class Steps:
    """Runs steps. A step that raises fails its launch, not the engine."""

    def __init__(self, ledger: Ledger, emit: Emit, digest: LogDigest, measured: Launches) -> None:
        self._ledger = ledger
        self._emit = emit
        self._digest = digest
        self._measured = measured

    async def run(self, entry: Entry, step: Step) -> None:
        """Run a step, and tell the ledger its outcome."""
        try:
            outcome = await step(entry)
        except CallError as error:
            outcome = NotStarted(error.failure)
        except Exception as error:  # noqa: BLE001  a fault of ours fails this run, not the whole engine
            outcome = NotStarted(self._fault(entry, error))
        reports = self._record(entry, outcome)
        self._measured.ended(entry, reports, anyio.current_time())
        for report in reports:
            self._emit(report)

    def _fault(self, entry: Entry, error: Exception) -> Failure:
        fault = Failure(Kind.FAULT, fault_of(error))
        text = f"Launching {entry.label} failed. {fault.diagnosis}"
        cause = (Steps, fault.diagnosis.detail)
        self._digest.note(cause, text, anyio.current_time(), level=logging.ERROR, detail=stack_of(error))
        return fault

    def _record(self, entry: Entry, outcome: Outcome) -> list[Report]:
        now = anyio.current_time()
        match outcome:
            case Started():
                return self._ledger.launched(
                    entry,
                    outcome.arn,
                    entry.cluster,
                    entry.container,
                    now,
                    capacity=outcome.capacity,
                    created_at=outcome.created_at,
                )
            case NotStarted():
                return self._ledger.failed(entry, outcome.failure, now)
            case Prepared():
                self._ledger.prepared(entry, now)
            case AnswerNeeded():
                self._ledger.prepare(entry, now)
            case UploadNeeded():
                self._ledger.must_put(entry, now)
            case Uploaded():
                self._ledger.has_put(entry, outcome.request, now)
            case _:
                assert_never(outcome)
        return []
