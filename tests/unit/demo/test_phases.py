from __future__ import annotations

import pytest

from ecs_async_executor.demo.phases import Durations, Phase, durations, finished, phase, phase_began
from ecs_async_executor.demo.snapshot import DagRun, EcsTask, Queueing, Snapshot, TaskInstance


def ecs_task(
    status: str = "RUNNING",
    *,
    created: float = 12.0,
    started: float | None = None,
    stopped: float | None = None,
    arn: str = "arn:aws:ecs:us-east-1:123456789012:task/demo/abc",
) -> EcsTask:
    return EcsTask(arn, "run", status, created_at=created, started_at=started, stopped_at=stopped)


def task_instance(state: str | None, *queueings: Queueing) -> TaskInstance:
    return TaskInstance(
        dag_id="dag",
        task_id="task",
        map_index=-1,
        state=state,
        try_number=1,
        scheduled_at=10.0,
        queued_at=11.0,
        current=queueings[-1].run_id if queueings else None,
        queueings=queueings,
    )


def queueing(*ecs_tasks: EcsTask, running_at: float | None = None, run_id: str = "run") -> Queueing:
    return Queueing(run_id, 1, scheduled_at=10.0, queued_at=11.0, running_at=running_at, ecs_tasks=ecs_tasks)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, Phase.WAITING),
        ("scheduled", Phase.SCHEDULED),
        ("running", Phase.RUNNING),
        ("deferred", Phase.DEFERRED),
        ("up_for_reschedule", Phase.RESCHEDULED),
        ("up_for_retry", Phase.RETRYING),
        ("success", Phase.SUCCESS),
        ("skipped", Phase.SKIPPED),
        ("failed", Phase.FAILED),
        ("upstream_failed", Phase.FAILED),
        ("restarting", Phase.OTHER),
    ],
)
def test_outside_of_queued_the_phase_is_airflows_state(state: str | None, expected: Phase) -> None:
    assert phase(task_instance(state)) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("PROVISIONING", Phase.PROVISIONING),
        ("PENDING", Phase.PROVISIONING),
        ("ACTIVATING", Phase.PROVISIONING),
        ("RUNNING", Phase.STARTING),
        ("STOPPED", Phase.LAUNCHING),
    ],
)
def test_while_queued_the_phase_is_what_ecs_does(status: str, expected: Phase) -> None:
    assert phase(task_instance("queued", queueing(ecs_task(status)))) is expected


def test_queued_without_an_ecs_task_is_launching() -> None:
    assert phase(task_instance("queued", queueing())) is Phase.LAUNCHING


def test_a_requeued_task_is_launching_although_its_earlier_ecs_task_has_stopped() -> None:
    earlier = queueing(ecs_task("STOPPED"), run_id="earlier")
    assert phase(task_instance("queued", earlier, queueing(run_id="now"))) is Phase.LAUNCHING


def test_each_phase_began_when_the_one_before_it_ended() -> None:
    created, running = ecs_task("PENDING", created=12.0), ecs_task(created=12.0, started=15.0)
    assert phase_began(task_instance("scheduled")) == 10.0
    assert phase_began(task_instance("queued", queueing())) == 11.0
    assert phase_began(task_instance("queued", queueing(created))) == 12.0
    assert phase_began(task_instance("queued", queueing(running))) == 15.0
    assert phase_began(task_instance("running", queueing(running, running_at=17.0))) == 17.0


def test_a_deferred_task_waits_since_its_ecs_task_stopped() -> None:
    stopped = ecs_task("STOPPED", started=13.0, stopped=16.0)
    assert phase_began(task_instance("deferred", queueing(stopped))) == 16.0


def test_a_phase_that_lasts_for_ever_has_no_beginning() -> None:
    assert phase_began(task_instance("success", queueing(ecs_task("STOPPED", stopped=16.0)))) is None


def test_the_phases_of_one_ecs_task_add_up_to_its_total() -> None:
    stopped = ecs_task("STOPPED", created=12.0, started=15.0, stopped=20.0)
    spent = durations(task_instance("success", queueing(stopped, running_at=17.0)))
    assert spent == Durations(scheduled=1, launching=1, provisioning=3, starting=2, running=3, total=10)


def test_what_a_standby_did_before_its_task_was_queued_is_not_its_tasks_time() -> None:
    standby = ecs_task("STOPPED", created=1.0, started=5.0, stopped=20.0)
    warm = queueing(standby, running_at=12.5)
    assert durations(task_instance("success", warm)) == Durations(
        scheduled=1, starting=1.5, running=7.5, total=10
    )
    assert phase_began(task_instance("queued", queueing(ecs_task(created=1.0, started=5.0)))) == 11.0


def test_two_queueings_are_summed_and_the_total_has_the_wait_between_them() -> None:
    first = Queueing("a", 1, 0.0, 1.0, 4.0, (ecs_task("STOPPED", created=2.0, started=3.0, stopped=5.0),))
    second = Queueing(
        "b", 1, 30.0, 31.0, 34.0, (ecs_task("STOPPED", created=32.0, started=33.0, stopped=35.0),)
    )
    spent = durations(task_instance("success", first, second))
    assert spent == Durations(scheduled=2, launching=2, provisioning=2, starting=2, running=2, total=35)


def test_an_ecs_task_that_never_ran_its_task_counts_as_starting() -> None:
    lost = ecs_task("STOPPED", created=12.0, started=13.0, stopped=14.0, arn="a")
    good = ecs_task("STOPPED", created=20.0, started=21.0, stopped=24.0, arn="b")
    spent = durations(task_instance("success", queueing(lost, good, running_at=22.0)))
    assert (spent.launching, spent.provisioning, spent.starting, spent.running) == (1, 2, 2, 2)


def test_a_phase_that_is_not_over_counts_nothing() -> None:
    assert durations(task_instance("queued", queueing(ecs_task("PENDING")))) == Durations(
        scheduled=1, launching=1
    )


def test_a_failed_task_has_finished_and_a_deferred_one_has_not() -> None:
    tasks = (task_instance("failed"), task_instance("skipped"), task_instance("deferred"))
    assert finished(Snapshot(at=0.0, tasks=tasks)) == 2


def test_it_is_over_once_every_run_has_ended_and_every_ecs_task_has_stopped() -> None:
    alive = task_instance("success", queueing(ecs_task()))
    stopped = task_instance("success", queueing(ecs_task("STOPPED", stopped=16.0)))
    ended, running = DagRun("dag", "success"), DagRun("dag", "running")
    assert Snapshot(0.0, (ended,), (stopped,)).is_over
    assert not Snapshot(0.0, (ended,), (alive,)).is_over
    assert not Snapshot(0.0, (running,), (stopped,)).is_over
