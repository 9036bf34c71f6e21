"""Lost, duplicated or wrongly failed work: no fault of AwsEcsExecutor, F01 to F13, is one of this executor."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow._shared.timezones import timezone
from airflow.sdk import DAG, BaseOperator

from ecs_async_executor.engine.responses import Tasks
from ecs_async_executor.local import Control
from tests.support.callbacks import needs_callbacks, stored_callback
from tests.support.database import nothing_written
from tests.support.ecs import end_all, hide_ends, live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, set_row, task_instances
from tests.support.sent import worker_claims

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]
AfterCrash = Callable[[], Scheduler]

PASSING = "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout"


def sidecar_dag(dag_id: str) -> DAG:
    return one_task_dag(dag_id, executor_config={"taskDefinition": "with-sidecar"})


def containers(ecs: Control) -> list[int]:
    """Count the containers of each run."""
    return [entry["tasks"] for entry in ecs.history().values()]


# --- F01: the launch token dies while the task waits for capacity -------------------------------------------------


class InTwoHours(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # as good as a datetime of its own
        return datetime.now(tz) + timedelta(hours=2)


@pytest.mark.parametrize("why", ["capacity", "throttle"])
def test_f01_after_hours_of_waiting_a_launch_carries_a_token_for_its_own_start(
    scheduler: Scheduler,
    ecs: Control,
    run_dag: RunDag,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    why: str,
) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.admission.adaptive_bucket.TRICKLE", 20.0)
    ecs.add_fault(why, **({"action": "RunTask"} if why == "throttle" else {}))
    run_dag(one_task_dag("waits_for_hours"))
    scheduler.until(lambda: len(sent) >= 2)
    monkeypatch.setattr("airflow.api_fastapi.auth.tokens.datetime", InTwoHours)
    before = len(sent)
    scheduler.until(lambda: len(sent) >= before + 2)
    ecs.clear_conditions()
    (ti,) = scheduler.launched()
    claims = worker_claims(sent[-1])
    half_an_hour_of_provisioning = timedelta(minutes=30)
    assert claims["exp"] > (InTwoHours.now(timezone.utc) + half_an_hour_of_provisioning).timestamp()
    assert (claims["sub"], claims["scope"]) == (str(ti.id), "workload")


# --- F02: tasks stuck in QUEUED are never recovered ---------------------------------------------------------------


def test_f02_a_task_that_is_stuck_in_queued_is_stopped_and_queued_again_until_airflow_gives_up(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(pending=3600, stop_seconds=0)
    run_dag(one_task_dag("stuck"))
    for _ in range(3):
        scheduler.until(lambda: live(ecs))
        (ti,) = scheduler.launched(state="queued")
        set_row(ti, queued_dttm=timezone.utcnow() - timedelta(hours=1))
        scheduler.runner._handle_tasks_stuck_in_queued()
        assert not scheduler.executor.running
        scheduler.until(lambda: not live(ecs), step=scheduler.heartbeat)
    assert task_instances()[0].state == "failed"
    scheduler.until_idle()
    assert containers(ecs) == [1, 1, 1]


# --- F03: about 20 seconds of capacity shortage or throttling fail a task -----------------------------------------

SHORTAGES: dict[str, dict[str, Any]] = {
    "ThrottlingException": {"kind": "throttle", "action": "RunTask"},
    "subnets": {"kind": "disguised_throttle", "action": "RunTask"},
    "security groups": {
        "kind": "error",
        "action": "RunTask",
        "code": "InvalidParameterException",
        "reason": "Error retrieving security group information for [sg-1]: Request limit exceeded."
        " (ErrorCode: RequestLimitExceeded)",
    },
    "provisioning": {
        "kind": "error",
        "action": "RunTask",
        "reason": "Tasks provisioning capacity limit exceeded.",
    },
    "vCPUs": {
        "kind": "error",
        "action": "RunTask",
        "reason": "You've reached the limit on the number of vCPUs you can run concurrently",
    },
    "tasks": {"kind": "task_limit", "action": "RunTask"},
    "agent": {"kind": "capacity", "reason": "AGENT"},
    "unavailable": {"kind": "capacity"},
    "memory": {"kind": "capacity", "reason": "RESOURCE:MEMORY"},
    "provider": {"kind": "capacity", "reason": "EMPTY CAPACITY PROVIDER"},
}


@pytest.mark.usefixtures("single_start")
def test_f03_no_form_of_throttling_or_of_missing_capacity_costs_a_start(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.admission.adaptive_bucket.TRICKLE", 20.0)
    for shortage in SHORTAGES.values():
        ecs.add_fault(times=1, **shortage)
    run_dag(one_task_dag("all_shortages"))
    (ti,) = scheduler.launched()
    assert (ti.state, ti.try_number) == ("queued", 1)
    assert len(sent) == len(SHORTAGES) + 1
    assert logged_events("ecs launch waits")
    assert not logged_events("ecs launch failed")


# --- F04: a STOPPED task without exit codes counts as running, then runs again ------------------------------------


def test_f04_a_task_whose_host_is_lost_fails_at_once_and_is_not_launched_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("host_lost"))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    ecs.interrupt(ti.external_executor_id or "", "host")
    scheduler.until_state("failed")
    (task,) = ecs.tasks()
    assert [container.get("exitCode") for container in task["containers"]] == [None]
    scheduler.until_idle()
    assert containers(ecs) == [1]


def test_f04_a_sidecar_without_an_exit_code_keeps_no_slot(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(duration=0, exit_code=0)
    ecs.add_fault("sidecar_exit", exit_code=None)
    hide_ends(ecs)
    run_dag(sidecar_dag("sidecar_never_started"))
    (ti,) = scheduler.launched()
    set_row(ti, state="success")
    ecs.clear_conditions()
    scheduler.until_idle()
    assert {c["name"]: c.get("exitCode") for c in ecs.tasks()[0]["containers"]} == {
        "airflow": 0,
        "sidecar": None,
    }
    assert task_instances()[0].state == "success"


# --- F05: a STOPPED task with an empty container list counts as a success -----------------------------------------


@pytest.mark.usefixtures("without_containers")
def test_f05_a_stopped_task_without_containers_is_no_success(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(start_failure=PASSING)
    run_dag(one_task_dag("no_containers"))
    scheduler.until_state("failed")
    assert len(logged_events("ecs task start failed")) == 2, "all of its starts have failed"
    (mismatch,) = logged_events("state mismatch")
    assert "finished with state failed" in mismatch


@needs_callbacks
@pytest.mark.usefixtures("without_containers")
def test_f05_a_stopped_callback_without_containers_is_no_success(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Callable[[], None]
) -> None:
    ecs.set_plan(duration=0, exit_code=0)
    enqueue_callback()
    scheduler.until(lambda: str(stored_callback().state) in {"failed", "success"}, step=scheduler.heartbeat)
    assert str(stored_callback().state) == "failed"


# --- F06: a sidecar's exit code decides ---------------------------------------------------------------------------


def test_f06_a_killed_sidecar_does_not_spoil_a_success(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.add_fault("sidecar_exit", exit_code=137)
    ecs.set_plan(duration=0, exit_code=0)
    hide_ends(ecs)
    run_dag(sidecar_dag("sidecar_killed"))
    (ti,) = scheduler.launched()
    set_row(ti, state="success")
    ecs.clear_conditions()
    scheduler.until_idle()
    assert task_instances()[0].state == "success"
    assert not logged_events("ecs task ended")
    assert containers(ecs) == [1]


@needs_callbacks
@pytest.mark.usefixtures("sidecar_for_all")
def test_f06_a_killed_sidecar_does_not_fail_a_callback(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Callable[[], None]
) -> None:
    ecs.add_fault("sidecar_exit", exit_code=137)
    ecs.set_plan(duration=0, exit_code=0)
    enqueue_callback()
    scheduler.until(lambda: str(stored_callback().state) in {"failed", "success"}, step=scheduler.heartbeat)
    assert str(stored_callback().state) == "success"
    assert {c["name"]: c["exitCode"] for c in ecs.tasks()[0]["containers"]} == {"airflow": 0, "sidecar": 137}


# --- F07: containers whose task already ran are launched again ----------------------------------------------------


def test_f07_a_container_whose_task_already_ran_is_not_launched_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("spot_in_mid_run"))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    ecs.interrupt(ti.external_executor_id or "", "spot")
    scheduler.until_state("failed")
    scheduler.rest(0.3)
    assert len(ecs.tasks()) == 1


# --- F08: a manual cancel between attempts is ignored -------------------------------------------------------------


def test_f08_a_task_that_is_marked_between_two_starts_is_not_started_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    ecs.set_plan(start_failure=PASSING)
    run_dag(one_task_dag("cancelled"))
    scheduler.until(lambda: logged_events("ecs task start failed"))
    (ti,) = task_instances()
    assert ti.state == "queued"
    set_row(ti, state="failed")
    scheduler.until_idle()
    scheduler.rest(0.3)
    assert containers(ecs) == [1]
    assert task_instances()[0].state == "failed"


# --- F09: a duplicate run after a scheduler crash or a lost event -------------------------------------------------


@pytest.mark.parametrize(("lost_by", "state"), [("crash", "queued"), ("locked_row", "running")])
def test_f09_a_task_whose_arn_never_reached_its_row_gets_no_second_container(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, after_crash: AfterCrash, lost_by: str, state: str
) -> None:
    run_dag(one_task_dag("arn_lost"))
    scheduler.until(lambda: task_instances()[0].state == "queued", step=scheduler.schedule)
    with nothing_written() as tried:
        scheduler.until(lambda: live(ecs), step=scheduler.executor.heartbeat)
        if lost_by == "locked_row":
            scheduler.until(lambda: tried, step=scheduler.executor.heartbeat)
    (before,) = task_instances()
    assert not str(before.external_executor_id).startswith("arn:")
    set_row(before, state=state)
    successor = after_crash()
    (after,) = successor.launched()
    successor.rest(0.3)
    assert (after.id, after.try_number, str(after.state)) == (before.id, 1, state)
    assert containers(ecs) == [1]


# --- F10: a RunTask whose answer was lost leaves a ghost task -----------------------------------------------------


def test_f10_an_answer_that_gets_lost_starts_no_second_container(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("lost_response", action="RunTask", times=2)
    run_dag(one_task_dag("lost_answer"))
    scheduler.launched()
    assert len(ecs.tasks()) == 1
    assert len(sent) == 3
    assert len({json.dumps(body, sort_keys=True) for body in sent}) == 1


# --- F11: MISSING right after the launch causes a second launch ---------------------------------------------------


@pytest.mark.usefixtures("grace")
def test_f11_a_task_that_ecs_does_not_show_yet_is_waited_for(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, answers: list[Tasks]
) -> None:
    ecs.set_conditions(consistency_lag=3600)
    run_dag(one_task_dag("not_shown_yet"))
    (ti,) = scheduler.launched()

    def often_missing() -> bool:
        reasons = [failure.reason for answer in answers for failure in answer.failures]
        return reasons.count("MISSING") >= 6

    scheduler.until(often_missing)
    assert len(ecs.tasks()) == 1
    assert task_instances()[0].state == "queued"
    ecs.clear_conditions()
    set_row(ti, state="running")
    end_all(ecs)
    scheduler.until_state("failed")
    assert containers(ecs) == [1]


# --- F12: a workload is lost when RunTask gives neither task nor failure ------------------------------------------


def test_f12_an_answer_with_neither_task_nor_failure_loses_no_task_and_no_slot(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("empty_answer", times=4)
    with DAG("empty_answers", schedule=None) as dag:
        for number in range(3):
            BaseOperator(task_id=f"task_{number}")
    run_dag(dag)
    scheduler.launched(3)
    assert len(sent) == 7
    assert len({body["clientToken"] for body in sent}) == 3
    assert containers(ecs) == [1, 1, 1]


# --- F13: the same key launched again leaks a task ----------------------------------------------------------------


def test_f13_a_task_that_resumes_before_its_old_container_has_ended_leaks_nothing(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    run_dag(one_task_dag("resumes"))
    (ti,) = scheduler.launched()
    old = ti.external_executor_id or ""
    set_row(ti, state="running")
    scheduler.step()
    set_row(ti, state="scheduled", next_method="execute_complete")
    scheduler.until(
        lambda: task_instances()[0].external_executor_id not in {None, old} and len(live(ecs)) == 2
    )
    (again,) = scheduler.launched()
    set_row(again, state="running")
    ecs.interrupt(old)
    scheduler.until(lambda: len(scheduler.runs) == 1)
    scheduler.rest(0.3)
    assert task_instances()[0].state == "running", "the old container's end is none of the new run's business"
    ecs.interrupt(again.external_executor_id or "")
    scheduler.until_state("failed")
    scheduler.until_idle()
