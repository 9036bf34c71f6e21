"""The fleet page's queries, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from airflow.jobs.job import Job as JobRow
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import Engine, create_engine, delete, event, insert, text
from sqlalchemy.orm import Session

from ecs_async_executor.event_names import SCHEDULER_STATUS, EventName
from ecs_async_executor.fleet import queries
from ecs_async_executor.fleet.executors import OurExecutors
from ecs_async_executor.fleet.live import FORGOTTEN_AFTER, Fleet, Job
from ecs_async_executor.fleet.queries import read_costs, read_events, read_fleet
from ecs_async_executor.fleet.view import Filters, make_view
from ecs_async_executor.scheduler_status import SchedulerStatus, encode
from ecs_async_executor.task_cost import Sum
from tests.support.fleet_rows import ARN, NOW, add_events, add_tasks, ago, event_row, task_row
from tests.support.postgres import postgres

ALL = OurExecutors(frozenset({"ecs", "ecs_async_executor.AsyncEcsExecutor"}), {None: True})
STATUS = SchedulerStatus(7, NOW.timestamp(), "1", 1, 1, 32, 0, None)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    import_all_models()
    if request.param == "sqlite":
        folder: Path = tmp_path_factory.mktemp("fleet")
        engine = create_engine(f"sqlite:///{folder}/airflow.db")
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    with postgres() as url:
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            # Rows without their Dag, its run and its version.
            connection.execute(text("ALTER TABLE task_instance DISABLE TRIGGER ALL"))
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for model in (TaskInstance, Log, JobRow):
            connection.execute(delete(model))


def read(engine: Engine, ours: OurExecutors = ALL) -> Fleet:
    with Session(engine) as session:
        return read_fleet(session, ours, NOW.timestamp())


def test_an_empty_database_gives_an_empty_fleet(engine: Engine):
    assert read(engine) == Fleet(NOW.timestamp())


def test_a_row_is_read_with_its_times_in_seconds(engine: Engine):
    with engine.begin() as connection:
        add_tasks(
            connection,
            task_row(state="running", external_executor_id=ARN + "1", start_date=ago(20), map_index=3),
        )
    (row,) = read(engine).tasks
    assert (row.dag_id, row.run_id, row.task_id, row.map_index, row.try_number) == (
        "dag",
        "run",
        "task",
        3,
        1,
    )
    assert (row.state, row.queue, row.external_id, row.job_id) == ("running", "default", ARN + "1", 7)
    now = NOW.timestamp()
    assert (row.queued_at, row.started_at, row.updated_at) == (now - 60, now - 20, now - 30)


def test_only_live_tasks_of_this_executor_are_read(engine: Engine):
    rows = [
        *(task_row(task_id=f"live {state}", state=state) for state in ("queued", "running", "restarting")),
        *(
            task_row(task_id=f"not live {state}", state=state)
            for state in ("scheduled", "success", "failed", "deferred", "up_for_retry", None)
        ),
        task_row(task_id="live by its alias", executor="ecs"),
        task_row(task_id="live by its class", executor="ecs_async_executor.AsyncEcsExecutor"),
        task_row(task_id="another executor's", executor="LocalExecutor"),
    ]
    with engine.begin() as connection:
        add_tasks(connection, *rows)
    assert {row.task_id for row in read(engine).tasks} == {
        str(row["task_id"]) for row in rows if str(row["task_id"]).startswith("live")
    }
    assert list(read(engine).scheduled.values()) == [1]


def test_where_it_is_not_the_default_executor_only_tasks_that_name_it_are_read(engine: Engine):
    with engine.begin() as connection:
        add_tasks(connection, task_row(task_id="default"), task_row(task_id="named", executor="ecs"))
    ours = OurExecutors(frozenset({"ecs"}), {None: False})
    assert [row.task_id for row in read(engine, ours).tasks] == ["named"]


def test_where_it_is_the_default_of_one_team_only_that_teams_tasks_are_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    teams = {"reds": "red", "blues": "blue"}
    monkeypatch.setattr(queries, "_teams", lambda *_: teams)
    with engine.begin() as connection:
        add_tasks(connection, *(task_row(dag_id=dag_id) for dag_id in ("reds", "blues", "nobodys")))
        add_tasks(connection, task_row(dag_id="blues", task_id="named", executor="ecs"))

    def found(defaults: dict[str | None, bool]) -> set[str]:
        ours = OurExecutors(frozenset({"ecs"}), defaults)
        return {row.dag_id for row in read(engine, ours).tasks if row.task_id != "named"}

    assert found({None: False, "red": True}) == {"reds"}
    assert found({None: True, "red": False}) == {"blues", "nobodys"}


def test_more_tasks_than_the_limit_are_counted(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queries, "TASKS", 3)
    with engine.begin() as connection:
        add_tasks(
            connection, *(task_row(map_index=index, queued_dttm=ago(100 - index)) for index in range(5))
        )
    fleet = read(engine)
    assert [row.map_index for row in fleet.tasks] == [0, 1, 2], "those that have waited for longest"
    assert fleet.left_out == 2


def test_the_events_that_explain_what_waits_now_are_read(engine: Engine):
    with engine.begin() as connection:
        add_tasks(connection, task_row())
        add_events(
            connection,
            event_row(EventName.WAITS.value, "No capacity."),
            event_row(EventName.WAITS.value, "Of an earlier day.", dttm=ago(90_000)),
            event_row(EventName.FALLBACK.value, "Not about waiting."),
            event_row(EventName.WAITS.value, "About no task.", dag_id=None),
        )
    (event,) = read(engine).delays
    assert (event.name, event.text, event.at) == (EventName.WAITS.value, "No capacity.", NOW.timestamp() - 10)
    assert (event.dag_id, event.run_id, event.task_id, event.map_index, event.try_number) == (
        "dag",
        "run",
        "task",
        -1,
        1,
    )


def test_while_nothing_waits_no_events_are_read(engine: Engine):
    with engine.begin() as connection:
        add_tasks(connection, task_row(state="running"))
        add_events(connection, event_row(EventName.WAITS.value, "No capacity."))
    assert read(engine).delays == ()


def test_failures_of_the_last_day_are_found_and_read_by_their_ids(engine: Engine):
    with engine.begin() as connection:
        add_events(
            connection,
            event_row(EventName.ENDED.value, "Of yesterday.", dttm=ago(86_500)),
            event_row(EventName.ENDED.value, "Out of memory.", dag_id="other"),
            event_row(EventName.ENDED.value, "Spot.", map_index=None, try_number=None),
            event_row("success", "Not ours."),
        )
    fleet = read(engine)
    assert [dag_id for _, dag_id in fleet.failures] == ["dag", "other"], "the newest first"
    with Session(engine) as session:
        events = read_events(session, [event_id for event_id, _ in fleet.failures])
        assert read_events(session, []) == []
    assert [event.text for event in events] == ["Spot.", "Out of memory."]
    assert (events[0].map_index, events[0].try_number) == (-1, None)


def test_statuses_and_their_schedulers_are_read(engine: Engine):
    old = SchedulerStatus(6, NOW.timestamp() - FORGOTTEN_AFTER, "1", 1, 1, 32, 0, None)
    with engine.begin() as connection:
        connection.execute(
            insert(JobRow.__table__),
            [
                {"id": 6, "job_type": "SchedulerJob", "hostname": "gone", "end_date": NOW},
                {"id": 7, "job_type": "SchedulerJob", "hostname": "here", "end_date": None},
                {"id": 8, "job_type": "TriggererJob", "hostname": "other", "end_date": None},
            ],
        )
        add_tasks(connection, task_row(queued_by_job_id=6))
        add_events(
            connection,
            *(
                event_row(SCHEDULER_STATUS, extra, dag_id=None, logical_date=ago(seconds))
                for extra, seconds in (
                    (encode(old), FORGOTTEN_AFTER),
                    (encode(STATUS), 0.0),
                    ("of another version", 0.0),
                )
            ),
        )
    fleet = read(engine)
    assert fleet.statuses == (STATUS,)
    assert fleet.jobs == {6: Job("gone", ended=True), 7: Job("here", ended=False)}


def test_a_scheduler_that_lives_is_read_however_often_others_have_started_since(engine: Engine):
    with engine.begin() as connection:
        add_events(
            connection,
            event_row(SCHEDULER_STATUS, encode(STATUS), dag_id=None, dttm=ago(90_000), logical_date=ago(5)),
            *(
                event_row(SCHEDULER_STATUS, encode(died), dag_id=None, logical_date=ago(seconds))
                for number in range(2 * queries.STATUSES)
                for seconds in (10.0 + number,)
                for died in (replace(STATUS, job_id=8 + number, at=NOW.timestamp() - seconds),)
            ),
        )
    assert STATUS in read(engine).statuses
    assert len(read(engine).statuses) == queries.STATUSES


COST = "1 vCPU-hours, 2 GB-hours, $0.5: 1 vCPU and 2 GB for 3600 s (FARGATE)."


def test_costs_of_the_last_day_are_summed_by_dag(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    cost = EventName.COST.value
    with engine.begin() as connection:
        add_events(
            connection,
            event_row(cost, COST, dag_id="a", dttm=ago(24 * 3600 + 60)),
            event_row(cost, COST, dag_id="a", dttm=ago(24 * 3600 - 60)),
            event_row(cost, f"{COST} Another.", dag_id="a"),
            event_row(cost, COST.replace(", $0.5", ""), dag_id="b"),
            event_row(cost, "of another version", dag_id="c"),
            event_row(cost, COST, dag_id=None),
            event_row(EventName.ENDED.value, COST, dag_id="d"),
        )
    with Session(engine) as session:
        found = read_costs(session, NOW.timestamp())
        assert found.by_dag == {"a": Sum(2, 0, 2.0, 4.0, 1.0), "b": Sum(1, 1, 1.0, 2.0, 0.0)}
        assert found.complete
        monkeypatch.setattr(queries, "COSTS_READ", 2)
        assert not read_costs(session, NOW.timestamp()).complete


@pytest.mark.slow
def test_ten_thousand_live_tasks_among_a_long_history_are_read_in_a_few_statements(engine: Engine):
    phases: list[dict[str, object]] = [
        {"state": "queued"},
        {"state": "queued", "external_executor_id": ARN + "1"},
        {"state": "running", "external_executor_id": ARN + "1", "start_date": ago(10)},
    ]
    with engine.begin() as connection:
        add_tasks(connection, *(task_row(map_index=index, **phases[index % 3]) for index in range(10_000)))
        add_tasks(
            connection, *(task_row(run_id="old", state="success", map_index=index) for index in range(50_000))
        )
        add_events(
            connection,
            *(
                event_row(EventName.WAITS.value, "No capacity." * 20, map_index=index)
                for index in range(3_334)
            ),
        )
        add_events(connection, *(event_row("running", "Airflow's own.") for _ in range(50_000)))
        connection.execute(text("ANALYZE"))
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    fleet = read(engine)
    view = make_view(fleet, frozenset({"dag"}), NOW.timestamp(), Filters(text="task"), [])
    assert view["total"] == 10_000
    assert view["phases"]["waiting"] == 3_334
    assert len(statements) <= 8, "none for each task"
