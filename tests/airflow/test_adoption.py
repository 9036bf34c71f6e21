"""A scheduler dies, the next one goes on with its tasks: none is lost, doubled or given a new try."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from airflow._shared.timezones import timezone
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models import Log
from airflow.models.taskinstance import TaskInstance
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.executor import executor as module_of_executor
from ecs_async_executor.executor.run_factory import make_orphaned_run
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.local import Control
from tests.airflow.conftest import heir, leave_nothing_behind
from tests.support.bulk import queue_many
from tests.support.database import nothing_written
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import (
    Scheduler,
    crash,
    end_job,
    logged_events,
    one_task_dag,
    running_scheduler,
    set_row,
    task_instances,
)

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]


def queue_and_hand_over(scheduler: Scheduler, count: int) -> None:
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, count, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)


def launch_behind_the_rows(scheduler: Scheduler) -> None:
    """Let all be launched, while no row can be written."""

    with nothing_written() as tried:

        def all_launched() -> bool:
            scheduler.executor.sync()
            return len(scheduler.runs) > 0 and {run.run_id for run in scheduler.runs} <= {
                show.run_id for show in tried
            }

        scheduler.until(all_launched, step=lambda: None)


def list_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """ListTasks is eventually consistent: it may not show yet what was launched."""

    async def nothing(*_: object) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(EcsClient, "list_tasks_started_by", nothing)


# --- by ARN -----------------------------------------------------------------------------------------------------


def test_launched_tasks_are_adopted_by_their_arns_and_described_in_hundreds(
    first: Scheduler, ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_and_hand_over(first, 250)
    first.launched(250)
    for ti in task_instances()[:100]:
        set_row(ti, state="running")
    crash(first)
    described: list[int] = []
    describe_tasks = EcsClient.describe_tasks

    def counting(client: EcsClient, cluster: str, arns: list[str]) -> Any:
        described.append(len(arns))
        return describe_tasks(client, cluster, arns)

    monkeypatch.setattr(EcsClient, "describe_tasks", counting)
    with heir(ecs) as scheduler:
        assert scheduler.executor.slots_occupied == 250, "they count at once"
        scheduler.until(lambda: sum(described) >= 250)
        calls = next(n for n in range(len(described)) if sum(described[: n + 1]) >= 250) + 1
        assert calls <= 5, "by the hundred, or what has arrived by then"
        scheduler.rest(0.3)
        assert len(ecs.tasks()) == 250
        tis = task_instances()
        assert {ti.queued_by_job_id for ti in tis} == {scheduler.job_id}
        assert {ti.try_number for ti in tis} == {1}


def test_the_end_of_an_adopted_task_is_reported_with_its_reason(
    first: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    hide_ends(ecs)
    run_dag(one_task_dag("dies_orphaned"))
    (ti,) = first.launched()
    set_row(ti, state="running")
    crash(first)
    end_all(ecs)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        ended = scheduler.until_state("failed")
        assert ended.try_number == 1
        assert "i-0123456789abcdef0 was stopped or terminated." in logged_events("ecs task ended")[0]


def test_an_adopted_task_whose_code_never_ran_is_launched_again_under_an_id_that_its_row_shows_first(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    hide_ends(ecs)
    run_dag(one_task_dag("never_ran"))
    first.launched()
    crash(first)
    end_all(ecs)
    ecs.clear_conditions()
    shown: list[str | None] = []
    with heir(ecs) as scheduler:

        def step() -> None:
            scheduler.heartbeat()
            shown.append(task_instances()[0].external_executor_id)

        scheduler.until(lambda: len(live(ecs)) == 1, step=step)
        again = sent[-1]["clientToken"]
        assert again in shown
        launch_id = LaunchId.parse(again)
        assert launch_id is not None
        assert launch_id.number == 2
        assert sent[-1]["startedBy"] == f"airflow/default/{launch_id.run_id}"
        (ti,) = scheduler.launched()
        assert (ti.state, ti.try_number) == ("queued", 1)


def test_tasks_of_aws_ecs_executor_are_adopted(
    configured: Control,
    ecs: Control,
    run_dag: RunDag,
    clean_database: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    official = AwsEcsExecutor()
    runner = SchedulerJobRunner(job=Job(), executors=[official])
    with create_session() as session:
        session.add(runner.job)
    official.job_id = runner.job.id
    official.start()
    former = Scheduler(runner, official)  # type: ignore[arg-type]  # only what all executors have is used
    run_dag(one_task_dag("switched"))
    (ti,) = former.launched()
    set_row(ti, state="running")
    end_job(former)
    with heir(ecs) as scheduler:
        scheduler.rest(0.3)
        assert len(ecs.tasks()) == 1
        (adopted,) = task_instances()
        assert (adopted.state, adopted.try_number, adopted.id) == ("running", 1, ti.id)
        end_all(ecs)
        scheduler.until_state("failed")


@pytest.mark.parametrize("number", [1, 2, 999])
def test_aws_ecs_executor_can_take_over_while_a_task_waits_for_its_launch(
    first: Scheduler, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run_dag(one_task_dag("switched_back"))
    (running,) = first.launched()
    queue_many(first.job_id, first.executor.jwt_generator, 1, one_task_dag("waits"))
    (waiting,) = (ti for ti in task_instances() if ti.id != running.id)
    set_row(waiting, external_executor_id=str(LaunchId(str(uuid4()), number)))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    official = AwsEcsExecutor()
    official.start()

    with create_session() as session:
        rows = {ti.id: ti for ti in session.scalars(select(TaskInstance))}
        left = official.try_adopt_task_instances(list(rows.values()))

    assert left == [rows[waiting.id]], "Airflow gives it a new try"


def test_a_task_that_was_cleared_while_running_runs_again_at_once(
    first: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    hide_ends(ecs)
    run_dag(one_task_dag("cleared_and_orphaned"))
    (ti,) = first.launched()
    set_row(ti, state="restarting")
    crash(first)
    end_all(ecs)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        scheduler.until(lambda: len(live(ecs)) == 1)


# --- by run id ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_task_whose_arn_was_never_published_is_found(
    first: Scheduler, ecs: Control, state: str, sent: Sent
) -> None:
    queue_and_hand_over(first, 5)
    launch_behind_the_rows(first)
    for ti in task_instances():
        set_row(ti, state=state)
    crash(first)
    with heir(ecs) as scheduler:
        assert scheduler.executor.slots_occupied == 5
        arns = {ti.external_executor_id for ti in scheduler.launched(5)}
        assert arns == {task["taskArn"] for task in ecs.tasks()}
        assert len(sent) == 5


def test_a_task_that_listtasks_does_not_show_yet_is_found_by_its_client_token(
    first: Scheduler, ecs: Control, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_and_hand_over(first, 1)
    launch_behind_the_rows(first)
    crash(first)
    list_nothing(monkeypatch)
    with heir(ecs) as scheduler:
        scheduler.launched()
        assert len(ecs.tasks()) == 1
        launch, replay = sent
        assert replay["clientToken"] == launch["clientToken"]


def test_a_task_that_was_never_launched_is_launched_and_keeps_its_try(first: Scheduler, ecs: Control) -> None:
    ecs.add_fault("throttle", action="RunTask")
    queue_and_hand_over(first, 60)
    before = {ti.id for ti in task_instances()}
    crash(first)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        assert scheduler.executor.slots_occupied == 60
        tis = scheduler.launched(60)
        assert {ti.id for ti in tis} == before
        assert {(str(ti.state), ti.try_number) for ti in tis} == {("queued", 1)}
        assert len(ecs.tasks()) == 60


def test_a_task_of_which_ecs_knows_nothing_any_more_fails_and_is_not_launched_again(
    first: Scheduler, ecs: Control, sent: Sent
) -> None:
    queue_and_hand_over(first, 1)
    launch_behind_the_rows(first)
    long_ago = timezone.utcnow() - timedelta(hours=1)
    set_row(task_instances()[0], state="running", last_heartbeat_at=long_ago)
    crash(first)
    end_all(ecs)
    with heir(ecs) as scheduler:
        scheduler.until_state("failed")
        assert "ECS shows no running task of this run." in logged_events("ecs task ended")[0]
        assert len(sent) == 1


def test_the_launch_number_survives_in_the_row(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecs.add_fault("capacity", times=2)
    run_dag(one_task_dag("third_launch"))
    shown: list[str | None] = []

    def step() -> None:
        first.step()
        shown.append(task_instances()[0].external_executor_id)

    first.until(lambda: len(sent) == 3 and ecs.tasks(), step=step)
    third = sent[-1]["clientToken"]
    assert third.endswith("-003")
    assert third in shown
    crash(first)
    set_row(task_instances()[0], external_executor_id=third)  # as if it had died before it wrote the ARN
    list_nothing(monkeypatch)
    with heir(ecs) as scheduler:
        scheduler.launched()
        assert sent[-1]["clientToken"] == third
        assert len(ecs.tasks()) == 1


def test_the_workload_of_an_orphan_keeps_its_executor_config_and_gets_a_fresh_token(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("throttle", action="RunTask")
    run_dag(one_task_dag("configured", executor_config={"overrides": {"cpu": "1024", "memory": "2048"}}))
    first.until(lambda: len(sent) > 1)
    crash(first)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        scheduler.launched()
    one, two = sent[0], sent[-1]
    assert one["clientToken"] == two["clientToken"]
    assert one["overrides"]["cpu"] == two["overrides"]["cpu"] == "1024"
    (before,), (after,) = (body["overrides"].pop("containerOverrides") for body in (one, two))
    assert one == two
    assert before["command"][:-1] == after["command"][:-1]
    assert before["command"][-1] != after["command"][-1]


# --- whatever goes wrong ------------------------------------------------------------------------------------------


def test_adopting_twice_changes_nothing(first: Scheduler, ecs: Control) -> None:
    queue_and_hand_over(first, 4)
    first.launched(4)
    crash(first)
    with heir(ecs) as scheduler:
        with create_session(scoped=False) as session:
            tis = list(session.scalars(select(TaskInstance)))
            assert scheduler.executor.try_adopt_task_instances(tis) == []
        assert len(scheduler.runs) == scheduler.executor.slots_occupied == 4
        scheduler.rest(0.3)
        assert len(ecs.tasks()) == 4


@pytest.mark.parametrize("external_id", [None, "celery-task-id", "arn:aws:batch:us-east-1:1:job/x"])
def test_rows_that_name_no_ecs_task_are_left_to_airflow(
    first: Scheduler, ecs: Control, run_dag: RunDag, external_id: str | None
) -> None:
    run_dag(one_task_dag("of_another_executor"))
    (ti,) = first.launched()
    end_all(ecs)
    set_row(ti, external_executor_id=external_id)
    crash(first)
    with heir(ecs) as scheduler:
        (row,) = task_instances()
        assert (row.state, row.external_executor_id) == (None, None)
        assert row.id != ti.id, "what may still run of it is fenced off"
        assert scheduler.executor.slots_occupied == 0


def test_the_schedulers_own_session_is_neither_committed_nor_closed(first: Scheduler, ecs: Control) -> None:
    queue_and_hand_over(first, 2)
    first.launched(2)
    crash(first)
    with running_scheduler() as scheduler:
        with create_session() as session:
            tis = list(session.scalars(select(TaskInstance)))
            session.add(Log(event="not committed"))
            scheduler.executor.try_adopt_task_instances(tis)
            assert session.new, "the adoption has flushed or committed the scheduler's session"
            session.rollback()
        assert not logged_events("not committed")
        scheduler.adopt()
        leave_nothing_behind(scheduler, ecs)


def test_a_bad_row_is_left_to_airflow_and_harms_no_other(
    first: Scheduler, ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_and_hand_over(first, 3)
    first.launched(3)
    crash(first)
    bad = task_instances()[1]
    make = make_orphaned_run

    def failing(executor: Any, ti: Any, *more: Any) -> Any:
        if ti.id == bad.id:
            raise RuntimeError("bad row")
        return make(executor, ti, *more)

    monkeypatch.setattr(module_of_executor, "make_orphaned_run", failing)
    with heir(ecs) as scheduler:
        assert scheduler.executor.slots_occupied == 2
        assert [ti.state for ti in task_instances()].count(None) == 1


def test_a_task_whose_workload_cant_be_read_again_fails_with_a_reason(
    first: Scheduler, ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecs.add_fault("throttle", action="RunTask")
    queue_and_hand_over(first, 1)
    crash(first)
    ecs.clear_conditions()

    def failing(*_: object) -> Any:
        raise RuntimeError("no such Dag version")

    monkeypatch.setattr("ecs_async_executor.executor.rows.statements.ExecuteTask.make", failing)
    with heir(ecs) as scheduler:
        scheduler.until_state("failed")
        assert "Airflow can't describe the task any more." in logged_events("ecs task ended")[0]


def test_before_its_start_the_executor_adopts_nothing(first: Scheduler) -> None:
    executor = type(first.executor)()
    orphans = [TaskInstance.__new__(TaskInstance)]
    assert executor.try_adopt_task_instances(orphans) is orphans


# --- shutdown -----------------------------------------------------------------------------------------------------


def test_after_a_shutdown_in_mid_launch_the_next_scheduler_goes_on(
    configured: Control, clean_database: None, ecs: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "4")
    ecs.set_conditions(latency={"RunTask": 0.3})
    with running_scheduler() as former:
        queue_and_hand_over(former, 20)
        former.until(lambda: len(ecs.tasks()) >= 4, step=former.executor.sync)
        former.executor.end()
        end_job(former)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        tis = scheduler.launched(20)
        assert {ti.try_number for ti in tis} == {1}
        assert len(ecs.tasks()) == 20


def test_an_arn_that_is_on_its_way_to_its_row_when_the_scheduler_ends_is_written(
    first: Scheduler, ecs: Control
) -> None:
    queue_and_hand_over(first, 3)
    launch_behind_the_rows(first)
    assert not any((ti.external_executor_id or "").startswith("arn:") for ti in task_instances())
    first.executor.end()
    assert {ti.external_executor_id for ti in task_instances()} == {task["taskArn"] for task in ecs.tasks()}


def test_at_the_end_no_row_is_written_that_has_moved_on(first: Scheduler, ecs: Control) -> None:
    queue_and_hand_over(first, 3)
    launch_behind_the_rows(first)
    done, adopted, requeued = task_instances()
    set_row(done, state="success")
    set_row(adopted, queued_by_job_id=first.job_id + 1)
    set_row(requeued, external_executor_id="12345678-1234-4234-8234-123456789012")
    before = {ti.id: ti.external_executor_id for ti in task_instances()}
    first.executor.end()
    assert {ti.id: ti.external_executor_id for ti in task_instances()} == before
