from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.engine.entry import Entry, State
from ecs_async_executor.engine.failures import Failure, Kind
from ecs_async_executor.engine.ledger import Ledger, next_look
from ecs_async_executor.engine.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Renumbered,
    Running,
    Stopped,
    Waiting,
    Watch,
)
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.responses import Container, Task
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
    return Ledger(EngineOptions(capacity_timeout=100, missing_grace=20, missing_sightings=3), lambda: 1.0)


def sent(ledger: Ledger, **more: Any) -> Entry:
    """Order a launch and take it for sending."""
    ledger.launch(order("run", **more), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    return entry


def watched(ledger: Ledger, *, now: float = 0.0) -> Entry:
    """Have a task launched, its first look taken from the due list."""
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
    assert entry.client_token == "run-4"
    assert ledger.sending == 1
    assert ledger.take(0.0) is None


def test_a_launch_order_with_a_delay_is_not_sent_before_it_is_over(ledger: Ledger):
    ledger.launch(order("run", delay=5.0), 10.0)
    assert ledger.take(14.9) is None
    assert ledger.take(15.0) is not None


def test_an_order_for_a_run_in_hand_changes_nothing(ledger: Ledger):
    entry = watched(ledger)
    ledger.launch(order("run", number=9), 1.0)
    ledger.watch(Watch("run", "label", "arn:other", "other", "airflow"), 1.0)
    assert len(ledger) == 1
    assert (entry.number, entry.arn) == (1, ARN)
    assert ledger.take(1.0) is None
    assert ledger.due.next_at() is None


def test_a_watch_order_is_looked_at_soon(ledger: Ledger):
    ledger.watch(Watch("run", "label", ARN, "cluster", "airflow", number=2), 5.0)
    assert ledger.due.next_at() == 6.0
    (entry,) = ledger
    assert (entry.state, entry.number, entry.cluster) == (State.WATCHING, 2, "cluster")


# --- launching --------------------------------------------------------------------------------------------


def test_a_launched_run_is_reported_and_watched_and_its_request_forgotten(ledger: Ledger):
    entry = sent(ledger)
    entry.request = order("run").build()
    reports = ledger.launched(entry, ARN, "default", "airflow", 10.0)
    assert reports == [Launched("run", 1, ARN, "default", "airflow")]
    assert entry.state is State.WATCHING
    assert [entry.build, entry.request] == [None, None]
    assert ledger.due.next_at() == 11.0
    assert ledger.stops == []


def test_an_unknown_outcome_is_sent_again_with_the_same_token_and_request(ledger: Ledger):
    entry = sent(ledger)
    entry.request = order("run").build()
    request = entry.request
    assert ledger.failed(entry, failure(Kind.UNKNOWN), 0.0) == [
        Waiting("run", failure(Kind.UNKNOWN).diagnosis)
    ]
    assert ledger.take(0.9) is None
    assert ledger.take(1.0) is entry
    assert (entry.client_token, entry.request) == ("run-1", request)
    assert ledger.failed(entry, failure(Kind.UNKNOWN), 1.0) == []
    assert ledger.take(2.9) is None
    assert ledger.take(3.0) is entry
    assert entry.unclear == 2


@pytest.mark.parametrize("kind", HELD)
def test_what_others_pay_for_keeps_the_launch_and_the_place_and_is_not_said(ledger: Ledger, kind: Kind):
    entry = sent(ledger)
    ledger.launch(order("second"), 0.0)
    assert ledger.failed(entry, failure(kind), 0.0) == []
    assert ledger.take(0.0) is entry
    assert entry.number == 1


def test_no_capacity_waits_with_the_next_launch_number_and_is_said_once(ledger: Ledger):
    entry = sent(ledger)
    entry.request = order("run").build()
    assert ledger.failed(entry, failure(Kind.CAPACITY), 0.0) == [
        Renumbered("run", 2),
        Waiting("run", failure(Kind.CAPACITY).diagnosis),
    ]
    assert [entry.number, entry.request] == [2, None]
    assert ledger.take(4.9) is None
    assert ledger.take(5.0) is entry
    assert ledger.failed(entry, failure(Kind.CAPACITY), 5.0) == [Renumbered("run", 3)]
    assert ledger.take(14.9) is None
    assert ledger.take(15.0) is entry


def test_each_cause_of_waiting_is_said_when_it_changes(ledger: Ledger):
    entry = sent(ledger)
    said = []
    for kind in (Kind.CAPACITY, Kind.UNKNOWN, Kind.UNKNOWN, Kind.CAPACITY):
        said += ledger.failed(entry, failure(kind), 0.0)
        assert ledger.take(90.0) is entry
    assert [report.diagnosis.summary for report in said if isinstance(report, Waiting)] == [
        "because of capacity",
        "because of unknown outcome",
        "because of capacity",
    ]


def test_no_capacity_for_too_long_gives_the_run_up(ledger: Ledger):
    entry = sent(ledger)
    (report,) = ledger.failed(entry, failure(Kind.CAPACITY), 100.0)
    assert report == LaunchFailed("run", 1, failure(Kind.CAPACITY).diagnosis, permanent=True)
    assert len(ledger) == 0


def test_a_configuration_error_ends_the_run_for_good(ledger: Ledger):
    (report,) = ledger.failed(sent(ledger), failure(Kind.CONFIGURATION), 0.0)
    assert report == LaunchFailed("run", 1, failure(Kind.CONFIGURATION).diagnosis, permanent=True)
    assert "run" not in ledger


def test_a_start_failure_ends_the_run_which_may_be_launched_again(ledger: Ledger):
    (report,) = ledger.failed(sent(ledger), failure(Kind.START), 0.0)
    assert report == LaunchFailed("run", 1, failure(Kind.START).diagnosis, permanent=False)
    ledger.launch(order("run", number=2), 1.0)
    entry = ledger.take(1.0)
    assert entry is not None
    assert entry.client_token == "run-2"


def test_a_token_that_is_used_up_without_a_task_goes_on_with_the_next_number(ledger: Ledger):
    entry = sent(ledger)
    reports = ledger.failed(entry, failure(Kind.EXISTS), 0.0)
    assert reports[0] == Renumbered("run", 2)
    assert ledger.take(0.9) is None
    assert ledger.take(1.0) is entry


# --- stopping ---------------------------------------------------------------------------------------------


def test_a_stop_of_an_unknown_run_changes_nothing(ledger: Ledger):
    assert ledger.stop("nobody", "why") == []


def test_a_stop_before_the_first_send_cancels_the_launch(ledger: Ledger):
    ledger.launch(order("run"), 0.0)
    assert ledger.stop("run", "why") == [Cancelled("run")]
    assert ledger.take(0.0) is None
    assert ledger.launches.next_at(0.0) is None
    assert ledger.stop("run", "why") == []


def test_a_stop_while_runtask_is_in_flight_waits_for_the_task(ledger: Ledger):
    entry = sent(ledger)
    assert ledger.stop("run", "why") == []
    assert ledger.stops == []
    assert len(ledger.launched(entry, ARN, "default", "airflow", 0.0)) == 1
    assert ledger.stops == [entry]
    assert entry.stop_reason == "why"


@pytest.mark.parametrize("kind", [*HELD, Kind.CAPACITY, Kind.CONFIGURATION, Kind.START, Kind.EXISTS])
def test_a_stop_while_runtask_is_in_flight_cancels_when_it_starts_nothing(ledger: Ledger, kind: Kind):
    entry = sent(ledger)
    ledger.stop("run", "why")
    assert ledger.failed(entry, failure(kind), 0.0) == [Cancelled("run")]
    assert len(ledger) == 0


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, *HELD])
def test_a_stop_of_a_launch_whose_outcome_is_unknown_waits_until_it_is_known(ledger: Ledger, kind: Kind):
    entry = sent(ledger)
    ledger.failed(entry, failure(Kind.UNKNOWN), 0.0)
    assert ledger.stop("run", "why") == []
    assert ledger.take(50.0) is entry
    ledger.failed(entry, failure(kind), 50.0)
    assert ledger.take(100.0) is entry
    ledger.launched(entry, ARN, "default", "airflow", 100.0)
    assert ledger.stops == [entry]


def test_a_stop_of_a_launch_that_a_dead_engine_may_have_sent_waits_until_its_outcome_is_known(ledger: Ledger):
    ledger.launch(order("run", sent_before=True), 0.0)
    assert ledger.stop("run", "why") == []
    entry = ledger.take(0.0)
    assert entry is not None
    ledger.launched(entry, ARN, "default", "airflow", 0.0)
    assert ledger.stops == [entry]


def test_a_watched_task_is_stopped_at_once_and_once(ledger: Ledger):
    entry = watched(ledger)
    assert ledger.stop("run", "why") == []
    assert ledger.stop("run", "again") == []
    assert ledger.stops == [entry]
    assert entry.stop_reason == "why"


# --- watching ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["PROVISIONING", "PENDING", "ACTIVATING", "DEPROVISIONING", "TOMORROW", ""]
)
def test_a_task_that_has_not_stopped_is_looked_at_again(ledger: Ledger, status: str):
    entry = watched(ledger)
    assert ledger.described(entry, task(status), 3.0) == []
    assert ledger.due.next_at() == 4.0


def test_running_is_said_once(ledger: Ledger):
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


def test_what_is_seen_of_a_run_that_has_ended_changes_nothing(ledger: Ledger):
    entry = watched(ledger)
    ledger.described(entry, STOPPED, 3.0)
    assert ledger.described(entry, STOPPED, 4.0) == []
    assert not ledger.not_seen(entry, 1000.0)
    assert ledger.lost(entry) == []
    assert ledger.due.next_at() is None


def test_a_missing_task_is_doubted_only_after_grace_and_repeated_sightings(ledger: Ledger):
    entry = watched(ledger)
    for now in (1.0, 2.0, 3.0, 19.9):
        assert not ledger.not_seen(entry, now)
        assert ledger.due.next_at() is not None
        ledger.due.discard(entry)
    assert ledger.not_seen(entry, 20.0)


def test_a_sighting_starts_the_count_of_missing_anew(ledger: Ledger):
    entry = watched(ledger)
    ledger.not_seen(entry, 30.0)
    ledger.not_seen(entry, 31.0)
    ledger.described(entry, task("RUNNING"), 32.0)
    assert not ledger.not_seen(entry, 33.0)
    assert not ledger.not_seen(entry, 34.0)
    assert ledger.not_seen(entry, 35.0)


def test_a_lost_task_ends_the_run_without_an_exit_code(ledger: Ledger):
    (report,) = ledger.lost(watched(ledger))
    assert isinstance(report, Stopped)
    assert (report.exit_code, report.ran, report.permanent) == (None, True, False)
    assert "lost" in report.diagnosis.summary
    assert ARN in report.diagnosis.detail
    assert len(ledger) == 0


@pytest.mark.parametrize(
    ("age", "interval", "expected"),
    [(0, 10, 1), (5, 10, 1), (50, 10, 5), (100, 10, 10), (86_400, 10, 10), (0, 0.1, 0.1), (86_400, 60, 60)],
)
def test_young_tasks_are_looked_at_often_and_old_ones_seldom(age: float, interval: float, expected: float):
    assert next_look(age, interval) == expected


def test_its_repr_counts_the_runs_by_state(ledger: Ledger):
    watched(ledger)
    ledger.launch(order("other"), 0.0)
    assert repr(ledger) == "<Ledger {'waiting': 1, 'sending': 0, 'watching': 1}>"
