"""RunTask: checks clientTokens, rejects requests, and creates tasks."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

from ecs_async_executor.local.api.answers import Answer, task_answer
from ecs_async_executor.local.api.describe import brief, encoded
from ecs_async_executor.local.api.fit import check_fit
from ecs_async_executor.local.conditions.faults import ERRORS, NO_CAPACITY, NO_ROOM, Stage, bend
from ecs_async_executor.local.conditions.match import launch_of
from ecs_async_executor.local.rules.limits import check_run_task
from ecs_async_executor.local.rules.protocol import AwsError
from ecs_async_executor.local.state.lifecycle import ContainerEnd, Timeline
from ecs_async_executor.local.state.store import Task, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ecs_async_executor.local.conditions.match import Launch
    from ecs_async_executor.local.ecs import Ecs
    from ecs_async_executor.local.state.definitions import TaskDefinition
    from ecs_async_executor.local.state.lifecycle import Course
    from ecs_async_executor.local.state.store import Cluster


def run_task(ecs: Ecs, params: dict[str, Any], now: float) -> Answer:
    """Launch `count` tasks, or repeat the response to the same clientToken."""
    cluster = ecs.store.cluster(params.get("cluster"))
    token = params.get("clientToken", "")
    fingerprint = _fingerprint(params)
    known = cluster.token(token, now) if token else None
    if known is not None:
        return _replay(known, fingerprint, now)
    check_run_task(params)
    definition = ecs.registry.find(params["taskDefinition"], "TaskDefinition not found.")
    if not definition.is_active:
        raise AwsError("ClientException", "TaskDefinition is inactive")
    provider = provider_of(params, cluster)
    check_fit(params, definition, provider)
    count = params.get("count", 1)
    _check_task_limit(ecs, count, now)
    launch = launch_of(params)
    refusal = ecs.conditions.faults.first(Stage.INSTEAD, "RunTask", launch)
    if refusal is not None and refusal.kind == "empty_answer":
        return task_answer([], [], "empty")
    if refusal is not None:
        fitting, reason = 0, refusal.reason or NO_CAPACITY
    else:
        fitting, reason = _fitting(ecs, cluster, count, now), NO_ROOM
    tasks = tuple(_launch(ecs, cluster, definition, params, launch, now) for _ in range(fitting))
    failures = (_failure(ecs, cluster, reason),) * (count - fitting) if fitting < count else ()
    if token:
        cluster.tokens[token] = Token(fingerprint, tasks, failures, now)
    return task_answer(
        [encoded(task, now, tags=True) for task in tasks], failures, "failures" if failures else "ok"
    )


def provider_of(params: Mapping[str, Any], cluster: Cluster) -> str:
    """Return the resulting launch type, or capacity provider (the one with the highest weight), of a request."""
    if launch_type := params.get("launchType"):
        return str(launch_type)
    strategy = params.get("capacityProviderStrategy") or cluster.default_strategy
    if not strategy:
        return "EC2"
    return str(max(strategy, key=lambda item: item.get("weight", 0))["capacityProvider"])


def _fingerprint(params: Mapping[str, Any]) -> bytes:
    """Return a digest that is equal for two requests exactly if their parameters, except the token, are equal."""
    rest = {key: value for key, value in params.items() if key != "clientToken"}
    return hashlib.blake2b(json.dumps(rest, sort_keys=True).encode(), digest_size=16).digest()


def _replay(known: Token, fingerprint: bytes, now: float) -> Answer:
    if known.fingerprint != fingerprint:
        raise AwsError(
            "ConflictException",
            "The request with this clientToken was made with different parameters.",
            resourceIds=[task.arn for task in known.tasks],
        )
    shown = [
        brief(task, now) if task.timeline.stopped_at <= now else encoded(task, now, tags=True)
        for task in known.tasks
    ]
    return task_answer(shown, known.failures, "replayed")


def _check_task_limit(ecs: Ecs, count: int, now: float) -> None:
    limit = ecs.conditions.task_limit
    if limit is None:
        return
    if _alive(ecs.store.all_tasks(), now) + count > limit:
        code, status, message = ERRORS["task_limit"]
        raise AwsError(code, message, status)


def _fitting(ecs: Ecs, cluster: Cluster, count: int, now: float) -> int:
    """Return how many of `count` tasks fit into a cluster; a task takes its place until it is STOPPED."""
    room = ecs.conditions.room
    return count if room is None else max(0, min(count, room - _alive(cluster.tasks.values(), now)))


def _alive(tasks: Iterable[Task], now: float) -> int:
    return sum(task.timeline.stopped_at > now for task in tasks)


def _failure(ecs: Ecs, cluster: Cluster, reason: str) -> dict[str, str]:
    """Return an entry of failures[]; only failures of a container instance name one."""
    if not reason.startswith(("RESOURCE:", "AGENT", "ATTRIBUTE", "LOCATION")):
        return {"reason": reason}
    instance = cluster.arn.replace(":cluster/", ":container-instance/")
    return {"arn": f"{instance}/{ecs.rng.getrandbits(128):032x}", "reason": reason}


def _launch(  # noqa: PLR0913,PLR0917  everything a task consists of
    ecs: Ecs,
    cluster: Cluster,
    definition: TaskDefinition,
    params: Mapping[str, Any],
    launch: Launch,
    now: float,
) -> Task:
    course = ecs.plan.course(launch, ecs.rng)
    for fault in ecs.conditions.faults.draw(Stage.COURSE, "RunTask", launch):
        course = bend(course, fault)
    task_id = uuid.uuid4().hex
    arn = ecs.store.task_arn(cluster, task_id)
    provider = provider_of(params, cluster)
    containers = _container_names(definition, course)
    task = Task(
        id=task_id,
        arn=arn,
        sequence=ecs.store.next_sequence(),
        cluster=cluster.name,
        definition=definition,
        main=definition.main_of(params.get("overrides", {})),
        containers=containers,
        timeline=Timeline(now, ends=(ContainerEnd(),) * len(containers)),
        course=course,
        static=_static(arn, cluster, definition, params, provider),
        started_by=params.get("startedBy", ""),
        client_token=params.get("clientToken", ""),
        tags=_tags(params, definition),
    )
    cluster.add(task, now)
    ecs.runtime.start(task, now)
    return task


def _tags(params: Mapping[str, Any], definition: TaskDefinition) -> list[dict[str, str]]:
    """Return the task's tags: the request's, and before them the task definition's if they are propagated."""
    propagated = definition.tags if params.get("propagateTags") == "TASK_DEFINITION" else ()
    return list({tag["key"]: dict(tag) for tag in [*propagated, *params.get("tags", [])]}.values())


def _container_names(definition: TaskDefinition, course: Course) -> tuple[str, ...]:
    """Return the task's containers: its definition's, and those a fault injects, as AWS injects its agents."""
    names = [container.name for container in definition.containers]
    injected = dict.fromkeys((*course.ends, *filter(None, [course.failed_container])))
    return (*names, *(name for name in injected if name not in names))


def _echo(overrides: Mapping[str, Any], definition: TaskDefinition) -> dict[str, Any]:
    """Return the overrides as ECS shows them, with an entry for every container."""
    given = list(overrides.get("containerOverrides", []))
    named = {override["name"] for override in given}
    rest = [{"name": container.name} for container in definition.containers if container.name not in named]
    return {"inferenceAcceleratorOverrides": [], **overrides, "containerOverrides": given + rest}


def _static(
    arn: str, cluster: Cluster, definition: TaskDefinition, params: Mapping[str, Any], provider: str
) -> dict[str, Any]:
    overrides = params.get("overrides", {})
    document: dict[str, Any] = {
        "taskArn": arn,
        "clusterArn": cluster.arn,
        "taskDefinitionArn": definition.arn,
        "group": params.get("group", f"family:{definition.family}"),
        "cpu": overrides.get("cpu", definition.document.get("cpu", "256")),
        "memory": overrides.get("memory", definition.document.get("memory", "512")),
        "enableExecuteCommand": params.get("enableExecuteCommand", False),
        "availabilityZone": "local-1a",
        "healthStatus": "UNKNOWN",
        "attachments": _attachments(arn, params),
        "attributes": [],
        "overrides": _echo(overrides, definition),
    }
    if "startedBy" in params:
        document["startedBy"] = params["startedBy"]
    fargate = provider.startswith("FARGATE")
    if fargate:
        document |= {"platformVersion": params.get("platformVersion", "1.4.0"), "platformFamily": "Linux"}
    if provider in {"EC2", "EXTERNAL", "MANAGED_INSTANCES"} or params.get("launchType"):
        document["launchType"] = provider
    else:
        document |= {"capacityProviderName": provider, "launchType": "FARGATE" if fargate else "EC2"}
    return document


def _attachments(arn: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    subnets = params.get("networkConfiguration", {}).get("awsvpcConfiguration", {}).get("subnets", [])
    if not subnets:
        return []
    details = [{"name": "subnetId", "value": subnets[0]}]
    return [{"id": arn[-8:], "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}]
