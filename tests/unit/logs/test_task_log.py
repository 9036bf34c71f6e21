"""One reader for a process, whichever instance of the executor asks. The pages themselves: tests/airflow/test_task_logs.py."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.configuration import conf

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.logs import task_log
from ecs_async_executor.logs.duplicates import without_duplicates
from ecs_async_executor.logs.lines import notice, shown
from ecs_async_executor.logs.reader import Page


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test read its own options."""
    monkeypatch.setattr(task_log, "_readers", {})
    monkeypatch.setattr(task_log, "_options", {})
    monkeypatch.setenv("AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME", "mine")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_LOG_LINES", "7")


class Row:
    external_executor_id: Any = "arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/abc"


def test_all_instances_of_the_executor_share_one_reader() -> None:
    assert task_log.reader_for(AsyncEcsExecutor().conf) is task_log.reader_for(AsyncEcsExecutor().conf)


def test_an_api_server_needs_no_valid_configuration_to_show_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "many")
    options = task_log.options_of(conf)
    assert (options.container_name, options.task_log_lines, options.conn_id) == ("mine", 7, "aws_default")


@pytest.mark.parametrize(
    ("external_id", "words"),
    [
        (None, "shows no ECS task for this try"),
        ("some-pod", "shows no ECS task for this try"),
        ("01a21c24-79d8-7128-884c-5e6dceebeffc", "has not written the ECS task's ARN"),
        ("01a21c2479d87128884c5e6dceebeffc-003", "has not written the ECS task's ARN"),
        (5, "can't be read: TypeError"),
    ],
)
def test_a_row_without_an_arn_is_reported_and_never_an_error(external_id: Any, words: str) -> None:
    row = Row()
    row.external_executor_id = external_id
    sources, lines = AsyncEcsExecutor().get_task_log(row, 1)  # type: ignore[arg-type]  # all that is read of a row
    assert words in sources[0]
    assert words in lines[0]


class CloudWatchRemoteLogIO:
    """Named as the provider's class, which is what is looked at."""


def test_a_live_remote_log_has_airflows_lines_so_only_the_others_are_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflows = '{"timestamp":"2026-11-27T08:34:51.072749Z","level":"info","event":"x","logger":"task"}'
    crash, ours = shown({"timestamp": 1, "message": "exec format error"}), notice("slow")
    lines = (airflows, crash, ours)
    monkeypatch.setattr("airflow.logging_config.get_remote_task_log", lambda: None)
    assert without_duplicates(lines, Row(), 1) == [*lines]
    monkeypatch.setattr("airflow.logging_config.get_remote_task_log", CloudWatchRemoteLogIO)
    assert without_duplicates(lines, Row(), 1) == [crash, ours]


def test_sources_are_never_empty_because_airflow_would_then_ask_the_container_for_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent:
        def read(self, _arn: Any) -> Page:
            return Page()

    monkeypatch.setattr(task_log, "reader_for", lambda _: Silent())
    sources, lines = AsyncEcsExecutor().get_task_log(Row(), 1)  # type: ignore[arg-type]  # as above
    assert sources == [f"ECS task {Row.external_executor_id}"]
    assert lines == []


def test_the_options_are_read_again_for_each_team(monkeypatch: pytest.MonkeyPatch) -> None:
    class Team:
        team_name = "one"

        def get(self, _section: str, key: str, *, fallback: str | None) -> str | None:
            return {"container_name": "of-team"}.get(key, fallback)

    assert task_log.options_of(conf).container_name == "mine"
    assert task_log.options_of(Team()).container_name == "of-team"
