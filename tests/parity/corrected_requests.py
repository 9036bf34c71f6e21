"""Corrects requests of AwsEcsExecutor, where no configuration would make it send what was meant."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

from ecs_async_executor.launch_id import LaunchId
from tests.parity import equivalent_configurations
from tests.parity.captured_requests import FRESH_TOKEN, RUN_ID, Body
from tests.parity.setups import Setup
from tests.parity.spelling import as_aws_spells

NAMES = "AIRFLOW__CORE__EXECUTOR"


def fresh_token(setup: Setup, body: Body) -> Body:
    body = copy.deepcopy(body)
    for container in body["overrides"]["containerOverrides"]:
        if container["name"] == setup.container:
            *program, document = container["command"]
            container["command"] = [*program, _with_token(document)]
    return body


def _with_token(document: str) -> str:
    return json.dumps({**json.loads(document), "token": FRESH_TOKEN}, separators=(",", ":"))


def executor_names(setup: Setup, body: Body) -> Body:
    body = copy.deepcopy(body)
    for container in body["overrides"]["containerOverrides"]:
        variables = container.setdefault("environment", [])
        if container["name"] == setup.container and not any(each["name"] == NAMES for each in variables):
            variables.append({"name": NAMES, "value": os.environ[NAMES]})
    return body


def started_by(_: Setup, body: Body) -> Body:
    return {**body, "startedBy": f"airflow/default/{RUN_ID}"}


def client_token(_: Setup, body: Body) -> Body:
    return {**body, "clientToken": str(LaunchId(RUN_ID, 1))}


def no_count(_: Setup, body: Body) -> Body:
    return {key: item for key, item in body.items() if (key, item) != ("count", 1)}


def without_nulls(setup: Setup, body: Body) -> Body:
    """Remove what `executor_config` sets to null. What is open then is decided as if it had never been set."""
    config = as_aws_spells(setup.overlay)
    body = _without(body, config)
    is_open = not {"launchType", "capacityProviderStrategy"} & body.keys()
    if (
        is_open
        and not setup.strategy_of_cluster
        and {"launchType", "capacityProviderStrategy"} & config.keys()
    ):
        body["launchType"] = "FARGATE"
    return body


def _without(body: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    result = {key: item for key, item in body.items() if config.get(key, ...) is not None}
    for key, item in config.items():
        if isinstance(item, dict) and isinstance(result.get(key), dict):
            result[key] = _without(result[key], item)
    return result


def exclusive(setup: Setup, body: Body) -> Body:
    """Remove the one of the two that `executor_config` does not set."""
    config = as_aws_spells(setup.overlay)
    for one, other in (
        ("launchType", "capacityProviderStrategy"),
        ("capacityProviderStrategy", "launchType"),
    ):
        if config.get(one) is not None:
            body = {key: item for key, item in body.items() if key != other}
    return body


def platform_version(setup: Setup, body: Body) -> Body:
    """Send it on Fargate, if somebody has set it; LATEST as an option is its default."""
    rest = {key: item for key, item in body.items() if key != "platformVersion"}
    explicit = {**as_aws_spells(setup.kwargs), **as_aws_spells(setup.overlay)}
    option = setup.options.get("platform_version", "LATEST")
    version = explicit.get("platformVersion", None if option == "LATEST" else option)
    return {**rest, "platformVersion": version} if version and _on_fargate(setup, body) else rest


def public_ip(setup: Setup, body: Body) -> Body:
    """Send it on Fargate only, and there always."""
    if "networkConfiguration" not in body:
        return body
    body = copy.deepcopy(body)
    network = body["networkConfiguration"]["awsvpcConfiguration"]
    if not _on_fargate(setup, body):
        network.pop("assignPublicIp", None)
    elif "subnets" in setup.options:
        public = equivalent_configurations.public_ip(setup).options.get("assign_public_ip") == "True"
        network.setdefault("assignPublicIp", "ENABLED" if public else "DISABLED")
    return body


def no_network_outside(_: Setup, body: Body) -> Body:
    if body.get("launchType") == "EXTERNAL":
        return {key: item for key, item in body.items() if key != "networkConfiguration"}
    return body


def _on_fargate(setup: Setup, body: Body) -> bool:
    if "launchType" in body:
        return bool(body["launchType"] == "FARGATE")
    clusters = ["the-clusters"] if setup.strategy_of_cluster else ["FARGATE"]
    providers = [item["capacityProvider"] for item in body.get("capacityProviderStrategy", ())] or clusters
    return any(name.startswith("FARGATE") for name in providers)
