"""Hides the differences between Airflow versions, and makes runs of Airflow's objects.

The oldest supported version is apache-airflow-core 3.2.2.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Hashable
from importlib import import_module
from sys import intern
from typing import Any

import jwt
from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteCallback, ExecuteTask

from ecs_async_executor.config.profiles import Profiles
from ecs_async_executor.executor.adoption import parse_external_id
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Launched, Recovery

CAN_RUN_CALLBACKS = hasattr(BaseExecutor, "run_workload")
"""Since 3.3, `execute_workload` can run callbacks in a container."""

_QUEUES = ("queued_tasks", "queued_callbacks", "queued_connection_tests")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


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


def label_of(ti: Any) -> str:
    """Return a readable name for a task instance, a row or a workload's."""
    mapped = f"[{ti.map_index}]" if ti.map_index >= 0 else ""
    return f"{ti.dag_id}.{ti.task_id}{mapped} of {ti.run_id}, try {ti.try_number}"


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


def make_run(executor: BaseExecutor, workload: Any, *, stale_id: bool = False) -> Run:
    """Make the run of a workload that was just queued; raise `TypeError` for unsupported types.

    `stale_id`: the row's external executor id is left over from an earlier queueing.
    """
    if not isinstance(workload, (ExecuteTask, ExecuteCallback)):
        raise TypeError(f"workloads of type {type(workload).__name__} are not supported")
    key = key_of(executor, workload)
    if isinstance(workload, ExecuteCallback):
        return Run(_token_id(workload.token), key, f"callback {workload.callback.id}", workload)
    ti = workload.ti
    committed = None if stale_id or not _is_uuid(ti.external_executor_id) else ti.external_executor_id
    return Run(
        committed or (str(uuid.uuid4()) if stale_id else _token_id(workload.token)),
        key,
        label_of(ti),
        workload,
        ti_id=ti.id,
        try_number=ti.try_number,
        queue=intern(ti.queue),
        id_committed=committed is not None,
    )


def make_orphaned_run(executor: BaseExecutor, ti: Any, profiles: Profiles) -> Run | None:
    """Make the run of a row whose scheduler is gone; None if the row doesn't say how to find it.

    The queue's profile names the container that counts, and the cluster if the ARN doesn't.
    """
    adopted = parse_external_id(ti.external_executor_id)
    if adopted is None:
        return None
    run = Run(
        adopted.run_id,
        key_of_row(executor, ti),
        label_of(ti),
        None,
        ti_id=ti.id,
        try_number=ti.try_number,
        queue=intern(ti.queue),
        id_committed=True,
        number=adopted.number,
        ids=frozenset({ti.external_executor_id}),
    )
    if adopted.arn is not None:
        run.adopted_by_arn = True
        template = profiles.of(run.queue).template
        cluster = adopted.cluster or template.cluster
        run.launched = Launched(run.run_id, run.number, adopted.arn, cluster, template.container)
    else:
        run.recovery = Recovery.SEARCH if ti.state == "queued" else Recovery.SEARCH_ONLY
    return run


def _token_id(token: str) -> str:
    """Return the token's `jti`, which is unique per queueing as well, for when core has committed no UUID.

    Core commits none in `dag.test`, for executors configured by their class path, and for callbacks.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        claims = {}
    return str(claims.get("jti") or uuid.uuid4())


def _is_uuid(value: str | None) -> bool:
    return _UUID.fullmatch(value or "") is not None
