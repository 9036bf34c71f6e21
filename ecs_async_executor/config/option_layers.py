"""What each option says about the request, as a layer of its own name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.settings import Settings

OF_AIRFLOW = "the scheduler's [core] options"
"""The one layer that is neither named after an option nor written for a queue or a task."""


def airflow_layers(environment: Mapping[str, str] | None) -> Iterator[Layer]:
    """Give what every Airflow container gets of Airflow's own options, as the lowest layer."""
    if environment:
        yield Layer(OF_AIRFLOW, {"environment": environment})


def option_layers(settings: Settings) -> Iterator[Layer]:
    """Give each option that says something about the request as a layer of its own name."""
    yield Layer("cluster", {"cluster": settings.cluster})
    if settings.task_definition:
        yield Layer("task_definition", {"taskDefinition": settings.task_definition})
    if settings.launch_type:
        yield Layer("launch_type", {"launchType": settings.launch_type})
    if settings.capacity_provider_strategy:
        yield Layer(
            "capacity_provider_strategy", {"capacityProviderStrategy": settings.capacity_provider_strategy}
        )
    if settings.platform_version and settings.platform_version.upper() != "LATEST":
        # LATEST is AWS's default; sent with anything but Fargate, even LATEST is refused.
        yield Layer("platform_version", {"platformVersion": settings.platform_version})
    if settings.subnets:
        yield _network("subnets", {"subnets": list(settings.subnets)})
    if settings.security_groups:
        yield _network("security_groups", {"securityGroups": list(settings.security_groups)})
    if settings.subnets or settings.security_groups or settings.assign_public_ip:
        value = "ENABLED" if settings.assign_public_ip else "DISABLED"
        yield _network("assign_public_ip", {"assignPublicIp": value})


def _network(name: str, members: Mapping[str, Any]) -> Layer:
    return Layer(name, {"networkConfiguration": {"awsvpcConfiguration": members}})
