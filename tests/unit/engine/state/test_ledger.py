from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.engine.capacity.gate import LONGEST_PAUSE, PROBES
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Container, Task
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import PUTS_AHEAD, Ledger
from ecs_async_executor.engine.state.long_waits import HELD_UP, REPLAY_WITHIN, LongWaits
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Recovery,
    Room,
    Running,
    SlowStart,
    Stopped,
    Waiting,
    Watch,
)
from tests.support.engine import order

ARN = "arn:task/1"
HELD = [Kind.THROTTLE, Kind.CREDENTIALS, Kind.NETWORK]


def failure(kind: Kind) -> Failure:
    return Failure(kind, Diagnosis(f"because of {kind.value}"))


def task(status: str, **more: Any) -> Task:
    return Task(task_arn=ARN, last_status=status, **more)


STOPPED = task(
    "STOPPED", stop_code="EssentialContainerExited", containers=(Container(name="airflow", exit_code=3),)
)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(
        EngineOptions(launch_timeout=100, missing_grace=20, missing_sightings=3, list_timeout=50), lambda: 1.0
    )


def sent(ledger: Ledger, **more: Any) -> Entry:
    """Order a launch and take it for sending."""
    ledger.launch(order("run", **more), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    return entry


def watched(ledger: Ledger, *, now: float = 0.0) -> Entry:
    """Launch a task, and take its first poll from the schedule."""
    entry = sent(ledger)
    ledger.launched(entry, ARN, "default", "airflow", now)
    ledger.due.discard(entry)
    return entry


# --- orders -----------------------------------------------------------------------------------------------


def test_a_launch_order_waits_to_be_sent(ledger: Ledger):
    ledger.launch(order("run", number=4, priority=7), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    assert (entry.run_id, entry.number, entry.priority) == ("run", 4, 7)
    assert entry.state is State.SENDING
    assert str(entry.launch_id) == "run-004"
    assert ledger.sending == 1
    assert ledger.take(0.0) is None


def test_an_order_for_a_run_the_ledger_holds_changes_nothing(ledger: Ledger):
    entry = watched(ledger)
    ledger.launch(order("run", number=9), 1.0)
    ledger.watch(Watch("run", "label", "arn:other", "other", "airflow"), 1.0)
    assert len(ledger) == 1
    assert (entry.number, entry.arn) == (1, ARN)
    assert ledger.take(1.0) is None
    assert ledger.due.next_at() is None


def test_a_task_from_a_watch_order_is_polled_soon(ledger: Ledger):
    ledger.watch(Watch("run", "label", ARN, "cluster", "airflow", number=2), 5.0)
    assert ledger.due.next_at() == 6.0
    (entry,) = ledger
    assert (entry.state, entry.number, entry.cluster) == (State.WATCHING, 2, "cluster")


# --- launching --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda ledger: ledger.launch(order("run"), 0.0), True),
        (sent, False),
        (watched, False),
        (lambda ledger: ledger.failed(sent(ledger), failure(Kind.UNKNOWN), 0.0), False),
        (lambda ledger: ledger.failed(sent(ledger), failure(Kind.THROTTLE), 0.0), True),
        (lambda ledger: ledger.prepare(sent(ledger), 0.0), True),
        (lambda ledger: ledger.launch(order("run"), 50.0), False),
    ],
    ids=["waiting", "in flight", "launched", "has told its own reason", "throttled", "searching", "younger"],
)
def test_only_launches_that_wait_for_long_without_a_reason_of_their_own_are_held_up(
    ledger: Ledger, prepare: Callable[[Ledger], object], told: bool
):
    prepare(ledger)
    why = Diagnosis("AWS is away.")
    assert LongWaits(ledger).held_up(why, HELD_UP, 10.0, 0.0, 100) == [Waiting("run", why)] * told
    assert LongWaits(ledger).held_up(why, HELD_UP, 10.0, 0.0, 100) == []


def test_reasons_that_alternate_are_each_reported_once(ledger: Ledger):
    ledger.launch(order("run"), 0.0)
    reasons = [Diagnosis("AWS throttles."), Diagnosis("The rate is used up.")]
    reports = [LongWaits(ledger).held_up(why, HELD_UP, 10.0, 0.0, 100) for _ in range(3) for why in reasons]
    assert reports == [[Waiting("run", why)] for why in reasons] + [[]] * 4


def test_a_slow_start_is_reported_once(ledger: Ledger):
    entry = watched(ledger)
    assert ledger.described(entry, task("PENDING"), 50.0) == []
    entry.launch_timeout = 0.0
    (slow,) = ledger.described(entry, task("PENDING"), 130.0)
    assert isinstance(slow, SlowStart)
    assert slow.diagnosis.summary.startswith("The task has not started after 130 s: it is being prepared")
    assert ledger.described(entry, task("PENDING"), 140.0) == []
    assert ledger.described(entry, task("RUNNING"), 150.0) == [Running("run", ARN)]


def test_a_launched_run_is_reported_and_watched_and_its_request_dropped(ledger: Ledger):
    entry = sent(ledger)
    entry.launch.request = order("run").build()
    reports = ledger.launched(entry, ARN, "default", "airflow", 10.0)
    assert reports == [Launched("run", 1, ARN, "default", "airflow")]
    assert entry.state is State.WATCHING
    assert [entry.launch.build, entry.launch.request] == [None, None]
    assert ledger.due.next_at() == 11.0
    assert list(ledger.stops) == []


def test_an_unknown_outcome_is_sent_again_with_the_same_token_and_request(ledger: Ledger):
    entry = sent(ledger)
    entry.launch.request = order("run").build()
    request = entry.launch.request
    assert ledger.failed(entry, failure(Kind.UNKNOWN), 0.0) == [
        Waiting("run", failure(Kind.UNKNOWN).diagnosis)
    ]
    assert ledger.take(0.9) is None
    assert ledger.take(1.0) is entry
    assert (str(entry.launch_id), entry.launch.request) == ("run-001", request)
    assert ledger.failed(entry, failure(Kind.UNKNOWN), 1.0) == []
    assert ledger.take(2.9) is None
    assert ledger.take(3.0) is entry
    assert entry.launch.unknown_sends == 2


@pytest.mark.parametrize("kind", HELD)
def test_a_failure_that_is_not_the_runs_keeps_its_launch_and_position_and_is_not_reported(
    ledger: Ledger, kind: Kind
):
    entry = sent(ledger)
    ledger.launch(order("second"), 0.0)
    assert ledger.failed(entry, failure(kind), 0.0) == []
    assert ledger.take(0.0) is entry
    assert entry.number == 1


@pytest.mark.parametrize("kind", [Kind.CAPACITY, Kind.EXISTS])
def test_a_failure_that_neither_task_nor_request_causes_ends_the_launch_and_costs_no_attempt(
    ledger: Ledger, kind: Kind
):
    (report,) = ledger.failed(sent(ledger), failure(kind), 0.0)
    waited = 0.0 if kind is Kind.CAPACITY else None
    assert report == LaunchFailed(
        "run", 1, failure(kind).diagnosis, permanent=False, costs_attempt=False, waited=waited
    )
    assert "run" not in ledger


def test_an_outcome_that_stays_unknown_is_reported_once(ledger: Ledger):
    entry = sent(ledger)
    reports = []
    for _ in range(3):
        reports += ledger.failed(entry, failure(Kind.UNKNOWN), 0.0)
        assert ledger.take(90.0) is entry
    assert reports == [Waiting("run", failure(Kind.UNKNOWN).diagnosis)]


def test_a_configuration_error_ends_the_run_for_good(ledger: Ledger):
    (report,) = ledger.failed(sent(ledger), failure(Kind.CONFIGURATION), 0.0)
    assert report == LaunchFailed("run", 1, failure(Kind.CONFIGURATION).diagnosis, permanent=True)
    assert "run" not in ledger


def test_a_start_failure_ends_the_launch_and_the_run_may_be_launched_again(ledger: Ledger):
    (report,) = ledger.failed(sent(ledger), failure(Kind.START), 0.0)
    assert report == LaunchFailed("run", 1, failure(Kind.START).diagnosis, permanent=False)
    ledger.launch(order("run", number=2), 1.0)
    entry = ledger.take(1.0)
    assert entry is not None
    assert str(entry.launch_id) == "run-002"


# --- runs that another engine held ------------------------------------------------------------------------------


def test_a_run_whose_code_has_started_is_lost_if_its_task_is_not_found(ledger: Ledger):
    ledger.launch(order("run", recovery=Recovery.SEARCH_ONLY), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    (report,) = ledger.failed(entry, failure(Kind.NOT_FOUND), 0.0)
    assert isinstance(report, Stopped)
    assert (report.ran, report.exit_code, report.arn) == (True, None, "")


@pytest.mark.parametrize("state", ["waiting", "watching"])
def test_a_forgotten_run_is_neither_launched_nor_polled(ledger: Ledger, state: str):
    if state == "waiting":
        ledger.launch(order("run"), 0.0)
    else:
        watched(ledger)
    ledger.forget("run", 0.0)
    ledger.forget("run", 0.0)
    assert ledger.take(100.0) is None
    assert ledger.due.take(100.0, limit=1) == []
    assert len(ledger) == 0


def test_an_answer_for_a_run_forgotten_in_flight_changes_nothing(ledger: Ledger):
    entry = sent(ledger)
    ledger.forget("run", 0.0)
    ledger.launch(order("run"), 0.0)
    assert ledger.launched(entry, ARN, "default", "airflow", 0.0) == []
    assert ledger.failed(entry, failure(Kind.CONFIGURATION), 0.0) == []
    assert ledger.take(0.0) is not entry


# --- stopping ---------------------------------------------------------------------------------------------


def test_a_stop_of_an_unknown_run_changes_nothing(ledger: Ledger):
    assert ledger.stop("nobody", "why", 0.0) == []


def test_a_stop_before_the_first_send_cancels_the_launch(ledger: Ledger):
    ledger.launch(order("run"), 0.0)
    assert ledger.stop("run", "why", 0.0) == [Cancelled("run")]
    assert ledger.take(0.0) is None
    assert ledger.launches.next_at(0.0) is None
    assert ledger.stop("run", "why", 0.0) == []


def test_a_stop_while_runtask_is_in_flight_waits_for_the_task(ledger: Ledger):
    entry = sent(ledger)
    assert ledger.stop("run", "why", 0.0) == []
    assert list(ledger.stops) == []
    assert len(ledger.launched(entry, ARN, "default", "airflow", 0.0)) == 1
    assert list(ledger.stops) == [entry]
    assert entry.stop_reason == "why"


@pytest.mark.parametrize("kind", [*HELD, Kind.CAPACITY, Kind.CONFIGURATION, Kind.START, Kind.EXISTS])
def test_a_stop_while_runtask_is_in_flight_cancels_when_it_starts_nothing(ledger: Ledger, kind: Kind):
    entry = sent(ledger)
    ledger.stop("run", "why", 0.0)
    assert ledger.failed(entry, failure(kind), 0.0) == [Cancelled("run")]
    assert len(ledger) == 0


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, *HELD])
def test_a_stop_of_a_launch_whose_outcome_is_unknown_waits_until_it_is_known(ledger: Ledger, kind: Kind):
    entry = sent(ledger)
    ledger.failed(entry, failure(Kind.UNKNOWN), 0.0)
    assert ledger.stop("run", "why", 0.0) == []
    assert ledger.take(50.0) is entry
    ledger.failed(entry, failure(kind), 50.0)
    assert ledger.take(100.0) is entry
    ledger.launched(entry, ARN, "default", "airflow", 100.0)
    assert list(ledger.stops) == [entry]


def test_a_stop_of_a_launch_that_a_dead_engine_may_have_sent_waits_until_its_outcome_is_known(ledger: Ledger):
    ledger.launch(order("run", recovery=Recovery.REPLAY), 0.0)
    assert ledger.stop("run", "why", 0.0) == []
    entry = ledger.take(0.0)
    assert entry is not None
    ledger.launched(entry, ARN, "default", "airflow", 0.0)
    assert list(ledger.stops) == [entry]


def test_a_watched_task_is_stopped_at_once_and_once(ledger: Ledger):
    entry = watched(ledger)
    assert ledger.stop("run", "why", 0.0) == []
    assert ledger.stop("run", "again", 0.0) == []
    assert list(ledger.stops) == [entry]
    assert entry.stop_reason == "why"


# --- watching ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["PROVISIONING", "PENDING", "ACTIVATING", "DEPROVISIONING", "TOMORROW", ""]
)
def test_a_task_that_has_not_stopped_is_polled_again(ledger: Ledger, status: str):
    entry = watched(ledger)
    assert ledger.described(entry, task(status), 3.0) == []
    assert ledger.due.next_at() == 4.0


def test_running_is_reported_once(ledger: Ledger):
    entry = watched(ledger)
    assert ledger.described(entry, task("RUNNING"), 1.0) == [Running("run", ARN)]
    assert ledger.described(entry, task("RUNNING"), 2.0) == []


def test_stopped_ends_the_run_with_the_verdict(ledger: Ledger):
    entry = watched(ledger)
    (report,) = ledger.described(entry, STOPPED, 3.0)
    assert isinstance(report, Stopped)
    assert (report.run_id, report.number, report.arn) == ("run", 1, ARN)
    assert (report.exit_code, report.ran, report.permanent) == (3, True, False)
    assert "exit code 3" in str(report.diagnosis)
    assert len(ledger) == 0
    assert ledger.due.next_at() is None


def test_polls_of_a_run_that_has_ended_change_nothing(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, STOPPED, 3.0)
    assert ledger.described(entry, STOPPED, 4.0) == []
    assert not ledger.not_seen(entry, 1000.0)
    assert ledger.not_listed(entry, 1000.0, asked=True) == []
    assert ledger.due.next_at() is None


def test_a_missing_task_is_searched_for_only_after_the_grace_time_and_several_polls(ledger: Ledger):
    entry = watched(ledger)
    for now in (1.0, 2.0, 3.0, 19.9):
        assert not ledger.not_seen(entry, now)
        assert ledger.due.next_at() is not None
        ledger.due.discard(entry)
    assert ledger.not_seen(entry, 20.0)


def test_a_poll_that_shows_the_task_resets_the_count_of_missing_ones(ledger: Ledger):
    entry = watched(ledger)
    ledger.not_seen(entry, 30.0)
    ledger.not_seen(entry, 31.0)
    ledger.described(entry, task("RUNNING"), 32.0)
    assert not ledger.not_seen(entry, 33.0)
    assert not ledger.not_seen(entry, 34.0)
    assert ledger.not_seen(entry, 35.0)


def test_a_task_that_ecs_does_not_show_ends_the_run_as_lost_without_an_exit_code(ledger: Ledger):
    (report,) = ledger.not_listed(watched(ledger), 30.0, asked=True)
    assert isinstance(report, Stopped)
    assert (report.exit_code, report.ran, report.permanent) == (None, True, False)
    assert report.lost
    assert report.diagnosis.summary == "ECS does not show the task."
    assert ARN in report.diagnosis.detail
    assert len(ledger) == 0


def test_a_missing_task_is_given_up_without_listtasks_once_ecs_may_have_forgotten_it(
    ledger: Ledger,
):
    entry = watched(ledger)
    ledger.not_seen(entry, 30.0)
    ledger.due.discard(entry)
    assert ledger.not_listed(entry, 79.9, asked=False) == []
    assert ledger.due.next_at() is not None
    (report,) = ledger.not_listed(entry, 80.0, asked=False)
    assert isinstance(report, Stopped)


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING"])
def test_a_task_that_does_not_run_within_the_launch_timeout_is_stopped_once(ledger: Ledger, status: str):
    entry = watched(ledger)
    ledger.described(entry, task(status), 99.9)
    assert list(ledger.stops) == []
    ledger.described(entry, task(status), 100.0)
    ledger.described(entry, task(status), 200.0)
    assert list(ledger.stops) == [entry]
    (report,) = ledger.described(entry, Task(task_arn=ARN, last_status="STOPPED"), 300.0)
    assert isinstance(report, Stopped)
    assert report.diagnosis.summary == "The task did not run within 100 s, so it was stopped."
    assert (report.ran, report.costs_attempt, report.permanent) == (False, True, False)


def test_a_task_that_ran_when_the_launch_timeout_stopped_it_is_judged_by_its_end(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, task("PENDING"), 100.0)
    (report,) = ledger.described(entry, STOPPED, 101.0)
    assert isinstance(report, Stopped)
    assert report.ran
    assert "exit code 3" in report.diagnosis.summary


@pytest.mark.parametrize("status", ["RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"])
def test_a_task_that_runs_or_ends_does_not_time_out(ledger: Ledger, status: str):
    entry = watched(ledger)
    ledger.described(entry, task(status), 10_000.0)
    assert list(ledger.stops) == []


def test_a_launch_timeout_of_zero_means_no_limit():
    ledger = Ledger(EngineOptions(launch_timeout=0), lambda: 1.0)
    ledger.described(watched(ledger), task("PENDING"), 10_000.0)
    assert list(ledger.stops) == []


def test_an_order_may_have_a_launch_timeout_of_its_own(ledger: Ledger):
    ledger.launch(order("patient", launch_timeout=500.0), 0.0)
    patient = ledger.take(0.0)
    assert patient is not None
    ledger.launched(patient, ARN, "default", "airflow", 0.0)
    ledger.watch(Watch("eternal", "eternal", ARN, "default", "airflow", launch_timeout=0.0), 0.0)
    eternal = next(entry for entry in ledger if entry.run_id == "eternal")
    for now, stopped in ((499.9, []), (500.0, [patient])):
        for entry in (patient, eternal):
            ledger.described(entry, task("PENDING"), now)
        assert list(ledger.stops) == stopped


def test_an_interruption_is_reported_as_one(ledger: Ledger):
    entry = watched(ledger)
    (report,) = ledger.described(
        entry, Task(task_arn=ARN, last_status="STOPPED", stop_code="SpotInterruption"), 1.0
    )
    assert isinstance(report, Stopped)
    assert report.interrupted


def test_the_repr_counts_runs_by_state(ledger: Ledger):
    watched(ledger)
    ledger.launch(order("other"), 0.0)
    assert repr(ledger) == "<Ledger: 1 waiting, 1 watching>"


# --- room ---------------------------------------------------------------------------------------------------


HERE = Room("here")
FULL = Failure(Kind.CAPACITY, Diagnosis("No memory.", remedy="Add instances."))


def fill(ledger: Ledger, now: float = 0.0) -> None:
    """Let ECS refuse launches until single probes follow pauses."""
    for number in range(PROBES):
        ledger.launch(order(f"refused {number}", room=HERE), now)
        entry = ledger.take(now)
        assert entry is not None
        (report,) = ledger.failed(entry, FULL, now)
        assert isinstance(report, LaunchFailed)


def probe(ledger: Ledger, now: float) -> None:
    """Let ECS refuse another launch, which goes before all others."""
    ledger.launch(order(f"probe at {now}", room=HERE, priority=99), now)
    entry = ledger.take(now)
    assert entry is not None
    ledger.failed(entry, FULL, now)


def waits(ledger: Ledger, name: str, now: float = 0.0, **more: Any) -> None:
    ledger.launch(order(name, room=HERE, **more), now)


def test_a_full_room_keeps_the_next_launches_waiting_until_a_task_ends(ledger: Ledger):
    ledger.launch(order("running", room=HERE), 0.0)
    running = ledger.take(0.0)
    assert running is not None
    ledger.launched(running, ARN, "here", "airflow", 0.0)
    fill(ledger)
    waits(ledger, "next")
    assert ledger.take(0.0) is None
    ledger.described(running, STOPPED, 0.1)
    entry = ledger.take(0.1)
    assert entry is not None
    assert entry.run_id == "next"


def test_a_task_that_is_adopted_frees_a_slot_as_well(ledger: Ledger):
    ledger.watch(Watch("adopted", "label", ARN, "here", "airflow", room=HERE), 0.0)
    fill(ledger)
    waits(ledger, "next")
    (adopted,) = (each for each in ledger if each.run_id == "adopted")
    ledger.not_listed(adopted, 100.0, asked=True)
    assert ledger.take(0.1) is not None


@pytest.mark.parametrize("ran", [False, True])
def test_a_task_that_ended_before_it_ran_for_lack_of_room_frees_none(ledger: Ledger, ran: bool):
    ledger.launch(order("accepted", room=HERE), 0.0)
    accepted = ledger.take(0.0)
    assert accepted is not None
    ledger.launched(accepted, ARN, "here", "airflow", 0.0)
    fill(ledger)
    waits(ledger, "next")
    reason = "RESOURCE:MEMORY"
    ended = task(
        "STOPPED", stop_code="TaskFailedToStart", stopped_reason=reason, started_at=1.0 if ran else None
    )
    ledger.described(accepted, ended, 0.1)
    assert (ledger.take(0.1) is not None) is ran


def test_a_refused_launch_tells_how_long_it_has_waited_for_room(ledger: Ledger):
    fill(ledger, 10.0)
    waits(ledger, "next", 20.0)
    entry = ledger.take(30.0)
    assert entry is not None
    (report,) = ledger.failed(entry, FULL, 31.0)
    assert isinstance(report, LaunchFailed)
    assert report.waited == 11.0


def test_a_launch_tells_how_long_it_has_waited_for_room(ledger: Ledger):
    fill(ledger, 10.0)
    waits(ledger, "next", 5.0)
    entry = ledger.take(30.0)
    assert entry is not None
    (report,) = ledger.launched(entry, ARN, "here", "airflow", 31.0)
    assert isinstance(report, Launched)
    assert report.waited == 21.0


@pytest.mark.parametrize(
    "outcome", ["throttled", "asked first", "uploaded first", "uploaded later", "forgotten"]
)
def test_a_call_that_says_nothing_about_room_leaves_the_slot_to_others(ledger: Ledger, outcome: str):
    fill(ledger)
    ledger.gates.end(HERE, 0.0)
    waits(ledger, "next")
    entry = ledger.take(0.1)
    assert entry is not None
    if outcome == "throttled":
        ledger.failed(entry, failure(Kind.THROTTLE), 0.1)
    elif outcome == "asked first":
        ledger.prepare(entry, 0.1)
    elif outcome == "uploaded first":
        ledger.must_put(entry, 0.1)
    elif outcome == "uploaded later":
        ledger.uploads_ahead.update(
            Entry(str(number), "", 1, State.UPLOAD_WAITING) for number in range(PUTS_AHEAD)
        )
        ledger.must_put(entry, 0.1)
    else:
        ledger.forget("next", 0.1)
    waits(ledger, "other", 0.1)
    assert ledger.take(0.1) is not None


def test_a_launch_that_has_waited_for_room_for_too_long_ends_without_a_call(ledger: Ledger):
    fill(ledger)
    waits(ledger, "next", 10.0, capacity_timeout=60.0)
    probe(ledger, 50.0)
    assert LongWaits(ledger).end_or_report(69.9, 1000.0, 100) == []
    (report,) = LongWaits(ledger).end_or_report(70.0, 1000.0, 100)
    assert report == LaunchFailed(
        "next", 1, FULL.diagnosis, permanent=False, costs_attempt=False, waited=60.0
    )
    assert "next" not in ledger


@pytest.mark.parametrize(("capacity_timeout", "sent_at"), [(60.0, 60.0), (86_400.0, REPLAY_WITHIN)])
def test_a_launch_that_another_engine_may_have_sent_is_sent_in_time_whether_there_is_room_or_not(
    ledger: Ledger, capacity_timeout: float, sent_at: float
):
    fill(ledger)
    waits(ledger, "next", capacity_timeout=capacity_timeout, recovery=Recovery.REPLAY)
    for now in range(10, int(sent_at), 50):
        probe(ledger, float(now))
        assert LongWaits(ledger).end_or_report(float(now), math.inf, 100) == []
        assert ledger.take(float(now)) is None
    assert LongWaits(ledger).end_or_report(sent_at, math.inf, 100) == []
    entry = ledger.take(sent_at)
    assert entry is not None
    assert (entry.run_id, entry.passes) == ("next", ())


def test_a_pause_is_no_wait_for_room(ledger: Ledger):
    fill(ledger)
    waits(ledger, "next", capacity_timeout=600.0)
    assert LongWaits(ledger).end_or_report(4000.0, math.inf, 100) == [], (
        "nobody has been able to send a launch since"
    )
    probe(ledger, 4000.0)
    assert LongWaits(ledger).end_or_report(4500.0, math.inf, 100) == []


def test_a_refusal_counts_at_once_and_once_even_if_the_launch_must_be_searched_for_first(ledger: Ledger):
    refused = []
    for number in range(PROBES):
        waits(ledger, f"replayed {number}", recovery=Recovery.REPLAY)
        entry = ledger.take(0.0)
        assert entry is not None
        ledger.refused(entry, FULL, 0.0)
        ledger.prepare(entry, 0.0)
        refused.append(entry)
    waits(ledger, "next")
    assert ledger.launches.next_at(0.0) == 0.5
    for each in refused:
        ledger.failed(each, FULL, 0.6)
    assert ledger.launches.next_at(0.6) == 0.6


def test_what_fails_before_a_launch_is_sent_says_nothing_about_room(ledger: Ledger):
    waits(ledger, "first")
    entry = ledger.take(0.0)
    assert entry is not None
    ledger.prepare(entry, 0.0)
    ledger.failed(entry, FULL, 0.0)
    assert ledger.gates.shut(HERE, 0.0) is None


def test_a_task_whose_capacity_aws_has_taken_away_leaves_no_slot(ledger: Ledger):
    ledger.watch(Watch("reclaimed", "label", ARN, "here", "airflow", room=HERE), 0.0)
    fill(ledger)
    waits(ledger, "next")
    (reclaimed,) = (each for each in ledger if each.run_id == "reclaimed")
    ledger.described(reclaimed, task("STOPPED", stop_code="SpotInterruption", started_at=1.0), 0.1)
    assert ledger.take(0.1) is None


def test_tasks_that_are_accepted_and_come_to_nothing_do_not_keep_launches_going(ledger: Ledger):
    """So it is where Fargate runs out of capacity, and where an Auto Scaling group can't grow."""
    launches, now = 0, 0.0
    starting: deque[tuple[float, Entry]] = deque()
    for number in range(50):
        waits(ledger, f"run {number}")
    while now < 600.0:
        while (entry := ledger.take(now)) is not None:
            launches += 1
            ledger.launched(entry, ARN, "here", "airflow", now)
            starting.append((now + 20.0, entry))
        while starting and starting[0][0] <= now:
            _, entry = starting.popleft()
            ledger.described(
                entry, task("STOPPED", stop_code="TaskFailedToStart", stopped_reason="RESOURCE:MEMORY"), now
            )
            waits(ledger, entry.run_id, now, number=entry.number + 1)
        now += 0.5
    assert launches <= 50 + 600 / LONGEST_PAUSE + 5


def test_launches_that_wait_for_room_are_reported_once_with_their_place(ledger: Ledger):
    fill(ledger, 10.0)
    for number in range(3):
        waits(ledger, f"run {number}", 10.0, priority=number)
    probe(ledger, 50.0)
    first = LongWaits(ledger).end_or_report(80.0, 60.0, 2)
    assert first == [
        Waiting(
            name,
            Diagnosis(
                "No memory.",
                f"place {place} of 3 in the queue for it, 70 s after ECS first refused one",
                "Add instances.",
            ),
        )
        for name, place in (("run 2", 1), ("run 1", 2))
    ]
    (last,) = LongWaits(ledger).end_or_report(85.0, 60.0, 2)
    assert isinstance(last, Waiting)
    assert last.run_id == "run 0"
    assert LongWaits(ledger).end_or_report(90.0, 60.0, 2) == []


def test_the_limit_of_reports_holds_for_all_rooms_together(ledger: Ledger):
    fill(ledger)
    there = replace(HERE, size="large")
    ledger.launch(order("refused there", room=there, priority=9), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    ledger.failed(entry, FULL, 0.0)
    for number in range(3):
        waits(ledger, f"here {number}")
        ledger.launch(order(f"there {number}", room=there), 0.0)
    assert [len(LongWaits(ledger).end_or_report(40.0, 30.0, 4)) for _ in range(3)] == [4, 2, 0]


def test_launches_that_wait_for_room_do_not_wait_for_what_holds_up_all(ledger: Ledger):
    fill(ledger)
    waits(ledger, "next")
    assert LongWaits(ledger).held_up(Diagnosis("AWS throttles."), HELD_UP, 30.0, 0.0, 100) == []
