"""Turns each option that affects the request into a layer with the option's name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.task_tags import as_layer

OF_AIRFLOW = "the scheduler's [core] options"
"""The only layer that is not an option, a queue's profile or a task's executor_config."""


def airflow_layers(environment: Mapping[str, str] | None) -> Iterator[Layer]:
    """Yield the lowest layer: the Airflow options that every Airflow container gets."""
    if environment:
        yield Layer(OF_AIRFLOW, {"environment": environment})


def option_layers(settings: Settings) -> Iterator[Layer]:
    """Yield a layer for each option that affects the request."""
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
        # LATEST is AWS's default on Fargate, and AWS rejects it anywhere else.
        yield Layer("platform_version", {"platformVersion": settings.platform_version})
    if settings.subnets:
        yield _network("subnets", {"subnets": list(settings.subnets)})
    if settings.security_groups:
        yield _network("security_groups", {"securityGroups": list(settings.security_groups)})
    if settings.subnets or settings.security_groups or settings.assign_public_ip:
        value = "ENABLED" if settings.assign_public_ip else "DISABLED"
        yield _network("assign_public_ip", {"assignPublicIp": value})
    if settings.task_tags:
        yield Layer("task_tags", as_layer(settings.task_tags))


def _network(name: str, members: Mapping[str, Any]) -> Layer:
    return Layer(name, {"networkConfiguration": {"awsvpcConfiguration": members}})
