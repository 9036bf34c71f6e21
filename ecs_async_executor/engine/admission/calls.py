"""Makes every ECS call of the engine: keeps to rates and circuit breaker, and classifies failures."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import anyio

from ecs_async_executor.engine.admission.adaptive_bucket import UNLIMITED
from ecs_async_executor.engine.admission.circuit_breaker import CircuitBreaker
from ecs_async_executor.engine.admission.rate_limits import Action, RateLimits
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, CallError, Failure, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Report

T = TypeVar("T")
Emit: TypeAlias = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to make one call now."""

    action: Action
    generation: int
    """The circuit breaker's, when it let this call through."""


class Calls:
    """Issues permits, and makes calls."""

    def __init__(  # noqa: PLR0913  a call needs these parts of the engine
        self,
        client: EcsClient,
        rate_limits: RateLimits,
        breaker: CircuitBreaker,
        emit: Emit,
        digest: LogDigest,
        *,
        backlog: Callable[[], int],
    ) -> None:
        self.client = client
        self._rate_limits = rate_limits
        self._breaker = breaker
        self._emit = emit
        self.digest = digest
        self._backlog = backlog
        """Returns how many launches wait."""

    async def permit(self, action: Action) -> Permit:
        """Wait until a call of this action may be made, and return the permit for it."""
        await self._rate_limits.acquire(action)
        return Permit(action, await self._breaker.acquire())

    def give_back(self, permit: Permit) -> None:
        """Take back a permit that no call was made with."""
        self._rate_limits.give_back(permit.action)
        self._breaker.give_back(permit.generation)

    def discard(self, permit: Permit) -> None:
        """Use up the permit's rate without a call.

        If the permit was the circuit breaker's probe, the next caller becomes the probe.
        """
        self._breaker.give_back(permit.generation)

    async def make(self, permit: Permit, call: Callable[[], Awaitable[T]], name: str = "") -> T:
        """Make the call that `permit` allows; raises `CallError`.

        With a `name`, every failure is logged; without one, the caller reports AWS's failures.
        """
        sent_at = anyio.current_time()
        try:
            answer = await call()
        except Exception as error:
            failure = classify(error)
            self._note(permit, failure, sent_at)
            self._log(permit.action, failure, name, error)
            raise CallError(failure) from error
        self._rate_limits.accepted(permit.action, sent_at)
        self._report(self._breaker.succeed(permit.generation))
        return answer

    def _note(self, permit: Permit, failure: Failure, sent_at: float) -> None:
        if failure.kind in PAUSING:
            if failure.kind is Kind.CREDENTIALS and self._breaker.is_current(permit.generation):
                self.client.forget()
            self._report(self._breaker.fail(permit.generation, failure.diagnosis))
            return
        if failure.kind is Kind.THROTTLE:
            self._rate_limits.throttled(permit.action, sent_at)
        elif failure.kind is not Kind.UNKNOWN:
            self._rate_limits.accepted(permit.action, sent_at)
        if failure.kind is not Kind.UNKNOWN:
            self._report(self._breaker.succeed(permit.generation))

    def _log(self, action: Action, failure: Failure, name: str, error: Exception) -> None:
        kind, diagnosis = failure.kind, failure.diagnosis
        cause = (action, diagnosis.summary)
        now = anyio.current_time()
        if kind in PAUSING:  # reported as `Paused`
            return
        if kind is Kind.THROTTLE:
            self.digest.note(cause, lambda: self._throttle(action), now)
        elif kind is Kind.FAULT:
            self.digest.note(
                cause,
                f"{name or action.value} failed. {diagnosis}",
                now,
                level=logging.ERROR,
                detail=stack_of(error),
            )
        elif action is Action.STOP_TASK and kind is Kind.NOT_FOUND:
            return  # ECS may not know a new task yet; if the task is gone, the watcher ends the run
        elif name:
            self.digest.note(cause, f"{name} failed, to be repeated. {diagnosis}", now)

    def _throttle(self, action: Action) -> str:
        rate, most = self._rate_limits.rate(action)
        waiting = f"{self._backlog()} launches wait, " if action is Action.RUN_TASK else ""
        allowed = f" of {most:g}/s allowed" if most < UNLIMITED else ""
        return f"AWS throttles {action.value}: {waiting}now {rate:.1f}/s{allowed}."

    def _report(self, reports: list[Report]) -> None:
        for report in reports:
            self._emit(report)
