"""Builds the RunTask requests of runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.workers.default_strategies import DefaultStrategies
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.launch_id import started_by
from ecs_async_executor.messages import Diagnosis, Recovery, Request

FRESH = 300.0
"""Seconds a request may wait for its first send: the token in it, or in its payload, doesn't live forever."""
STOPPED = Failure(Kind.CONFIGURATION, Diagnosis("The task was stopped before it was launched."))


class Requests:
    """Builds each launch's request, once, and completes it with what only ECS knows."""

    def __init__(self, calls: Calls, options: EngineOptions) -> None:
        self._strategies = DefaultStrategies(calls)
        self._digest = calls.digest
        self._options = options

    def request(self, entry: Entry) -> Request:
        """Return the run's request, building it if there is none or it is too old; raises `CallError`.

        Its `settle` remains only while the cluster's default is unknown.
        """
        launch, now = entry.launch, anyio.current_time()
        if launch.request is None or not (launch.sent or now - launch.built_at < FRESH):
            assert launch.build is not None  # noqa: S101  a run waiting for its launch has a builder
            request = launch.request = self._build(entry, launch.build)
            launch.built_at, entry.cluster, entry.container = now, request.cluster, request.container
            if launch.recovery is not Recovery.NONE:  # an earlier sender uploaded the payload before its send
                entry.maybe_stored = request.payload.url if request.payload is not None else None
        request = launch.request
        if request.settle is not None and request.cluster in self._strategies.known:
            strategy = self._strategies.known[request.cluster]
            settled = self._build(entry, partial(request.settle, strategy))
            request = launch.request = replace(settled, origin=request.origin)
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
                "Report it as a bug, with the traceback from the scheduler's log.",
            )
            raise CallError(Failure(Kind.CONFIGURATION, diagnosis)) from error


def raise_if_stopped(entry: Entry) -> None:
    """Raise `CallError` if someone has asked to stop the run."""
    if entry.stop_reason is not None:
        raise CallError(STOPPED)
