"""Containers that end, or never start, before any code of the task has run: the row is still QUEUED."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from ecs_async_executor.local import Control
from tests.support.ecs import live
from tests.support.scheduler import Scheduler, logged_events, one_task_dag, running_scheduler, task_instances
from tests.support.sent import worker_token

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]
PASSING = "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout"
PERMANENT = "CannotPullContainerError: pull access denied, repository does not exist"


def test_it_is_launched_again_with_a_new_launch_number_and_a_fresh_token(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("start_failure", reason=PASSING, times=1)
    run_dag(one_task_dag("start_fails_once"))
    scheduler.until(lambda: len(live(ecs)) == 1)
    (ti,) = task_instances()
    first, second = sent
    assert first["startedBy"] == second["startedBy"]
    assert second["clientToken"] == first["clientToken"].removesuffix("-001") + "-002"
    assert worker_token(first) != worker_token(second)
    (event,) = logged_events("ecs task start failed")
    assert event.startswith("Start 1 of 3 failed, the next one in ")
    assert PASSING in event
    assert (ti.state, ti.try_number) == ("queued", 1)
    assert scheduler.executor.running == {ti.key}


def test_when_all_starts_have_failed_the_task_fails_with_the_reason_in_its_audit_log(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.set_plan(start_failure=PASSING)
    run_dag(one_task_dag("start_fails"))
    scheduler.until_state("failed")
    assert [body["clientToken"][-4:] for body in sent] == ["-001", "-002", "-003"]
    assert len(logged_events("ecs task start failed")) == 2
    (ended,) = logged_events("ecs task not started")
    (mismatch,) = logged_events("state mismatch")
    tries, why = "Start 3 of 3 failed, too. ", "The task could not reach the registry to pull the image"
    assert ended.startswith(tries + why)
    assert PASSING in ended
    assert f"Extra info: {ended.removeprefix(tries)}" in mismatch


def test_a_reason_that_stays_is_not_tried_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.set_plan(start_failure=PERMANENT)
    run_dag(one_task_dag("start_fails_for_good"))
    scheduler.until_state("failed")
    assert len(sent) == 1
    assert "Check the image's name" in logged_events("ecs task not started")[0]


def test_the_number_of_starts_is_an_option(
    configured: Control,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    run_dag: RunDag,
    sent: Sent,
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__MAX_RUN_TASK_ATTEMPTS", "1")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    configured.set_plan(start_failure=PASSING)
    run_dag(one_task_dag("one_start"))
    scheduler.until_state("failed")
    assert len(sent) == 1


def test_airflows_own_retries_come_after_the_starts(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("start_failure", reason=PASSING, times=3)
    run_dag(one_task_dag("start_fails_then_retries", retries=1, retry_delay=timedelta(0)))
    scheduler.until(lambda: len(live(ecs)) == 1)
    (ti,) = task_instances()
    assert ti.try_number == 2
    assert [body["clientToken"][-4:] for body in sent] == ["-001", "-002", "-003", "-001"]


def test_a_container_that_failed_before_its_task_began_is_launched_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.set_plan({"nth": [1], "duration": 0, "exit_code": 1}, duration=3600)
    run_dag(one_task_dag("fails_before_it_begins"))
    scheduler.until(lambda: len(live(ecs)) == 1)
    assert len(sent) == 2
    (event,) = logged_events("ecs task start failed")
    assert "exit code 1 before Airflow had started the task" in event
    assert "[api_auth] jwt_secret" in event


def test_a_container_whose_entry_point_swallows_the_command_is_not_launched_again(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.set_plan(duration=0, exit_code=0)
    run_dag(one_task_dag("ends_well_before_it_begins"))
    scheduler.until_state("failed")
    assert len(sent) == 1
    (ended,) = logged_events("ecs task ended")
    assert ended.startswith("Airflow never started in the container")
    assert "entry point does not pass the command on" in ended


def test_a_refused_launch_fails_at_once_with_the_remedy(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("blocked", action="RunTask")
    run_dag(one_task_dag("refused"))
    scheduler.until_state("failed")
    assert len(sent) == 1
    assert "Ask AWS Support" in logged_events("ecs task not launched")[0]


def test_a_denied_launch_is_tried_again_since_iam_takes_a_while_and_then_fails_with_the_remedy(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("access_denied", action="RunTask")
    run_dag(one_task_dag("denied"))
    scheduler.until_state("failed")
    assert len(sent) == 3
    (ended,) = logged_events("ecs task not launched")
    assert "AccessDeniedException" in ended
    assert '{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}' in ended


@pytest.mark.parametrize(
    ("executor_config", "origin"),
    [
        ({"task_definition": "nothing:7"}, "taskDefinition 'nothing:7' in this task's executor_config."),
        ({"cluster": "nowhere"}, "cluster 'nowhere' in this task's executor_config."),
    ],
)
def test_a_refused_launch_names_where_the_wrong_value_is_set(
    scheduler: Scheduler, run_dag: RunDag, executor_config: dict[str, str], origin: str
) -> None:
    (member,) = executor_config
    run_dag(one_task_dag(f"refused_{member}", executor_config=executor_config))
    scheduler.until_state("failed")
    ended = logged_events("ecs task not launched")[-1]
    assert origin in ended
    assert f"cluster {executor_config.get('cluster', 'default')}, Region us-east-1" in ended


def test_a_service_linked_role_that_aws_has_just_created_costs_one_start(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    reason = (
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
    )
    ecs.add_fault("error", action="RunTask", code="InvalidParameterException", reason=reason, times=1)
    run_dag(one_task_dag("first_in_the_account"))
    scheduler.until(lambda: len(live(ecs)) == 1)
    assert len(sent) == 2
    assert "aws iam create-service-linked-role" in logged_events("ecs launch failed")[0]


def test_waiting_for_capacity_is_said_once_and_costs_no_start(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("capacity", times=5)
    run_dag(one_task_dag("waits"))
    scheduler.launched()
    assert len(sent) == 6
    (event,) = logged_events("ecs launch waits")
    assert "Fargate has no capacity for the task now." in event
    assert not logged_events("ecs launch failed")
    assert [run.starts for run in scheduler.runs] == [1]


def test_throttling_costs_nothing_and_is_not_even_said(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.admission.adaptive_bucket.TRICKLE", 20.0)
    ecs.add_fault("throttle", action="RunTask", times=3)
    run_dag(one_task_dag("throttled"))
    scheduler.launched()
    assert ecs.calls()["RunTask"] == {"ThrottlingException": 3, "ok": 1}
    assert not logged_events("ecs launch waits")
    assert [run.starts for run in scheduler.runs] == [1]


def test_capacity_that_is_missing_after_the_launch_costs_no_start(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    ecs.add_fault("start_failure", reason="TaskFailedToStart: RESOURCE:MEMORY", times=5)
    run_dag(one_task_dag("no_room"))
    scheduler.until(lambda: len(sent) == 6)
    (ti,) = scheduler.launched()
    assert ti.state == "queued"
    assert all("No capacity" in text for text in logged_events("ecs launch failed"))


def test_a_short_task_queued_timeout_is_pointed_out_at_the_start(
    configured: Control, clean_database: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_scheduler():
        pass
    assert "Set task_queued_timeout to at least 5400." in capsys.readouterr().out
