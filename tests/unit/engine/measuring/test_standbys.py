"""What is measured of standbys: how many there are, how tasks start, what waiting costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.measuring.standbys import StandbyMeter
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.standby.pool import READY_AFTER, Standby
from ecs_async_executor.engine.standby.standbys import SETTLED_AFTER, Standbys
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.warm_starts import WarmStarts
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import Diagnosis, Request, StandbyPool, Stopped, Usage, Watch
from ecs_async_executor.metrics import (
    LAUNCHES,
    STANDBY_AGE,
    STANDBY_HAND_OVER,
    STANDBY_IDLE,
    STANDBY_TASKS,
    STANDBYS,
)
from tests.support.engine import options, order

EPOCH = 1_000_000.0
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
REVISION = "arn:aws:ecs:us-east-1:1:task-definition/t:1"


def counted() -> Callable[[], UUID]:
    numbers = iter(range(1000))
    return lambda: UUID(int=next(numbers))


def claim(_arn: str) -> None:
    """Nobody answers here."""


class Bench:
    """A ledger with a pool, whose workers are played by the tests; `now` is the loop's time."""

    def __init__(self, count: int = 1) -> None:
        self.ledger = Ledger(options(payloads="s3://b/p/"), lambda: 1.0, counted())
        self.warm_starts = WarmStarts(self.ledger)
        self.measured = Measurements()
        self.launches = Launches(self.measured, lambda: EPOCH + self.now)
        self.meter = StandbyMeter(self.measured)
        self.now = 0.0
        request = Request({"cluster": "c"}, "airflow")
        pool = StandbyPool("small", count, 600.0, lambda _own, _lease: request, "c", "airflow", "s3://b/p/")
        self.standbys.keep((pool,))

    @property
    def standbys(self) -> Standbys:
        return self.ledger.standbys

    def keep(self) -> None:
        """Do what the plan says."""
        plan = self.standbys.plan(self.now, {})
        for launch in plan.launches:
            self.ledger.launch(launch, self.now)
        for run_id, reason in plan.stops:
            self.note(*self.ledger.stop(run_id, reason, self.now))

    def note(self, *reports: Any) -> None:
        for report in reports:
            self.standbys.note(report, self.now)

    def task(self, number: int, **more: Any) -> Task:
        more = {
            "task_definition_arn": REVISION,
            "cpu": "256",
            "memory": "512",
            "launch_type": "FARGATE",
            **more,
        }
        return Task(task_arn=f"arn:aws:ecs:us-east-1:1:task/c/{number}", **more)

    def launch_standby(self, number: int = 0) -> Standby:
        """Let RunTask start the next standby."""
        entry = self.ledger.take(self.now)
        assert entry is not None
        assert entry.is_standby
        task = self.task(number)
        self.launches.accepted(entry, self.now)
        self.ledger.note_definition(entry, task)
        self.note(*self.ledger.launched(entry, task.task_arn, "c", "airflow", self.now, capacity="small"))
        return next(each for each in self.standbys if each.run_id == entry.run_id)

    def runs(self, standby: Standby) -> None:
        entry = next(each for each in self.ledger if each.run_id == standby.run_id)
        task = self.task(int(standby.arn[-1]), last_status="RUNNING")
        self.note(*self.ledger.described(entry, task, self.now))

    def ready(self) -> Standby:
        self.keep()
        standby = self.launch_standby()
        self.runs(standby)
        self.now += READY_AFTER
        return standby

    def hand_over(self) -> None:
        """Hand the waiting run over to the oldest standby that is ready."""
        standby = self.standbys.take("small", self.now)
        assert standby is not None
        entry = self.warm_starts.take(standby, self.now)
        assert entry is not None
        self.warm_starts.hand_over(entry, standby, self.now)
        self.now += 0.25
        reports = self.warm_starts.handed_over(entry, standby, self.now, surely=True)
        self.launches.handed_over(entry, standby.pool, standby.age(self.now), reports, self.now)

    def idle(self) -> int:
        self.meter.gauges(self.standbys, self.now)
        return self.measured.counts().get((STANDBY_IDLE, ("small",)), 0)

    def stages(self) -> dict[str, float]:
        gauges = self.meter.gauges(self.standbys, self.now)
        return {tags[0]: value for (metric, tags), value in gauges.items() if metric is STANDBYS and value}


def test_each_standby_is_counted_by_its_stage_and_a_stage_without_any_as_0():
    bench = Bench(3)
    bench.keep()
    assert bench.stages() == {"starting": 3}
    standby = bench.launch_standby()
    bench.runs(standby)
    assert bench.stages() == {"starting": 3}, "it may still be importing Airflow"
    bench.now += READY_AFTER
    assert bench.stages() == {"starting": 2, "ready": 1}
    bench.standbys.take("small", bench.now)
    assert bench.stages() == {"starting": 2, "assigned": 1}
    bench.standbys.spoil(standby)
    assert bench.stages() == {"starting": 2, "leaving": 1}
    gauges = bench.meter.gauges(bench.standbys, bench.now)
    assert {series for series, value in gauges.items() if value == 0} == {
        (STANDBYS, (stage, "small")) for stage in ("ready", "assigned")
    }


def test_a_standby_too_old_for_a_task_leaves():
    bench = Bench()
    bench.ready()
    bench.now = 595.0
    assert bench.stages() == {"leaving": 1}


def test_idle_seconds_are_counted_while_a_standby_runs_without_a_task_and_not_after():
    bench = Bench()
    bench.keep()
    bench.now = 40.0
    standby = bench.launch_standby()
    bench.now = 60.0
    bench.runs(standby)
    assert bench.idle() == 0
    for bench.now in (61.5, 62.0, 70.5):
        bench.keep()
    assert bench.idle() == 10
    bench.now = 90.0
    bench.ledger.launch(order("run", standby="small", claim=claim), bench.now)
    bench.hand_over()
    assert bench.idle() == 30
    bench.now = 500.0
    bench.standbys.plan(bench.now, {"c": 1})
    assert bench.idle() == 30


def test_the_start_of_a_standby_is_paid_for_from_the_pull_of_its_image_on():
    bench = Bench()
    bench.keep()
    standby = bench.launch_standby()
    entry = next(each for each in bench.ledger if each.run_id == standby.run_id)
    task = bench.task(0, last_status="RUNNING", pull_started_at=EPOCH + 5, started_at=EPOCH + 36.5)
    for _ in range(2):
        bench.note(*bench.ledger.described(entry, task, bench.now))
    assert bench.idle() == 31


def test_a_warm_task_s_usage_begins_with_its_hand_over():
    bench = Bench()
    bench.ready()
    bench.now = 100.0
    bench.ledger.launch(order("run", standby="small", claim=claim), bench.now)
    bench.hand_over()
    entry = next(each for each in bench.ledger if each.run_id == "run")
    times = {"pull_started_at": EPOCH, "started_at": EPOCH + 20.0, "stopped_at": EPOCH + 150.25}
    (stopped,) = bench.ledger.described(entry, bench.task(0, last_status="STOPPED", **times), 200.0)
    assert isinstance(stopped, Stopped)
    assert stopped.usage == Usage(0.25, 0.5, 30.0, "FARGATE", standby=120.25)


def test_an_adopted_warm_task_s_usage_says_that_its_wait_is_in_it():
    bench = Bench()
    url = f"s3://b/p/standby/{'a' * 32}.json"
    overrides = msgspec.json.encode(
        {"containerOverrides": [{"name": "airflow", "command": ["python", "-c", "wait", url]}]}
    )
    bench.ledger.watch(Watch("run", "run", bench.task(0).task_arn, "c", "airflow", listed=False), 0.0)
    (entry,) = bench.ledger
    running = bench.task(0, last_status="RUNNING", overrides=msgspec.Raw(overrides))
    bench.ledger.described(entry, running, 1.0)
    assert entry.is_warm
    times = {"pull_started_at": EPOCH, "started_at": EPOCH + 20.0, "stopped_at": EPOCH + 150.0}
    (stopped,) = bench.ledger.described(entry, bench.task(0, last_status="STOPPED", **times), 200.0)
    assert isinstance(stopped, Stopped)
    assert stopped.usage == Usage(0.25, 0.5, 150.0, "FARGATE", standby=None)


def test_a_standby_that_ends_without_a_task_has_cost_its_whole_wait():
    bench = Bench()
    standby = bench.ready()
    entry = next(each for each in bench.ledger if each.run_id == standby.run_id)
    bench.now = 30.0
    bench.note(*bench.ledger.described(entry, bench.task(0, last_status="STOPPED"), bench.now))
    assert bench.idle() == 30


def test_what_idles_has_a_size_and_a_region_as_runtask_tells_them():
    bench = Bench()
    bench.keep()
    (status,) = bench.standbys.status(bench.now)
    assert (status.idle, status.region) == (None, "")
    standby = bench.launch_standby()
    bench.runs(standby)
    bench.now = 20.0
    bench.keep()
    (status,) = bench.standbys.status(bench.now)
    assert (status.idle, status.region) == (Usage(0.25, 0.5, 20.0, "FARGATE"), "us-east-1")


def test_a_warm_start_is_counted_with_its_wait_and_its_standby_s_age():
    bench = Bench()
    bench.ready()
    bench.now = 100.0
    bench.ledger.launch(order("run", standby="small", claim=claim, queue="small"), 99.5)
    bench.hand_over()
    assert bench.measured.counts()[STANDBY_TASKS, ("warm", "small")] == 1
    samples = dict(bench.measured.take_samples())
    assert samples == {(STANDBY_HAND_OVER, ("small",)): 0.75, (STANDBY_AGE, ("small",)): 100.25}


def test_a_warm_start_s_span_ends_with_the_hand_over_and_says_that_it_was_warm():
    bench = Bench()
    bench.ready()
    bench.now = 40.0
    bench.ledger.launch(order("run", standby="small", claim=claim, trace=TRACE), 39.0)
    bench.hand_over()
    (start,) = bench.measured.take_starts()
    assert (start.warm, start.ordered_at, start.started_at, start.over_at) == (
        True,
        EPOCH + 39.0,
        EPOCH + 40.25,
        None,
    )
    assert start.accepted_at is None
    assert start.arn.endswith("/0")
    entry = next(each for each in bench.ledger if each.run_id == "run")
    bench.now = 70.0
    stopped = bench.task(0, last_status="STOPPED", started_at=EPOCH)
    bench.launches.described(entry, stopped, bench.ledger.described(entry, stopped, bench.now), bench.now)
    assert bench.measured.take_starts() == []


@pytest.mark.parametrize(
    ("more", "s3", "its"),
    [
        ({"standby": "small"}, None, "none free"),
        ({"standby": "small"}, Diagnosis("S3 is away."), "no s3"),
        ({"standby": "small", "cold_because": "it has an executor_config"}, None, "executor_config"),
        ({}, None, None),
    ],
)
def test_a_cold_start_is_counted_by_why_if_its_queue_has_standbys(
    more: dict[str, Any], s3: Diagnosis | None, its: str | None
):
    bench = Bench()
    bench.standbys.s3_failure = s3
    bench.ledger.launch(order("run", **more), 0.0)
    entry = bench.ledger.take(0.0)
    assert entry is not None
    entry.launch.sent = True
    reports = bench.ledger.launched(entry, "arn", "c", "airflow", 1.0, capacity="256 CPU units")
    bench.launches.ended(entry, reports, 1.0)
    assert bench.measured.counts() == ({(STANDBY_TASKS, (its, "small")): 1} if its else {})


def test_a_task_that_was_found_and_not_launched_is_no_start():
    bench = Bench()
    bench.ledger.launch(order("run", standby="small", cold_because="it has been launched before"), 0.0)
    entry = bench.ledger.take(0.0)
    assert entry is not None
    bench.launches.ended(entry, bench.ledger.launched(entry, "arn", "c", "airflow", 1.0), 1.0)
    assert bench.measured.counts() == {}


def test_the_launch_of_a_standby_keeps_no_task_waiting_and_has_no_latency():
    bench = Bench()
    bench.keep()
    bench.now = SETTLED_AFTER
    bench.launch_standby()
    assert bench.measured.take_samples() == []
    assert [metric for (metric, _), count in bench.measured.counts().items() if count] == [LAUNCHES]
