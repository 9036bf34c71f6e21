"""A thousand tasks at once, at the API latency of AWS, with ECS in a process of its own."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import update

from ecs_async_executor.local import Control
from tests.support.bulk import queue_many
from tests.support.ecs import end_all
from tests.support.scheduler import Scheduler, end_job, one_task_dag, running_scheduler, task_instances

pytestmark = pytest.mark.timeout(600)
COUNT = 1000


@dataclass
class Stopwatch:
    """How long the calls took that the scheduler waits for."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def time(self, what: str) -> Iterator[None]:
        before = time.perf_counter()
        yield
        self.seconds.setdefault(what, []).append(time.perf_counter() - before)

    def __str__(self) -> str:
        return "; ".join(
            f"{what}: {len(times)} calls, max {max(times) * 1e3:.1f} ms,"
            f" p99 {sorted(times)[int(len(times) * 0.99)] * 1e3:.1f} ms"
            for what, times in self.seconds.items()
        )


@pytest.fixture(autouse=True)
def frozen_heap() -> Iterator[None]:
    """Keep full collections of Airflow's heap (a quarter of a second each) out of the numbers."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def scheduler(far_ecs: Control, clean_database: None) -> Iterator[Scheduler]:
    with running_scheduler() as scheduler:
        yield scheduler


def test_a_thousand_tasks_end_as_they_should_each_in_one_container(
    scheduler: Scheduler,
    far_ecs: Control,
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch, executor = Stopwatch(), scheduler.executor
    workloads = queue_many(scheduler.job_id, executor.jwt_generator, COUNT, one_task_dag("many"))
    for workload in workloads:
        executor.queued_tasks[workload.ti.key] = workload
    begun = time.perf_counter()
    with watch.time("_process_workloads"):
        executor._process_workloads(workloads)
    assert len(executor.running) == COUNT
    assert not executor.queued_tasks

    def sync() -> None:
        with watch.time("sync"):
            executor.sync()

    def all_launched() -> bool:
        return all(run.launched for run in scheduler.runs)

    scheduler.until(all_launched, step=sync, seconds=120)
    rate = COUNT / (time.perf_counter() - begun)
    assert not executor.event_buffer, "core takes milliseconds for each event"
    scheduler.launched(COUNT)

    # Two in three have reported; the rest die in silence.
    with create_session(scoped=False) as session:
        for number, state in enumerate(("success", "running", "failed")):
            rows = update(TaskInstance).where(TaskInstance.map_index % 3 == number)
            session.execute(rows.values(state=state))
    end_all(far_ecs)
    scheduler.until(lambda: not executor.running, step=sync, seconds=120)
    with watch.time("events (core)"):
        scheduler.heartbeat()
    states = Counter(str(ti.state) for ti in task_instances())
    assert states == {"success": 334, "failed": 666}
    assert Counter(entry["tasks"] for entry in far_ecs.history().values()) == {1: COUNT}
    scheduler.until_idle()
    with capsys.disabled():
        print(f"\n{rate:.0f} launches a second; {watch}")  # noqa: T201  the numbers are what one runs it for


def test_the_next_scheduler_adopts_a_thousand_live_tasks_at_once(
    scheduler: Scheduler, far_ecs: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    workloads = queue_many(scheduler.job_id, scheduler.executor.jwt_generator, COUNT, one_task_dag("many"))
    scheduler.executor._process_workloads(workloads)
    scheduler.until(
        lambda: all(run.launched for run in scheduler.runs), step=scheduler.executor.sync, seconds=120
    )
    scheduler.heartbeat()
    scheduler.executor.end()
    end_job(scheduler)
    watch = Stopwatch()
    with running_scheduler() as heir:
        adopt = heir.executor.try_adopt_task_instances

        def timed(tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
            with watch.time("try_adopt_task_instances"):
                return adopt(tis)

        heir.executor.try_adopt_task_instances = timed  # type: ignore[method-assign]  # to measure it
        heir.adopt()
        assert heir.executor.slots_occupied == COUNT
        with create_session(scoped=False) as session:
            session.execute(update(TaskInstance).values(state="success"))
        end_all(far_ecs)
        heir.until(lambda: not heir.executor.running, step=heir.executor.sync, seconds=120)
    tis = task_instances()
    assert Counter((str(ti.state), ti.try_number, ti.queued_by_job_id) for ti in tis) == {
        ("success", 1, heir.job_id): COUNT
    }
    assert Counter(entry["tasks"] for entry in far_ecs.history().values()) == {1: COUNT}
    with capsys.disabled():
        print(f"\n{watch}")  # noqa: T201  the numbers are what one runs it for
