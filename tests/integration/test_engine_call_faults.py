"""Everything that can go wrong with a call: each run still gets its one container and its one end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.local import Control
from ecs_async_executor.messages import (
    Launched,
    LaunchFailed,
    Stopped,
    Waiting,
)
from tests.support.live_engine import LiveEngine, body, containers, launch_order

Start = Callable[..., LiveEngine]
ACTIONS = ["RunTask", "DescribeTasks"]


def all_end_well(ecs: Control, engine: LiveEngine, runs: list[str]) -> None:
    ends = engine.ends_of(runs)
    assert {(type(end), end.exit_code) for end in ends.values()} == {(Stopped, 0)}
    assert containers(ecs) == dict.fromkeys(runs, 1)


# --- throttling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["throttle", "disguised_throttle"])
@pytest.mark.parametrize("action", ACTIONS)
def test_throttled_calls_are_repeated_until_all_runs_have_ended(
    ecs: Control, engine: LiveEngine, kind: str, action: str
):
    ecs.add_fault(kind, action=action, times=5)
    all_end_well(ecs, engine, engine.launch_many(10))
    assert engine.of(Waiting) == []
    assert engine.of(LaunchFailed) == []


def test_aws_own_buckets_are_kept_to(ecs: Control, start: Start):
    ecs.set_conditions(throttling={"fargate_run_task_calls": [30, 20], "cluster_resource_read": [30, 20]})
    engine = start(run_task_rate=Rate(15, 2), read_rate=Rate(15, 2))
    first = engine.launch()
    engine.end_of(first)  # calls that wait for the client to be made come all at once
    all_end_well(ecs, engine, [first, *engine.launch_many(40)])
    assert "ThrottlingException" not in ecs.calls()["RunTask"]
    assert "ThrottlingException" not in ecs.calls()["DescribeTasks"]


def test_others_who_use_up_the_buckets_only_slow_it_down(ecs: Control, engine: LiveEngine):
    ecs.set_conditions(throttling={"fargate_run_task_calls": [5, 20], "cluster_resource_read": [5, 20]})
    all_end_well(ecs, engine, engine.launch_many(30))
    assert ecs.calls()["RunTask"]["ThrottlingException"] > 0


def test_priorities_hold_under_a_rate(ecs: Control, start: Start):
    engine = start(run_task_rate=Rate(20, 1))
    first = engine.launch()
    engine.until_report(Launched, first)
    low = [launch_order() for _ in range(8)]
    high = [launch_order(priority=10) for _ in range(3)]
    engine.submit(*low, *high)  # at once: what comes first is sent first
    engine.ends_of([first, *(each.run_id for each in (*low, *high))])
    order = [report.run_id for report in engine.of(Launched)]
    assert set(order[:5]) >= {
        first,
        *(each.run_id for each in high),
    }  # one that was under way may have come before


# --- unknown outcomes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", ["server_error", "lost_response"])
def test_a_call_without_a_clear_answer_is_repeated(ecs: Control, engine: LiveEngine, kind: str, action: str):
    ecs.add_fault(kind, action=action, times=5)
    all_end_well(ecs, engine, engine.launch_many(10))
    assert engine.of(LaunchFailed) == []


def test_an_answer_that_comes_too_late_is_asked_for_again(ecs: Control, start: Start):
    ecs.add_fault("late_response", action="RunTask", seconds=30, times=3)
    engine = start(call_timeout=2)
    runs = engine.launch_many(5)
    all_end_well(ecs, engine, runs)
    assert ecs.calls()["RunTask"]["replayed"] >= 3
    assert len(engine.of(Waiting)) == 3


def test_a_look_whose_answer_comes_too_late_is_taken_again(ecs: Control, start: Start):
    ecs.add_fault("late_response", action="DescribeTasks", seconds=30, times=2)
    engine = start(call_timeout=2)
    all_end_well(ecs, engine, engine.launch_many(5))


def test_an_answer_with_neither_task_nor_failure_is_asked_for_again(ecs: Control, engine: LiveEngine):
    ecs.add_fault("empty_answer", times=3)
    all_end_well(ecs, engine, engine.launch_many(5))
    assert len(engine.of(Waiting)) == 3


def test_half_of_all_calls_may_fail_one_way_or_the_other(ecs: Control, start: Start):
    for kind in ("throttle", "server_error", "lost_response"):
        ecs.add_fault(kind, probability=0.2)
    engine = start(missing_grace=30)
    all_end_well(ecs, engine, engine.launch_many(30))


def test_a_refusal_of_a_replay_is_not_taken_for_a_refusal_of_the_launch(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=5)
    ecs.add_fault("lost_response", action="RunTask", times=1)
    run = engine.launch()
    engine.until_report(Waiting, run)
    ecs.add_fault("access_denied", action="RunTask", times=1)
    engine.until_report(Launched, run)
    assert containers(ecs) == {run: 1}
    assert engine.of(LaunchFailed) == []


# --- capacity ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["", "RESOURCE:CPU", "RESOURCE:MEMORY", "RESOURCE:ENI", "AGENT", "RESOURCE:FARGATE"]
)
def test_without_capacity_a_launch_ends_and_costs_no_attempt(ecs: Control, engine: LiveEngine, reason: str):
    ecs.add_fault("capacity", times=1, **({"reason": reason} if reason else {}))
    run = engine.launch()
    failed = engine.end_of(run)
    assert isinstance(failed, LaunchFailed)
    assert (failed.permanent, failed.costs_attempt) == (False, False)
    assert (reason or "Capacity is unavailable") in failed.diagnosis.detail
    engine.launch(run_id=run, number=2)
    assert engine.until_report(Launched, run).number == 2
    assert containers(ecs) == {run: 1}


def test_the_task_limit_of_the_account_is_lack_of_capacity(ecs: Control, engine: LiveEngine):
    ecs.set_conditions(task_limit=0)
    failed = engine.end_of(engine.launch())
    assert isinstance(failed, LaunchFailed)
    assert not failed.costs_attempt
    assert containers(ecs) == {}


# --- configuration ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "remedy", "permanent"),
    [("access_denied", "role", False), ("blocked", "AWS Support", True), ("error", "options", True)],
)
def test_a_refusal_fails_its_run_with_the_remedy(
    ecs: Control, engine: LiveEngine, kind: str, remedy: str, permanent: bool
):
    ecs.add_fault(kind, action="RunTask", times=1)
    refused = engine.launch()
    end = engine.end_of(refused)
    assert isinstance(end, LaunchFailed)
    assert end.permanent is permanent
    assert remedy in end.diagnosis.remedy
    all_end_well(ecs, engine, [engine.launch()])


def test_what_ecs_finds_wrong_with_a_request_is_said_without_its_values(ecs: Control, engine: LiveEngine):
    requests = {
        "overrides": body(command=["the-secret" * 1000]),
        "container": {**body(), "overrides": {"containerOverrides": [{"name": "nobody"}]}},
        "cluster": body("nowhere"),
        "definition": {**body(), "taskDefinition": "nothing"},
        "type": {
            **body(),
            "overrides": {"containerOverrides": [{"name": "airflow", "command": "the-secret"}]},
        },
    }
    runs = {name: engine.launch(request) for name, request in requests.items()}
    ends = engine.ends_of(runs.values())
    remedies = {name: ends[run].diagnosis.remedy for name, run in runs.items()}
    assert "executor_config" in remedies["overrides"]
    assert "`container_name`" in remedies["container"]
    assert "`cluster`" in remedies["cluster"]
    assert "ACTIVE" in remedies["definition"]
    assert "cluster nowhere, Region " in ends[runs["cluster"]].diagnosis.detail
    assert all(isinstance(end, LaunchFailed) and end.permanent for end in ends.values())
    assert "the-secret" not in str(engine.reports)
    assert containers(ecs) == {}


def test_a_look_that_is_denied_is_taken_again_when_it_is_allowed(ecs: Control, engine: LiveEngine):
    ecs.add_fault("access_denied", action="DescribeTasks", times=5)
    all_end_well(ecs, engine, engine.launch_many(3))


# --- reads that lag or are broken -------------------------------------------------------------------------


def test_tasks_that_are_missing_right_after_launch_are_waited_for(ecs: Control, start: Start):
    ecs.set_conditions(consistency_lag=1.0)
    engine = start(missing_grace=30)
    all_end_well(ecs, engine, engine.launch_many(5))


def test_a_malformed_record_harms_no_task(ecs: Control, start: Start):
    ecs.add_fault("malformed_task", times=3)
    engine = start(missing_grace=30)
    all_end_well(ecs, engine, engine.launch_many(5))


def test_a_task_that_ecs_has_forgotten_is_reported_as_lost(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=60)
    run = engine.launch()
    engine.until_report(Launched, run)
    ecs.reset()
    end = engine.end_of(run)
    assert isinstance(end, Stopped)
    assert (end.exit_code, end.ran) == (None, True)
    assert end.lost
    assert end.diagnosis.summary == "ECS does not show the task."


# --- clusters ---------------------------------------------------------------------------------------------


def test_runs_of_several_clusters_are_told_apart(ecs: Control, engine: LiveEngine):
    ecs.set_plan({"environment": {"EXIT": "7"}, "exit_code": 7, "duration": 0.05}, duration=0.05)
    here = engine.launch_many(5, request=body())
    there = engine.launch_many(5, request=body("other", EXIT="7"))
    ends = engine.ends_of([*here, *there])
    assert {ends[run].exit_code for run in here} == {0}
    assert {ends[run].exit_code for run in there} == {7}
    assert all(("other" in report.arn) == (report.run_id in there) for report in engine.of(Launched))
    assert containers(ecs) == dict.fromkeys([*here, *there], 1)
