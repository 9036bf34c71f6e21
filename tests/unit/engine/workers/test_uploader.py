"""Uploads delay no other run, and a run that was given up during its upload is not sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.state.failure_rules import PUTS
from ecs_async_executor.engine.state.ledger import PUTS_AHEAD
from ecs_async_executor.engine.workers.requests import FRESH
from ecs_async_executor.engine.workers.uploader import CALLS
from ecs_async_executor.messages import (
    Cancelled,
    Launched,
    LaunchFailed,
    RateShare,
    Recovery,
    Request,
    Waiting,
)
from tests.support.engine import URL, FakeClient, FakeS3, Reports, error, fetching, s3_error

pytestmark = pytest.mark.virtual_time


def sent(client: FakeClient) -> list[tuple[str, float]]:
    """Return the clientToken and the time of each RunTask call."""
    calls = zip(client.asked, client.times, strict=True)
    return [(body["clientToken"], at) for (name, body), at in calls if name == "run_task"]


# --- separate from the launches -------------------------------------------------------------------------


async def test_a_hanging_s3_delays_only_runs_that_need_it(launching: Any, client: FakeClient, s3: FakeS3):
    s3.latency = 30.0
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 1000)
    async with launching(concurrency=50) as at:
        for number in range(200):
            at.launch(f"long-{number}", build=fetching(f"s3://bucket/{number}"), priority=9)
        await at.idle(5)
        for number in range(20):
            at.launch(f"short-{number}")
        await at.idle(1)
    assert len(sent(client)) == 20


async def test_uploads_in_flight_are_limited_and_the_highest_priority_goes_first(launching: Any, s3: FakeS3):
    s3.latency = 30.0
    async with launching() as at:
        for number in range(CALLS + 5):
            at.launch(str(number), build=fetching(f"s3://bucket/{number}"))
        at.launch("urgent", build=fetching(), priority=9)
        await at.idle(29)
        assert len(s3.asked) == CALLS
        at.launch("more urgent", build=fetching("s3://bucket/most"), priority=10)
        await at.idle(5)
    assert URL in {url for _, url, at in s3.asked if at == 0}
    assert s3.asked[CALLS][1] == "s3://bucket/most"


async def test_runs_whose_uploads_end_together_are_sent_at_the_rate_of_runtask(
    launching: Any, client: FakeClient, s3: FakeS3
):
    s3.latency = 25.0
    async with launching(run_task_rate=Rate(5, 5), concurrency=1000) as at:
        for number in range(CALLS):
            at.launch(str(number), build=fetching(f"s3://bucket/{number}"))
        await at.idle(100)
    times = [at for _, at in sent(client)]
    assert len(times) == CALLS
    assert max(sum(begin <= other < begin + 1 for other in times) for begin in times) <= 10


async def test_a_run_keeps_its_position_during_its_upload(launching: Any, client: FakeClient, s3: FakeS3):
    s3.latency = 5.0
    async with launching(run_task_rate=Rate(per_second=0.1, burst=1)) as at:
        for name in ("first", "long", "third", "fourth"):
            at.launch(name, build=fetching() if name == "long" else None)
        await at.idle(100)
    assert [token for token, _ in sent(client)] == ["first-001", "third-001", "long-001", "fourth-001"]
    assert [at for _, at in sent(client)] == pytest.approx([0, 10, 20, 30])


@pytest.mark.parametrize(("wait", "token"), [(FRESH / 2, b"token 1"), (FRESH * 2, b"token 2")])
async def test_an_object_is_uploaded_once_unless_its_token_gets_old_while_the_run_waits(
    launching: Any, client: FakeClient, s3: FakeS3, wait: float, token: bytes
):
    s3.latency = 1.0
    async with launching(run_task_rate=Rate(per_second=1 / wait, burst=1)) as at:
        at.launch("first")
        at.launch("run", build=fetching())
        at.launch("before its upload")
        await at.idle(wait * 5)
    assert [name for name, _ in sent(client)] == ["first-001", "before its upload-001", "run-001"]
    assert s3.objects == {URL: token}
    assert len(s3.asked) == int(token[-1:])


async def test_an_uploaded_run_uses_its_lanes_rate_once(launching: Any, client: FakeClient):
    lane = RateShare("gpu", 0.5)
    async with launching(run_task_rate=Rate(per_second=1, burst=2)) as at:
        for number in range(4):
            at.launch(str(number), build=fetching(f"s3://bucket/{number}"), lane=lane)
        await at.idle(100)
    assert [at for _, at in sent(client)] == pytest.approx([0, 2, 4, 6])


class Builds:
    """Makes builders for long runs, and records when they build requests."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def of(self, number: int) -> Callable[[], Request]:
        build = fetching(f"s3://bucket/{number}")

        def built() -> Request:
            self.times.append(anyio.current_time())
            return build()

        return built


async def test_long_runs_are_built_when_needed_and_cost_no_rate_while_s3_works(
    launching: Any, client: FakeClient, s3: FakeS3
):
    builds, runs = Builds(), 2000
    s3.latency = 0.05
    async with launching(run_task_rate=Rate(20, 20)) as at:
        for number in range(runs):
            at.launch(str(number), build=builds.of(number))
        await at.idle(1)
        assert len(builds.times) <= 3 * PUTS_AHEAD
        await at.idle(2 * runs / 20)
    assert len(client.calls("run_task")) == runs
    assert client.times[-1] == pytest.approx(runs / 20, rel=0.05)
    assert len(builds.times) <= runs * 1.05


async def test_while_s3_is_down_few_requests_are_kept_and_the_rest_are_built_at_the_rate_of_launches(
    launching: Any, client: FakeClient, s3: FakeS3
):
    builds = Builds()
    s3.latency = 30.0
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 10_000)
    async with launching(run_task_rate=Rate(20, 20)) as at:
        for number in range(2000):
            at.launch(str(number), build=builds.of(number), priority=9)
        at.launch("short")
        await at.idle(20)
        assert len(builds.times) <= PUTS_AHEAD + 20 * (20 + 1)
        assert sum(entry.launch.request is not None for entry in at.ledger) <= PUTS_AHEAD + CALLS
        await at.idle(100)
    assert [token for token, _ in sent(client)] == ["short-001"]


async def test_while_s3_is_down_its_runs_do_not_take_permits_from_others_repeatedly(
    launching: Any, client: FakeClient, s3: FakeS3
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 10_000)
    async with launching(run_task_rate=Rate(20, 20)) as at:
        for number in range(5 * PUTS_AHEAD):
            at.launch(f"long-{number}", build=fetching(f"s3://bucket/{number}"), priority=9)
        await at.idle(30)
        for number in range(100):
            at.launch(f"short-{number}")
        await at.idle(6)
    assert len(sent(client)) == 100


async def test_long_runs_use_up_no_probe_while_the_circuit_breaker_is_open(
    launching: Any, client: FakeClient, s3: FakeS3
):
    client.script["run_task"].extend([error("ExpiredTokenException")] * 4)
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 10_000)
    async with launching() as at:
        at.launch("first")
        await at.idle(0.5)
        for number in range(3 * PUTS_AHEAD):
            at.launch(f"long-{number}", build=fetching(f"s3://bucket/{number}"), priority=9)
        await at.idle(100)
    assert sent(client) == [("first-001", at) for at in (0, 1, 3, 7, 15)]


async def test_runs_beyond_those_s3_can_keep_ahead_use_up_their_lanes_rate(
    launching: Any, client: FakeClient, s3: FakeS3
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 10_000)
    builds = Builds()
    async with launching(run_task_rate=Rate(10, 10)) as at:
        for number in range(3 * PUTS_AHEAD):
            at.launch(f"long-{number}", build=builds.of(number), priority=9, lane=RateShare("gpu", 0.1))
        await at.idle(0.5)
        assert len(builds.times) <= PUTS_AHEAD + 2
        at.launch("short")
        await at.idle(0.5)
    assert [token for token, _ in sent(client)] == ["short-001"]


async def test_a_stopping_uploader_uploads_nothing_more(launching: Any, s3: FakeS3):
    async with launching() as at:
        at.uploader.stopping = True
        at.launch("run", build=fetching())
        await at.idle()
        assert at.ledger.sending == 0
    assert s3.asked == []


# --- stopped, forgotten, given up -----------------------------------------------------------------------


async def test_a_run_forgotten_during_its_upload_is_not_launched_and_its_object_is_left_to_the_next_owner(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.latency = 5.0
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle(1)
        at.ledger.forget("run", 0.0)
        await at.idle()
        assert list(at.ledger.deletions) == []
        assert len(at.ledger.launches) == len(at.ledger.puts) == at.ledger.sending == 0
    assert client.asked == []
    assert s3.objects == {URL: b"token 1"}
    assert reports == []


async def test_the_object_of_a_run_forgotten_while_its_task_runs_is_left_to_the_next_owner(
    launching: Any, s3: FakeS3
):
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        at.ledger.forget("run", 0.0)
        assert list(at.ledger.deletions) == []
    assert s3.objects == {URL: b"token 1"}


@pytest.mark.parametrize("recovery", [Recovery.NONE, Recovery.REPLAY])
async def test_a_run_stopped_before_its_upload_is_never_uploaded(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports, recovery: Recovery
):
    s3.latency = 3600.0
    async with launching(missing_grace=60) as at:
        for number in range(CALLS):
            at.launch(str(number), build=fetching(f"s3://bucket/{number}"))
        await at.idle(1)
        at.launch("run", build=fetching(), recovery=recovery)
        await at.idle(1)
        reports.extend(at.ledger.stop("run", "because", 0.0))
        at.launcher.wakeup.notify()
        await at.idle(100)
    assert reports[-1] == Cancelled("run")
    assert bool(client.calls("list_tasks")) == (recovery is Recovery.REPLAY)
    assert URL not in {url for _, url, _ in s3.asked}


async def test_a_launch_is_given_up_as_if_for_lack_of_capacity_if_s3_stays_down(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 1000)
    async with launching() as at:
        at.launch("run", build=fetching())
        await at.idle()
        assert list(at.ledger.deletions) == [URL]
    (failed,) = reports.of(LaunchFailed)
    assert (failed.permanent, failed.costs_attempt) == (False, False)
    assert len(s3.asked) == PUTS
    assert client.calls("run_task") == []


async def test_a_run_that_a_dead_engine_may_have_launched_is_searched_for_while_s3_is_down(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 1000)
    client.script["list_tasks"].extend([(), error("ThrottlingException", operation="ListTasks")])
    client.script["list_tasks"].append(("arn:before",))
    async with launching() as at:
        at.launch("run", build=fetching(), recovery=Recovery.REPLAY)
        await at.idle(100)
    assert [report.arn for report in reports.of(Launched)] == ["arn:before"]
    assert client.calls("run_task") == []


async def test_a_run_that_is_not_found_waits_for_s3_at_least_until_the_grace_time_is_over(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * (PUTS + 10))
    async with launching(missing_grace=1000) as at:
        at.launch("run", build=fetching(), recovery=Recovery.REPLAY)
        await at.idle(900)
    assert [str(report.diagnosis) for report in reports.of(Waiting)] == ["S3 says no."]
    assert len(client.calls("list_tasks")) == PUTS + 10
    assert [at for _, _, at in s3.asked[:4]] == [0, 1, 3, 7]
    assert [token for token, _ in sent(client)] == ["run-001"]


async def test_a_run_stopped_during_its_search_is_not_uploaded(
    launching: Any, client: FakeClient, s3: FakeS3, reports: Reports
):
    client.latency = 5.0
    async with launching(missing_grace=60) as at:
        at.launch("run", build=fetching(), recovery=Recovery.SEARCH)
        await at.idle(1)
        at.ledger.stop("run", "because", 0.0)
        await at.idle()
    assert s3.asked == []
    assert reports.of(Cancelled) == [Cancelled("run")]


async def test_an_object_of_a_dead_scheduler_is_deleted_even_if_its_task_is_never_seen(
    launching: Any, client: FakeClient
):
    client.script["list_tasks"].append(("arn:before",))
    async with launching(payloads="s3://bucket/airflow/") as at:
        at.launch("run", build=fetching(), recovery=Recovery.SEARCH)
        await at.idle()
        (entry,) = at.ledger
        at.ledger.not_listed(entry, 9999.0, asked=True)
        assert list(at.ledger.deletions) == [URL]
