"""What happened to tasks' earlier launches is read from Airflow's Audit Log, for many tasks at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from airflow.models import Log
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.session import create_session
from sqlalchemy import delete

from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.rows.earlier_launches import KEYS_PER_QUERY, read_setbacks
from ecs_async_executor.executor.rows.statements import Read
from ecs_async_executor.executor.setbacks import Setback

KILLED, INTERRUPTED = EventName.OUT_OF_MEMORY, EventName.INTERRUPTED


@pytest.fixture(autouse=True)
def empty_log(database: None) -> Iterator[None]:
    yield
    with create_session(scoped=False) as session:
        session.execute(delete(Log))


def key(
    task_id: str = "task", *, try_number: int = 1, run_id: str = "run", map_index: int = -1
) -> TaskInstanceKey:
    return TaskInstanceKey("dag", task_id, run_id, try_number, map_index)


def write(*rows: tuple[TaskInstanceKey, str, str]) -> None:
    """Write to the Audit Log as core does for an executor."""
    with create_session(scoped=False) as session:
        session.bulk_save_objects(
            [Log(event=event, task_instance=of, extra=text) for of, event, text in rows]
        )


def setback(number: int, event: EventName = KILLED, memory: int | None = 2048) -> Setback:
    return Setback(event, number, f"arn:{number}", "queue-*", memory)


def row(of: TaskInstanceKey, found: Setback) -> tuple[TaskInstanceKey, str, str]:
    return of, found.event.value, str(found)


def read(of: TaskInstanceKey) -> Read:
    return Read(f"run of {of}", uuid.uuid4(), "label", frozenset(), looks_back=True, key=of)


def test_a_task_has_those_of_all_its_tries_the_oldest_first() -> None:
    first, second = setback(1), setback(2, INTERRUPTED, None)
    write(row(key(), first), row(key(try_number=2), second))
    asked = read(key(try_number=3))
    assert read_setbacks([asked]) == {asked.run_id: (first, second)}


def test_those_of_others_and_other_events_are_left_out() -> None:
    write(
        row(key("other"), setback(1)),
        row(key(run_id="other"), setback(1)),
        row(key(map_index=1), setback(1)),
        (key(), "ecs task ended", str(setback(1))),
        (key(), KILLED.value, "Somebody else wrote this."),
    )
    asked = read(key(try_number=2))
    assert read_setbacks([asked]) == {asked.run_id: ()}


def test_many_tasks_are_read_in_a_few_statements() -> None:
    count = 2 * KEYS_PER_QUERY + 1
    write(*(row(key(map_index=index), setback(index + 1)) for index in range(count)))
    asked = [read(key(map_index=index, try_number=2)) for index in range(count)]
    found = read_setbacks(asked)
    assert [len(found[each.run_id]) for each in asked] == [1] * count
    assert found[asked[-1].run_id][0].arn == f"arn:{count}"


def test_nothing_is_asked_for_nobody() -> None:
    assert read_setbacks([]) == {}
