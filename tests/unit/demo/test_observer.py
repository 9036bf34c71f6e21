from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecs_async_executor.demo.observer import Observer, moment
from ecs_async_executor.demo.snapshot import DagRun

RUN_1, RUN_2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ARN_1, ARN_2 = "arn:aws:ecs:us-east-1:1:task/demo/one", "arn:aws:ecs:us-east-1:1:task/demo/two"
INSTANCE = "dag_id, task_id, map_index, state, try_number, external_executor_id, scheduled_dttm, queued_dttm"
TEN = "1970-01-01 00:00:10.000000"
ELEVEN = "1970-01-01 00:00:11.000000"
SEVENTEEN = "1970-01-01 00:00:17.500000"


class Airflow:
    """The columns of Airflow's database that the observer reads, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.execute("CREATE TABLE dag_run (id, dag_id, state)")
        self.execute(f"CREATE TABLE task_instance ({INSTANCE})")
        self.execute(f"CREATE TABLE task_instance_history ({INSTANCE})")
        self.execute("CREATE TABLE log (dag_id, task_id, map_index, event, dttm)")
        self.execute("INSERT INTO dag_run VALUES (1, 'dag', 'running')")

    def execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    def row(self, state: str | None, external_id: str | None, *, try_number: int = 1) -> None:
        self.execute("DELETE FROM task_instance")
        self.execute(
            "INSERT INTO task_instance VALUES ('dag', 'task', -1, ?, ?, ?, ?, ?)",
            state,
            try_number,
            external_id,
            TEN,
            ELEVEN,
        )


@pytest.fixture
def airflow(tmp_path: Path) -> Airflow:
    return Airflow(tmp_path / "airflow.db")


def described(arn: str, run_id: str, status: str = "RUNNING", **times: float) -> dict[str, Any]:
    return {
        "taskArn": arn,
        "startedBy": f"airflow/demo/{run_id}",
        "lastStatus": status,
        "createdAt": 12.0,
        "containers": [{"name": "worker", "exitCode": 0}],
        **times,
    }


def test_a_queued_row_is_linked_to_its_ecs_task_by_run_id(airflow: Airflow) -> None:
    airflow.row("queued", RUN_1)
    ecs: list[dict[str, Any]] = []
    observer = Observer(airflow.path, lambda: ecs, clock=lambda: 99.0)
    [before] = observer.snapshot().tasks
    ecs.append(described(ARN_1, RUN_1, "PENDING"))
    [after] = observer.snapshot().tasks
    assert before.ecs_tasks == ()
    assert [ecs_task.arn for ecs_task in after.ecs_tasks] == [ARN_1]
    assert (after.current, after.scheduled_at, after.queued_at) == (RUN_1, 10.0, 11.0)


def test_a_row_that_names_the_arn_is_the_same_queueing(airflow: Airflow) -> None:
    airflow.row("running", ARN_1)
    [task] = Observer(airflow.path, lambda: [described(ARN_1, RUN_1)]).snapshot().tasks
    assert task.current == RUN_1
    assert [queueing.run_id for queueing in task.queueings] == [RUN_1]


def test_a_standby_belongs_to_the_queueing_that_took_it(airflow: Airflow) -> None:
    ecs = [described(ARN_1, "standby", createdAt=1.0, startedAt=2.0), described(ARN_2, "standby")]
    observer = Observer(airflow.path, lambda: ecs)
    airflow.row("queued", RUN_1)
    [before] = observer.snapshot().tasks
    for start in (TEN, SEVENTEEN):  # the first is that of an earlier queueing
        airflow.execute("INSERT INTO log VALUES ('dag', 'task', -1, 'running', ?)", start)
    airflow.row("running", ARN_1)
    [after] = observer.snapshot().tasks
    assert before.ecs_tasks == ()
    assert (after.current, [each.run_id for each in after.queueings]) == (RUN_1, [RUN_1])
    assert [each.arn for each in after.ecs_tasks] == [ARN_1]
    assert after.queueings[0].running_at == 17.5


def test_a_standby_that_was_taken_unseen_belongs_to_its_row(airflow: Airflow) -> None:
    airflow.row("running", ARN_1)
    observer = Observer(airflow.path, lambda: [described(ARN_1, "standby"), described(ARN_2, "standby")])
    for _ in range(2):
        [task] = observer.snapshot().tasks
        assert [each.run_id for each in task.queueings] == [task.current] == [ARN_1]
        assert [each.arn for each in task.ecs_tasks] == [ARN_1]


def test_each_queueing_of_a_task_has_the_standby_that_it_took(airflow: Airflow) -> None:
    observer = Observer(airflow.path, lambda: [described(ARN_1, "standby"), described(ARN_2, "standby")])
    airflow.row("running", ARN_1)
    observer.snapshot()
    for external_id in (RUN_2, ARN_2):
        airflow.execute("DELETE FROM task_instance")
        airflow.execute(
            "INSERT INTO task_instance VALUES ('dag', 'task', -1, 'queued', 1, ?, ?, ?)",
            external_id,
            TEN,
            SEVENTEEN,
        )
        [task] = observer.snapshot().tasks
    assert [each.run_id for each in task.queueings] == [ARN_1, RUN_2]
    assert [[t.arn for t in each.ecs_tasks] for each in task.queueings] == [[ARN_1], [ARN_2]]


def test_earlier_queueings_are_remembered_after_airflow_has_overwritten_them(airflow: Airflow) -> None:
    observer = Observer(airflow.path, lambda: [described(ARN_1, RUN_1), described(ARN_2, RUN_2)])
    airflow.row("running", ARN_1)
    observer.snapshot()
    airflow.row("queued", RUN_2)
    [task] = observer.snapshot().tasks
    assert [ecs_task.arn for ecs_task in task.ecs_tasks] == [ARN_1, ARN_2]
    assert task.current == RUN_2


def test_an_earlier_try_is_found_in_the_history_even_if_it_was_never_seen(airflow: Airflow) -> None:
    airflow.row("queued", RUN_2, try_number=2)
    airflow.execute(
        "INSERT INTO task_instance_history VALUES ('dag', 'task', -1, 'up_for_retry', 1, ?, ?, ?)",
        ARN_1,
        TEN,
        ELEVEN,
    )
    [task] = Observer(airflow.path, lambda: [described(ARN_1, RUN_1)]).snapshot().tasks
    assert [queueing.run_id for queueing in task.queueings] == [RUN_1, RUN_2]


def test_a_container_ran_its_task_from_the_start_that_airflow_logged(airflow: Airflow) -> None:
    airflow.row("success", ARN_1)
    airflow.execute("INSERT INTO log VALUES ('dag', 'task', -1, 'running', ?)", ELEVEN)
    airflow.execute("INSERT INTO log VALUES ('dag', 'task', -1, 'running', ?)", SEVENTEEN)
    airflow.execute("INSERT INTO log VALUES ('dag', 'another', -1, 'running', ?)", SEVENTEEN)
    stopped = described(ARN_1, RUN_1, "STOPPED", startedAt=15.0, stoppedAt=20.0)
    [task] = Observer(airflow.path, lambda: [stopped]).snapshot().tasks
    assert task.queueings[0].running_at == 17.5


def test_a_container_that_never_started_its_task_has_no_such_moment(airflow: Airflow) -> None:
    airflow.row("queued", ARN_1)
    airflow.execute("INSERT INTO log VALUES ('dag', 'task', -1, 'running', ?)", SEVENTEEN)
    stopped = described(ARN_1, RUN_1, "STOPPED", startedAt=12.5, stoppedAt=13.0)
    [task] = Observer(airflow.path, lambda: [stopped]).snapshot().tasks
    assert task.queueings[0].running_at is None


def test_ecs_tasks_of_others_are_nobodys(airflow: Airflow) -> None:
    airflow.row(None, None)
    other = {**described(ARN_2, RUN_2), "startedBy": "someone else"}
    [task] = Observer(airflow.path, lambda: [other]).snapshot().tasks
    assert task.ecs_tasks == ()


def test_a_snapshot_has_the_dag_runs_and_its_time(airflow: Airflow) -> None:
    snapshot = Observer(airflow.path, list, clock=lambda: 99.0).snapshot()
    assert (snapshot.at, snapshot.dag_runs) == (99.0, (DagRun("dag", "running"),))


def test_the_database_is_only_read(airflow: Airflow) -> None:
    before = airflow.path.read_bytes()
    Observer(airflow.path, list).snapshot()
    assert airflow.path.read_bytes() == before


@pytest.mark.parametrize("text", ["1970-01-01 00:00:17.500000", "1970-01-01 00:00:17.500000+00:00"])
def test_sqlite_times_are_utc(text: str) -> None:
    assert moment(text) == 17.5


def test_no_time_is_none() -> None:
    assert moment(None) is None
