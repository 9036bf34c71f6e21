"""Makes every ECS call of the engine: keeps to rates and circuit breaker, and classifies failures."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import anyio
from typing_extensions import Self

from ecs_async_executor.engine.admission.adaptive_bucket import UNLIMITED
from ecs_async_executor.engine.admission.circuit_breaker import CircuitBreaker
from ecs_async_executor.engine.admission.last_minute import LastMinute
from ecs_async_executor.engine.admission.rate_limits import Action, RateLimits
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, CallError, Failure, Kind, classify
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import Diagnosis, Report
from ecs_async_executor.metrics import API_ERRORS, API_LATENCY, THROTTLES

T = TypeVar("T")
Emit: TypeAlias = Callable[[Report], None]


UNANSWERED = 30.0
"""Seconds without a usable answer after which that is reported: one lost answer means nothing."""


class Permit:
    """Permission to make one call now. Leaving its `with` block gives it back, unless it was used."""

    __slots__ = ("_breaker", "_is_used", "_rate_limits", "action", "generation")

    def __init__(
        self, action: Action, generation: int, rate_limits: RateLimits, breaker: CircuitBreaker
    ) -> None:
        self.action = action
        self.generation = generation
        """The circuit breaker's, when it let this call through."""
        self._rate_limits = rate_limits
        self._breaker = breaker
        self._is_used = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def use(self) -> None:
        """Note that the call is being made; raises RuntimeError if the permit was used or given back."""
        if self._is_used:
            raise RuntimeError(f"A permit allows one {self.action.value} call; get another one.")
        self._is_used = True

    def give_back(self) -> None:
        """Give it back, so that another caller may make a call instead; does nothing if it was used."""
        if not self._is_used:
            self._is_used = True
            self._rate_limits.give_back(self.action)
            self._breaker.give_back(self.generation)

    def spend(self) -> None:
        """Use up its rate without a call.

        If the permit was the circuit breaker's probe, the next caller becomes the probe.
        """
        self.use()
        self._breaker.give_back(self.generation)


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
        measurements: Measurements | None = None,
    ) -> None:
        self.client = client
        self._rate_limits = rate_limits
        self._breaker = breaker
        self._emit = emit
        self.digest = digest
        self._backlog = backlog
        """Returns how many launches wait."""
        self.launches, self.throttles = LastMinute(), LastMinute()
        """ECS tasks that RunTask has started, and RunTask calls that AWS has throttled."""
        self._unanswered_since: float | None = None
        """When the first call was sent of those since which ECS has given no usable answer."""
        self.measurements = measurements or Measurements()

    async def permit(self, action: Action) -> Permit:
        """Wait until a call of this action may be made, and return the permit for it."""
        await self._rate_limits.acquire(action)
        return Permit(action, await self._breaker.acquire(), self._rate_limits, self._breaker)

    async def call(self, action: Action, call: Callable[[], Awaitable[T]], name: str = "") -> T:
        """Wait for a permit and make the call; raises what `make` raises."""
        return await self.make(await self.permit(action), call, name)

    async def list_tasks(self, cluster: str, started_by: str, name: str = "") -> tuple[str, ...]:
        """Return the ARNs of the tasks with this `startedBy`; raises what `make` raises."""
        return await self.call(
            Action.LIST_TASKS, lambda: self.client.list_tasks_started_by(cluster, started_by), name
        )

    def unanswered_for(self, now: float) -> float | None:
        """Return the seconds for which ECS has given no usable answer to any call; None if the last one got one."""
        return None if self._unanswered_since is None else now - self._unanswered_since

    def launch_rate(self) -> tuple[float | None, float | None]:
        """Return how many RunTask calls may be made per second: now, and by the options; None: no limit.

        Without a limit by the options, throttles limit them all the same.
        """
        rate, most = self._rate_limits.rate(Action.RUN_TASK)
        return rate if rate < UNLIMITED else None, most if most < UNLIMITED else None

    @property
    def is_paused(self) -> bool:
        """Whether AWS can't be used at all."""
        return self._breaker.diagnosis is not None

    async def make(self, permit: Permit, call: Callable[[], Awaitable[T]], name: str = "") -> T:
        """Make the call that `permit` allows; raises `CallError`.

        With a `name`, every failure is logged; without one, the caller reports AWS's failures.
        """
        permit.use()
        sent_at = anyio.current_time()
        try:
            answer = await call()
        except Exception as error:
            failure = classify(error)
            self.measurements.time(API_LATENCY, anyio.current_time() - sent_at, permit.action.value)
            self.count_failure(permit.action, failure)
            self._note(permit, failure, sent_at)
            self._log(permit.action, failure, name, error)
            raise CallError(failure) from error
        self._unanswered_since = None
        self.measurements.time(API_LATENCY, anyio.current_time() - sent_at, permit.action.value)
        self._rate_limits.accepted(permit.action, sent_at)
        self._report(self._breaker.succeed(permit.generation))
        return answer

    def count_failure(self, action: Action, failure: Failure) -> None:
        """Count a call that failed; its answer may say so, too."""
        self.measurements.count(API_ERRORS, action.value, failure.kind.value)
        if failure.kind is Kind.THROTTLE:
            self.measurements.count(THROTTLES, action.value)

    def _note(self, permit: Permit, failure: Failure, sent_at: float) -> None:
        if failure.kind is not Kind.UNKNOWN:
            self._unanswered_since = None
        elif self._unanswered_since is None:
            self._unanswered_since = sent_at
        if failure.kind in PAUSING:
            if failure.kind is Kind.CREDENTIALS and self._breaker.is_current(permit.generation):
                self.client.forget()
            self._report(self._breaker.fail(permit.generation, failure.diagnosis))
            return
        if failure.kind is Kind.THROTTLE:
            self._rate_limits.throttled(permit.action, sent_at)
            if permit.action is Action.RUN_TASK:
                self.throttles.note(anyio.current_time())
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
        elif action is Action.DESCRIBE_TASKS and failure.is_elsewhere:
            return  # the watcher says it once
        elif name:
            self.digest.note(cause, f"{name} failed and will be retried. {diagnosis}", now)

    @property
    def outage(self) -> Diagnosis | None:
        """Why no call gets a usable answer; None if calls do."""
        if self._breaker.diagnosis is not None:
            return self._breaker.diagnosis
        silence = self.unanswered_for(anyio.current_time())
        if silence is not None and silence >= UNANSWERED:
            return Diagnosis(
                "ECS gives no usable answer to any call.",
                f"time-outs or internal errors for {silence:.0f} s",
                "If it lasts, check the network between the scheduler and AWS (VPC endpoint of ecs, NAT gateway, proxy), and "
                "AWS's health dashboard. The task is launched once ECS answers.",
            )
        return None

    @property
    def hold_up(self) -> Diagnosis | None:
        """Why launches wait that nothing else keeps from being sent; None if none waits."""
        if not (backlog := self._backlog()):
            return None
        if (outage := self.outage) is not None:
            return outage
        rate, most = self._rate_limits.rate(Action.RUN_TASK)
        waiting = f"{backlog:,} launches wait"
        if rate < most:
            return Diagnosis(
                "AWS throttles RunTask, so launches are slow.",
                f"{waiting}; now {rate:.1f} calls/s{_allowed(most)}",
                "Nothing to do: the task is launched in its turn. If it lasts, find out which other clients of the "
                "account call RunTask, or have AWS raise the limit.",
            )
        if backlog < rate or most >= UNLIMITED:
            return None  # each has a reason of its own
        return Diagnosis(
            "More launches wait than RunTask's rate allows at once.",
            f"{waiting}; {rate:g} calls/s allowed",
            "Nothing to do: the task is launched in its turn. For more, have AWS raise the limit, then raise "
            "`run_task_rate`.",
        )

    def _throttle(self, action: Action) -> str:
        rate, most = self._rate_limits.rate(action)
        waiting = f"{self._backlog()} launches wait, " if action is Action.RUN_TASK else ""
        return f"AWS throttles {action.value}: {waiting}now {rate:.1f}/s{_allowed(most)}."

    def _report(self, reports: list[Report]) -> None:
        for report in reports:
            self._emit(report)


def _allowed(most: float) -> str:
    return f" of {most:g}/s allowed" if most < UNLIMITED else ""
