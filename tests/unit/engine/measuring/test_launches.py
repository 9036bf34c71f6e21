from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.measuring.launches import Launches, start_phases
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.engine.responses import Container, Task
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.measurements import Measurements, Start
from ecs_async_executor.messages import Diagnosis, Watch
from ecs_async_executor.metrics import (
    API_ERRORS,
    API_LATENCY,
    DETECTION_LAG,
    LAUNCH_LATENCY,
    LAUNCHES,
    QUEUE_WAIT,
    START_TIME,
    THROTTLES,
)
from tests.support.engine import FakeClient, error, options, order, refused

EPOCH = 1_000_000.0
"""What the wall clock shows when the loop's clock shows 0."""
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
ARN = "arn:aws:ecs:us-east-1:1:task/c/t"


class Bench:
    """A ledger and its measurements; `at` is the loop's time."""

    def __init__(self) -> None:
        self.ledger = Ledger(options(), lambda: 1.0)
        self.measured = Measurements()
        self.now = 0.0
        self.launches = Launches(self.measured, lambda: EPOCH + self.now)

    def launched(self, *, ordered: float = 0.0, sent: float = 2.0, accepted: float = 3.0) -> Entry:
        self.ledger.launch(order("run", queue="spot", trace=TRACE), ordered)
        entry = self.ledger.take(sent)
        assert entry is not None
        entry.launch.first_sent_at = sent
        self.now = accepted
        self.launches.accepted(entry, accepted)
        self.ledger.launched(entry, ARN, "c", "airflow", accepted)
        return entry

    def polled(self, entry: Entry, now: float, **task: Any) -> None:
        self.now = now
        shown = Task(task_arn=ARN, **task)
        self.launches.described(entry, shown, self.ledger.described(entry, shown, now), now)

    def samples(self) -> dict[Any, float]:
        return {
            (metric, *tags): round(seconds, 3) for (metric, tags), seconds in self.measured.take_samples()
        }


RUNS: dict[str, Any] = {
    "last_status": "RUNNING",
    "created_at": EPOCH + 2.5,
    "pull_started_at": EPOCH + 12.5,
    "pull_stopped_at": EPOCH + 32.5,
    "started_at": EPOCH + 40.0,
}
START: dict[Any, float] = {
    (START_TIME, "provisioning", "spot"): 10.0,
    (START_TIME, "pull", "spot"): 20.0,
    (START_TIME, "activating", "spot"): 7.5,
    (START_TIME, "total", "spot"): 37.5,
}
DEAD: dict[str, Any] = {"last_status": "STOPPED", "containers": (Container(name="airflow", exit_code=1),)}


def test_a_launch_is_measured_from_its_order():
    bench = Bench()
    bench.launched(ordered=1.0, sent=5.0, accepted=5.5)
    assert bench.samples() == {(QUEUE_WAIT, "spot"): 4.0, (LAUNCH_LATENCY, "spot"): 4.5}
    assert bench.measured.counts() == {(LAUNCHES, ("spot",)): 1}


def test_a_start_is_measured_once_by_ecs_s_times_and_its_end_later():
    bench = Bench()
    entry = bench.launched()
    bench.samples()
    bench.polled(entry, 10.0, last_status="PROVISIONING", created_at=EPOCH + 2.5)
    assert bench.samples() == {}
    bench.polled(entry, 43.0, **RUNS)
    assert bench.samples() == {(DETECTION_LAG, "running"): 3.0, **START}
    bench.polled(entry, 50.0, **RUNS)
    assert bench.samples() == {}
    bench.polled(entry, 65.0, **{**RUNS, **DEAD}, stopped_at=EPOCH + 60.0)
    assert bench.samples() == {(DETECTION_LAG, "stopped"): 5.0}


def test_a_task_that_no_poll_saw_running_is_measured_at_its_end():
    bench = Bench()
    entry = bench.launched()
    bench.samples()
    bench.polled(entry, 65.0, **{**RUNS, **DEAD}, stopped_at=EPOCH + 60.0)
    assert bench.samples() == {
        (DETECTION_LAG, "running"): 25.0,
        (DETECTION_LAG, "stopped"): 5.0,
        **START,
    }


def test_what_happened_before_this_engine_had_the_task_is_no_lag_of_its_own():
    bench = Bench()
    bench.ledger.watch(Watch("run", "run", ARN, "c", "airflow", queue="spot"), 1000.0)
    (entry,) = bench.ledger
    bench.polled(entry, 1001.0, **RUNS)
    assert bench.samples() == {}
    bench.polled(entry, 1010.0, **{**RUNS, **DEAD}, stopped_at=EPOCH + 1004.0)
    assert bench.samples() == {(DETECTION_LAG, "stopped"): 6.0}


def test_a_task_that_never_ran_has_no_start():
    bench = Bench()
    entry = bench.launched()
    bench.samples()
    bench.polled(entry, 9.0, last_status="STOPPED", created_at=EPOCH + 2.5, stopped_at=EPOCH + 8.0)
    assert bench.samples() == {(DETECTION_LAG, "stopped"): 1.0}


def test_ecs_s_times_are_phases_as_far_as_it_gives_them():
    assert [*start_phases(Task(task_arn=ARN, created_at=1.0, started_at=4.0))] == [("total", 3.0)]
    assert [*start_phases(Task(task_arn=ARN, created_at=1.0, pull_started_at=3.0))] == [("provisioning", 2.0)]


def test_a_task_that_runs_has_its_span_once():
    bench = Bench()
    entry = bench.launched()
    bench.polled(entry, 43.0, **RUNS)
    bench.polled(entry, 65.0, **{**RUNS, **DEAD}, stopped_at=EPOCH + 60.0)
    assert bench.measured.take_starts() == [
        Start(
            TRACE,
            "spot",
            1,
            ordered_at=EPOCH,
            sent_at=EPOCH + 2.0,
            accepted_at=EPOCH + 3.0,
            pull_started_at=EPOCH + 12.5,
            pull_stopped_at=EPOCH + 32.5,
            started_at=EPOCH + 40.0,
            arn=ARN,
        )
    ]
    assert entry.trace is None


def test_a_task_that_stops_before_it_runs_has_a_span_with_the_reason():
    bench = Bench()
    entry = bench.launched()
    bench.polled(
        entry,
        9.0,
        last_status="STOPPED",
        stopped_reason="CannotPullContainerError: no such image",
        created_at=EPOCH + 2.5,
    )
    (start,) = bench.measured.take_starts()
    assert (start.started_at, start.over_at) == (None, EPOCH + 9.0)
    assert "image" in start.error


def test_a_launch_that_fails_has_a_span_too_and_one_that_is_repeated_has_none_yet():
    bench = Bench()
    bench.ledger.launch(order("run", queue="spot", trace=TRACE), 0.0)
    entry = bench.ledger.take(2.0)
    assert entry is not None
    bench.launches.ended(
        entry, bench.ledger.failed(entry, Failure(Kind.THROTTLE, Diagnosis("slow")), 2.0), 2.0
    )
    assert bench.measured.take_starts() == []
    failure = Failure(Kind.CONFIGURATION, Diagnosis("No such cluster."))
    entry = bench.ledger.take(600.0)
    assert entry is not None
    bench.now = 601.0
    bench.launches.ended(entry, bench.ledger.failed(entry, failure, 601.0), 601.0)
    (start,) = bench.measured.take_starts()
    assert (start.accepted_at, start.over_at, start.error) == (None, EPOCH + 601.0, "No such cluster.")


@pytest.mark.virtual_time
async def test_the_launcher_measures_each_call_and_each_failure_by_its_class(
    launching: Any, client: FakeClient
):
    client.latency = 0.5
    client.script["run_task"] += [error("ThrottlingException"), refused("RESOURCE:CPU")]
    async with launching(run_task_rate=Rate(10, 1)) as at:
        measured = at.launcher._calls.measurements
        at.launch("first", queue="default")
        at.launch("second", queue="spot")
        await at.idle()
    counts = measured.counts()
    assert counts[API_ERRORS, ("RunTask", "throttle")] == 1
    assert counts[API_ERRORS, ("RunTask", "capacity")] == 1
    assert counts[THROTTLES, ("RunTask",)] == 1
    assert sum(count for (metric, _), count in counts.items() if metric is LAUNCHES) == 1
    samples = [series for series, seconds in measured.take_samples() if seconds == pytest.approx(0.5)]
    assert samples.count((API_LATENCY, ("RunTask",))) == 3
