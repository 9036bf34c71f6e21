"""The log page of a running task, through the API server's own routes; CloudWatch Logs is moto's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import airflow
import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.log.file_task_handler import FileTaskHandler
from airflow.utils.session import create_session
from fastapi.testclient import TestClient
from sqlalchemy import event

from ecs_async_executor.local import Control
from ecs_async_executor.logs import task_log
from ecs_async_executor.ui import links
from tests.support.scheduler import Scheduler, one_task_dag, set_row, task_instances
from tests.support.task_logs import GROUP, Container, page_of, texts

RunDag = Callable[[DAG], str]
AIRFLOWS_JSON = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
"""Airflow's route makes its answer without the model's checks, and pydantic says so."""
AIRFLOWS_FILES = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Airflow's log handler leaves it to the garbage collector to close the file."""
_AIRFLOWS = '{"timestamp":"2026-11-27T08:34:51.072749Z","level":"info","event":"structured","logger":"task"}'
_PRINTED = '{{"timestamp":"2026-11-27T08:34:51.0727{microseconds}Z","level":"info","event":"printed"}}'


@pytest.fixture
def running(scheduler: Scheduler, run_dag: RunDag) -> Any:
    """One task whose container runs, and whose row shows that."""
    run_dag(one_task_dag("logs", retries=1))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    return ti


@AIRFLOWS_JSON
def test_the_page_of_a_running_task_shows_its_containers_lines_and_a_refresh_the_new_ones(
    running: Any, cloudwatch: Any, api: TestClient
) -> None:
    container = Container(cloudwatch, running)
    container.prints(_AIRFLOWS, "plain text")
    page = page_of(api, running)
    assert texts(page) == ["structured", "plain text"]
    sources = [line["event"] for line in page[: page.index({"timestamp": None, "event": "::endgroup::"})]]
    assert f"ECS task {running.external_executor_id}" in sources
    assert f"CloudWatch Logs: log group {GROUP}, stream {container.stream} (us-east-1)" in sources
    assert not any("Could not read served logs" in source for source in sources)
    structured, plain = page[-2:]
    assert (structured["level"], structured["logger"]) == ("info", "task")
    assert structured["timestamp"].startswith("2026-11-27T08:34:51.072749")
    assert plain["timestamp"].startswith("2026-11-27T08:34:51.500")
    container.prints("new", at=1_795_768_492_000)
    assert texts(page_of(api, running)) == ["structured", "plain text", "new"]
    assert texts(page_of(api, running, ndjson=False)) == ["structured", "plain text", "new"]


@pytest.mark.skipif(
    airflow.__version__ < "3.3", reason="Airflow 3.2 answers a continuation token with an error of its own"
)
@AIRFLOWS_JSON
def test_a_client_that_follows_with_the_continuation_token_gets_only_what_is_new(
    running: Any, cloudwatch: Any, api: TestClient
) -> None:
    container = Container(cloudwatch, running)
    container.prints("first")
    path = f"/dags/{running.dag_id}/dagRuns/{running.run_id}/taskInstances/{running.task_id}/logs/1"
    token = api.get(path, headers={"accept": "application/json"}).json()["continuation_token"]
    container.prints("second", at=1_795_768_492_000)
    answer = api.get(path, params={"token": token}, headers={"accept": "application/json"}).json()
    assert [line["event"] for line in answer["content"]] == ["second"]


def test_a_container_that_has_not_written_yet_is_not_an_error(
    running: Any, cloudwatch: Any, api: TestClient
) -> None:
    text, _refresh = texts(page_of(api, running))
    assert "the container has not written anything" in text
    Container(cloudwatch, running).prints("here")
    assert texts(page_of(api, running)) == ["here"]


def test_a_missing_log_group_is_named(
    running: Any, cloudwatch: Any, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch.delete_log_group(logGroupName=GROUP)
    text, remedy = texts(page_of(api, running))
    cloudwatch.create_log_group(logGroupName=GROUP)  # which the fixture deletes
    assert f"CloudWatch Logs has no log group {GROUP}, stream" in text
    assert "check that the log group exists" in remedy


def test_before_its_arn_is_published_the_page_says_that(
    running: Any, cloudwatch: Any, api: TestClient
) -> None:
    set_row(running, external_executor_id="01a21c2479d87128884c5e6dceebeffc-002")
    (text,) = texts(page_of(api, running))
    assert "has not written the ECS task's ARN to the database yet" in text


def test_an_unusable_connection_is_reported_on_the_page_without_its_secrets(
    running: Any, cloudwatch: Any, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CONN_ID", "not_there")
    page = texts(page_of(api, running))
    assert "no Airflow connection 'not_there'" in page[-1]


def test_the_option_zero_asks_aws_nothing(
    running: Any, cloudwatch: Any, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_LOG_LINES", "0")
    monkeypatch.setattr(task_log, "reader_for", None)
    assert "the option task_log_lines is 0" in texts(page_of(api, running))[0]


def test_a_bug_of_ours_is_a_line_on_the_page_and_no_error_500(
    running: Any, cloudwatch: Any, api: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    secret = "with-a-secret"

    def fail(_: Any) -> Any:
        raise RuntimeError(secret)

    monkeypatch.setattr(task_log, "options_of", fail)
    (text,) = texts(page_of(api, running))
    assert "can't be read: RuntimeError" in text
    assert "RuntimeError" in caplog.text
    assert secret not in text + caplog.text


@AIRFLOWS_FILES
def test_a_line_that_the_tasks_own_file_has_is_shown_once(
    running: Any, cloudwatch: Any, api: TestClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("airflow.task"), "handlers", [])
    handler = FileTaskHandler(str(tmp_path))
    handler.name = "task"
    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, handler])
    with create_session(scoped=False) as session:
        path = tmp_path / handler._render_filename(session.get_one(TaskInstance, running.id), 1)
    burst = [
        json.dumps({"timestamp": "2026-11-27T08:34:51.072749Z", "event": f"burst {number}"})
        for number in range(5)
    ]
    path.parent.mkdir(parents=True)
    path.write_text("\n".join([*burst, _PRINTED.format(microseconds=93)]) + "\n", "utf-8")
    printed = _PRINTED.format(microseconds=28)
    Container(cloudwatch, running).prints("before Airflow", *burst, printed, at=1_795_768_491_500)
    shown = texts(page_of(api, running))
    assert sorted(shown) == ["before Airflow", *(f"burst {number}" for number in range(5)), "printed"]


def links_of(api: TestClient, ti: Any, **query: Any) -> dict[str, str | None]:
    path = f"/dags/{ti.dag_id}/dagRuns/{ti.run_id}/taskInstances/{ti.task_id}/links"
    answer = api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, str | None] = answer.json()["extra_links"]
    return found


REAL = "arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/"


def test_a_task_on_a_local_ecs_has_no_link_to_aws(running: Any, cloudwatch: Any, api: TestClient) -> None:
    assert links_of(api, running) == {"ECS task": None, "Container log": None}


@pytest.fixture
def as_on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take no notice of the endpoint, which is the local ECS's."""
    monkeypatch.setattr("ecs_async_executor.ui.console.configured_endpoint", lambda: None)
    monkeypatch.setattr("ecs_async_executor.ui.console.is_aws_endpoint", lambda _: True)


def test_the_links_lead_to_each_trys_own_task(
    running: Any, cloudwatch: Any, api: TestClient, as_on_aws: None, ecs: Control
) -> None:
    set_row(running, external_executor_id=f"{REAL}first")
    with create_session(scoped=False) as session:
        session.get_one(TaskInstance, running.id).prepare_db_for_next_try(session)
    (again,) = task_instances()
    set_row(again, try_number=2, external_executor_id=f"{REAL}second")
    for query, task in (({}, "second"), ({"try_number": 1}, "first"), ({"try_number": 2}, "second")):
        found = links_of(api, running, **query)
        assert f"/clusters/my-cluster/tasks/{task}/configuration" in str(found["ECS task"])
        assert "eu-central-1.console.aws.amazon.com" in str(found["Container log"])


def test_the_log_link_leads_to_the_stream(
    running: Any, cloudwatch: Any, api: TestClient, as_on_aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecs_async_executor.ui.console._EXAMPLE_ACCOUNTS", frozenset())
    # On a busy machine, a second isn't enough to learn the stream's name.
    monkeypatch.setattr(links, "WAIT", 60.0)
    task = running.external_executor_id.rpartition("/")[2]
    found = links_of(api, running)
    assert str(found["Container log"]).endswith(
        f"$252Fecs$252Fairflow-task/log-events/ecs$252Fairflow$252F{task}"
    )


@pytest.mark.parametrize("external_id", [None, "a-pod-of-kubernetes", "01a21c24-79d8-7128-884c-5e6dceebeffc"])
def test_a_task_that_ran_elsewhere_or_not_yet_has_no_link(
    running: Any, cloudwatch: Any, api: TestClient, external_id: str | None
) -> None:
    set_row(running, external_executor_id=external_id)
    assert links_of(api, running) == {"ECS task": None, "Container log": None}


def test_both_links_cost_one_query(running: Any, cloudwatch: Any) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    from airflow import settings  # noqa: PLC0415  its engine exists only once the database does

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        for link in links.LINKS:
            link.get_link(None, ti_key=running.key)
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
    assert len(statements) == 1


def test_a_database_that_fails_leaves_the_page_without_links(
    running: Any, cloudwatch: Any, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> str:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(links, "read_external_id", fail)
    assert links_of(api, running) == {"ECS task": None, "Container log": None}
