"""Makes runs: of workloads that Airflow hands over, and of rows whose scheduler is gone."""

from __future__ import annotations

import uuid
from sys import intern
from typing import Any

import jwt
from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteCallback, ExecuteTask

from ecs_async_executor.config.profiles import Profiles
from ecs_async_executor.executor.adoption import parse_external_id
from ecs_async_executor.executor.airflow_compat import key_of, key_of_row
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.launch_id import is_run_id
from ecs_async_executor.messages import Launched, Recovery


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
    committed = None if stale_id or not is_run_id(ti.external_executor_id) else ti.external_executor_id
    return Run(
        committed or (str(uuid.uuid4()) if stale_id else _token_id(workload.token)),
        key,
        _label(ti),
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
        _label(ti),
        None,
        ti_id=ti.id,
        try_number=ti.try_number,
        queue=intern(ti.queue),
        id_committed=True,
        number=adopted.number,
        own_ids=frozenset({ti.external_executor_id}),
    )
    if adopted.arn is not None:
        run.adopted_by_arn = True
        template = profiles.of(run.queue).template
        cluster = adopted.cluster or template.cluster
        run.launched = Launched(run.run_id, run.number, adopted.arn, cluster, template.container)
    else:
        run.recovery = Recovery.SEARCH if ti.state == "queued" else Recovery.SEARCH_ONLY
        run.shows_launch = run.recovery is Recovery.SEARCH and profiles.of(run.queue).standby > 0
    return run


def _label(ti: Any) -> str:
    """Return a readable name for a task instance, a row or a workload's."""
    mapped = f"[{ti.map_index}]" if ti.map_index >= 0 else ""
    return f"{ti.dag_id}.{ti.task_id}{mapped} of {ti.run_id}, try {ti.try_number}"


def _token_id(token: str) -> str:
    """Return the token's `jti`, a UUID that is unique per queueing as well, for when core has committed none.

    Core commits none in `dag.test`, for executors configured by their class path, and for callbacks.
    """
    try:
        return str(uuid.UUID(jwt.decode(token, options={"verify_signature": False})["jti"]))
    except (
        jwt.InvalidTokenError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
    ):  # no token, or no UUID in it
        return str(uuid.uuid4())
