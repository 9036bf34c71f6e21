"""The fleet page in a real API server: who sees what, and that nothing else does harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow._shared.timezones import timezone
from airflow.api_fastapi.app import create_app, get_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import Log
from airflow.models.connection import Connection
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.sdk import DAG
from airflow.utils.session import create_session
from fastapi import FastAPI
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from benchmarks.airflow_rows import queue_rows
from ecs_async_executor.event_names import SCHEDULER_STATUS, EventName
from ecs_async_executor.executor.status.thread import write_status
from ecs_async_executor.fleet.executors import OurExecutors
from ecs_async_executor.fleet.queries import STATUSES
from ecs_async_executor.messages import EngineStatus, PoolStatus
from ecs_async_executor.scheduler_status import SchedulerStatus
from ecs_async_executor.ui import app as module
from ecs_async_executor.ui.plugin import PREFIX, EcsAsyncPlugin, page_path
from tests.support.fleet_rows import event_row
from tests.support.scheduler import Scheduler, one_task_dag

PAGE = f"{PREFIX}/"
JSON = f"{PREFIX}/fleet.json"
SECRET = "a-planted-secret-7531"
Client = Callable[[str | None], TestClient]


@pytest.fixture(scope="module")
def api(database: None) -> Iterator[FastAPI]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.support.auth.DagsByName")
        purge_cached_app()
        yield create_app()
        purge_cached_app()


@pytest.fixture
def client(api: FastAPI) -> Iterator[Client]:
    """Make clients: `client("a+b")` is logged in as a user who may read the Dags a and b; None isn't."""
    made: list[TestClient] = []

    def make(name: str | None) -> TestClient:
        client = TestClient(api, raise_server_exceptions=False, follow_redirects=False)
        made.append(client)
        if name is not None:
            token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role="viewer"))
            client.cookies.set("_token", token)
        return client

    yield make
    for each in made:
        each.close()


@pytest.fixture
def two_dags(clean_database: None) -> None:
    """Queued tasks of the Dags `red` and `blue`, each with an event that says why and one that says what failed."""
    names = {name: queue_rows(7, 2, one_task_dag(name)) for name in ("red", "blue")}
    events = {EventName.WAITS.value: "It waits.", EventName.ENDED.value: "It failed."}
    rows = [
        event_row(
            event,
            f"Because of {name}. {text}",
            dag_id=name,
            run_id=run_id,
            map_index=0,
            dttm=timezone.utcnow(),
        )
        for name, run_id in names.items()
        for event, text in events.items()
    ]
    with create_session() as session:
        session.execute(insert(Log.__table__), rows)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what an earlier one has read."""
    monkeypatch.setattr("ecs_async_executor.ui.shared_fleet.FRESH_FOR", 0.0)
    monkeypatch.setattr("ecs_async_executor.ui.app.COSTS_FRESH_FOR", 0.0)


def test_where_the_api_server_has_another_executor_no_zero_is_shown(
    client: Client, two_dags: None, monkeypatch: pytest.MonkeyPatch
):
    other = OurExecutors(frozenset(), {None: False})
    monkeypatch.setattr(module, "find_our_executors", lambda: other)
    answer = client("red+blue").get(JSON)
    assert answer.status_code == 503
    assert "`[core] executor` here names no AsyncEcsExecutor" in answer.json()["detail"]
    assert "red" not in answer.text


# --- who sees what --------------------------------------------------------------------------------------------


def test_who_is_not_logged_in_is_sent_to_the_login(client: Client):
    answer = client(None).get(PAGE)
    assert answer.status_code == 307
    assert answer.headers["location"] == "/api/v2/auth/login?next=%2Fecs-fleet%2F"
    login = client(None).get(answer.headers["location"])
    assert (login.status_code, "next=" in login.headers["location"]) == (307, True)


def test_the_login_is_below_the_base_url_even_if_a_proxy_takes_its_path_away(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/airflow/")
    location = client(None).get(PAGE).headers["location"]
    assert location == "/airflow/api/v2/auth/login?next=%2Fairflow%2Fecs-fleet%2F"


def test_who_is_not_logged_in_gets_no_json(client: Client, two_dags: None):
    answer = client(None).get(JSON)
    assert answer.status_code == 401
    assert "red" not in answer.text


def test_a_forged_token_opens_nothing(client: Client, two_dags: None):
    forger = client(None)
    forger.cookies.set("_token", "not.a.token")
    answer = forger.get(JSON)
    assert answer.status_code in {401, 403}
    assert "red" not in answer.text


def test_who_may_read_no_task_instances_may_not_see_the_page(client: Client, two_dags: None):
    answer = client("nothing").get(JSON)
    assert (answer.status_code, answer.json()) == (403, {"detail": module.FORBIDDEN})


def test_who_may_read_one_dag_sees_its_tasks_and_no_trace_of_the_others(client: Client, two_dags: None):
    answer = client("red").get(JSON)
    shown = answer.json()
    assert answer.status_code == 200
    assert [task["dag"] for task in shown["tasks"]] == ["red", "red"]
    assert shown["phases"]["waiting"] == 1
    assert [wait["cause"] for wait in shown["waits"]] == ["Because of red."]
    assert [failure["text"] for failure in shown["failures"]] == ["Because of red. It failed."]
    assert "blue" not in answer.text


def test_who_may_read_both_sees_both(client: Client, two_dags: None):
    shown = client("red+blue").get(JSON).json()
    assert (shown["total"], len(shown["failures"])) == (4, 2)


def test_who_may_read_none_of_the_dags_sees_an_empty_page(client: Client, two_dags: None):
    shown = client("green").get(JSON).json()
    assert (shown["total"], shown["tasks"], shown["waits"], shown["failures"]) == (0, [], [], [])


def test_the_audit_logs_texts_are_only_for_those_who_may_read_it(client: Client, two_dags: None):
    answer = client("red+without-events").get(JSON)
    assert answer.json()["total"] == 2
    assert answer.json()["failures"] is None
    assert "Because of" not in answer.text


def test_what_dags_have_used_is_shown_of_those_that_the_user_may_read(client: Client, two_dags: None):
    text = (
        "0.5 vCPU-hours, 1 GB-hours, $0.024685: 0.5 vCPU and 1 GB for 3600 s (FARGATE on X86_64), ECS task "
    )
    rows = [
        event_row(EventName.COST.value, f"{text}{task_id}.", dag_id=dag_id, dttm=timezone.utcnow())
        for dag_id, task_id in (("red", "1"), ("red", "2"), ("blue", "3"))
    ]
    with create_session() as session:
        session.execute(insert(Log.__table__), rows)
    costs = client("red").get(JSON).json()["costs"]
    assert [(each["dag"], each["tasks"], each["vcpu_hours"]) for each in costs["dags"]] == [("red", 2, 1.0)]
    assert costs["total"] == {
        "tasks": 2,
        "unpriced": 0,
        "vcpu_hours": 1.0,
        "gb_hours": 2.0,
        "dollars": 0.04937,
    }
    assert "blue" not in json.dumps(costs)
    assert client("red+without-events").get(JSON).json()["costs"] is None


def test_costs_that_cannot_be_read_keep_nothing_else_from_being_shown(
    client: Client, two_dags: None, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("statement timeout"))

    monkeypatch.setattr(module, "read_costs", fail)
    answer = client("red").get(JSON)
    assert answer.status_code == 200
    assert answer.json()["total"] == 2
    assert answer.json()["failures"] is not None
    assert answer.json()["costs"] is None


def test_one_users_read_serves_another_without_showing_more(
    client: Client, two_dags: None, monkeypatch: pytest.MonkeyPatch
):
    assert client("red+blue").get(JSON).json()["total"] == 4
    monkeypatch.setattr("ecs_async_executor.ui.shared_fleet.FRESH_FOR", 60.0)
    assert "blue" not in client("red").get(JSON).text


def test_a_bearer_token_works_as_in_airflows_own_api(client: Client, two_dags: None):
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="red", role="viewer"))
    answer = client(None).get(JSON, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["total"] == 2


@pytest.mark.parametrize(("endpoint", "linked"), [("", True), ("http://localhost:5000", False)])
def test_the_ecs_task_is_linked_unless_its_ecs_is_not_awss(
    client: Client, two_dags: None, endpoint: str, linked: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", endpoint)
    arn = "arn:aws:ecs:eu-central-1:210987654321:task/prod/0123456789abcdef"
    with create_session() as session:
        session.execute(
            update(TaskInstance).where(TaskInstance.dag_id == "red").values(external_executor_id=arn)
        )
    (first, _) = client("red").get(JSON).json()["tasks"]
    assert first["ecs_task"] == "0123456789abcdef"
    start = "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters/prod/tasks/0123456789abcdef"
    assert (first["console"] or "").startswith(start) is linked
    assert (first["console"] is not None) is linked


# --- the page -------------------------------------------------------------------------------------------------


def test_the_page_and_its_files_are_served_with_a_strict_policy(client: Client):
    viewer = client("red")
    for path, kind in [
        ("", "text/html"),
        ("static/fleet.css", "text/css"),
        ("static/fleet.js", "javascript"),
        ("static/theme.js", "javascript"),
    ]:
        answer = viewer.get(PAGE + path)
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_asks_nobody_else_for_anything_and_writes_no_html(client: Client):
    viewer = client("red")
    page = viewer.get(PAGE).text
    code = "".join(viewer.get(f"{PAGE}static/{name}").text for name in ("fleet.css", "fleet.js", "theme.js"))
    assert "http" not in page + code
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert unsafe not in code
    assert " style=" not in page
    assert "<script>" not in page


def test_only_the_pages_own_files_are_served(client: Client):
    viewer = client("red")
    for path in ("static/../app.py", "static/%2e%2e/app.py", "static/", "app.py", "docs", "openapi.json"):
        assert viewer.get(PAGE + path).status_code == 404


def test_the_json_is_kept_nowhere(client: Client):
    assert client("red").get(JSON).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["page=-1", "page=x", f"text={'x' * 300}", "descending=perhaps", f"queue={'q' * 300}"]
)
def test_what_the_page_never_asks_is_refused(client: Client, query: str):
    assert client("red").get(f"{JSON}?{query}").status_code == 422


def test_filters_reach_the_table(client: Client, two_dags: None):
    shown = client("red+blue").get(f"{JSON}?text=blue&sort=dag&descending=true&phase=waiting").json()
    assert (shown["total"], shown["matching"]) == (4, 1)


def test_airflows_ui_knows_the_page(client: Client):
    plugins = client("red").get("/api/v2/plugins").json()
    views = [view for plugin in plugins.get("plugins", []) for view in plugin["external_views"]]
    if not views:  # the user may not list plugins through the API: ask the plugin
        views = EcsAsyncPlugin().external_views
    assert {"name": "ECS fleet", "href": PAGE, "url_route": "ecs-fleet"}.items() <= views[0].items()


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("", "/ecs-fleet/"),
        ("http://airflow.example.com", "/ecs-fleet/"),
        ("https://example.com/airflow/", "/airflow/ecs-fleet/"),
        ("https://example.com/a/b", "/a/b/ecs-fleet/"),
    ],
)
def test_the_page_is_below_the_base_url(base_url: str, expected: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert page_path() == expected
    assert EcsAsyncPlugin().external_views[0]["href"] == expected


# --- what goes wrong ------------------------------------------------------------------------------------------


def test_a_database_that_cannot_be_read_is_reported_without_its_address(
    client: Client, monkeypatch: pytest.MonkeyPatch, two_dags: None
):
    def fail(*_: object) -> None:
        raise OperationalError(f"postgresql://airflow:{SECRET}@db", {}, Exception(SECRET))

    monkeypatch.setattr(module, "read_fleet", fail)
    answer = client("red").get(JSON)
    assert (answer.status_code, answer.json()) == (503, {"detail": module.UNREADABLE})


def test_an_app_that_cannot_be_made_leaves_the_api_server_without_the_page(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail() -> None:
        raise RuntimeError("another Airflow")

    monkeypatch.setattr(module, "make_app", fail)
    assert EcsAsyncPlugin().fastapi_apps == []
    assert "The ECS fleet page can't be shown." in caplog.text


# --- with a scheduler -----------------------------------------------------------------------------------------


def test_no_secret_is_on_the_page(
    client: Client, scheduler: Scheduler, run_dag: Callable[[DAG], str], sent: list[Any]
):
    with create_session() as session:
        session.add(Variable(key="token", val=SECRET))
        session.add(Connection(conn_id="planted", conn_type="aws", password=SECRET))
    try:
        run_dag(
            one_task_dag(
                "red",
                executor_config={
                    "overrides": {
                        "containerOverrides": [
                            {"name": "airflow", "environment": [{"name": "PASSWORD", "value": SECRET}]}
                        ]
                    }
                },
            )
        )
        scheduler.until(lambda: sent, step=scheduler.step)
        scheduler.until(_statuses, step=scheduler.step)
        viewer = client("red")
        text = "".join(viewer.get(path).text for path in (JSON, PAGE, f"{PAGE}static/fleet.js"))
        tokens = [
            word
            for word in json.dumps(sent).replace("\\", " ").replace('"', " ").split()
            if word.startswith("eyJ")
        ]
        assert tokens, "a workload's token leaves the engine"
        assert SECRET in json.dumps(sent)
        for secret in (SECRET, *tokens):
            assert secret not in text
        assert viewer.get(JSON).json()["total"] == 1
    finally:
        with create_session() as session:
            session.execute(delete(Variable).where(Variable.key == "token"))
            session.execute(delete(Connection).where(Connection.conn_id == "planted"))


def _statuses() -> list[Log]:
    with create_session(scoped=False) as session:
        rows = list(session.scalars(select(Log).where(Log.event == SCHEDULER_STATUS)))
        session.expunge_all()
        return rows


def test_a_scheduler_tells_about_itself_in_one_row_that_it_updates(
    client: Client, scheduler: Scheduler, run_dag: Callable[[DAG], str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ecs_async_executor.executor.status.keeper.INTERVAL", 0.05)
    monkeypatch.setattr("ecs_async_executor.engine.thread.STATUS_INTERVAL", 0.05)
    run_dag(one_task_dag("red"))

    def shown() -> Any:
        schedulers = client("red").get(JSON).json()["schedulers"]
        found = [each for each in schedulers if (each["engine"] or {}).get("launches")]
        return found and found[0]

    numbers = scheduler.until(shown, step=scheduler.step)
    assert numbers["job_id"] == scheduler.job_id
    assert (numbers["runs"], numbers["slots"], numbers["silent"], numbers["paused"]) == (1, 1, False, None)
    assert (numbers["engine"]["launches"], numbers["engine"]["watched"]) == (1, 1)
    (row,) = _statuses()
    assert (row.dag_id, row.owner) == (None, "ecs_async_executor")


def test_pools_of_standbys_name_queues_and_no_dag_to_whoever_may_open_the_page(
    client: Client, two_dags: None
):
    pool = PoolStatus("small", 2, 0, 2, 9.0, 5, 1, reasons=(("no standby was free", 1),))
    engine = EngineStatus(0, 0, 0, None, None, 0, 0, standbys=(pool,))
    write_status(SchedulerStatus(7, time.time(), "1", 1, 1, 32, 0, engine), None)
    (shown,) = client("green").get(JSON).json()["standbys"]
    assert (shown["pool"], shown["ready"], shown["warm"], shown["cold"]) == ("small", 2, 5, 1)
    assert "red" not in json.dumps(shown)


def test_a_status_is_written_over_its_row_which_keeps_its_time(clean_database: None):
    status = SchedulerStatus(7, 1.0, "1", 1, 1, 32, 0, None)
    row_id = write_status(status, None)
    with create_session() as session:
        before = session.scalars(select(Log.dttm)).one()
    assert write_status(SchedulerStatus(7, 2.0, "1", 1, 1, 32, 0, None), row_id) == row_id
    (row,) = _statuses()
    assert row.dttm == before
    assert '"at":2.0' in str(row.extra)
    assert row.logical_date == timezone.datetime(1970, 1, 1, 0, 0, 2)


def test_a_scheduler_stays_on_the_page_while_another_one_starts_again_and_again(
    client: Client, clean_database: None
):
    now = time.time()
    lives = SchedulerStatus(7, now, "1", 1, 1, 32, 0, None)
    row_id = write_status(lives, None)
    for job_id in range(8, 8 + STATUSES):
        write_status(replace(lives, job_id=job_id, at=now - 5.0), None)
    write_status(lives, row_id)
    schedulers = client("green").get(JSON).json()["schedulers"]
    assert 7 in {each["job_id"] for each in schedulers}


def test_a_status_whose_row_has_been_cleaned_away_gets_a_new_one(clean_database: None):
    status = SchedulerStatus(7, 1.0, "1", 1, 1, 32, 0, None)
    row_id = write_status(status, None)
    with create_session() as session:
        session.execute(delete(Log))
        session.execute(insert(Log.__table__), [event_row("other", "", id=row_id + 5)])
    assert write_status(status, row_id) != row_id
    assert len(_statuses()) == 1
