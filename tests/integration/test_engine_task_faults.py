"""Everything that can go wrong in a task's life, and stops at every moment of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ecs_async_executor.engine.options import Rate
from ecs_async_executor.local import Control, Options, serve_in_thread
from ecs_async_executor.messages import Cancelled, Launched, Recovery, Running, Stopped, Waiting, Watch
from tests.support.live_engine import LiveEngine, body, connect_to, containers

Start = Callable[..., LiveEngine]
SIDECAR: dict[str, Any] = {
    "family": "with-sidecar",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {"name": "airflow", "image": "local", "essential": True},
        {"name": "proxy", "image": "local", "essential": False},
    ],
}


def end_of_one(ecs: Control, engine: LiveEngine) -> Stopped:
    run = engine.launch()
    end = engine.end_of(run)
    assert isinstance(end, Stopped)
    assert containers(ecs) == {run: 1}
    return end


# --- starts that fail -------------------------------------------------------------------------------------


def test_a_start_that_fails_in_passing_may_be_tried_again(ecs: Control, engine: LiveEngine):
    ecs.add_fault("start_failure", times=1)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran, end.permanent) == (None, False, False)
    assert "could not reach" in end.diagnosis.summary
    assert "TaskFailedToStart" in end.diagnosis.detail


def test_a_start_that_can_never_succeed_is_permanent(ecs: Control, engine: LiveEngine):
    ecs.add_fault("start_failure", reason="CannotPullContainerError: image not found", times=1)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran, end.permanent) == (None, False, True)
    assert "image" in end.diagnosis.remedy


def test_a_run_is_launched_again_under_the_next_number(ecs: Control, engine: LiveEngine):
    ecs.add_fault("start_failure", times=1)
    run = engine.launch()
    failed = engine.end_of(run)
    again = engine.launch(number=failed.number + 1)
    assert engine.end_of(again).exit_code == 0
    assert engine.until_report(Launched, again).number == 2


# --- capacity that goes away ------------------------------------------------------------------------------


def test_spot_that_is_taken_before_the_start_did_not_run(ecs: Control, engine: LiveEngine):
    ecs.set_plan(provisioning=0.5, duration=30)
    ecs.add_fault("spot_before_start", seconds=0.1)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran, end.permanent) == (None, False, False)
    assert "Spot" in end.diagnosis.summary


def test_spot_that_is_taken_after_the_start_did_run(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=30)
    ecs.add_fault("spot_interruption", seconds=0.3)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran, end.permanent) == (143, True, False)
    assert "Spot" in end.diagnosis.summary


def test_a_host_that_is_gone_leaves_no_exit_code_and_no_success(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=30)
    ecs.add_fault("host_terminated", seconds=0.3)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran, end.permanent) == (None, True, False)
    assert "Host EC2" in end.diagnosis.detail


# --- containers -------------------------------------------------------------------------------------------


def test_a_sidecar_that_is_killed_does_not_fail_a_task_that_succeeded(ecs: Control, engine: LiveEngine):
    ecs.add_fault("sidecar_exit", exit_code=137)
    end = end_of_one(ecs, engine)
    assert end.exit_code == 0
    assert "container sidecar: exit code 137" in end.diagnosis.detail


def test_a_task_without_the_container_that_decides_is_no_success(ecs: Control, engine: LiveEngine):
    run = engine.launch()
    launched = engine.until_report(Launched, run)
    with_wrong_name = Launched("other", 1, launched.arn, launched.cluster, "nobody")
    engine.watch("other", with_wrong_name)
    ends = engine.ends_of([run, "other"])
    assert ends[run].exit_code == 0
    assert ends["other"].exit_code is None
    assert "`container_name`" in ends["other"].diagnosis.remedy


@pytest.mark.parametrize(
    ("plan", "exit_code", "summary"),
    [
        ({"exit_code": 1}, 1, "exit code 1"),
        (
            {"exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
            137,
            "memory",
        ),
        ({"exit_code": 139}, 139, "SIGSEGV"),
        ({"exit_code": None}, None, "no exit code"),
    ],
)
def test_how_a_container_ended_is_explained(
    ecs: Control, engine: LiveEngine, plan: dict[str, Any], exit_code: int | None, summary: str
):
    ecs.set_plan(duration=0.05, **plan)
    end = end_of_one(ecs, engine)
    assert (end.exit_code, end.ran) == (exit_code, True)
    assert summary in end.diagnosis.summary
    assert end.out_of_memory is (exit_code == 137)
    assert end.memory == 512, "that of the task definition"


# --- stops ------------------------------------------------------------------------------------------------


def test_a_run_stopped_before_its_launch_starts_nothing(ecs: Control, start: Start):
    ecs.set_conditions(latency={"RunTask": 4})
    engine = start(concurrency=1)
    first, second = engine.launch(), engine.launch()
    engine.stop(second)
    assert isinstance(engine.end_of(second), Cancelled)
    engine.end_of(first)
    assert containers(ecs) == {first: 1}


def test_a_run_stopped_while_runtask_is_in_flight_is_stopped_once_it_is_known(
    ecs: Control, engine: LiveEngine
):
    ecs.set_plan(duration=60)
    ecs.set_conditions(latency={"RunTask": 4})
    run = engine.launch()
    engine.until(lambda: engine.thread._ready.result()[1].ledger.sending)
    engine.stop(run)
    end = engine.end_of(run)
    assert isinstance(end, Stopped)
    assert type(engine.about(run)[0]) is Launched
    assert "because" in str(end.diagnosis)
    assert containers(ecs) == {run: 1}


def test_a_run_stopped_while_its_outcome_is_unknown_is_found_and_stopped(ecs: Control, start: Start):
    ecs.set_plan(duration=60)
    ecs.add_fault("lost_response", action="RunTask", times=1)
    engine = start()
    run = engine.launch()
    engine.until_report(Waiting, run)
    engine.stop(run)
    assert isinstance(engine.end_of(run), Stopped)
    assert containers(ecs) == {run: 1}


def test_a_running_task_is_stopped_with_the_reason(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=60)
    run = engine.launch()
    engine.until_report(Running, run)
    engine.stop(run)
    end = engine.end_of(run)
    assert (end.exit_code, end.ran) == (143, True)
    assert "StopTask" in end.diagnosis.summary
    assert "because" in str(end.diagnosis)


@pytest.mark.parametrize("kind", ["throttle", "server_error", "lost_response", "access_denied"])
def test_a_stop_is_repeated_until_it_is_accepted(ecs: Control, engine: LiveEngine, kind: str):
    ecs.set_plan(duration=60)
    run = engine.launch()
    engine.until_report(Launched, run)
    ecs.add_fault(kind, action="StopTask", times=2)
    engine.stop(run)
    assert engine.end_of(run).exit_code in {143, None}


def test_a_stop_that_comes_before_ecs_knows_the_task_is_repeated(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=60)
    run = engine.launch()
    engine.until_report(Launched, run)
    ecs.add_fault(
        "error",
        action="StopTask",
        code="InvalidParameterException",
        reason="The referenced task was not found.",
        times=2,
    )
    engine.stop(run)
    assert isinstance(engine.end_of(run), Stopped)


def test_a_stop_of_a_task_that_is_ending_changes_nothing(ecs: Control, engine: LiveEngine):
    runs = engine.launch_many(20)
    for run in runs:
        engine.stop(run)
    for run in runs:
        engine.stop(run)
    ends = engine.ends_of(runs)
    assert all(count == 1 for count in containers(ecs).values())
    assert set(containers(ecs)) == {run for run, end in ends.items() if isinstance(end, Stopped)}


def test_stops_do_not_wait_for_launches_that_queue_at_the_rate(ecs: Control, start: Start):
    ecs.set_plan({"nth": 1, "duration": 60}, duration=0.05)
    engine = start(run_task_rate=Rate(10, 1))
    victim = engine.launch()
    engine.until_report(Launched, victim)
    waiting = engine.launch_many(20)
    engine.stop(victim)
    engine.end_of(victim)
    assert len(engine.of(Launched)) < 21
    engine.ends_of(waiting)


# --- taking over ------------------------------------------------------------------------------------------


def test_a_new_engine_takes_over_what_the_old_one_launched(ecs: Control, start: Start):
    ecs.set_plan(duration=1.0, exit_code=5)
    old, new = start(), start()
    run = old.launch()
    launched = old.until_report(Launched, run)
    old.thread.close(10)
    new.watch(run, launched)
    assert new.end_of(run).exit_code == 5
    assert containers(ecs) == {run: 1}


@pytest.mark.parametrize(
    "prefix",
    [
        "arn:aws:ecs:us-east-1:210987654321:task/default/",
        "arn:aws:ecs:eu-west-1:123456789012:task/default/",
        "arn:aws:ecs:us-east-1:210987654321:task/",
    ],
    ids=["account", "Region", "account, in an old ARN"],
)
def test_a_task_of_another_account_or_region_keeps_no_other_from_being_seen_or_stopped(
    ecs: Control, start: Start, prefix: str
):
    ecs.set_plan(duration=60)
    engine, later = start(list_timeout=3600.0), start(list_timeout=0.5)
    ours = [engine.launch() for _ in range(3)]
    foreign = {f"moved-{number}": f"{prefix}{number:032}" for number in range(25)}
    for run_id, arn in foreign.items():
        engine.submit(Watch(run_id, run_id, arn, "default", "airflow", listed=False))
        engine.stop(run_id)
    for run_id in ours:
        engine.until_report(Launched, run_id)
        engine.stop(run_id)
    ends = engine.ends_of(ours)
    assert [end.lost for end in ends.values()] == [False] * 3
    assert not engine.about("moved-0"), "it may live, as far as anybody knows"
    for run_id, arn in foreign.items():
        later.submit(Watch(run_id, run_id, arn, "default", "airflow", listed=False))
    lost = later.ends_of(foreign)
    assert all(end.lost and "InvalidParameterException" in end.diagnosis.detail for end in lost.values())


def test_launching_again_with_the_same_number_finds_the_task_that_exists(ecs: Control, start: Start):
    ecs.set_plan(duration=1.0, exit_code=5)
    old, new = start(), start()
    run = old.launch()
    launched = old.until_report(Launched, run)
    old.thread.close(10)
    for request in (body(), body(TOKEN="another")):  # the same bytes are replayed, others conflict
        engine = start()
        engine.launch(request, run_id=run, recovery=Recovery.REPLAY)
        assert engine.until_report(Launched, run).arn == launched.arn
    new.launch(body(TOKEN="a third"), run_id=run, recovery=Recovery.REPLAY)
    assert new.end_of(run).exit_code == 5
    assert containers(ecs) == {run: 1}


def test_a_launch_that_a_dead_engine_sent_can_still_be_stopped(ecs: Control, start: Start):
    ecs.set_plan(duration=60)
    old, new = start(), start()
    run = old.launch()
    old.until_report(Launched, run)
    old.thread.close(10)
    new.launch(run_id=run, recovery=Recovery.REPLAY)
    new.stop(run)
    assert isinstance(new.end_of(run), Stopped)
    assert containers(ecs) == {run: 1}


def test_closing_lets_the_call_in_flight_land(ecs: Control, engine: LiveEngine):
    ecs.set_plan(duration=60)
    ecs.set_conditions(latency={"RunTask": 4})
    run = engine.launch()
    engine.until(lambda: engine.thread._ready.result()[1].ledger.sending)
    engine.thread.close(10)
    engine.until_report(Launched, run)
    assert containers(ecs) == {run: 1}


# --- real processes ---------------------------------------------------------------------------------------


def test_exit_codes_and_signals_of_real_processes_are_reported(impatient: None, unblocked: None):
    commands = {
        "fine": (["sh", "-c", "exit 0"], 0),
        "failing": (["sh", "-c", "exit 7"], 7),
        "killed": (["sh", "-c", "kill -KILL $$"], 137),
        "crashed": (["sh", "-c", "kill -SEGV $$"], 139),
        "no such program": (["/does/not/exist"], None),
    }
    with (
        serve_in_thread(Options(task_definitions=[SIDECAR])) as ecs,
        LiveEngine(connect_to(ecs.endpoint_url)) as engine,
    ):
        runs = {name: engine.launch(body(command=command)) for name, (command, _) in commands.items()}
        stopped = engine.launch(body(command=["sleep", "600"]))
        engine.until_report(Running, stopped)
        engine.stop(stopped)
        ends = engine.ends_of([*runs.values(), stopped])
        assert {name: ends[run].exit_code for name, run in runs.items()} == {
            name: code for name, (_, code) in commands.items()
        }
        assert not ends[runs["no such program"]].ran
        assert ends[stopped].exit_code == 143
        sidecar = engine.launch({**body(command=["sh", "-c", "exit 0"]), "taskDefinition": "with-sidecar"})
        assert engine.end_of(sidecar).exit_code == 0
        assert containers(ecs) == dict.fromkeys([*runs.values(), stopped, sidecar], 1)
