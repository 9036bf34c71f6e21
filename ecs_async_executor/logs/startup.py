"""What a container prints if its Airflow can't find the task to run, and reschedules it. Pure.

Source: `parse` in airflow/sdk/execution_time/task_runner.py of airflow.sdk 1.3.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ecs_async_executor.messages import Diagnosis

_MISSING = {
    "Dag not found during start up": "The container has no Dag {dag_id} in {path}{bundle}.",
    "Task not found in Dag during start up": "In the container, the Dag {dag_id} in {path}{bundle} has no task {task_id}.",
}
_REMEDY = (
    "Give the container the Dags that the Dag processor has: in the image, or by the same [dag_processor] "
    "dag_bundle_config_list or [core] dags_folder. Airflow tries again after [workers] missing_dag_retry_delay seconds, "
    "missing_dag_retries times, and then fails the task."
)


def startup_failure(lines: Iterable[str]) -> Diagnosis | None:
    """Return what the last of these lines about a missing Dag says; None if there is none. `lines.shown` made them."""
    found = None
    for line in lines:
        members: Mapping[str, Any] = json.loads(line)
        summary = _MISSING.get(str(members.get("event")))
        if summary is not None:
            named = {name: members.get(name, "?") for name in ("dag_id", "path", "task_id")}
            bundle = _bundle(members.get("bundle"))
            found = Diagnosis(summary.format(**named, bundle=bundle), remedy=_REMEDY)
    return found


def _bundle(value: object) -> str:
    """Return the bundle's name: a JSON object, or the text of Airflow's `BundleInfo`."""
    name = value.get("name") if isinstance(value, Mapping) else None
    if name is None:
        return f" ({value})" if value else ""
    return f" of the bundle {name}"
