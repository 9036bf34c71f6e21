from __future__ import annotations

import uuid
from types import SimpleNamespace

import jwt
import pytest
from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.executor.airflow_compat import key_of
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.launch_id import is_run_id
from tests.support.workloads import callback_workload, task_workload, token_claims, token_generator

RUN_ID = "12345678-1234-4234-8234-123456789012"
ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"


class Executor(BaseExecutor):
    """The base class has all that these functions need."""


@pytest.fixture
def executor() -> Executor:
    return Executor()


def test_the_committed_uuid_is_the_run_id_and_counts_as_committed(executor: Executor) -> None:
    run = make_run(executor, task_workload(external_executor_id=RUN_ID, try_number=3))
    assert (run.run_id, run.id_committed, run.try_number) == (RUN_ID, True, 3)


@pytest.mark.parametrize("left_over", [None, "", ARN, "not a uuid", RUN_ID.replace("-", "")])
def test_without_a_committed_uuid_the_token_names_the_run(executor: Executor, left_over: str | None) -> None:
    token = token_generator().generate({"sub": "ti"})
    run = make_run(executor, task_workload(external_executor_id=left_over, token=token))
    assert (run.run_id, run.id_committed) == (str(uuid.UUID(token_claims(token)["jti"])), False)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not.a.token",
        *(jwt.encode({"jti": jti}, "a secret of 32 characters or more") for jti in ("mine", 7, None)),
    ],
)
def test_a_run_without_any_id_gets_a_new_one(executor: Executor, token: str) -> None:
    workload = task_workload(external_executor_id=None, token=token)
    one, two = make_run(executor, workload), make_run(executor, workload)
    assert uuid.UUID(one.run_id) != uuid.UUID(two.run_id)


def test_a_uuid_left_over_from_an_earlier_queueing_is_not_reused(executor: Executor) -> None:
    run = make_run(executor, task_workload(external_executor_id=RUN_ID), stale_id=True)
    assert run.run_id != RUN_ID
    assert not run.id_committed


def test_every_run_id_is_a_uuid(executor: Executor) -> None:
    token = token_generator().generate({"sub": "ti"})
    for workload in (task_workload(), task_workload(external_executor_id=None, token=token)):
        assert is_run_id(make_run(executor, workload).run_id)


def test_labels_are_readable(executor: Executor) -> None:
    assert make_run(executor, task_workload()).label == "dag.task of run, try 1"
    assert make_run(executor, task_workload(map_index=4)).label == "dag.task[4] of run, try 1"


def test_a_callbacks_run_is_named_by_its_token_and_has_no_task_instance(executor: Executor) -> None:
    token = token_generator().generate({"sub": "callback"})
    workload = callback_workload(token=token)
    run = make_run(executor, workload)
    assert (run.run_id, run.is_callback) == (str(uuid.UUID(token_claims(token)["jti"])), True)
    assert run.key == key_of(executor, workload)


def test_other_workloads_are_rejected(executor: Executor) -> None:
    with pytest.raises(TypeError, match="SimpleNamespace are not supported"):
        make_run(executor, SimpleNamespace())
