"""Searches for the task that an earlier send of a launch may have started, with ListTasks by `startedBy`."""

from __future__ import annotations

from dataclasses import replace

import anyio

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.launch_id import started_by
from ecs_async_executor.messages import Recovery

_REFUSALS = frozenset({Kind.CAPACITY, Kind.CONFIGURATION, Kind.DENIED, Kind.PAYLOAD, Kind.START})
_BOUNDED = frozenset({Kind.PAYLOAD, Kind.FAULT})
"""The ledger counts these failures, and decides itself when to believe that there is no task."""


class TaskSearch:
    """Finds tasks that sends with an unknown outcome have started, no matter who sent them."""

    def __init__(self, calls: Calls, options: EngineOptions) -> None:
        self._calls = calls
        self._options = options

    async def find(self, refusal: Failure, entry: Entry) -> str:
        """Return the ARN of the task an earlier send started; if there surely is none, raise `refusal`."""
        arns = refusal.arns or await self._started_before(entry)
        if arns:
            return arns[0]
        # ListTasks is eventually consistent: a task that isn't listed yet may exist.
        launch, grace = entry.launch, self._options.missing_grace
        is_early = launch.unknown_sends > 0 and anyio.current_time() - launch.maybe_sent_at < grace
        # Someone else has sent it: its grace time begins now.
        is_news = refusal.kind is Kind.EXISTS and not launch.unknown_sends
        if is_news or (is_early and refusal.kind not in _BOUNDED):
            raise CallError(replace(refusal, kind=Kind.UNKNOWN))
        raise CallError(refusal)

    async def search(self, entry: Entry) -> tuple[str, ...]:
        """Return the ARNs of the tasks that an earlier scheduler has started for the run."""
        try:
            return await self._started_before(entry)
        except CallError as error:
            if error.failure.kind is Kind.DENIED:
                return ()  # RunTask finds the task by its clientToken
            raise

    async def listed(self, entry: Entry) -> tuple[str, ...]:
        """Return the ARNs that ListTasks lists for the run; raises `CallError`."""
        return await self._calls.list_tasks(
            entry.cluster,
            started_by(self._options.started_by, entry.run_id),
            f"ListTasks for {entry.label}",
        )

    async def _started_before(self, entry: Entry) -> tuple[str, ...]:
        if entry.is_standby:
            return ()  # nothing distinguishes it from others, and if it exists, it ends by itself
        try:
            return await self.listed(entry)
        except CallError as error:
            launch, kind = entry.launch, error.failure.kind
            waited = anyio.current_time() - launch.maybe_sent_at
            if kind is Kind.FAULT:
                raise
            if kind is Kind.NOT_FOUND or (launch.unknown_sends and waited >= self._options.list_timeout):
                return ()
            if kind is Kind.DENIED and launch.recovery is Recovery.SEARCH and entry.stop_reason is None:
                raise
            # Whatever the reason, it is still unknown whether the task exists.
            raise CallError(replace(error.failure, kind=Kind.UNKNOWN)) from error


def is_refused_replay(entry: Entry, failure: Failure) -> bool:
    """Tell whether an earlier send may have started the task although this send was refused.

    ECS checks permissions, roles and quotas before clientTokens.
    """
    return entry.launch.unknown_sends > 0 and failure.kind in _REFUSALS
