from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.responses import Container, Task, TaskFailure, Tasks
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.recovery import TaskSearch
from ecs_async_executor.engine.workers.watcher import Watcher
from ecs_async_executor.messages import Running, Stopped, Watch
from tests.support.engine import ELSEWHERE, FakeClient, Reports, error, options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time

MakeCalls = Callable[[EngineOptions], Calls]


class Bench:
    """A running watcher and its ledger."""

    def __init__(self, watcher: Watcher, ledger: Ledger) -> None:
        self.watcher = watcher
        self.ledger = ledger

    def watch(self, run_id: str, *, arn: str = "", cluster: str = "default", listed: bool = True) -> None:
        order = Watch(run_id, run_id, arn or f"arn:{run_id}", cluster, "airflow", listed=listed)
        self.ledger.watch(order, anyio.current_time())
        self.watcher.wakeup.notify()


@pytest.fixture
def bench(make_calls: MakeCalls, reports: Reports) -> Any:
    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[Bench]:
        chosen = options(**changes)
        ledger = Ledger(chosen, lambda: 1.0)
        calls = make_calls(chosen)
        watcher = Watcher(
            ledger,
            calls,
            reports,
            TaskSearch(calls, chosen),
            poll_interval=chosen.poll_interval,
            on_change=lambda: watcher.wakeup.notify(),  # noqa: PLW0108  the watcher does not exist yet
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watcher.run, tasks)
            yield Bench(watcher, ledger)
            tasks.cancel_scope.cancel()

    return run


def stopped(arn: str, exit_code: int = 0) -> Task:
    return Task(
        task_arn=arn, last_status="STOPPED", containers=(Container(name="airflow", exit_code=exit_code),)
    )


def missing(*arns: str) -> Tasks:
    return Tasks(failures=tuple(TaskFailure(reason="MISSING") for _ in arns))


async def test_tasks_are_described_a_hundred_at_a_time(bench: Any, client: FakeClient, reports: Reports):
    client.latency = 0.1
    async with bench() as at:
        for number in range(250):
            at.watch(str(number))
        await anyio.sleep(1.5)
    assert [len(arns) for _, arns in client.calls("describe_tasks")] == [100, 100, 50]
    assert len({arn for _, arns in client.calls("describe_tasks") for arn in arns}) == 250
    assert len(reports.of(Running)) == 250


async def test_each_call_is_about_one_cluster(bench: Any, client: FakeClient):
    async with bench() as at:
        for number in range(6):
            at.watch(str(number), cluster=f"cluster-{number % 3}")
        await anyio.sleep(1.5)
    assert sorted(client.calls("describe_tasks")) == [
        ("cluster-0", ["arn:0", "arn:3"]),
        ("cluster-1", ["arn:1", "arn:4"]),
        ("cluster-2", ["arn:2", "arn:5"]),
    ]


async def test_tasks_due_soon_fill_up_a_call(bench: Any, client: FakeClient):
    async with bench(poll_interval=10) as at:
        at.watch("a")
        await anyio.sleep(0.5)
        at.watch("b")
        await anyio.sleep(0.6)
    assert client.calls("describe_tasks") == [("default", ["arn:a", "arn:b"])]


async def test_a_long_run_is_polled_once_per_interval(bench: Any, client: FakeClient):
    async with bench(poll_interval=60) as at:
        at.watch("run")
        await anyio.sleep(3600)
        before = len(client.asked)
        await anyio.sleep(3600)
    assert len(client.asked) - before == 60


async def test_at_most_ten_calls_are_in_flight(bench: Any, client: FakeClient):
    client.latency = 5
    async with bench() as at:
        for number in range(2000):
            at.watch(str(number))
        await anyio.sleep(100)
    assert client.most_in_flight == 10


async def test_polls_keep_to_the_rate(bench: Any, client: FakeClient):
    async with bench(read_rate=Rate(per_second=2, burst=1), poll_interval=1) as at:
        for number in range(1000):
            at.watch(str(number))
        await anyio.sleep(100)
    assert len(client.asked) <= 201


async def test_a_stopped_task_is_reported_and_never_polled_again(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].append(Tasks(tasks=(stopped("arn:run", 3),)))
    async with bench() as at:
        at.watch("run")
        await anyio.sleep(1000)
    (report,) = reports
    assert isinstance(report, Stopped)
    assert report.exit_code == 3
    assert len(client.asked) == 1


async def test_two_runs_of_one_task_both_end(bench: Any, client: FakeClient, reports: Reports):
    client.script["describe_tasks"].append(Tasks(tasks=(stopped("arn:same"),)))
    async with bench() as at:
        at.watch("a", arn="arn:same")
        at.watch("b", arn="arn:same")
        await anyio.sleep(1000)
    assert sorted(report.run_id for report in reports.of(Stopped)) == ["a", "b"]
    assert client.calls("describe_tasks") == [("default", ["arn:same"])]


@pytest.mark.parametrize(
    "failure", [error("ServerException", status=500), error("AccessDeniedException"), TimeoutError()]
)
async def test_a_failed_call_is_retried(bench: Any, client: FakeClient, reports: Reports, failure: Exception):
    client.script["describe_tasks"].extend([failure, failure, Tasks(tasks=(stopped("arn:run"),))])
    async with bench() as at:
        at.watch("run")
        await anyio.sleep(100)
    assert [type(report) for report in reports] == [Stopped]


async def test_a_task_may_be_missing_at_first(bench: Any, client: FakeClient, reports: Reports):
    client.script["describe_tasks"].extend([missing("arn:run")] * 10)
    async with bench(missing_grace=120) as at:
        at.watch("run")
        await anyio.sleep(60)
    assert [type(report) for report in reports] == [Running]
    assert client.calls("list_tasks") == []


async def test_a_task_that_stays_missing_is_lost_if_listtasks_does_not_know_it_either(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend([missing("arn:run")] * 100)
    async with bench(missing_grace=20, missing_sightings=3, started_by="airflow/prod") as at:
        at.watch("run")
        await anyio.sleep(100)
    (report,) = reports
    assert isinstance(report, Stopped)
    assert (report.exit_code, report.ran) == (None, True)
    assert client.calls("list_tasks") == [("default", "airflow/prod/run")]


@pytest.mark.parametrize(
    "answer", [("arn:run",), error("ServerException", status=500, operation="ListTasks")]
)
async def test_a_missing_task_is_not_given_up_while_listtasks_knows_it_or_fails(
    bench: Any, client: FakeClient, reports: Reports, answer: Any
):
    client.script["describe_tasks"].extend([missing("arn:run")] * 5)
    client.script["list_tasks"].extend([answer] * 100)
    async with bench(missing_grace=1, missing_sightings=2) as at:
        at.watch("run")
        await anyio.sleep(100)
    assert [type(report) for report in reports] == [Running]
    assert client.calls("list_tasks")


async def test_tasks_that_were_seen_do_not_wait_for_listtasks_calls_about_missing_ones(
    bench: Any, client: FakeClient, monkeypatch: pytest.MonkeyPatch
):
    lost = [f"arn:{number}" for number in range(10)]
    seen = [f"arn:{number}" for number in range(10, 100)]

    async def hang(*_: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(client, "list_tasks_started_by", hang)
    answer = tuple(Task(task_arn=arn, last_status="RUNNING") for arn in seen)
    client.script["describe_tasks"].append(Tasks(tasks=answer, failures=missing(*lost).failures))
    async with bench(missing_grace=0, missing_sightings=1, poll_interval=10) as at:
        for number in range(100):
            at.watch(str(number))
        await anyio.sleep(30)
    first, *others = [arns for _, arns in client.calls("describe_tasks")]
    assert len(first) == 100
    assert others
    assert all(sorted(arns) == sorted(seen) for arns in others)


async def test_a_run_forgotten_during_a_failing_call_is_not_polled_again(bench: Any, client: FakeClient):
    client.latency = 5
    client.script["describe_tasks"].append(TimeoutError())
    async with bench() as at:
        at.watch("run")
        await anyio.sleep(3)
        at.ledger.forget("run", 0.0)
        await anyio.sleep(100)
        assert len(at.ledger.due) == 0
    assert len(client.asked) == 1


async def test_an_unreadable_record_affects_no_other(bench: Any, client: FakeClient, reports: Reports):
    client.script["describe_tasks"].append(Tasks(tasks=(stopped("arn:b"), stopped("arn:nobody's"))))
    async with bench() as at:
        at.watch("a")
        at.watch("b")
        await anyio.sleep(10)
    assert [report.run_id for report in reports.of(Stopped)] == ["b"]
    assert [report.run_id for report in reports.of(Running)] == ["a"]


async def test_a_task_in_a_deleted_cluster_is_lost(bench: Any, client: FakeClient, reports: Reports):
    client.script["describe_tasks"].extend(
        [error("ClusterNotFoundException", operation="DescribeTasks")] * 100
    )
    client.script["list_tasks"].extend([error("ClusterNotFoundException", operation="ListTasks")] * 100)
    async with bench(missing_grace=20, missing_sightings=3) as at:
        at.watch("run")
        await anyio.sleep(10)
        assert reports == []
        await anyio.sleep(100)
    assert [type(report) for report in reports] == [Stopped]


async def test_a_missing_task_is_given_up_after_an_hour_of_denied_listtasks_calls(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend([missing("arn:run")] * 2000)
    client.script["list_tasks"].extend([error("AccessDeniedException", operation="ListTasks")] * 2000)
    async with bench() as at:
        at.watch("run")
        await anyio.sleep(3000)
        assert reports == []
        await anyio.sleep(1000)
    assert [type(report) for report in reports] == [Stopped]


async def test_a_missing_task_that_listtasks_cannot_find_by_run_id_is_given_up_after_an_hour(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend([missing("arn:run")] * 2000)
    async with bench() as at:
        at.watch("run", listed=False)
        await anyio.sleep(3000)
        assert reports == []
        await anyio.sleep(1000)
    assert [type(report) for report in reports] == [Stopped]
    assert client.calls("list_tasks") == []


OURS, FOREIGN = (
    f"arn:aws:ecs:us-east-1:{account}:task/default/" for account in ("111111111111", "222222222222")
)


def refused(words: str) -> Any:
    return error("InvalidParameterException", words, operation="DescribeTasks")


def answering(words: str) -> Callable[[Any], Any]:
    """An ECS that refuses a call with an ARN of another account; each of ours has stopped by the second poll."""
    asked = 0

    def answer(sent: Any) -> Any:
        nonlocal asked
        _, arns = sent
        if any(arn.startswith(FOREIGN) for arn in arns):
            return refused(words)
        asked += 1
        return Tasks(tasks=tuple(stopped(arn) for arn in arns)) if asked > 1 else missing(*arns)

    return answer


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_tasks_of_another_account_hide_no_ends_of_ours_and_are_lost_after_an_hour(
    bench: Any, client: FakeClient, reports: Reports, words: str
):
    client.script["describe_tasks"].extend([answering(words)] * 5000)
    async with bench() as at:
        for number in range(20):
            at.watch(f"ours-{number}", arn=f"{OURS}{number}", listed=False)
            at.watch(f"foreign-{number}", arn=f"{FOREIGN}{number}", listed=False)
        await anyio.sleep(60)
        assert len({report.run_id for report in reports.of(Stopped)}) == 20
        assert all(report.run_id.startswith("ours") for report in reports.of(Stopped))
        await anyio.sleep(3400)
        assert len(reports.of(Stopped)) == 20
        await anyio.sleep(600)
    lost = [report for report in reports.of(Stopped) if report.run_id.startswith("foreign")]
    assert len(lost) == 20
    assert all(report.lost and report.permanent for report in lost), "they may live: none is launched again"
    assert words in lost[0].diagnosis.detail
    assert "MISSING" not in str(lost[0].diagnosis)
    for _, arns in client.calls("describe_tasks"):
        assert len({arn.rpartition("/")[0] for arn in arns}) == 1


async def test_tasks_that_iam_denies_are_lost_after_an_hour_if_they_were_adopted_and_never_if_we_launched_them(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend([error("AccessDeniedException", operation="DescribeTasks")] * 5000)
    async with bench() as at:
        at.watch("launched")
        at.watch("adopted", listed=False)
        await anyio.sleep(3500)
        assert reports == []
        await anyio.sleep(4000)
    (lost,) = reports.of(Stopped)
    assert (lost.run_id, lost.lost, lost.permanent) == ("adopted", True, True)


async def test_listtasks_is_not_asked_about_tasks_of_another_account(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend([refused("Invalid Region in ARN")] * 100)
    async with bench(missing_grace=1, missing_sightings=2) as at:
        at.watch("run")
        await anyio.sleep(60)
    assert reports == [], "ListTasks would list nothing in the wrong Region, and the run would end too soon"
    assert client.calls("list_tasks") == []


async def test_tasks_that_were_elsewhere_are_seen_again_once_the_region_is_right(
    bench: Any, client: FakeClient, reports: Reports
):
    client.script["describe_tasks"].extend(
        [refused("Invalid Region in ARN")] * 100 + [Tasks(tasks=(stopped("arn:run"),))]
    )
    async with bench(missing_grace=1, missing_sightings=2) as at:
        at.watch("run")
        await anyio.sleep(2000)
    (report,) = reports.of(Stopped)
    assert (report.exit_code, report.lost) == (0, False)


async def test_the_log_says_once_that_tasks_are_elsewhere(
    bench: Any, client: FakeClient, caplog: pytest.LogCaptureFixture
):
    client.script["describe_tasks"].extend([refused("Invalid Region in ARN")] * 100)
    async with bench() as at:
        at.watch("a")
        at.watch("b")
        await anyio.sleep(600)
    (line,) = caplog.messages
    assert "DescribeTasks was refused for arn:a and 1 more. " in line
    assert "another account, Region or cluster" in line
    assert "Invalid Region in ARN" in line
