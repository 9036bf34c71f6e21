"""All configurations that this executor refuses, with words of what it says, and what AwsEcsExecutor does with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.parity import equivalent_configurations
from tests.parity.setups import Setup
from tests.parity.spelling import as_aws_spells, has_unknown_member, has_wrong_type, snake

NO_START, NO_TASK, SENT = "does not start", "sends no task, after three tries", "sends it as it is"
EXCLUSIVE = ("launchType", "capacityProviderStrategy")
LAUNCH_TYPES = {"EC2", "EXTERNAL", "FARGATE", "MANAGED_INSTANCES"}

OPTIONS_OF_REQUESTS = {"assign_public_ip", "container_name", "security_groups", "subnets"}


@dataclass(frozen=True)
class Refusal:
    """What must be refused with a clear error."""

    fault: str | None
    """Which fault of AwsEcsExecutor shows there; None if it refuses it as clearly, or the fault is in no list."""
    why: str
    concerns: Callable[[Setup], bool]
    says: str
    """What our message says; a regular expression."""
    theirs: tuple[str, ...]
    """What AwsEcsExecutor does with such configurations, if nothing else is wrong."""


@lru_cache(maxsize=1)
def _layers(setup: Setup) -> list[dict[str, Any]]:
    """Give RUN_TASK_KWARGS and `executor_config`, in AWS's spelling."""
    spelled = setup.with_kwargs(as_aws_spells(setup.kwargs)).with_config(as_aws_spells(setup.overlay))
    rewritten = equivalent_configurations.numbers(
        equivalent_configurations.pairs(equivalent_configurations.container_members(spelled))
    )
    return [rewritten.kwargs, rewritten.overlay]


def _has(setup: Setup, member: str) -> bool:
    return any(layer.get(member) is not None for layer in _layers(setup))


def _misses_task_definition(setup: Setup) -> bool:
    return "task_definition" not in setup.options and not as_aws_spells(setup.kwargs).get("taskDefinition")


def _networks(setup: Setup) -> list[dict[str, Any]]:
    """Give what is said of the network at the start, and with the task; empty if nothing is."""
    options = equivalent_configurations.public_ip(setup).options
    network = {name: options[name] for name in ("subnets", "security_groups") if name in options}
    if options.get("assign_public_ip") == "True":
        network["assignPublicIp"] = "ENABLED"
    said = []
    for layer in _layers(setup):
        own = layer.get("networkConfiguration", {})
        network = {} if own is None else {**network, **own.get("awsvpcConfiguration", {})}
        said.append(network)
    return said


def _lacks_subnets(setup: Setup) -> bool:
    """Tell whether this task would run on Fargate without a subnet."""
    strategy = equivalent_configurations.strategy(setup.with_kwargs({})).kwargs.get(
        "capacity_provider_strategy"
    )
    options = {"launchType": setup.options.get("launch_type"), "capacityProviderStrategy": strategy}
    kwargs, config = _layers(setup)
    network = _networks(setup)[-1]
    on_fargate = _on_fargate([options, kwargs, config], open_is=not setup.strategy_of_cluster)
    return on_fargate and "subnets" not in network


def _on_fargate(layers: list[dict[str, Any]], *, open_is: bool) -> bool:
    """Lay one over the other, the lowest first; null removes."""
    chosen: dict[str, Any] = {}
    for layer in layers:
        for name in EXCLUSIVE:
            if layer.get(name):
                chosen = {name: layer[name]}
            elif name in layer:
                chosen.pop(name, None)
    return "'FARGATE" in str(chosen) if chosen else open_is


def _has_no_subnet_in_its_network(setup: Setup) -> bool:
    return any(network and "subnets" not in network for network in _networks(setup))


def _commands(setup: Setup) -> bool:
    return any(
        "command" in container and container.get("name", setup.container) == setup.container
        for layer in _layers(setup)
        for container in equivalent_configurations.containers(layer)
    )


def _unknown(setup: Setup) -> bool:
    elsewhere = OPTIONS_OF_REQUESTS | {"name", "command"}
    layers = [{key: item for key, item in layer.items() if key not in elsewhere} for layer in _layers(setup)]
    return any(map(has_unknown_member, layers))


def _mistyped(setup: Setup) -> bool:
    return any(map(has_wrong_type, _layers(setup)))


def _both_at_once(setup: Setup) -> bool:
    options = {"launch_type", "capacity_provider_strategy"} <= setup.options.keys()
    return options or any(all(layer.get(name) for name in EXCLUSIVE) for layer in _layers(setup))


def _most(setup: Setup, member: str) -> int:
    """Count the items of a list in the layer that has the most."""
    options = equivalent_configurations.stripped_lists(setup).options
    found = [len(options.get(snake(member), "").split(","))]
    for layer in _layers(setup):
        network = (layer.get("networkConfiguration") or {}).get("awsvpcConfiguration", {})
        found.append(len({**layer, **network}.get(member) or ()))
    return max(found)


def _is_mixed(layer: dict[str, Any]) -> bool:
    strategy = layer.get("capacityProviderStrategy")
    names = {str(item.get("capacityProvider")) for item in strategy} if isinstance(strategy, list) else set()
    return len({name.startswith("FARGATE") for name in names}) == 2


REFUSALS = {
    "no cluster": Refusal(
        None,
        "It is required.",
        lambda setup: "cluster" not in setup.options,
        "cluster: it is required",
        (NO_START,),
    ),
    "no container_name": Refusal(
        None,
        "It is required.",
        lambda setup: "container_name" not in setup.options,
        "container_name: it is required",
        (NO_START,),
    ),
    "no task_definition": Refusal(
        "F17",
        "It is required, which AwsEcsExecutor finds out with each task.",
        _misses_task_definition,
        "task_definition: it is required",
        (NO_TASK,),
    ),
    "no subnets": Refusal(
        "F41",
        "Fargate needs a subnet, whatever the documentation says of the VPC's default.",
        _lacks_subnets,
        "at least one subnet",
        (SENT, NO_START),
    ),
    "kwargs are no JSON": Refusal(
        None, "The option is JSON.", lambda setup: setup.kwargs_value is None, "run_task_kwargs", (NO_START,)
    ),
    "kwargs are no object": Refusal(
        None,
        "The option is a JSON object.",
        lambda setup: not isinstance(setup.kwargs_value, dict | None),
        "run_task_kwargs",
        (NO_START,),
    ),
    "unknown launch_type": Refusal(
        "F17",
        "AWS knows four launch types.",
        lambda setup: setup.options.get("launch_type", "EC2") not in LAUNCH_TYPES,
        "launch_type",
        (SENT,),
    ),
    "no boolean": Refusal(
        "F35",
        "What is neither true nor false is a mistake, not False.",
        lambda setup: (
            setup.options.get("assign_public_ip", "no").lower()
            not in equivalent_configurations.TRUE | equivalent_configurations.FALSE
        ),
        "assign_public_ip",
        (SENT,),
    ),
    "no number": Refusal(
        "F17",
        "It is a number; AwsEcsExecutor finds out when a task has failed, and then can't retry it.",
        lambda setup: not setup.options.get("max_run_task_attempts", "3").isdigit(),
        "max_run_task_attempts",
        (SENT,),
    ),
    "both at once": Refusal(
        "F27",
        "A launch type and a strategy in one layer exclude each other.",
        _both_at_once,
        "exclude each other|can't be combined",
        (NO_START, SENT),
    ),
    "option in kwargs": Refusal(
        None,
        "RUN_TASK_KWARGS hold members of RunTask. Options in it work with AwsEcsExecutor by accident.",
        lambda setup: bool(OPTIONS_OF_REQUESTS & setup.kwargs.keys()),
        "is not a member of ECS's RunTask request",
        (SENT,),
    ),
    "unknown member": Refusal(
        "F17",
        "RunTask has no such member, and three tries do not change that.",
        _unknown,
        "is not a member of ECS's",
        (NO_TASK,),
    ),
    "wrong type": Refusal(
        "F17",
        "RunTask takes another type, and three tries do not change that.",
        _mistyped,
        r"ECS takes (text|true or false|a whole number|a list|an object)\.",
        (NO_START, NO_TASK),
    ),
    "executor_config is no dict": Refusal(
        "F17",
        "It holds members of RunTask.",
        lambda setup: setup.config is not None and not isinstance(setup.config, dict),
        "not a dict",
        (NO_TASK,),
    ),
    "name or command": Refusal(
        "F16",
        "One Dag author's mistake fails that task, and not the scheduler.",
        lambda setup: bool({"name", "command"} & setup.overlay.keys()),
        "co",
        (NO_TASK,),
    ),
    "command": Refusal(
        None,
        "The command is Airflow's. AwsEcsExecutor replaces it without a word.",
        _commands,
        "command",
        (SENT,),
    ),
    "two spellings": Refusal(
        "F31",
        "Which of two spellings of one member counts is anybody's guess.",
        lambda setup: any(len(as_aws_spells(layer)) < len(layer) for layer in (setup.kwargs, setup.overlay)),
        "appears twice",
        (SENT, NO_TASK),
    ),
    "network without subnets": Refusal(
        None,
        "A public address and security groups belong to a network interface in a subnet.",
        _has_no_subnet_in_its_network,
        "subnets",
        (NO_START, NO_TASK),
    ),
    "count": Refusal(
        None,
        "One Airflow task is one ECS task. AwsEcsExecutor ignores it in RUN_TASK_KWARGS, and obeys executor_config.",
        lambda setup: any(layer.get("count") not in {None, 1} for layer in _layers(setup)),
        "count can't be configured",
        (SENT,),
    ),
    "clientToken": Refusal(
        "F10",
        "With one token for all launches ECS starts one container for all tasks.",
        lambda setup: _has(setup, "clientToken"),
        "clientToken can't be configured",
        (SENT,),
    ),
    "startedBy": Refusal(
        "F09",
        "A later scheduler finds its tasks by it.",
        lambda setup: _has(setup, "startedBy"),
        "startedBy can't be configured",
        (SENT,),
    ),
    "tag characters": Refusal(
        "F17",
        "AWS takes letters, numbers, spaces and + - = . _ : / @ in tags.",
        lambda setup: any("&" in json.dumps(layer.get("tags")) for layer in _layers(setup)),
        "ECS takes letters, numbers, spaces",
        (SENT,),
    ),
    "mixed strategy": Refusal(
        "F17",
        "A strategy has Fargate's providers or others.",
        lambda setup: any(map(_is_mixed, _layers(setup))),
        "mixes FARGATE or FARGATE_SPOT",
        (SENT, NO_TASK),
    ),
    "unreadable size": Refusal(
        "F17",
        "ECS reads CPU units and vCPUs.",
        lambda setup: any((layer.get("overrides") or {}).get("cpu") == "500m" for layer in _layers(setup)),
        "not a size that ECS understands",
        (SENT,),
    ),
    "value that RunTask doesn't have": Refusal(
        "F17",
        "A task that is run by itself has no service.",
        lambda setup: any(layer.get("propagateTags") == "SERVICE" for layer in _layers(setup)),
        "propagateTags is SERVICE",
        (SENT,),
    ),
    "too long": Refusal(
        "F43",
        "ECS takes 8192 characters of overrides.",
        lambda setup: any(len(json.dumps(layer.get("overrides"))) > 7500 for layer in _layers(setup)),
        "ECS takes 8192",
        (SENT,),
    ),
    "too many subnets": Refusal(
        "F17", "ECS takes 16 of them.", lambda setup: _most(setup, "subnets") > 16, "16", (SENT,)
    ),
    "too many security groups": Refusal(
        "F17", "ECS takes 5 of them.", lambda setup: _most(setup, "securityGroups") > 5, "5", (SENT,)
    ),
    "too many tags": Refusal(
        "F17", "ECS takes 50 of them.", lambda setup: _most(setup, "tags") > 50, "50", (SENT,)
    ),
    "too many providers": Refusal(
        "F17",
        "ECS takes 20 of them.",
        lambda setup: _most(setup, "capacityProviderStrategy") > 20,
        "20",
        (SENT, NO_TASK),
    ),
}
