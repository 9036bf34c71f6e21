"""Builds the RunTask requests of runs, and tells the ledger the outcome of every launch step."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import anyio

from ecs_async_executor.engine.admission.calls import Calls, Emit
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import fault_of, stack_of
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.default_strategies import DefaultStrategies
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.launch_id import started_by
from ecs_async_executor.messages import Diagnosis, Recovery, Request

FRESH = 300.0
"""Seconds a request may wait for its first send: the token in it, or in its payload, doesn't live forever."""
STOPPED = Failure(Kind.CONFIGURATION, Diagnosis("The task was stopped before it was launched."))

LaunchStep: TypeAlias = Callable[[Entry], Awaitable[str | None]]
"""Returns the ARN of the run's task, or None if the ledger already knows what's next; raises `CallError`."""


class Requests:
    """Builds requests, and tells the ledger what became of them."""

    def __init__(self, ledger: Ledger, calls: Calls, emit: Emit, options: EngineOptions) -> None:
        self._ledger = ledger
        self._strategies = DefaultStrategies(calls)
        self._digest = calls.digest
        self._emit = emit
        self._options = options

    async def run_step(self, entry: Entry, step: LaunchStep) -> None:
        """Run a launch step, and tell the ledger which task it returned or why it failed."""
        try:
            arn = await step(entry)
        except CallError as error:
            outcome = self._ledger.failed(entry, error.failure, anyio.current_time())
        except Exception as error:  # noqa: BLE001  a fault of ours fails this run, not the whole engine
            fault = Failure(Kind.FAULT, fault_of(error))
            text = f"Launching {entry.label} failed. {fault.diagnosis}"
            now = anyio.current_time()
            self._digest.note(
                (Requests, fault.diagnosis.detail), text, now, level=logging.ERROR, detail=stack_of(error)
            )
            outcome = self._ledger.failed(entry, fault, now)
        else:
            if arn is None:
                return
            outcome = self._ledger.launched(entry, arn, entry.cluster, entry.container, anyio.current_time())
        for report in outcome:
            self._emit(report)

    def request(self, entry: Entry) -> Request:
        """Return the run's request, building it if there is none or it is too old; raises `CallError`.

        Its `settle` remains only while the cluster's default is unknown.
        """
        now = anyio.current_time()
        if entry.request is None or not (entry.sent or now - entry.built_at < FRESH):
            assert entry.build is not None  # noqa: S101  a run waiting for its launch has a builder
            request = entry.request = self._build(entry, entry.build)
            entry.built_at, entry.cluster, entry.container = now, request.cluster, request.container
            if entry.recovery is not Recovery.NONE:  # an earlier sender uploaded the payload before its send
                entry.maybe_stored = request.payload.url if request.payload is not None else None
        request = entry.request
        if request.settle is not None and request.cluster in self._strategies.known:
            strategy = self._strategies.known[request.cluster]
            settled = self._build(entry, partial(request.settle, strategy))
            request = entry.request = replace(settled, origin=request.origin)
        return request

    async def settle(self, entry: Entry) -> Request:
        """Return the run's request, settled by its cluster's default if need be; raises `CallError`."""
        request = self.request(entry)
        if request.settle is not None:
            await self._strategies.default_strategy(request.cluster)
            request = self.request(entry)
        return request

    def body(self, entry: Entry, request: Request) -> dict[str, Any]:
        """Return RunTask's members: the same for every send of a request."""
        return {
            **request.body,
            "clientToken": str(entry.launch_id),
            "startedBy": started_by(self._options.started_by, entry.run_id),
        }

    def _build(self, entry: Entry, build: Callable[[], Request]) -> Request:
        try:
            return build()
        except InvalidRequestError as error:
            raise CallError(classify(error)) from error
        except Exception as error:
            self._digest.note(
                ("build", type(error)),
                f"Can't build the RunTask request of {entry.label}: {type(error).__name__}.",
                anyio.current_time(),
                level=logging.ERROR,
                detail=stack_of(error),
            )
            diagnosis = Diagnosis(
                "The RunTask request can't be built.",
                type(error).__name__,
                "Please report it: see the scheduler's log.",
            )
            raise CallError(Failure(Kind.CONFIGURATION, diagnosis)) from error


def raise_if_stopped(entry: Entry) -> None:
    """Raise `CallError` if someone has asked to stop the run."""
    if entry.stop_reason is not None:
        raise CallError(STOPPED)
