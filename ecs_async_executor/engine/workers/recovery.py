"""Searches for the task that an earlier send of a launch may have started, with ListTasks by `startedBy`."""

from __future__ import annotations

from dataclasses import replace

import anyio

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import Entry
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
        is_early = (
            entry.unknown_sends > 0 and anyio.current_time() - entry.sent_at < self._options.missing_grace
        )
        # Someone else has sent it: its grace time begins now.
        is_news = refusal.kind is Kind.EXISTS and not entry.unknown_sends
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

    async def _started_before(self, entry: Entry) -> tuple[str, ...]:
        permit = await self._calls.permit(Action.LIST_TASKS)
        started_by = f"{self._options.started_by}/{entry.run_id}"
        try:
            return await self._calls.make(
                permit,
                lambda: self._calls.client.list_tasks_started_by(entry.cluster, started_by),
                f"ListTasks for {entry.label}",
            )
        except CallError as error:
            kind, waited = error.failure.kind, anyio.current_time() - entry.sent_at
            if kind is Kind.FAULT:
                raise
            if kind is Kind.NOT_FOUND or (entry.unknown_sends and waited >= self._options.list_timeout):
                return ()
            if kind is Kind.DENIED and entry.recovery is Recovery.SEARCH and entry.stop_reason is None:
                raise
            # Whatever the reason, it is still unknown whether the task exists.
            raise CallError(replace(error.failure, kind=Kind.UNKNOWN)) from error


def is_refused_replay(entry: Entry, failure: Failure) -> bool:
    """Tell whether an earlier send may have started the task although this send was refused.

    ECS checks permissions, roles and quotas before clientTokens.
    """
    return entry.unknown_sends > 0 and failure.kind in _REFUSALS
