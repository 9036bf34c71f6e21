"""How a standby that ended without a workload is judged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.engine.diagnosis.standbys import of_standby
from ecs_async_executor.engine.diagnosis.stopped_tasks import Verdict, judge
from ecs_async_executor.engine.responses import parse_tasks
from ecs_async_executor.standby.command import BROKEN, LEFT, NO_ACCESS, object_url

NONCE = "0123456789abcdef" * 2
URL = object_url("s3://bucket/standby/airflow/", NONCE)


def verdict(exit_code: int | None, **task: Any) -> Verdict:
    """Judge a standby's task as the engine does."""
    container = {"name": "airflow"} if exit_code is None else {"name": "airflow", "exitCode": exit_code}
    document = {
        "taskArn": "arn:1",
        "lastStatus": "STOPPED",
        "startedAt": 1.0,
        "containers": [container],
        **task,
    }
    stopped = parse_tasks(json.dumps({"tasks": [document]}).encode()).tasks[0]
    return of_standby(judge(stopped, "airflow"), URL, "cn-north-1")


@pytest.mark.parametrize(
    ("code", "summary", "remedy"),
    [
        (LEFT, "The standby ended before it had a workload.", "its log says why"),
        (NO_ACCESS, "The standby can't read its lease in S3.", '"arn:aws-cn:s3:::bucket/standby/airflow/*"'),
        (BROKEN, "The standby can't import Airflow or botocore.", "which module can't be imported"),
    ],
)
def test_a_code_of_its_own_says_why_it_never_ran_a_task(code: int, summary: str, remedy: str) -> None:
    found = verdict(
        code, stoppedReason="Essential container in task exited", stopCode="EssentialContainerExited"
    )
    assert (found.ran, found.permanent, found.capacity, found.unexplained) == (False, False, False, False)
    assert found.exit_code == code
    assert found.diagnosis.summary == summary
    assert remedy in found.diagnosis.remedy
    assert f"exit code {code}" in found.diagnosis.detail


@pytest.mark.parametrize("code", [LEFT, NO_ACCESS, BROKEN])
def test_the_name_of_its_object_is_not_shown(code: int) -> None:
    assert NONCE not in repr(verdict(code))


def test_one_that_was_stopped_or_interrupted_says_so_and_never_ran_a_task() -> None:
    stopped = verdict(LEFT, stopCode="UserInitiated", stoppedReason="by the executor")
    assert (stopped.ran, stopped.diagnosis.summary) == (
        False,
        'StopTask stopped the task: "by the executor".',
    )
    reclaimed = verdict(LEFT, stopCode="SpotInterruption")
    assert (reclaimed.ran, reclaimed.interrupted) == (False, True)


@pytest.mark.parametrize("code", [0, 1, 69, 75, 137, 143])
def test_with_any_other_code_its_task_may_have_run(code: int) -> None:
    assert verdict(code).ran


def test_without_an_exit_code_it_is_judged_as_any_task() -> None:
    assert verdict(None).ran
    assert not verdict(None, startedAt=None).ran
