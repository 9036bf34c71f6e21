"""Hides the differences between Airflow versions.

The oldest supported version is apache-airflow-core 3.2.2.
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib import import_module
from typing import Any

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteCallback, ExecuteTask

CAN_RUN_CALLBACKS = hasattr(BaseExecutor, "run_workload")
"""Since 3.3, `execute_workload` can run callbacks in a container."""

_QUEUES = ("queued_tasks", "queued_callbacks", "queued_connection_tests")


def supported_workload_types() -> frozenset[Any]:
    """Return the workload types that 3.4 asks for instead of `supports_callbacks`."""
    try:
        kinds: Any = import_module("airflow.executors.workloads.base").WorkloadType  # new in 3.4
    except AttributeError:
        return frozenset()
    return frozenset({kinds.EXECUTE_TASK, kinds.EXECUTE_CALLBACK})


def key_of(executor: BaseExecutor, workload: Any) -> Hashable:
    """Return the base class's key for a workload; raise `AttributeError` if it has none."""
    key: Hashable
    if isinstance(workload, ExecuteTask):
        key = key_of_row(executor, workload.ti)
    elif isinstance(workload, ExecuteCallback):
        key = workload.callback.key if hasattr(workload.callback, "key") else workload.callback.id
    else:
        key = workload.key
    return key


def key_of_row(executor: BaseExecutor, ti: Any) -> Hashable:
    """Return the base class's key for a row's workload."""
    get_task_key = getattr(executor, "get_task_key", None)  # new in 3.4
    key: Hashable = get_task_key(ti) if get_task_key else ti.key
    return key


def pop_queued(executor: BaseExecutor, key: Hashable) -> None:
    """Remove a workload from whichever of the base class's queues holds it."""
    queues = getattr(executor, "executor_queues", None)  # new in 3.4
    if queues is not None:
        for queue in queues.values():
            queue.pop(key, None)
        return
    for name in _QUEUES:
        if queue := getattr(executor, name, None):
            queue.pop(key, None)


def is_queued(executor: BaseExecutor, key: Hashable) -> bool:
    """Return whether the base class still holds a workload of this key that it hasn't handed over."""
    queues = getattr(executor, "executor_queues", None)  # new in 3.4
    return (
        any(key in queue for queue in queues.values()) if queues is not None else key in executor.queued_tasks
    )


def count_queued(executor: BaseExecutor) -> int:
    """Return how many workloads the base class holds that it hasn't handed over."""
    queues = getattr(executor, "executor_queues", None)  # new in 3.4
    if queues is not None:
        return sum(len(queue) for queue in queues.values())
    return sum(len(getattr(executor, name, ())) for name in _QUEUES)
