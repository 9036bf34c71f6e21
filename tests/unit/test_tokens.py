"""No workload's token leaves by a text that AWS, a container runtime or a shell has written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from ecs_async_executor.engine.diagnosis.call_failures import classify, classify_run_task_failure
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.engine.diagnosis.stopped_tasks import judge
from ecs_async_executor.engine.responses import Container, Task, TaskFailure
from ecs_async_executor.logs.lines import shown
from ecs_async_executor.tokens import without_tokens

TOKEN = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIwMWEyMWMyNCJ9.c2lnbmF0dXJlLW9mLWl0"
TEXT = f"exec: python -m airflow {{'token':'{TOKEN}'}}: not found"


def _of_aws(code: str) -> str:
    answer = {"Error": {"Code": code, "Message": TEXT}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return str(classify(ClientError(answer, "RunTask")).diagnosis)


def _of_a_stopped_task(**more: str) -> str:
    container = Container(name="airflow", exit_code=None, reason=TEXT)
    task = Task("arn", "STOPPED", containers=(container,), **more)  # type: ignore[arg-type]  # texts only
    return str(judge(task, "airflow").diagnosis)


@pytest.mark.parametrize(
    "show",
    [
        lambda: without_tokens(TEXT),
        lambda: shown({"timestamp": 0, "message": TEXT}),
        lambda: text_of(RuntimeError(TEXT)),
        lambda: _of_aws("InvalidParameterException"),
        lambda: _of_aws("AccessDeniedException"),
        lambda: str(classify_run_task_failure(TaskFailure(reason="OTHER", detail=TEXT)).diagnosis),
        lambda: _of_a_stopped_task(stopped_reason=f"CannotStartContainerError: {TEXT}"),
        lambda: _of_a_stopped_task(stop_code="UserInitiated", stopped_reason=TEXT),
    ],
)
def test_a_token_is_replaced_and_the_rest_stays(show: Callable[[], str]):
    text = show()
    assert TOKEN not in text
    assert "***" in text
    assert "python -m airflow" in text


def test_a_text_without_a_token_stays_as_it_is():
    assert without_tokens("eyJ is how tokens begin") == "eyJ is how tokens begin"


@pytest.mark.parametrize("before", ["", " ", "\\n", "x_", "%3D", "token=", "é", '"', "/"])
@pytest.mark.parametrize("after", ["", " ", "\\n", "%22", '"', "}", "."])
def test_a_token_is_found_whatever_stands_beside_it(before: str, after: str):
    assert TOKEN not in without_tokens(f"{before}{TOKEN}{after}")
