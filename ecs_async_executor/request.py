"""Makes RunTask requests: layers of configuration merged into one body, checked before any call. Pure.

Keys are accepted in camelCase or snake_case and matched against botocore's own model of RunTask. Lists whose items
have names are merged by name, tags by key; `null` removes a key.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from ecs_async_executor.engine.failures import without_values
from ecs_async_executor.engine.messages import Request
from ecs_async_executor.engine.shapes import checker
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.settings import Settings

MAX_OVERRIDES = 8192
"""Characters of `overrides` as JSON (RunTask)."""
_OURS = {
    "clientToken": "The executor sets it, so that no task is started twice.",
    "count": "One Airflow task is one ECS task.",
    "startedBy": "The executor sets it; choose its middle part with the option `deployment`.",
}
_IDENTITY = {"KeyValuePair": "name", "ContainerOverride": "name", "Tag": "key"}
"""Shapes whose lists are merged, and the member that tells their items apart."""
_EXCLUSIVE = (("launchType", "capacityProviderStrategy"),)


@cache
def run_task_shape() -> Shape:
    """Load botocore's model of the RunTask request."""
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
    return model.operation_model("RunTask").input_shape


class RequestTemplate:
    """What all requests of this executor have in common."""

    def __init__(self, settings: Settings) -> None:
        """Merge the options and `run_task_kwargs`; raises `InvalidRequestError`."""
        self._container = settings.container_name
        self._shape = run_task_shape()
        # botocore's own validator says why not, at fifty times the cost.
        self._is_valid = checker(self._shape)
        self._base = merge(_from_options(settings), self._layer(settings.run_task_kwargs))
        if "launchType" not in self._base and "capacityProviderStrategy" not in self._base:
            self._base["launchType"] = "FARGATE"
        self._check(self._base)
        self.request(["airflow"], None)

    def request(self, command: Sequence[str], executor_config: object) -> Request:
        """Make one task's request; raises `InvalidRequestError`, which never shows the command."""
        if executor_config is not None and not isinstance(executor_config, Mapping):
            raise InvalidRequestError(
                f"executor_config is a {type(executor_config).__name__}, not a dict.",
                "Write members of the RunTask request, such as {'overrides': {'cpu': '512'}}.",
            )
        body = self._base
        if executor_config:
            body = merge(body, self._layer(executor_config))
            self._check(body)
        body = self._with_command(body, list(command))
        size = len(json.dumps(body["overrides"], separators=(",", ":"), ensure_ascii=False))
        if size > MAX_OVERRIDES:
            own = size - sum(map(len, command))
            raise InvalidRequestError(
                f"The overrides have {size} characters; ECS takes {MAX_OVERRIDES}.",
                f"Shorten the executor_config or the callback's arguments: {own} are not Airflow's command.",
            )
        return Request(body, self._container)

    def _layer(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Normalise a layer. A container override without a name means the Airflow container."""
        layer: dict[str, Any] = normalise(value, self._shape)
        overrides = layer.get("overrides")
        containers = overrides.get("containerOverrides") if isinstance(overrides, dict) else None
        for container in containers if isinstance(containers, list) else []:
            if isinstance(container, dict):
                container.setdefault("name", self._container)
        return layer

    def _with_command(self, body: dict[str, Any], command: list[str]) -> dict[str, Any]:
        """Give the Airflow container its command, wherever it stands; add it if absent. What is shared is not changed."""
        overrides = dict(body.get("overrides") or {})
        containers = list(overrides.get("containerOverrides") or [])
        names = [container.get("name") for container in containers]
        if self._container not in names:
            names.append(self._container)
            containers.append({"name": self._container})
        place = names.index(self._container)
        if "command" in containers[place]:
            raise InvalidRequestError(
                f"The command of container {self._container!r} is overridden.",
                "Remove `command` from executor_config and run_task_kwargs: it is Airflow's.",
            )
        containers[place] = {**containers[place], "command": command}
        return {**body, "overrides": {**overrides, "containerOverrides": containers}}

    def _check(self, body: dict[str, Any]) -> None:
        if body.get("count") == 1:
            del body["count"]
        for name, why in _OURS.items():
            if name in body:
                raise InvalidRequestError(f"{name} can't be configured.", why)
        for one, other in _EXCLUSIVE:
            if one in body and other in body:
                raise InvalidRequestError(f"{one} and {other} exclude each other.", "Remove one of them.")
        if self._is_valid(body):
            return
        report = ParamValidator().validate(body, self._shape)
        if report.has_errors():
            raise InvalidRequestError(
                f"The RunTask request is not valid: {without_values(report.generate_report())}.",
                "Correct the executor_config, or the executor's options.",
            )


def normalise(value: Any, shape: Shape, path: str = "") -> Any:
    """Bring keys into AWS's spelling, and dicts of tags and environment into lists; raises `InvalidRequestError`.

    Wrong types are left for the validator, which knows them all.
    """
    if value is None:
        return None
    if shape.type_name == "structure" and isinstance(value, Mapping):
        result = {}
        for key, item in value.items():
            member = _member(str(key), shape, path)
            result[member] = normalise(item, shape.members[member], f"{path}{member}.")
        return result
    if shape.type_name == "list":
        identity = _IDENTITY.get(shape.member.name)
        if isinstance(value, Mapping) and identity in {"key", "name"} and "value" in shape.member.members:
            value = _pairs(value, identity)
        if isinstance(value, (list, tuple)):
            return [normalise(item, shape.member, path) for item in value]
    return value


def merge(lower: dict[str, Any], upper: dict[str, Any], shape: Shape | None = None) -> dict[str, Any]:
    """Lay `upper` over `lower`; both are normalised, neither is changed."""
    shape = shape or run_task_shape()
    result = dict(lower)
    for pair in _EXCLUSIVE:
        for one, other in (pair, pair[::-1]):
            if upper.get(one) is not None and upper.get(other) is None:
                result.pop(other, None)
    for key, item in upper.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = _merge_value(result.get(key), item, shape.members[key])
    return result


def _merge_value(low: Any, high: Any, shape: Shape) -> Any:
    if shape.type_name == "structure" and isinstance(low, dict) and isinstance(high, dict):
        return merge(low, high, shape)
    # What is laid over nothing is merged as well, so that a null inside it still means "absent".
    if shape.type_name == "structure" and isinstance(high, dict):
        return merge({}, high, shape)
    identity = _IDENTITY.get(shape.member.name) if shape.type_name == "list" else None
    if identity is None or not isinstance(high, list):
        return high
    return _merge_by(identity, low if isinstance(low, list) else [], high, shape.member)


def _merge_by(identity: str, low: list[Any], high: list[Any], shape: Shape) -> list[Any]:
    result = list(low)
    for item in high:
        name = item.get(identity) if isinstance(item, dict) else None
        place = next(
            (i for i, known in enumerate(result) if isinstance(known, dict) and known.get(identity) == name),
            None,
        )
        if name is not None and item.get("value", ...) is None:
            # {"environment": {"A": null}}: null removes the item, as it removes a key.
            result = [known for i, known in enumerate(result) if i != place]
        elif place is None or name is None:
            result.append(_merge_value(None, item, shape))
        else:
            result[place] = merge(result[place], item, shape)
    return result


def _member(key: str, shape: Shape, path: str) -> str:
    folded = key.replace("_", "").lower()
    for member in shape.members:
        if member.lower() == folded:
            return str(member)
    near = difflib.get_close_matches(folded, {m.lower(): m for m in shape.members}, n=1)
    hint = f"Did you mean {next(m for m in shape.members if m.lower() == near[0])}?" if near else ""
    raise InvalidRequestError(
        f"{path}{key} is not a member of ECS's {shape.name.removesuffix('Request')} request.",
        hint or f"It has: {', '.join(sorted(shape.members))}.",
    )


def _pairs(value: Mapping[Any, Any], identity: str) -> list[dict[str, Any]]:
    """Take {"team": "data"}, and {"key": "team", "value": "data"} as well."""
    if set(value) == {identity, "value"}:
        return [dict(value)]
    return [{identity: str(key), "value": item if item is None else str(item)} for key, item in value.items()]


def _from_options(settings: Settings) -> dict[str, Any]:
    body: dict[str, Any] = {"cluster": settings.cluster}
    if settings.task_definition:
        body["taskDefinition"] = settings.task_definition
    if settings.launch_type:
        body["launchType"] = settings.launch_type
    if settings.capacity_provider_strategy:
        body["capacityProviderStrategy"] = settings.capacity_provider_strategy
    if settings.platform_version not in {None, "LATEST"}:
        # LATEST is AWS's default; sent with anything but Fargate, even LATEST is refused.
        body["platformVersion"] = settings.platform_version
    network: dict[str, Any] = {}
    if settings.subnets:
        network["subnets"] = list(settings.subnets)
    if settings.security_groups:
        network["securityGroups"] = list(settings.security_groups)
    if network and settings.launch_type in {None, "FARGATE"}:
        network["assignPublicIp"] = "ENABLED" if settings.assign_public_ip else "DISABLED"
    if network:
        body["networkConfiguration"] = {"awsvpcConfiguration": network}
    return body
