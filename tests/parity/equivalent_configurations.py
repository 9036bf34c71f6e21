"""Rewrites a configuration into one that AwsEcsExecutor understands as it was meant."""

from __future__ import annotations

import ast
import json
from typing import Any

from tests.parity.setups import Setup
from tests.parity.spelling import as_aws_cases, as_aws_spells, as_aws_types, shape_of_a_container, snake

TRUE = {"true", "t", "1", "yes", "y", "on"}
FALSE = {"false", "f", "0", "no", "n", "off"}
_ALSO_OPTIONS = ("capacityProviderStrategy", "launchType", "platformVersion", "taskDefinition", "cluster")
"""Members that AwsEcsExecutor knows in snake_case only, at the top level of RUN_TASK_KWARGS."""


def no_blanks(setup: Setup) -> Setup:
    """Unset options that are blank, and leave out the space around others."""
    stripped = {name: value.strip() or None for name, value in setup.options.items()}
    return setup.having(**stripped)


def launch_type_case(setup: Setup) -> Setup:
    return (
        setup.having(launch_type=setup.options["launch_type"].upper())
        if "launch_type" in setup.options
        else setup
    )


def value_case(setup: Setup) -> Setup:
    """Write the values of enums in AWS's case, whatever the spelling of the members is."""
    return setup.with_kwargs(_in_aws_cases(setup.kwargs)).with_config(
        _in_aws_cases(setup.overlay) if setup.overlay else setup.config
    )


def _in_aws_cases(layer: dict[str, Any]) -> dict[str, Any]:
    spelled = as_aws_spells(layer)
    corrected = as_aws_cases(spelled)
    return layer if corrected == spelled else corrected


def printed_kwargs(setup: Setup) -> Setup:
    """Write RUN_TASK_KWARGS as JSON."""
    return setup.having(run_task_kwargs=json.dumps(setup.kwargs)) if setup.kwargs else setup


def plain(setup: Setup) -> Setup:
    """Write simple values as AwsEcsExecutor understands them."""
    return value_case(printed_kwargs(launch_type_case(no_blanks(setup))))


def public_ip(setup: Setup) -> Setup:
    value = setup.options.get("assign_public_ip", "").strip().lower()
    if value in TRUE:
        return setup.having(assign_public_ip="True")
    return setup.having(assign_public_ip="False") if value in FALSE else setup


def stripped_lists(setup: Setup) -> Setup:
    for name in ("subnets", "security_groups"):
        text = setup.options.get(name, "").strip()
        if text:
            items = json.loads(text) if text.startswith("[") else text.split(",")
            setup = setup.having(**{name: ",".join(item.strip() for item in items if item.strip())})
    return setup


def managed_tags(setup: Setup) -> Setup:
    kwargs = setup.kwargs
    if "enable_ecs_managed_tags" in kwargs:
        kwargs["enableECSManagedTags"] = kwargs.pop("enable_ecs_managed_tags")
    return setup.with_kwargs(kwargs)


def kwargs_spelling(setup: Setup) -> Setup:
    kwargs = setup.kwargs
    own = {key: kwargs.pop(key) for key in list(kwargs) if key == "enable_ecs_managed_tags"}
    spelled = as_aws_spells(kwargs) | own
    return setup.with_kwargs(
        {snake(key) if key in _ALSO_OPTIONS else key: item for key, item in spelled.items()}
    )


def config_spelling(setup: Setup) -> Setup:
    return setup.with_config(as_aws_spells(setup.overlay)) if setup.overlay else setup


def container_members(setup: Setup) -> Setup:
    """Write what is a container's into the override of the Airflow container."""
    config = _in_an_override(setup.overlay, setup.container) if setup.overlay else setup.config
    return setup.with_kwargs(_in_an_override(setup.kwargs, setup.container)).with_config(config)


def _in_an_override(layer: dict[str, Any], name: str) -> dict[str, Any]:
    """Put it below what is written there already. The rest of the layer is in AWS's spelling."""
    known = set(shape_of_a_container().members) - {"name", "command"}
    spelled = as_aws_spells(layer, shape_of_a_container())
    own = {key: item for key, item in spelled.items() if key in known}
    if not own:
        return layer
    rest = {key: item for key, item in spelled.items() if key not in known}
    overrides = rest.get("overrides") or {}
    return {
        **rest,
        "overrides": {**overrides, "containerOverrides": [{"name": name, **own}, *containers(rest)]},
    }


def pairs(setup: Setup) -> Setup:
    config = with_pairs(setup.overlay) if setup.overlay else setup.config
    return setup.with_kwargs(with_pairs(setup.kwargs)).with_config(config)


def with_pairs(request: dict[str, Any]) -> dict[str, Any]:
    if isinstance(request.get("tags"), dict):
        request["tags"] = _listed(request["tags"], "key")
    for container in containers(request):
        if isinstance(container.get("environment"), dict):
            container["environment"] = _listed(container["environment"], "name")
    return request


def numbers(setup: Setup) -> Setup:
    config = as_aws_types(setup.overlay) if setup.overlay else setup.config
    return setup.with_kwargs(as_aws_types(setup.kwargs)).with_config(config)


def _listed(value: dict[str, Any], identity: str) -> list[dict[str, Any]]:
    if set(value) == {identity, "value"}:
        return [value]
    return [{identity: key, "value": item if item is None else str(item)} for key, item in value.items()]


def containers(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the container overrides of a request, if there are any, and they are a list."""
    overrides = request.get("overrides")
    found = overrides.get("containerOverrides") if isinstance(overrides, dict) else None
    return found if isinstance(found, list) else []


def without_nulls(setup: Setup) -> Setup:
    """Leave out what is null, and in RUN_TASK_KWARGS the options of that name with it."""
    kwargs = setup.kwargs
    options: dict[str, None] = {}
    for key in [key for key, item in kwargs.items() if item is None]:
        network = ("subnets", "security_groups", "assign_public_ip")
        options |= dict.fromkeys(network if key == "networkConfiguration" else (key,))
    if kwargs.get("tags"):
        kwargs["tags"] = by_identity([], kwargs["tags"], "key")
    config = _without_nulls(setup.overlay) if setup.overlay else setup.config
    return setup.having(**options).with_kwargs(_without_nulls(kwargs)).with_config(config)


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(item) if isinstance(item, dict) else item
        for key, item in value.items()
        if item is not None
    }


def exclusive(setup: Setup) -> Setup:
    kwargs = setup.kwargs
    for one, other in (
        ("launch_type", "capacity_provider_strategy"),
        ("capacity_provider_strategy", "launch_type"),
    ):
        if one in kwargs and other not in kwargs:
            setup = setup.having(**{other: None})
    return setup


def strategy(setup: Setup) -> Setup:
    """Write the option's strategy into RUN_TASK_KWARGS, in the spelling that works."""
    text = setup.options.get("capacity_provider_strategy")
    if text is None:
        return setup
    return setup.having(capacity_provider_strategy=None).with_kwargs(
        {"capacity_provider_strategy": parsed_strategy(text), **setup.kwargs}
    )


def parsed_strategy(text: str) -> Any:
    """Take JSON, the Python repr of the documented example, or name:weight:base."""
    if text.lstrip().startswith("["):
        return ast.literal_eval(text)
    items = []
    for part in text.split(","):
        name, *numbers = part.strip().split(":")
        items.append(
            {"capacityProvider": name, **dict(zip(("weight", "base"), map(int, numbers), strict=False))}
        )
    return items


def network_precedence(setup: Setup) -> Setup:
    """Lay the network of RUN_TASK_KWARGS over the options', and leave the options out."""
    kwargs = setup.kwargs
    own = (kwargs.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if own is None:
        return setup
    network: dict[str, Any] = {}
    for name, member in (("subnets", "subnets"), ("security_groups", "securityGroups")):
        if name in setup.options:
            network[member] = setup.options[name].split(",")
    public = setup.options.get("assign_public_ip") == "True"
    if network or public:
        network["assignPublicIp"] = "ENABLED" if public else "DISABLED"
    kwargs["networkConfiguration"] = {"awsvpcConfiguration": {**network, **own}}
    return setup.having(subnets=None, security_groups=None, assign_public_ip=None).with_kwargs(kwargs)


def main_first(setup: Setup) -> Setup:
    """Put the Airflow container first, as AwsEcsExecutor expects it."""
    kwargs = setup.kwargs
    if not containers(kwargs):
        return setup
    named = [{"name": setup.container, **container} for container in containers(kwargs)]
    merged = by_identity([], [{"name": setup.container}, *named], "name")
    kwargs["overrides"]["containerOverrides"] = merged
    return setup.with_kwargs(kwargs)


def merged_lists(setup: Setup) -> Setup:
    """Write into `executor_config` what it leaves as it is: it replaces whole lists."""
    config, kwargs = setup.overlay, setup.kwargs
    if config.get("tags"):
        config["tags"] = by_identity(kwargs.get("tags", []), config["tags"], "key")
    if containers(config):
        named = [{"name": setup.container, **container} for container in containers(config)]
        config["overrides"]["containerOverrides"] = by_identity(containers(kwargs), named, "name")
    return setup.with_config(config) if config else setup


def by_identity(low: list[Any], high: list[Any], identity: str) -> list[dict[str, Any]]:
    """Lay items over those of the same name; null removes."""
    result = {item[identity]: item for item in low}
    for item in high:
        merged = {**result.get(item[identity], {}), **item}
        if "environment" in item and item["environment"] is not None:
            below = result.get(item[identity], {}).get("environment", [])
            merged["environment"] = by_identity(below, item["environment"], "name")
        result[item[identity]] = {key: value for key, value in merged.items() if value is not None}
        if item.get("value", ...) is None:
            del result[item[identity]]
    return list(result.values())


def main_added(setup: Setup) -> Setup:
    config = setup.overlay
    names = [container.get("name") for container in containers(config)]
    if not names or setup.container in names:
        return setup
    config["overrides"]["containerOverrides"].append({"name": setup.container})
    return setup.with_config(config)
