"""Whatever has happened to tasks, the sweep leaves their living containers alone: hypothesis's histories in a real database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, delete, insert
from sqlalchemy.orm import Session

from ecs_async_executor.operate.containers import Judged, Rules, Verdict, judge_all
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.operate.facts import facts_in
from tests.support.fleet_rows import task_row
from tests.support.operation import DEPLOYMENT, NOW, History, Launched, container, workload

GRACE = 600.0
FETCHED = ["python", "-c", "fetch", "s3://bucket/key"]
moves = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 11), st.sampled_from([1.0, 900.0, 900.0]), st.booleans()),
    min_size=4,
    max_size=30,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    import_all_models()
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def happen(steps: list[tuple[int, int, float, bool]]) -> tuple[History, float]:
    history, now = History(2), NOW
    for index, choice, seconds, flag in steps:
        now += seconds
        history.step(index, choice, now, flag=flag)
    return history, now


def seen(each: Launched, now: float) -> EcsTask:
    return container(
        each.arn,
        startedBy=f"{DEPLOYMENT}/{each.launch.run_id}",
        age=now - each.at,
        now=now,
        command=FETCHED if each.through_s3 else workload(each.ti_id),
    )


def store(engine: Engine, history: History) -> None:
    def row(index: int, **changes: Any) -> dict[str, Any]:
        changed_at = datetime.fromtimestamp(changes.pop("changed_at"), timezone.utc)
        return task_row(task_id=f"task{index}", updated_at=changed_at, **changes)

    rows, earlier = [], []
    for index, each in enumerate(history.instances):
        at = {"changed_at": each.changed_at, "try_number": each.try_number, "state": each.state}
        rows.append(row(index, id=uuid.UUID(each.ti_id), external_executor_id=each.external_id, **at))
        for old in each.earlier:
            kept = row(
                index,
                external_executor_id=old["external_id"],
                **{name: old[name] for name in ("changed_at", "try_number", "state")},
            )
            kept.pop("id")
            earlier.append({**kept, "task_instance_id": uuid.UUID(old["ti_id"])})
    with engine.begin() as connection:
        for model in (TaskInstance, TaskInstanceHistory):
            connection.execute(delete(model))
        connection.execute(insert(TaskInstance.__table__), rows)
        if earlier:
            connection.execute(insert(TaskInstanceHistory.__table__), earlier)


def sweep(engine: Engine, history: History, now: float, *, gone: bool) -> list[Judged]:
    store(engine, history)
    tasks = [seen(each, now) for each in history.containers()]
    with Session(engine) as session:
        facts = facts_in(session, tasks, DEPLOYMENT)
    return judge_all(tasks, facts, Rules(DEPLOYMENT, GRACE, gone), now)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps=moves, later=st.sampled_from([0.0, 10.0, 100_000.0]), gone=st.booleans())
def test_no_living_container_is_ever_to_be_stopped(
    engine: Engine, steps: list[tuple[int, int, float, bool]], later: float, gone: bool
) -> None:
    history, now = happen(steps)
    judged = sweep(engine, history, now + later, gone=gone)
    stopped = {each.task.arn for each in judged if each.is_to_stop}
    assert not stopped & (history.living() | history.just_over(GRACE, now + later))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps=moves, gone=st.booleans())
def test_nothing_is_to_be_stopped_within_the_grace_time(
    engine: Engine, steps: list[tuple[int, int, float, bool]], gone: bool
) -> None:
    history, now = happen([(index, choice, 1.0, flag) for index, choice, _, flag in steps])
    assert not any(each.is_to_stop for each in sweep(engine, history, now, gone=gone))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps=moves)
def test_what_outlived_its_task_is_found_once_no_row_of_it_is_live(
    engine: Engine, steps: list[tuple[int, int, float, bool]]
) -> None:
    history, now = happen(steps)
    for each in history.instances:
        if each.is_live:
            each.state, each.changed_at = "success", now
    judged = sweep(engine, history, now + 100_000, gone=True)
    unclear = {each.verdict for each in judged if not each.is_to_stop}
    assert unclear <= {Verdict.UNKNOWN}  # through S3, and no row shows it any more
