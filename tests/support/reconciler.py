"""The reconciler alone, without an engine or a database, and with a clock that only tests move."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.parts import build_reconciler
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.run_factory import make_orphaned_run, make_run
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Diagnosis, Launched, Order
from tests.support.database import InlineDatabase
from tests.support.workloads import task_workload, token_generator

WHY = Diagnosis("Something happened.")
DATABASE = "ecs_async_executor.executor.rows.thread."


class Executor(BaseExecutor):
    """The base class does all that these tests need."""


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


SETTINGS = Settings(
    cluster="c",
    container_name="airflow",
    task_definition="t",
    subnets=("s",),
    max_run_task_attempts=2,
    capacity_timeout=100,
)
PROFILES = make_profiles(SETTINGS)


def make_reconciler(
    executor: BaseExecutor,
    submitted: list[Order],
    clock: Any = lambda: 0.0,
    *,
    profiles: Profiles = PROFILES,
    heartbeats: Heartbeats | None = None,
    settings: Settings = SETTINGS,
) -> Reconciler:
    configuration = Configuration(settings, {}, profiles, None, 600, heartbeats or Heartbeats(), ())
    return build_reconciler(
        executor, configuration, token_generator(), InlineDatabase(), submitted.extend, clock=clock
    )


def decide(reconciler: Reconciler) -> None:
    """Query the rows, read unexpected ones again, decide, and publish."""
    with pytest.MonkeyPatch.context() as patch:
        # The clock stands still between these calls.
        patch.setattr("ecs_async_executor.executor.rows.reader.PUBLISH_AFTER", 0.0)
        for _ in range(4):
            reconciler.decide()


def launched(run: Run, number: int = 1) -> Launched:
    return Launched(run.run_id, number, f"arn-{run.run_id}-{number}", "c", "airflow")


def accept(reconciler: Reconciler, **ti: Any) -> Run:
    """Take in a run whose launch order the engine has already."""
    run = make_run(reconciler._executor, task_workload(**ti))
    reconciler._executor.running.add(run.key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciler._dispatcher, "_submit", list)
        assert reconciler.accept([run]) == []
    return run


def orphan(reconciler: Reconciler, external_id: str, state: str = "queued", **ti: Any) -> Run:
    row = task_workload(external_executor_id=external_id, **ti).ti.model_copy(update={"state": state})
    row.__dict__["state"] = state
    run = make_orphaned_run(reconciler._executor, row, PROFILES)
    assert run is not None
    return run


ARN = "arn:aws:ecs:us-east-1:123456789012:task/c/0123456789abcdef0123456789abcdef"
RUN_ID = "12345678-1234-4234-8234-123456789012"


def rows_show(monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
    monkeypatch.setattr(
        DATABASE + "read_rows", lambda runs: {r.run_id: Row(state, 1, r.run_id, None) for r in runs}
    )
