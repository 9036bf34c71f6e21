"""Every action except RunTask, and the table of all actions."""

from __future__ import annotations

import base64
import binascii
import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

from ecs_async_executor.local.api.answers import Answer, json_answer, task_answer
from ecs_async_executor.local.api.describe import describe, encoded
from ecs_async_executor.local.api.run_task import run_task
from ecs_async_executor.local.conditions.faults import Stage
from ecs_async_executor.local.rules.limits import stop_problems, tag_problems
from ecs_async_executor.local.rules.protocol import invalid, raise_first
from ecs_async_executor.task_arn import TaskArn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ecs_async_executor.local.ecs import Ecs
    from ecs_async_executor.local.state.store import Cluster, Task

    Action: TypeAlias = Callable[[Ecs, dict[str, Any], float], Answer]

# Amazon ECS API Reference, "DescribeTasks" and "ListTasks".
MAX_DESCRIBED = 100
MAX_PAGE = 100
_TASK_ID_LENGTHS = (32, 36)
"""New ids have 32 characters, those of old accounts are UUIDs. AWS's message names both lengths."""
# ListTasks documents that startedBy excludes other filters, but AWS accepts desiredStatus in practice.
_BESIDE_STARTED_BY = frozenset({"cluster", "startedBy", "desiredStatus", "maxResults", "nextToken"})


def describe_tasks(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Describe up to 100 tasks as of `consistency_lag` ago; tasks that didn't exist then are MISSING."""
    cluster = ecs.store.cluster(params.get("cluster"))
    names = params["tasks"]
    if not names:
        raise invalid("Tasks cannot be empty.")
    if len(names) > MAX_DESCRIBED:
        raise invalid(f"Tasks cannot have more than {MAX_DESCRIBED} elements.")
    seen_at = ecs.seen_at(now)
    tags = "TAGS" in params.get("include", [])
    shown, failures = [], []
    for name in names:
        task = _find(ecs, cluster, name)
        if task is None or task.timeline.created_at > seen_at or task.gone(now):
            failures.append({"arn": _arn(ecs, cluster, name), "reason": "MISSING"})
        else:
            shown.append(encoded(task, seen_at, tags=tags))
    if shown and ecs.conditions.faults.first(Stage.RECORD, "DescribeTasks", None):
        shown[0] = b'{"taskArn": 7, "lastStatus": {}, "containers": "malformed"}'
        return task_answer(shown, failures, "malformed_task")
    return task_answer(shown, failures)


def list_tasks(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """List a page of a cluster's task ARNs, in order of creation."""
    cluster = ecs.store.cluster(params.get("cluster"))
    size = params.get("maxResults", MAX_PAGE)
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"maxResults must be between 1 and {MAX_PAGE}.")
    if "startedBy" in params and not params.keys() <= _BESIDE_STARTED_BY:
        raise invalid("cannot specify startedBy with other arguments")
    after = _read_token(params["nextToken"]) if params.get("nextToken") else 0
    page = list(itertools.islice(_matching(ecs, cluster, params, now, after), size + 1))
    document: dict[str, Any] = {"taskArns": [task.arn for task in page[:size]]}
    if len(page) > size:
        document["nextToken"] = base64.urlsafe_b64encode(str(page[size - 1].sequence).encode()).decode()
    return json_answer(document)


def _matching(
    ecs: Ecs, cluster: Cluster, params: Mapping[str, Any], now: float, after: int
) -> Iterable[Task]:
    """Yield the tasks that match a ListTasks request; none runs on an instance or in a service here."""
    if params.keys() & {"containerInstance", "serviceName", "daemonName"}:
        return
    seen_at = ecs.seen_at(now)
    desired = params.get("desiredStatus", "RUNNING")
    family = params.get("family")
    launch_type = params.get("launchType")
    for task in cluster.after(after, params.get("startedBy")):
        timeline = task.timeline
        if (
            timeline.created_at <= seen_at
            and timeline.desired_status(seen_at) == desired
            and family in {None, task.definition.family}
            and launch_type in {None, task.static["launchType"]}
            and not task.gone(now)
        ):
            yield task


def _read_token(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise invalid("Invalid token in request.") from None


def stop_task(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Ask a task to stop and return at once; repeating this changes nothing."""
    raise_first(stop_problems(params))
    task = _known(ecs, ecs.store.cluster(params.get("cluster")), params["task"], now)
    task.tags.clear()  # "Any tags associated with the task will be deleted": API Reference, "StopTask"
    task.described = None
    ecs.runtime.stop(task, now, ("UserInitiated", params.get("reason") or "Task stopped by user"))
    return json_answer({"task": describe(task, ecs.clock(), tags=False)})


def tag_resource(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Tag a task; other resources have no tags here."""
    arn = params["resourceArn"]
    if ":task/" not in arn:
        raise invalid("The local ECS tags tasks only.")
    task = _known(ecs, ecs.store.cluster(arn.rpartition("/")[0].rpartition("/")[2]), arn, now)
    tags = {tag.get("key", ""): tag for tag in [*task.tags, *params["tags"]]}
    raise_first(tag_problems(list(tags.values())))
    task.tags[:] = tags.values()
    task.described = None
    return json_answer({})


def describe_clusters(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Describe clusters and count their tasks; unknown clusters are MISSING."""
    shown, failures = [], []
    for name in params.get("clusters") or ["default"]:
        cluster = ecs.store.clusters.get(name.rpartition("/")[2])
        if cluster is None:
            arn = name if name.startswith("arn:") else ecs.store.cluster_arn(name)
            failures.append({"arn": arn, "reason": "MISSING"})
        else:
            shown.append(_cluster(cluster, now))
    return json_answer({"clusters": shown, "failures": failures})


def _cluster(cluster: Cluster, now: float) -> dict[str, Any]:
    statuses = [task.timeline.last_status(now) for task in cluster.tasks.values()]
    providers = [item["capacityProvider"] for item in cluster.default_strategy]
    return {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": statuses.count("RUNNING"),
        "pendingTasksCount": sum(status in {"PROVISIONING", "PENDING", "ACTIVATING"} for status in statuses),
        "activeServicesCount": 0,
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    }


def register_task_definition(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Register the next revision of a family."""
    definition = ecs.registry.register(params, now)
    return json_answer({"taskDefinition": definition.document, "tags": params.get("tags", [])})


def deregister_task_definition(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Make a revision INACTIVE at once; AWS takes up to ten minutes (API Reference, "DeregisterTaskDefinition")."""
    return json_answer({"taskDefinition": ecs.registry.deregister(params["taskDefinition"], now).document})


def list_task_definition_families(ecs: Ecs, params: dict[str, Any], _now: float) -> Answer:
    """List a page of the families that begin with `familyPrefix`; those with an active revision if `status` says so."""
    size = params.get("maxResults", MAX_PAGE)
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"maxResults must be between 1 and {MAX_PAGE}.")
    families = ecs.registry.families(params.get("familyPrefix", ""), params.get("status", "ALL"))
    start = _read_token(params["nextToken"]) if params.get("nextToken") else 0
    document: dict[str, Any] = {"families": families[start : start + size]}
    if len(families) > start + size:
        document["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return json_answer(document)


def describe_task_definition(ecs: Ecs, params: dict[str, Any], _now: float) -> Answer:
    """Describe a revision; its tags only if `include` asks for them."""
    definition = ecs.registry.find(params["taskDefinition"])
    tags = list(definition.tags) if "TAGS" in params.get("include", []) else []
    return json_answer({"taskDefinition": definition.document, "tags": tags})


def _known(ecs: Ecs, cluster: Cluster, name: str, now: float) -> Task:
    task = _find(ecs, cluster, name)
    if task is None or task.gone(now):
        raise invalid("The referenced task was not found.")
    return task


def _find(ecs: Ecs, cluster: Cluster, name: str) -> Task | None:
    if len(name.rpartition("/")[2]) not in _TASK_ID_LENGTHS:
        raise invalid(f"taskId length should be one of [{','.join(map(str, _TASK_ID_LENGTHS))}]")
    if name.startswith("arn:") and not name.startswith(ecs.store.task_arn(cluster, "")):
        _check_place(ecs, cluster, TaskArn.parse(name))
    return cluster.find(name)


def _check_place(ecs: Ecs, cluster: Cluster, arn: TaskArn | None) -> None:
    """Refuse an ARN of another Region, account or cluster: one of them spoils a whole DescribeTasks call.

    The words are AWS's: aws/aws-cli#3175, aws-actions/amazon-ecs-deploy-task-definition#261, aws/aws-toolkit-vscode#2915.
    """
    if arn is None:
        return
    if arn.region != ecs.store.region:
        raise invalid("Invalid Region in ARN")
    if arn.account != ecs.store.account:
        raise invalid(f"Identifier is for {arn.account}. Your accountId is {ecs.store.account}")
    if arn.cluster not in {None, cluster.name}:
        raise invalid(
            f"Invalid identifier: Identifier is for cluster {arn.cluster}. Your cluster is {cluster.name}"
        )


def _arn(ecs: Ecs, cluster: Cluster, name: str) -> str:
    return name if name.startswith("arn:") else ecs.store.task_arn(cluster, name)


ACTION_FUNCTIONS: Mapping[str, Action] = {
    "RunTask": run_task,
    "DescribeTasks": describe_tasks,
    "StopTask": stop_task,
    "ListTasks": list_tasks,
    "DescribeClusters": describe_clusters,
    "RegisterTaskDefinition": register_task_definition,
    "DescribeTaskDefinition": describe_task_definition,
    "DeregisterTaskDefinition": deregister_task_definition,
    "ListTaskDefinitionFamilies": list_task_definition_families,
    "TagResource": tag_resource,
}
