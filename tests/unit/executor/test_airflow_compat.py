from __future__ import annotations

from typing import Any

import pytest
from airflow.executors.base_executor import BaseExecutor

from ecs_async_executor.executor import airflow_compat
from tests.support.workloads import callback_workload, task_workload


class Executor(BaseExecutor):
    """The base class has all that these functions need."""


@pytest.fixture
def executor() -> Executor:
    return Executor()


def test_a_workload_is_popped_from_the_queue_that_holds_it(executor: Executor) -> None:
    task, callback = task_workload(), callback_workload()
    keys = airflow_compat.key_of(executor, task), airflow_compat.key_of(executor, callback)
    executor.queued_tasks[task.ti.key] = task
    executor.queued_callbacks[keys[1]] = callback  # type: ignore[index]  # a str before 3.3
    assert airflow_compat.is_queued(executor, keys[0])
    for key in (*keys, "unknown"):
        airflow_compat.pop_queued(executor, key)
    assert not executor.queued_tasks
    assert not executor.queued_callbacks
    assert not airflow_compat.is_queued(executor, keys[0])


def test_the_queues_of_airflow_3_4_work_as_well() -> None:
    class Later(Executor):
        executor_queues: Any

        def get_task_key(self, ti: Any) -> str:
            return f"uuid of {ti.task_id}"

    later, task = Later(), task_workload()
    key = airflow_compat.key_of(later, task)
    assert key == "uuid of task"
    later.executor_queues = {"tasks": {key: task}, "callbacks": {}}
    assert airflow_compat.is_queued(later, key)
    airflow_compat.pop_queued(later, key)
    assert not airflow_compat.is_queued(later, key)
