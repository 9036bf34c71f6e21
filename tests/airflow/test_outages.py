"""AWS can't be reached, or refuses the credentials: heartbeats go on, and nothing is lost or started twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.local import Control
from tests.support.ecs import end_all, live
from tests.support.scheduler import Scheduler, logged_events, set_row, task_instances
from tests.support.switch import Switch, switch

RunDag = Callable[[DAG], str]
PAUSED = "AWS can't be used; all tasks are kept."
READY = "Health check: the cluster answers."


def three_tasks(dag_id: str) -> DAG:
    with DAG(dag_id, schedule=None) as dag:
        for number in range(3):
            BaseOperator(task_id=f"task_{number}")
    return dag


@pytest.fixture
def line(configured: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    """The line to ECS, which is down at first."""
    with switch(configured.endpoint_url, on=False) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", line.url)
        yield line


@pytest.fixture
def scheduler(line: Switch, scheduler: Scheduler) -> Iterator[Scheduler]:
    """A scheduler at the end of that line."""
    yield scheduler
    if not line.is_on:
        line.on()


def counts(ecs: Control) -> list[int]:
    return [entry["tasks"] for entry in ecs.history().values()]


def test_aws_out_of_reach_at_the_start_costs_only_time(
    scheduler: Scheduler, line: Switch, ecs: Control, run_dag: RunDag, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dag(three_tasks("unreachable_at_start"))
    scheduler.until(lambda: len(scheduler.executor.running) == 3)
    scheduler.rest(0.5)
    assert {ti.state for ti in task_instances()} == {"queued"}
    assert len(scheduler.executor.running) == 3
    line.on()
    scheduler.launched(3)
    assert counts(ecs) == [1, 1, 1]
    said = capsys.readouterr().out
    assert said.count(PAUSED) == 1
    assert said.count("AWS answers again.") == 1
    if READY not in said:
        scheduler.until(lambda: READY in capsys.readouterr().out)


def test_tasks_that_wait_for_aws_say_so_in_their_audit_log_once(
    line: Switch,
    ecs: Control,
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for name, seconds in (("HELD_UP_AFTER", 0.2), ("INTERVAL", 0.05)):
        monkeypatch.setattr(f"ecs_async_executor.engine.workers.wait_reporter.{name}", seconds)
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    run_dag(three_tasks("waits_for_aws"))
    scheduler.until(lambda: len(logged_events("ecs launch waits")) == 3)
    scheduler.rest(0.5)
    texts = logged_events("ecs launch waits")
    assert len(texts) == 3
    assert all(text.startswith("The scheduler can't reach AWS.") for text in texts)
    line.on()
    scheduler.launched(3)
    assert len(logged_events("ecs task launched")) == 3


def test_aws_out_of_reach_for_a_while_loses_nothing(
    scheduler: Scheduler, line: Switch, ecs: Control, run_dag: RunDag, capsys: pytest.CaptureFixture[str]
) -> None:
    line.on()
    run_dag(three_tasks("before_the_outage"))
    before = scheduler.launched(3)
    for ti in before:
        set_row(ti, state="running")
    line.off()
    run_dag(three_tasks("in_the_outage"))
    ecs.interrupt(before[0].external_executor_id or "")
    scheduler.until(lambda: PAUSED in capsys.readouterr().out)
    scheduler.until(lambda: len(scheduler.executor.running) == 6)
    scheduler.rest(0.3)
    assert PAUSED not in capsys.readouterr().out
    assert [ti.state for ti in task_instances(dag_id="before_the_outage")] == ["running"] * 3
    assert [ti.state for ti in task_instances(dag_id="in_the_outage")] == ["queued"] * 3
    line.on()
    scheduler.launched(3, dag_id="in_the_outage")
    scheduler.until(lambda: [t for t in task_instances(dag_id="before_the_outage") if t.state == "failed"])
    scheduler.rest(0.3)
    assert counts(ecs) == [1] * 6
    assert len(live(ecs)) == 5


def test_expired_credentials_are_made_anew_and_cost_only_time(
    scheduler: Scheduler,
    line: Switch,
    ecs: Control,
    run_dag: RunDag,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line.on()
    run_dag(three_tasks("before_the_expiry"))
    scheduler.launched(3)
    ecs.add_fault("expired_credentials")
    run_dag(three_tasks("in_the_expiry"))
    scheduler.until(lambda: PAUSED in capsys.readouterr().out)
    scheduler.until(lambda: len(scheduler.executor.running) == 6)
    scheduler.rest(0.3)
    assert PAUSED not in capsys.readouterr().out
    assert [ti.state for ti in task_instances()] == ["queued"] * 6
    ecs.clear_conditions()
    scheduler.launched(3, dag_id="in_the_expiry")
    assert counts(ecs) == [1] * 6
    for ti in task_instances():
        set_row(ti, state="success")
    end_all(ecs)
    scheduler.until_idle()
