"""What a row adds to the diagnosis of an end: one test per entry of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.row_diagnosis import explain_by_row
from ecs_async_executor.messages import Cancelled, Diagnosis, LaunchFailed, Stopped, Terminal

WHY = Diagnosis("The container ended.", "the facts", "Look.")
ENDED = Stopped("run", 1, "arn", 0, ran=True, permanent=False, diagnosis=WHY, unexplained=True)


def row(state: str | None) -> Row:
    return Row(state, 1, "run", 7)


def test_exit_code_0_while_the_task_is_queued_means_airflow_never_started_and_never_will() -> None:
    ended = explain_by_row(ENDED, row("queued"))
    assert isinstance(ended, Stopped)
    assert ended.permanent
    assert "Airflow never started in the container" in ended.diagnosis.summary
    assert "entry point does not pass the command on" in ended.diagnosis.remedy
    assert ended.diagnosis.detail == "the facts"


@pytest.mark.parametrize("exit_code", [1, 2, 255])
def test_a_failed_container_with_a_queued_task_gets_a_diagnosis_of_what_airflow_needs_to_start(
    exit_code: int,
) -> None:
    ended = explain_by_row(replace(ENDED, exit_code=exit_code), row("queued"))
    assert isinstance(ended, Stopped)
    assert not ended.permanent
    assert f"exit code {exit_code}" in ended.diagnosis.summary
    assert "[core] execution_api_server_url" in ended.diagnosis.remedy
    assert "[api_auth] jwt_secret" in ended.diagnosis.remedy
    assert "Dags can't be set up" in ended.diagnosis.remedy
    assert "another version of Airflow" in ended.diagnosis.remedy
    assert "its log stream in CloudWatch" in ended.diagnosis.remedy


@pytest.mark.parametrize("state", ["running", "restarting", "success", None])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_once_airflow_has_started_the_task_the_row_adds_nothing(state: str | None, exit_code: int) -> None:
    ended = replace(ENDED, exit_code=exit_code)
    assert explain_by_row(ended, row(state)) is ended


@pytest.mark.parametrize(
    "ended",
    [
        replace(ENDED, unexplained=False),
        replace(ENDED, ran=False),
        LaunchFailed("run", 1, WHY, permanent=False),
        Cancelled("run"),
        None,
    ],
)
def test_an_end_that_is_already_explained_stays_as_it_is(ended: Terminal | None) -> None:
    assert explain_by_row(ended, row("queued")) is ended


def test_a_row_that_is_gone_explains_nothing() -> None:
    assert explain_by_row(ENDED, None) is ENDED


def test_explaining_an_end_twice_changes_nothing() -> None:
    once = explain_by_row(ENDED, row("queued"))
    assert explain_by_row(once, row("queued")) == once
