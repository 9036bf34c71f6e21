"""Writing external executor ids on a database with row locks."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.orm import Session, sessionmaker

from ecs_async_executor.executor.rows.statements import Publication, Read, read_rows, write_external_ids
from tests.support.postgres import postgres

JOB = 7
ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/0"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with postgres() as url:
        engine = create_engine(url)
        import_all_models()
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            # Rows without their Dag, its run and its version.
            connection.execute(text("ALTER TABLE task_instance DISABLE TRIGGER ALL"))
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def sessions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    make = sessionmaker(engine)

    @contextmanager
    def create_session(*, scoped: bool = True) -> Iterator[Session]:
        assert not scoped, "the scheduler's own session"
        with make.begin() as session:
            yield session

    monkeypatch.setattr("ecs_async_executor.executor.rows.statements.create_session", create_session)
    return create_session


@pytest.fixture
def publications(engine: Engine) -> list[Publication]:
    """Three rows, and what they shall show."""
    ids = [uuid.uuid4() for _ in range(3)]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM task_instance"))
        connection.execute(
            insert(TaskInstance.__table__),
            [
                {
                    "id": ti_id,
                    "dag_id": "dag",
                    "task_id": "task",
                    "run_id": "run",
                    "map_index": index,
                    "pool": "default_pool",
                    "pool_slots": 1,
                    "state": "queued",
                    "try_number": 1,
                    "max_tries": 0,
                    "queued_by_job_id": JOB,
                    "external_executor_id": f"run-{index}",
                    "executor_config": {},
                    "span_status": "not_started",
                    "dag_version_id": None,
                }
                for index, ti_id in enumerate(ids)
            ],
        )
    return [
        Publication(f"run-{index}", ti_id, 1, JOB, f"run-{index}", f"{ARN}{index}")
        for index, ti_id in enumerate(ids)
    ]


def shown(publications: list[Publication]) -> list[str | None]:
    rows = read_rows([Read(show.run_id, show.ti_id, "", frozenset()) for show in publications])
    return [rows[show.run_id].external_executor_id for show in publications]


def test_all_rows_are_written_at_once(publications: list[Publication]) -> None:
    assert write_external_ids(publications) == {"run-0", "run-1", "run-2"}
    assert shown(publications) == [f"{ARN}{index}" for index in range(3)]


def test_a_row_that_somebody_has_locked_is_left_out_and_not_waited_for(
    engine: Engine, publications: list[Publication]
) -> None:
    with engine.begin() as other:
        other.execute(
            select(TaskInstance.id).where(TaskInstance.id == publications[1].ti_id).with_for_update()
        )
        assert write_external_ids(publications) == {"run-0", "run-2"}
    assert shown(publications) == [f"{ARN}0", "run-1", f"{ARN}2"]
    assert write_external_ids(publications) == {"run-0", "run-1", "run-2"}, "all show it now"


@pytest.mark.parametrize(
    "change",
    [
        "state = 'success'",
        "state = NULL",
        "try_number = 2",
        "queued_by_job_id = 8",
        "queued_by_job_id = NULL",
        "external_executor_id = 'of a newer queueing'",
        "external_executor_id = NULL",
    ],
)
def test_a_row_that_is_not_as_it_was_read_is_left_alone(
    engine: Engine, publications: list[Publication], change: str
) -> None:
    with engine.begin() as other:
        other.execute(text(f"UPDATE task_instance SET {change}"))  # noqa: S608  the test's own
    before = shown(publications)
    written = write_external_ids(publications)
    assert not written
    assert shown(publications) == before


def test_what_else_has_changed_does_not_matter(engine: Engine, publications: list[Publication]) -> None:
    with engine.begin() as other:
        other.execute(text("UPDATE task_instance SET state = 'running', hostname = 'worker'"))
    assert len(write_external_ids(publications)) == 3


def test_a_row_without_a_job_or_an_id_is_compared_as_it_is(
    engine: Engine, publications: list[Publication]
) -> None:
    """`dag.test` has no job, and executors named by their class get no committed id."""
    with engine.begin() as other:
        other.execute(text("UPDATE task_instance SET queued_by_job_id = NULL, external_executor_id = NULL"))
    show = publications[0]
    assert write_external_ids([Publication(show.run_id, show.ti_id, 1, None, None, ARN)]) == {"run-0"}
    assert shown([show]) == [ARN]


def test_a_row_that_is_gone_is_left_out(publications: list[Publication]) -> None:
    gone = Publication("gone", uuid.uuid4(), 1, JOB, "gone", ARN)
    assert write_external_ids([gone, publications[0]]) == {"run-0"}
    assert write_external_ids([]) == frozenset()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_the_age_of_a_heartbeat_does_not_depend_on_the_databases_time_zone(
    engine: Engine, publications: list[Publication], zone: str
) -> None:
    with engine.begin() as other:
        name = other.execute(text("SELECT current_database()")).scalar_one()
        other.execute(text(f"ALTER DATABASE \"{name}\" SET timezone TO '{zone}'"))
        other.execute(
            text("UPDATE task_instance SET last_heartbeat_at = now() - interval '100 s' WHERE map_index = 0")
        )
    engine.dispose()  # new connections have the new time zone
    rows = read_rows([Read(show.run_id, show.ti_id, "", frozenset()) for show in publications])
    age = rows["run-0"].heartbeat_age
    assert age is not None
    assert 90 < age < 160
    assert rows["run-1"].heartbeat_age is None
