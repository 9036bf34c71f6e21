"""The configurations that are compared.

Each option, pairs of choices that touch each other, every member of RunTask in every place and spelling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ecs_async_executor.executor.airflow_compat import CAN_RUN_CALLBACKS
from tests.parity.members import BROKEN_CONFIGS, BROKEN_KWARGS, BROKEN_OPTIONS, CASES, LAYERS, MEMBERS
from tests.parity.setups import BASE, Setup
from tests.parity.spelling import in_snake_case

_SPOT = [
    {"capacityProvider": "FARGATE_SPOT", "weight": 3},
    {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
]
_ARM = [{"capacityProvider": "arm-instances"}]
_NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-9"]}}


def _containers(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"overrides": {"containerOverrides": list(containers)}}


_BIG = {"name": "airflow", "cpu": 512, "environment": [{"name": "SIZE", "value": "big"}]}
_PROXY = {"name": "proxy", "environment": [{"name": "PORT", "value": "80"}]}


@dataclass(frozen=True)
class Choice:
    """One thing that a user may have chosen; choices about different things can be combined."""

    options: dict[str, str | None] | None = None
    kwargs: dict[str, Any] | None = None
    config: Any = None
    strategy_of_cluster: bool = False

    def __call__(self, setup: Setup) -> Setup:
        setup = setup.having(**self.options or {}).with_kwargs({**setup.kwargs, **(self.kwargs or {})})
        return Setup(
            setup.options,
            setup.config if self.config is None else self.config,
            strategy_of_cluster=setup.strategy_of_cluster or self.strategy_of_cluster,
        )


def _option(name: str, **values: str | None) -> dict[str, Choice]:
    return {label: Choice({name: value}) for label, value in values.items()}


CHOICES: dict[str, dict[str, Choice]] = {
    "cluster": {"with_strategy": Choice(strategy_of_cluster=True)},
    "container_name": _option("container_name", main="main"),
    "launch_type": _option(
        "launch_type", fargate="FARGATE", ec2="EC2", external="EXTERNAL", managed="MANAGED_INSTANCES"
    ),
    "capacity_provider_strategy": _option(
        "capacity_provider_strategy",
        json=json.dumps(_SPOT),
        repr=str(_ARM),
        short="FARGATE_SPOT:3,FARGATE:1:1",
    ),
    "platform_version": _option("platform_version", pinned="1.4.0"),
    "subnets": _option("subnets", json='["subnet-1", "subnet-2"]', none=None),
    "security_groups": _option("security_groups", spaces="sg-1, sg-2 "),
    "assign_public_ip": _option("assign_public_ip", true="True", no="no"),
    "run_task_kwargs": {
        "tags": Choice(kwargs={"tags": [{"key": "team", "value": "data"}]}),
        "sizes": Choice(kwargs=_containers(_BIG)),
        "sidecar": Choice(kwargs=_containers(_PROXY)),
        "launchType": Choice(kwargs={"launchType": "EC2"}),
        "launch_type": Choice(kwargs={"launch_type": "EC2"}),
        "capacityProviderStrategy": Choice(kwargs={"capacityProviderStrategy": _SPOT}),
        "capacity_provider_strategy": Choice(kwargs={"capacity_provider_strategy": _ARM}),
        "network": Choice(kwargs={"networkConfiguration": _NETWORK}),
        "definition": Choice(kwargs={"task_definition": "other", "cluster": "other"}),
    },
    "executor_config": {
        "tags": Choice(config={"tags": [{"key": "run", "value": "1"}]}),
        "sizes": Choice(config=_containers({"name": "airflow", "memory": 2048})),
        "sidecar": Choice(config=_containers({"name": "proxy", "cpu": 1})),
        "launchType": Choice(config={"launchType": "EC2"}),
        "fargate": Choice(config={"launchType": "FARGATE"}),
        "strategy": Choice(config={"capacityProviderStrategy": _ARM}),
        "network": Choice(config={"networkConfiguration": _NETWORK}),
        "container_shaped": Choice(config={"cpu": 1024, "memory_reservation": 4096}),
        "null": Choice(
            config={"launchType": None, "capacityProviderStrategy": None, "platformVersion": None}
        ),
    },
}


def all_cases() -> dict[str, Setup]:
    return {
        "base": Setup(),
        **dict(_singles()),
        **dict(_bridges()),
        **dict(_pairs()),
        **dict(_members()),
        **dict(_values()),
        **dict(_layers()),
        **(dict(_callbacks()) if CAN_RUN_CALLBACKS else {}),
    }


def broken_cases() -> dict[str, Setup]:
    """Return what must be refused."""
    bridge = Setup().having(launch_type="EC2", subnets=None)
    return {
        "a public address in bridge mode": bridge.having(assign_public_ip="True"),
        **{f"{name}={value!s:.20}": Setup().having(**{name: value}) for name, value in BROKEN_OPTIONS},
        **{f"kwargs:{label}": Setup().with_kwargs(kwargs) for label, kwargs in BROKEN_KWARGS.items()},
        **{f"config:{label}": Setup(config=config) for label, config in BROKEN_CONFIGS.items()},
    }


def _singles() -> Iterator[tuple[str, Setup]]:
    for name, choices in CHOICES.items():
        for label, choose in choices.items():
            yield f"{name}:{label}", choose(Setup())
    for name, value in (
        ("cluster", "arn:aws:ecs:us-east-1:1:cluster/c"),
        ("task_definition", "airflow-task:3"),
        ("conn_id", "another"),
        ("region_name", "eu-central-1"),
        ("max_run_task_attempts", "1"),
        ("check_health_on_startup", "False"),
        *((name, f" {value} ") for name, value in BASE.items()),
        *((name, "") for name in ("launch_type", "capacity_provider_strategy", "platform_version")),
        *((name, " ") for name in ("security_groups", "assign_public_ip", "run_task_kwargs")),
        ("launch_type", "ec2"),
        ("platform_version", "LATEST"),
        ("security_groups", "sg-1,sg-2"),
        ("assign_public_ip", "False"),
        ("assign_public_ip", "1"),
        ("assign_public_ip", "true"),
        ("subnets", " subnet-1 , subnet-2"),
        ("run_task_kwargs", str(CHOICES["run_task_kwargs"]["tags"].kwargs)),
        ("run_task_kwargs", str(CHOICES["run_task_kwargs"]["launchType"].kwargs)),
    ):
        yield f"{name}={value!r}", Setup().having(**{name: value})


def _bridges() -> Iterator[tuple[str, Setup]]:
    """Return tasks without a network of their own, as in bridge and host mode."""
    without = Setup().having(launch_type="EC2", subnets=None)
    yield "bridge", without
    for false in ("False", "false", "0", "no"):
        yield f"bridge+assign_public_ip={false}", without.having(assign_public_ip=false)
    yield "bridge:strategy", without.having(launch_type=None, capacity_provider_strategy=json.dumps(_ARM))


def _pairs() -> Iterator[tuple[str, Setup]]:
    for (name, choices), (other, others) in combinations(CHOICES.items(), 2):
        for label, choose in choices.items():
            for other_label, choose_other in others.items():
                yield f"{name}:{label}+{other}:{other_label}", choose_other(choose(Setup()))


def _members() -> Iterator[tuple[str, Setup]]:
    for label, member in MEMBERS.items():
        for spelling, spelled in (("camel", member), ("snake", in_snake_case(member))):
            yield f"kwargs:{label}:{spelling}", Setup().with_kwargs(spelled)
            yield f"config:{label}:{spelling}", Setup(config=spelled)


def _values() -> Iterator[tuple[str, Setup]]:
    for label, member in CASES.items():
        yield f"kwargs:case:{label}", Setup().with_kwargs(member)
        yield f"config:case:{label}", Setup(config=member)


def _layers() -> Iterator[tuple[str, Setup]]:
    for label, (kwargs, config) in LAYERS.items():
        yield f"layers:{label}", Setup(config=config).with_kwargs(kwargs)
        snake = in_snake_case(config) if isinstance(config, dict) else config
        yield f"layers:{label}:snake", Setup(config=snake).with_kwargs(in_snake_case(kwargs))


def _callbacks() -> Iterator[tuple[str, Setup]]:
    yield "callback", Setup(callback=True)
    yield "callback:sizes", Setup(callback=True).with_kwargs(_containers(_BIG))
