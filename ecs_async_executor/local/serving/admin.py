"""The control API under `/_local/`: a function of method, path and JSON that needs no network.

========  ==============================  ===========================================================
GET       /_local/health                  {"status": "ok", "runtime": ..., "logs": URL or null, "s3": likewise}
GET       /_local/faults                  the conditions in force (see `conditions.conditions`)
PUT       /_local/faults                  replace the conditions that the body names
POST      /_local/faults                  add one fault (see `conditions.faults`)
DELETE    /_local/faults                  remove all conditions
PUT       /_local/plan                    replace the plan (see `conditions.plan`)
PUT       /_local/clusters/<name>         {"defaultCapacityProviderStrategy": [...]}; created if missing
GET       /_local/calls                   {action: {outcome: count}}
GET       /_local/history                 {startedBy: {"tasks": launched, "ran": how many of them started}}
GET       /_local/tasks                   {"tasks": [...]}, without the values of commands and environments
POST      /_local/tasks/<id>/interrupt    {"kind": "spot" or "host"}
POST      /_local/reset                   forget tasks, conditions, plan, calls and history
========  ==============================  ===========================================================
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.api.describe import without_secrets
from ecs_async_executor.local.conditions.faults import fault_of
from ecs_async_executor.local.conditions.plan import Plan
from ecs_async_executor.local.state.lifecycle import SPOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ecs_async_executor.local.ecs import Ecs
    from ecs_async_executor.local.state.store import Started

PREFIX = "/_local/"


class UnknownPathError(Exception):
    """The path doesn't exist, or not with this method."""


def handle(ecs: Ecs, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Handle one control call.

    Raises:
        UnknownPathError: No such path or method.
        ConfigurationError: The body is wrong; nothing has changed.
    """
    head, *rest = path.removeprefix(PREFIX).rstrip("/").split("/")
    if not rest and (simple := _SIMPLE.get((method, head))):
        return simple(ecs, document)
    if (method, head, rest[1:]) == ("PUT", "clusters", []):
        return _put_cluster(ecs, rest[0], document)
    if (method, head, rest[1:]) == ("POST", "tasks", ["interrupt"]):
        return _interrupt(ecs, rest[0], document)
    raise UnknownPathError(f"There is no {method} {path}.")


def _health(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": "ok", "runtime": ecs.runtime_name, "logs": ecs.logs_url, "s3": ecs.s3_url}


def _get_faults(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    return ecs.conditions.to_json()


def _put_faults(ecs: Ecs, document: Mapping[str, Any]) -> dict[str, Any]:
    ecs.conditions.update(document, ecs.clock())
    return ecs.conditions.to_json()


def _post_fault(ecs: Ecs, document: Mapping[str, Any]) -> dict[str, Any]:
    ecs.conditions.faults.add(fault_of(document))
    return ecs.conditions.to_json()


def _delete_faults(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    ecs.conditions.clear(ecs.clock())
    return ecs.conditions.to_json()


def _put_plan(ecs: Ecs, document: Mapping[str, Any]) -> dict[str, Any]:
    ecs.plan = Plan.from_json(document, ecs.rng)
    return {}


def _calls(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    calls: dict[str, dict[str, int]] = {}
    for (action, outcome), count in ecs.calls.items():
        calls.setdefault(action, {})[outcome] = count
    return calls


def _history(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    history: dict[str, Started] = {}
    for cluster in ecs.store.clusters.values():
        cluster.count_into(history, ecs.clock())
    return {started_by: dataclasses.asdict(entry) for started_by, entry in history.items()}


def _tasks(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    now = ecs.clock()
    return {"tasks": [without_secrets(task, now) for task in ecs.store.all_tasks() if not task.gone(now)]}


def _reset(ecs: Ecs, _: Mapping[str, Any]) -> dict[str, Any]:
    ecs.reset()
    return {}


def _put_cluster(ecs: Ecs, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    strategy = document.get("defaultCapacityProviderStrategy", [])
    if not isinstance(strategy, list) or any("capacityProvider" not in item for item in strategy):
        raise ConfigurationError(
            'defaultCapacityProviderStrategy: a list of {"capacityProvider", "weight", "base"}.'
        )
    ecs.store.ensure_cluster(name).default_strategy = strategy
    return {}


def _interrupt(ecs: Ecs, task_id: str, document: Mapping[str, Any]) -> dict[str, Any]:
    kind = document.get("kind", "spot")
    if kind not in {"spot", "host"}:
        raise ConfigurationError(f"kind: {kind!r} is neither spot nor host.")
    task = next((task for task in ecs.store.all_tasks() if task.id == task_id), None)
    if task is None:
        raise UnknownPathError(f"There is no task {task_id}.")
    if kind == "spot":
        ecs.runtime.stop(task, ecs.clock(), SPOT)
    else:
        ecs.runtime.lose_host(task, ecs.clock())
    return without_secrets(task, ecs.clock())


_SIMPLE: Mapping[tuple[str, str], Callable[[Ecs, Mapping[str, Any]], dict[str, Any]]] = {
    ("GET", "health"): _health,
    ("GET", "faults"): _get_faults,
    ("PUT", "faults"): _put_faults,
    ("POST", "faults"): _post_fault,
    ("DELETE", "faults"): _delete_faults,
    ("PUT", "plan"): _put_plan,
    ("GET", "calls"): _calls,
    ("GET", "history"): _history,
    ("GET", "tasks"): _tasks,
    ("POST", "reset"): _reset,
}
