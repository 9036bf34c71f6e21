"""Builds the RunTask requests of runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import random as system_random
from typing import Any

import anyio

from ecs_async_executor.backoff import Random
from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind, classify
from ecs_async_executor.engine.diagnosis.causes.requests import DEFINITION_GONE
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.engine.images import Wanted
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.workers.default_strategies import DefaultStrategies
from ecs_async_executor.engine.workers.image_revisions import ImageRevisions
from ecs_async_executor.engine.workers.shared_answers import SharedAnswers
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.launch_id import STANDBY, started_by
from ecs_async_executor.messages import Diagnosis, Recovery, Request

FRESH = 300.0
"""Seconds a request may wait for its first send: the token in it, or in its payload, doesn't live forever."""
STOPPED = Failure(Kind.CONFIGURATION, Diagnosis("The task was stopped before it was launched."))


class Requests:
    """Builds each launch's request, once, and completes it with what only ECS knows."""

    def __init__(self, calls: Calls, options: EngineOptions, random: Random = system_random) -> None:
        self._strategies = DefaultStrategies(calls, random)
        self._revisions = ImageRevisions(calls, options.started_by, random)
        self._answers: SharedAnswers[str | Wanted] = SharedAnswers()
        """What runs wait for: the default strategies, by cluster, and the revisions."""
        self._digest = calls.digest
        self._options = options

    def request(self, entry: Entry) -> Request:
        """Return the run's request, building it if there is none or it is too old; raises `CallError`.

        It remains open while ECS's answer is unknown, and until those who waited for it are queued again: otherwise a run
        that comes just then would be sent before them, whatever their priorities.
        """
        launch, now = entry.launch, anyio.current_time()
        if launch.request is None or not (launch.sent or now - launch.built_at < FRESH):
            assert launch.build is not None  # noqa: S101  a run waiting for its launch has a builder
            request = launch.request = self._build(entry, launch.build)
            launch.built_at, entry.cluster, entry.container = now, request.cluster, request.container
            if launch.recovery is not Recovery.NONE:  # an earlier sender uploaded the payload before its send
                entry.maybe_stored = request.payload.url if request.payload is not None else None
        request = launch.request
        if request.settle is not None and not self._must_wait(request.cluster):
            settled = self._build(entry, partial(request.settle, self._strategies.known[request.cluster]))
            request = launch.request = replace(settled, origin=request.origin)
        if request.image and not self._must_wait(wanted := _wanted(request)):
            body = {**request.body, "taskDefinition": self._revisions.known(wanted)}
            request = launch.request = replace(request, body=body, image="")
        return request

    def as_built(self, entry: Entry) -> Request:
        """Build a run's request, without what ECS must be asked before it is sent; raises `CallError`."""
        assert entry.launch.build is not None  # noqa: S101  a run waiting for its launch has a builder
        return self._build(entry, entry.launch.build)

    async def wait(self, entry: Entry) -> None:
        """Wait for the answers that the run's request lacks; raises `CallError`."""
        request = self.request(entry)
        entry.launch.request = None  # its turn may come much later, and thousands may wait
        if request.settle is not None:
            await self._answer(request.cluster)
        if request.image:
            entry.launch.awaited_image = request.image
            try:
                await self._answer(_wanted(request))
            finally:
                entry.launch.awaited_image = ""

    def forget(self, request: Request, failure: Failure) -> Failure:
        """Return what a refusal of RunTask means: if someone has deregistered a revision of ours, the next launch gets another one."""
        if failure.cause not in DEFINITION_GONE:
            return failure
        image = self._revisions.forget(str(request.body.get("taskDefinition")))
        if image is None:
            return failure
        diagnosis = Diagnosis(
            f"The task definition that was registered for the image {image} was deregistered.",
            failure.diagnosis.detail,
            "Nothing to do: the next launch gets another one.",
        )
        return Failure(Kind.START, diagnosis)

    @property
    def waiting(self) -> int:
        """How many runs wait for an answer."""
        return len(self._answers)

    def _must_wait(self, key: str | Wanted) -> bool:
        return not self._is_known(key) or self._answers.is_awaited(key)

    def _is_known(self, key: str | Wanted) -> bool:
        return (
            key in self._strategies.known if isinstance(key, str) else self._revisions.known(key) is not None
        )

    async def _answer(self, key: str | Wanted) -> None:
        if self._is_known(key):
            await self._answers.step_back(key)
        elif isinstance(key, str):
            await self._answers.wait(key, lambda: self._strategies.default_strategy(key))
        else:
            await self._answers.wait(key, lambda: self._revisions.find(key))

    def body(self, entry: Entry, request: Request) -> dict[str, Any]:
        """Return RunTask's members: the same for every send of a request."""
        return {
            **request.body,
            "clientToken": str(entry.launch_id),
            "startedBy": started_by(self._options.started_by, STANDBY if entry.is_standby else entry.run_id),
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


def _wanted(request: Request) -> Wanted:
    return Wanted(str(request.body.get("taskDefinition", "")), request.container, request.image)


def raise_if_stopped(entry: Entry) -> None:
    """Raise `CallError` if someone has asked to stop the run."""
    if entry.stop_reason is not None:
        raise CallError(STOPPED)
