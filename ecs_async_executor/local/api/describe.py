"""Describes tasks as DescribeTasks does. It encodes a task once per change, so describing a hundred is cheap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_async_executor.local.state.store import Task

_TIMES = (
    ("createdAt", "created_at"),
    ("pullStartedAt", "pull_started_at"),
    ("pullStoppedAt", "pull_stopped_at"),
    ("startedAt", "started_at"),
    ("stoppingAt", "stopping_at"),
    ("executionStoppedAt", "execution_stopped_at"),
    ("stoppedAt", "stopped_at"),
)


def describe(task: Task, now: float, *, tags: bool) -> dict[str, Any]:
    """Return the Task document at `now`; its times are epoch seconds, as in ECS's JSON."""
    return {**task.static, **_changing(task, now, tags=tags)}


def encoded(task: Task, now: float, *, tags: bool) -> bytes:
    """Return `describe` as JSON, cached until the task changes."""
    key = (task.timeline.version(now), tags)
    if task.described is None or task.described[0] != key:
        changing = json.dumps(_changing(task, now, tags=tags)).encode()
        task.described = (key, b"%b, %b" % (task.static_json[:-1], changing[1:]))
    return task.described[1]


def _changing(task: Task, now: float, *, tags: bool) -> dict[str, Any]:
    timeline = task.timeline
    document: dict[str, Any] = {
        "lastStatus": timeline.last_status(now),
        "desiredStatus": timeline.desired_status(now),
        "version": timeline.version(now),
        "containers": _containers(task, now),
        "tags": task.tags if tags else [],
    }
    for name, moment in _TIMES:
        at = getattr(timeline, moment)
        if at <= now:
            document[name] = round(at, 3)
    if timeline.started_at <= now:
        document |= {"connectivity": "CONNECTED", "connectivityAt": round(timeline.started_at, 3)}
    if timeline.deactivating_at <= now:
        document |= {"stopCode": timeline.stop_code, "stoppedReason": timeline.stopped_reason}
    return document


def brief(task: Task, now: float) -> bytes:
    """Return the record a replayed clientToken gets of a stopped task ("Ensuring idempotency", ECS API Reference)."""
    timeline = task.timeline
    return json.dumps(
        {
            "taskArn": task.arn,
            "lastStatus": timeline.last_status(now),
            "desiredStatus": timeline.desired_status(now),
        }
    ).encode()


def without_secrets(task: Task, now: float) -> dict[str, Any]:
    """Return `describe` plus the clientToken, minus the values of commands and environments."""
    document = describe(task, now, tags=True)
    overrides = [_names_only(override) for override in task.overrides.get("containerOverrides", [])]
    document["overrides"] = {**task.overrides, "containerOverrides": overrides}
    return {**document, "clientToken": task.client_token}


def _names_only(override: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in override.items() if key not in {"command", "environment"}}
    if "environment" in override:
        shown["environment"] = [{"name": variable.get("name", "")} for variable in override["environment"]]
    return shown


def _containers(task: Task, now: float) -> list[dict[str, Any]]:
    timeline = task.timeline
    images = {container.name: container.image for container in task.definition.containers}
    alive = "RUNNING" if timeline.started_at <= now else "PENDING"
    shown: list[dict[str, Any]] = []
    for name, end in zip(task.containers, timeline.ends, strict=True):
        container: dict[str, Any] = {
            "containerArn": f"{task.arn.replace(':task/', ':container/')}/{name}",
            "taskArn": task.arn,
            "name": name,
            "image": images.get(name, "injected"),
            "lastStatus": "STOPPED" if end.at <= now else alive,
            "networkBindings": [],
            "networkInterfaces": [],
            "healthStatus": "UNKNOWN",
        }
        if timeline.started_at <= now:
            container["runtimeId"] = f"{task.id}-{len(shown)}"
        if end.at <= now and end.exit_code is not None:
            container["exitCode"] = end.exit_code
        if end.at <= now and end.reason:
            container["reason"] = end.reason
        shown.append(container)
    return shown
