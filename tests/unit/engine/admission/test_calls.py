from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import botocore.exceptions as boto
import pytest

from ecs_async_executor.engine.admission.calls import UNANSWERED, Calls, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.messages import Paused, Resumed
from tests.support.engine import FakeClient, Reports, error, options

pytestmark = pytest.mark.virtual_time

MakeCalls = Callable[[EngineOptions], Calls]
EXPIRED = error("ExpiredTokenException", "expired")


async def give(answer: BaseException) -> None:
    raise answer


async def answer_with(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        await give(answer)
    return answer


async def call(calls: Calls, answer: Any, action: Action = Action.LIST_TASKS) -> Any:
    return await calls.call(action, partial(answer_with, answer))


async def failing(calls: Calls, answer: BaseException, action: Action = Action.LIST_TASKS) -> Kind:
    with pytest.raises(CallError) as caught:
        await call(calls, answer, action)
    return caught.value.failure.kind


async def test_an_answer_is_passed_on(make_calls: MakeCalls, reports: Reports):
    assert await call(make_calls(options()), "answer") == "answer"
    assert reports == []


async def test_calls_keep_to_the_rates(make_calls: MakeCalls):
    calls = make_calls(options(read_rate=Rate(per_second=1, burst=1)))
    for _ in range(4):
        await call(calls, "answer")
    assert anyio.current_time() == pytest.approx(3.0, abs=0.05)


async def test_a_throttled_runtask_slows_launches_and_permits_stops_alone(make_calls: MakeCalls):
    calls = make_calls(options(run_task_rate=Rate(per_second=2, burst=2)))
    throttled = error("InvalidParameterException", "Rate exceeded (ErrorCode: Throttling)")
    assert await failing(calls, throttled, Action.RUN_TASK) is Kind.THROTTLE
    await call(calls, "answer", Action.LIST_TASKS)
    await call(calls, "answer", Action.STOP_TASK)
    assert anyio.current_time() == 0
    await call(calls, "answer", Action.RUN_TASK)
    assert anyio.current_time() == pytest.approx(1.0)


async def test_without_a_limit_only_a_throttle_gives_launches_a_rate(make_calls: MakeCalls):
    calls = make_calls(options(run_task_rate=Rate(0, 0)))
    assert calls.launch_rate() == (None, None)
    assert (
        await failing(calls, error("ThrottlingException", "Rate exceeded"), Action.RUN_TASK) is Kind.THROTTLE
    )
    rate, limit = calls.launch_rate()
    assert rate is not None
    assert rate <= 20
    assert limit is None


async def test_what_holds_up_launches_is_a_pause_before_a_throttle(make_calls: MakeCalls):
    calls = make_calls(options(run_task_rate=Rate(per_second=20, burst=20)))
    calls._backlog = lambda: 7
    throttled = error("ThrottlingException", "Rate exceeded")
    assert await failing(calls, throttled, Action.RUN_TASK) is Kind.THROTTLE
    assert calls.hold_up is not None
    assert calls.hold_up.summary == "AWS throttles RunTask, so launches are slow."
    assert calls.hold_up.detail == "7 launches wait; now 10.0 calls/s of 20/s allowed"
    assert await failing(calls, EXPIRED) is Kind.CREDENTIALS
    assert calls.hold_up.summary == "The AWS credentials have expired."
    await call(calls, "answer")
    assert calls.hold_up.summary == "AWS throttles RunTask, so launches are slow."


@pytest.mark.parametrize(("rate", "is_held_up"), [(Rate(20, 20), True), (Rate(0, 0), False)])
async def test_a_rate_without_a_limit_holds_up_nothing(make_calls: MakeCalls, rate: Rate, is_held_up: bool):
    calls = make_calls(options(run_task_rate=rate))
    calls._backlog = lambda: 30_000
    assert (calls.hold_up is not None) is is_held_up


async def test_an_ecs_that_answers_nothing_usable_for_long_holds_up_launches(make_calls: MakeCalls):
    calls = make_calls(options())
    calls._backlog = lambda: 7
    assert calls.unanswered_for(anyio.current_time()) is None
    assert await failing(calls, TimeoutError(), Action.DESCRIBE_TASKS) is Kind.UNKNOWN
    await anyio.sleep(UNANSWERED)
    assert await failing(calls, error("ServerException", status=500), Action.RUN_TASK) is Kind.UNKNOWN
    assert calls.unanswered_for(anyio.current_time()) == pytest.approx(UNANSWERED)
    assert calls.hold_up is not None
    assert calls.hold_up.summary == "ECS gives no usable answer to any call."
    assert await failing(calls, error("AccessDeniedException"), Action.LIST_TASKS) is Kind.DENIED
    assert calls.unanswered_for(anyio.current_time()) is None
    assert calls.hold_up is None


async def test_a_fault_of_ours_is_logged_with_its_traceback(
    make_calls: MakeCalls, caplog: pytest.LogCaptureFixture
):
    calls = make_calls(options())
    assert await failing(calls, KeyError("parsed"), Action.LIST_TASKS) is Kind.FAULT
    assert await failing(calls, error("ServerException", status=500), Action.LIST_TASKS) is Kind.UNKNOWN
    (message,) = caplog.messages
    assert "KeyError: 'parsed', raised in tests.unit.engine.admission.test_calls" in message
    assert "in give\n    raise answer" in message
    assert "Nothing to do" not in message


async def test_refused_credentials_pause_everything_once_and_replace_the_client(
    make_calls: MakeCalls, client: FakeClient, reports: Reports
):
    calls = make_calls(options())
    permits = [await calls.permit(Action.LIST_TASKS) for _ in range(5)]

    async def expired() -> None:
        raise EXPIRED

    for permit in permits:
        with pytest.raises(CallError):
            await calls.make(permit, expired)
    assert [type(report) for report in reports] == [Paused]
    assert client.forgotten == 1
    await call(calls, "answer", Action.STOP_TASK)
    assert anyio.current_time() == pytest.approx(1.0)
    assert [type(report) for report in reports] == [Paused, Resumed]


async def test_a_network_failure_pauses_everything_and_keeps_the_client(
    make_calls: MakeCalls, client: FakeClient, reports: Reports
):
    calls = make_calls(options())
    assert await failing(calls, boto.ConnectTimeoutError(endpoint_url="x")) is Kind.NETWORK
    assert await failing(calls, boto.ConnectTimeoutError(endpoint_url="x")) is Kind.NETWORK
    assert anyio.current_time() == pytest.approx(1.0)
    assert client.forgotten == 0
    assert len(reports.of(Paused)) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "ConflictException"])
async def test_any_definite_answer_of_aws_ends_the_pause(make_calls: MakeCalls, reports: Reports, code: str):
    calls = make_calls(options())
    await failing(calls, EXPIRED)
    await failing(calls, error(code))
    assert [type(report) for report in reports] == [Paused, Resumed]


async def test_an_unknown_outcome_does_not_end_the_pause(make_calls: MakeCalls, reports: Reports):
    calls = make_calls(options())
    await failing(calls, EXPIRED)
    assert await failing(calls, error("ServerException", status=500)) is Kind.UNKNOWN
    assert [type(report) for report in reports] == [Paused]
    await call(calls, "answer")
    assert [type(report) for report in reports] == [Paused, Resumed]


# --- repeated events are summed up ---------------------------------------------------------------------

THROTTLED = error("ThrottlingException", "Rate exceeded")


async def test_throttles_of_runtask_are_logged_once_a_minute_with_the_backlog_and_the_rate(
    make_calls: MakeCalls, caplog: pytest.LogCaptureFixture
):
    calls = make_calls(options(run_task_rate=Rate(per_second=20, burst=20)))
    await failing(calls, THROTTLED, Action.RUN_TASK)
    for _ in range(52):
        await failing(calls, THROTTLED, Action.RUN_TASK)
        await anyio.sleep(1.2)
    assert caplog.messages[0] == "AWS throttles RunTask: 43 launches wait, now 10.0/s of 20/s allowed."
    assert caplog.messages[1].startswith(
        "AWS throttles RunTask: 43 launches wait, now 0.5/s of 20/s allowed."
    )
    assert "[the last of " in caplog.messages[1]
    assert len(caplog.messages) == 2


async def test_a_throttles_log_line_names_no_allowed_rate_if_none_is_configured(
    make_calls: MakeCalls, caplog: pytest.LogCaptureFixture
):
    await failing(make_calls(options()), THROTTLED, Action.DESCRIBE_TASKS)
    assert caplog.messages == ["AWS throttles DescribeTasks: now 10.0/s."]


async def test_failures_that_no_run_reports_are_logged_once_a_minute_per_cause(
    make_calls: MakeCalls, caplog: pytest.LogCaptureFixture
):
    calls = make_calls(options())
    for number in range(100):
        for answer in (error("ServerException", status=500), error("AccessDeniedException")):
            with pytest.raises(CallError):
                await calls.make(
                    await calls.permit(Action.STOP_TASK), partial(give, answer), f"StopTask for {number}"
                )
    assert [message.partition(".")[0] for message in caplog.messages] == [
        "StopTask for 0 failed and will be retried"
    ] * 2


async def test_stopping_a_task_that_ecs_does_not_know_yet_logs_nothing(
    make_calls: MakeCalls, caplog: pytest.LogCaptureFixture
):
    calls = make_calls(options())
    unknown = error("InvalidParameterException", "The referenced task was not found.")
    with pytest.raises(CallError):
        await calls.make(await calls.permit(Action.STOP_TASK), partial(give, unknown), "StopTask for it")
    assert caplog.messages == []


async def test_a_fault_ends_the_pause_because_aws_was_reached(make_calls: MakeCalls, reports: Reports):
    """Otherwise a wrapper that always raises would keep the circuit breaker open forever."""
    calls = make_calls(options())
    await failing(calls, EXPIRED)
    assert await failing(calls, KeyError("ResponseMetadata")) is Kind.FAULT
    assert [type(report) for report in reports] == [Paused, Resumed]


class TestPermit:
    """A permit is used once, or returns to those who wait."""

    ONE_A_MINUTE = Rate(per_second=1 / 60, burst=1)

    async def test_a_permit_that_no_call_was_made_with_lets_another_caller_go_at_once(
        self, make_calls: MakeCalls
    ):
        calls = make_calls(options(read_rate=self.ONE_A_MINUTE))
        with await calls.permit(Action.LIST_TASKS):
            pass
        assert await call(calls, "answer") == "answer"
        assert anyio.current_time() == 0

    async def test_an_exception_before_the_call_gives_the_permit_back(self, make_calls: MakeCalls):
        calls = make_calls(options(read_rate=self.ONE_A_MINUTE))
        with pytest.raises(KeyError), await calls.permit(Action.LIST_TASKS):
            raise KeyError
        assert await call(calls, "answer") == "answer"
        assert anyio.current_time() == 0

    @pytest.mark.parametrize("answer", ["answer", error("ServerException", status=500)])
    async def test_a_permit_that_was_used_stays_used_whatever_the_answer(
        self, make_calls: MakeCalls, answer: Any
    ):
        calls = make_calls(options(read_rate=self.ONE_A_MINUTE))
        with await calls.permit(Action.LIST_TASKS) as permit, suppress(CallError):
            await calls.make(permit, partial(answer_with, answer))
        await call(calls, "answer")
        assert anyio.current_time() == pytest.approx(60, abs=1)

    async def test_a_spent_permit_uses_up_its_rate_without_a_call(self, make_calls: MakeCalls):
        calls = make_calls(options(read_rate=self.ONE_A_MINUTE))
        with await calls.permit(Action.LIST_TASKS) as permit:
            permit.spend()
        await call(calls, "answer")
        assert anyio.current_time() == pytest.approx(60, abs=1)

    async def test_giving_a_permit_back_twice_frees_one_call_only(self, make_calls: MakeCalls):
        calls = make_calls(options(read_rate=self.ONE_A_MINUTE))
        with await calls.permit(Action.LIST_TASKS) as permit:
            permit.give_back()
        await call(calls, "answer")
        await call(calls, "answer")
        assert anyio.current_time() == pytest.approx(60, abs=1)

    @pytest.mark.parametrize("spoil", [Permit.use, Permit.give_back, Permit.spend])
    async def test_a_permit_allows_no_second_call(
        self, make_calls: MakeCalls, spoil: Callable[[Permit], None]
    ):
        calls = make_calls(options())
        permit = await calls.permit(Action.LIST_TASKS)
        spoil(permit)
        with pytest.raises(RuntimeError, match="one ListTasks call"):
            await calls.make(permit, partial(answer_with, "answer"))

    async def test_a_probe_that_makes_no_call_leaves_the_probe_to_the_next_caller(
        self, make_calls: MakeCalls
    ):
        calls = make_calls(options())
        assert await failing(calls, EXPIRED) is Kind.CREDENTIALS
        with await calls.permit(Action.LIST_TASKS):
            probed_at = anyio.current_time()
        assert await call(calls, "answer") == "answer"
        assert anyio.current_time() == probed_at
