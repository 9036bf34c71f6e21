"""The rules of the fleet page: which phase a row is in, why it waits, which schedulers are shown."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.diagnosis.slow_starts import describe_slow_start
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.event_names import FAILURES, EventName
from ecs_async_executor.fleet.live import (
    FORGOTTEN_AFTER,
    IN_LINE,
    SILENT_AFTER,
    THROTTLED,
    TITLE_LENGTH,
    UNEXPLAINED_AFTER,
    Event,
    Fleet,
    Job,
    LiveTask,
    Phase,
    TaskRow,
    first_sentence,
    live_tasks,
    schedulers,
    slow_start_in,
)
from ecs_async_executor.messages import EngineStatus
from ecs_async_executor.scheduler_status import SchedulerStatus

NOW = 10_000.0
ARN = "arn:aws:ecs:eu-central-1:123456789012:task/default/0123456789abcdef"
ROW = TaskRow("dag", "run", "task", -1, 1, "queued", "default", "run-id", 7, NOW - 10, None, NOW - 8)
EVENT = Event(
    "dag", "run", "task", -1, 1, EventName.WAITS.value, NOW - 5, "There is no capacity. (RunTask said so.)"
)
ENGINE = EngineStatus(waiting=0, sending=0, watched=5, rate=10.0, limit=10.0, launches=30, throttles=0)
STATUS = SchedulerStatus(
    job_id=7, at=NOW - 3, version="1", runs=5, slots=5, parallelism=32, waiting_for_slot=0, engine=ENGINE
)


def judged(row: TaskRow = ROW, **fleet: Any) -> LiveTask:
    (task,) = live_tasks(Fleet(NOW, (row,), **fleet), frozenset({"dag"}), NOW)
    return task


def title(status: SchedulerStatus | None = STATUS, row: TaskRow = ROW, **fleet: Any) -> str | None:
    statuses = () if status is None else (status,)
    cause = judged(row, **{"statuses": statuses, **fleet}).cause
    return None if cause is None else cause.title


def with_engine(**changes: Any) -> SchedulerStatus:
    return replace(STATUS, engine=replace(ENGINE, **changes))


@pytest.mark.parametrize(
    ("row", "phase", "since"),
    [
        (ROW, Phase.LAUNCHING, NOW - 10),
        (replace(ROW, external_id="run-id-2"), Phase.LAUNCHING, NOW - 10),
        (replace(ROW, external_id=None), Phase.LAUNCHING, NOW - 10),
        (replace(ROW, external_id=ARN), Phase.STARTING, NOW - 8),
        (replace(ROW, external_id=ARN, updated_at=None), Phase.STARTING, NOW - 10),
        (replace(ROW, state="running", external_id=ARN, started_at=NOW - 2), Phase.RUNNING, NOW - 2),
        (replace(ROW, state="running", external_id="run-id", started_at=NOW - 2), Phase.RUNNING, NOW - 2),
        (replace(ROW, state="restarting", external_id=ARN), Phase.ENDING, NOW - 8),
    ],
)
def test_a_rows_state_and_external_id_tell_its_phase(row: TaskRow, phase: Phase, since: float):
    task = judged(row, statuses=(STATUS,))
    assert (task.phase, task.since, task.cause) == (phase, since, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (with_engine(waiting=3), IN_LINE),
        (with_engine(waiting=3, throttles=2), THROTTLED),
        (with_engine(throttles=2), None),
        (with_engine(waiting=3, unanswered=40.0), "ECS gives no usable answer to any call."),
        (with_engine(unanswered=2.0), None),
        (replace(STATUS, waiting_for_slot=4), "Scheduler 7 has no free slot."),
        (replace(STATUS, engine=None), "The engine of scheduler 7 doesn't answer."),
        (replace(STATUS, paused="Credentials expired. (Facts.)"), "AWS can't be used: Credentials expired."),
        (replace(STATUS, at=NOW - SILENT_AFTER), "Scheduler 7 gives no sign of life."),
        (replace(STATUS, job_id=8, paused="The other one."), None),
        (None, None),
    ],
)
def test_a_schedulers_status_tells_why_its_tasks_wait(status: SchedulerStatus | None, expected: str | None):
    assert title(status) == expected


def test_the_engine_says_the_same_in_the_events_of_launches_that_wait_for_long():
    for title in (THROTTLED, IN_LINE):
        assert title in inspect.getsource(Calls), "else one reason has two lines on the page"


def test_a_task_with_a_cause_waits_and_one_without_is_being_launched():
    assert judged(delays=(EVENT,)).phase is Phase.WAITING
    assert judged().phase is Phase.LAUNCHING


def test_rates_are_in_the_detail_so_that_tasks_with_the_same_cause_have_the_same_title():
    cause = judged(statuses=(with_engine(waiting=3, rate=2.5, throttles=9),)).cause
    assert cause is not None
    assert "3 launches wait, 2.5 launches/s of 10/s are possible now." in cause.detail
    assert "AWS has throttled 9 calls" in cause.detail


def test_an_unlimited_rate_is_reported_without_a_limit():
    cause = judged(statuses=(with_engine(waiting=3, rate=2.5, limit=None),)).cause
    assert cause is not None
    assert "2.5 launches/s are possible now." in cause.detail


def test_a_rate_that_nothing_limits_is_not_reported():
    cause = judged(statuses=(with_engine(waiting=3, rate=None, limit=None),)).cause
    assert cause is not None
    assert cause.detail == "3 launches wait."


def test_an_event_of_its_own_explains_more_than_the_schedulers_numbers():
    assert title(with_engine(waiting=3), delays=(EVENT,)) == "There is no capacity."


def test_while_aws_cannot_be_used_an_earlier_event_no_longer_explains():
    paused = replace(STATUS, paused="The network is down.")
    assert title(paused, delays=(EVENT,)) == "AWS can't be used: The network is down."


def test_the_last_event_explains():
    later = replace(EVENT, at=NOW - 1, text="The subnet has no free address. (RunTask said so.)")
    for waits in ((EVENT, later), (later, EVENT)):
        assert title(delays=waits) == "The subnet has no free address."


@pytest.mark.parametrize(
    "other",
    [
        {"try_number": 2},
        {"map_index": 0},
        {"task_id": "other"},
        {"run_id": "other"},
        {"at": NOW - 100},  # before the row was queued: of an earlier queueing of the same try
    ],
)
def test_an_event_of_another_task_try_or_queueing_explains_nothing(other: dict[str, Any]):
    assert title(delays=(replace(EVENT, **other),)) is None


@pytest.mark.parametrize(
    "tries",
    [
        "",
        "Start 1 of 3 failed, the next one in 20 s. ",
        "Start 3 of 3 failed, too. ",
        "It waited 3600 s (`capacity_timeout`) without success. ",
    ],
)
def test_a_failed_start_is_grouped_by_its_reason_and_not_by_its_number(tries: str):
    text = f"{tries}The image does not exist. Push it."
    event = replace(EVENT, name=EventName.LAUNCH_FAILED.value, text=text)
    cause = judged(delays=(event,)).cause
    assert cause is not None
    assert (cause.title, cause.detail) == ("The image does not exist.", text)


SLOW = replace(
    EVENT,
    name=EventName.SLOW_START.value,
    text="The task has not started after 97 s: it is pulling its image; big usually starts within 40 s. (lastStatus "
    "PENDING) Make the image smaller.",
)


def test_a_lost_standby_is_a_failure_and_says_why_its_task_is_not_launched_yet():
    """Its text is that of `TaskEvents.standby_lost`."""
    text = "It starts cold, at no cost. The standby was reclaimed. Nothing to do."
    lost = replace(EVENT, name=EventName.STANDBY_LOST.value, text=text)
    assert title(delays=(lost,)) == "The standby was reclaimed."
    assert EventName.STANDBY_LOST.value in FAILURES


def test_a_slow_start_is_grouped_by_what_it_waits_for_and_not_by_its_seconds():
    task = judged(replace(ROW, external_id=ARN), delays=(SLOW,))
    assert task.phase is Phase.STARTING
    assert task.cause is not None
    assert (task.cause.title, task.cause.detail) == (
        "The container is slow to start: pulling its image.",
        SLOW.text,
    )


@pytest.mark.parametrize("pulls", [True, False])
@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING", "SOMETHING_NEW"])
def test_every_slow_start_of_the_engine_has_such_a_title(status: str, pulls: bool):
    task = Task(task_arn=ARN, last_status=status, pull_started_at=1.0 if pulls else None)
    for usual in (None, 40.0):
        text = str(describe_slow_start(task, 97.0, usual))
        found = slow_start_in(text)
        assert found.startswith("The container is slow to start: ")
        assert "97" not in found
        assert "usually" not in found


def test_a_slow_start_of_an_earlier_launch_explains_nothing():
    assert judged(replace(ROW, external_id=ARN), delays=(replace(SLOW, at=NOW - 60),)).cause is None
    assert judged(ROW, delays=(SLOW,)).cause is None, "it is being launched again"


def test_what_kept_a_launch_waiting_does_not_explain_its_start():
    assert judged(replace(ROW, external_id=ARN), delays=(EVENT,)).cause is None


def test_tasks_of_a_scheduler_that_has_ended_wait_for_another_one():
    assert title(None, jobs={7: Job("host", ended=True)}) == "Scheduler 7 has ended."
    assert title(STATUS, jobs={7: Job("host", ended=False)}) is None


def test_a_launch_that_takes_long_without_a_reason_says_so():
    row = replace(ROW, queued_at=NOW - UNEXPLAINED_AFTER)
    assert title(row=row) == "No reason is known."


def test_without_access_to_the_audit_log_none_of_its_texts_is_shown():
    fleet = Fleet(NOW, (ROW,), delays=(EVENT,))
    (task,) = live_tasks(fleet, frozenset({"dag"}), NOW, events=False)
    assert task.cause is None


def test_tasks_of_other_dags_are_left_out():
    fleet = Fleet(NOW, (ROW, replace(ROW, dag_id="secret")))
    assert [task.row.dag_id for task in live_tasks(fleet, frozenset({"dag", "gone"}), NOW)] == ["dag"]
    assert live_tasks(fleet, frozenset(), NOW) == []


def test_of_several_executors_of_one_scheduler_none_explains_its_rows():
    red, blue = replace(STATUS, team="red", paused="No."), replace(STATUS, team="blue")
    assert judged(statuses=(red, blue)).cause is None
    assert len(schedulers(Fleet(NOW, statuses=(red, blue)), NOW)) == 2


@pytest.mark.parametrize(
    ("age", "ended", "expected"),
    [
        (0.0, False, [False]),
        (SILENT_AFTER - 1, False, [False]),
        (SILENT_AFTER, False, [True]),
        (FORGOTTEN_AFTER - 1, False, [True]),
        (FORGOTTEN_AFTER, False, []),
        (0.0, True, []),
        (-30.0, False, [False]),  # its clock is ahead
    ],
)
def test_a_silent_scheduler_is_shown_as_silent_and_then_forgotten(
    age: float, ended: bool, expected: list[bool]
):
    fleet = Fleet(NOW, statuses=(replace(STATUS, at=NOW - age),), jobs={7: Job("host", ended)})
    assert [each.silent for each in schedulers(fleet, NOW)] == expected


def test_the_newest_status_of_a_scheduler_counts():
    older = replace(STATUS, at=NOW - 20, runs=99)
    for statuses in ((older, STATUS), (STATUS, older)):
        (shown,) = schedulers(Fleet(NOW, statuses=statuses), NOW)
        assert shown.status is STATUS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "One."),
        ("Without an end", "Without an end"),
        ("The image repo/app:1.2 does not exist. Push it.", "The image repo/app:1.2 does not exist."),
        ("Two\nlines. More.", "Two lines."),
        ("", ""),
        ("x" * 500, "x" * (TITLE_LENGTH - 1) + "…"),
    ],
)
def test_a_title_is_the_first_sentence(text: str, expected: str):
    assert first_sentence(text) == expected
