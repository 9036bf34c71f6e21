"""All checks, in the order in which people set things up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ecs_async_executor.doctor.checks import (
    api,
    cluster,
    configuration,
    connection,
    container,
    definition,
    growth,
    images,
    log_driver,
    network,
    payloads,
    rates,
    regions,
    remote_logs,
    roles,
    routes,
    secrets,
    standby,
    variables,
)
from ecs_async_executor.doctor.effective import effectives
from ecs_async_executor.doctor.facts import Facts
from ecs_async_executor.doctor.findings import Finding, Severity
from ecs_async_executor.doctor.setup import Setup


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    """What is fine if it finds nothing."""
    of_all: Callable[[Setup, Facts], Iterator[Finding]] | None = None
    of_profile: Callable[..., Iterator[Finding]] | None = None
    """Takes the set-up and a profile; and the facts, if `asks`."""
    asks: bool = True
    of_options: bool = False
    """Whether it can say something if the executor's options can't be used."""


CHECKS = (
    Check("the executor's options", of_all=configuration.options, of_options=True),
    Check("[core] executor", of_all=configuration.executor, of_options=True),
    Check("the profiles' requests", of_profile=configuration.requests, asks=False),
    Check("the AWS connection", of_all=connection.connection),
    Check("who calls AWS", of_all=connection.account),
    Check("the clock", of_all=connection.clock),
    Check("the Region", of_all=regions.region),
    Check("Regions", of_profile=connection.places, asks=False),
    Check("Regions' names", of_profile=regions.of_resources, asks=False),
    Check("accounts", of_profile=connection.own_account),
    Check("the cluster", of_profile=cluster.cluster),
    Check("capacity providers", of_profile=cluster.providers),
    Check("container instances", of_profile=cluster.instances, asks=False),
    Check("the capacity provider strategy", of_profile=cluster.idle_providers, asks=False),
    Check("the task definition", of_profile=definition.definition),
    Check("the container's name", of_profile=definition.container, asks=False),
    Check("launch type, network mode and sizes", of_profile=definition.launch_type, asks=False),
    Check("placement", of_profile=definition.placement, asks=False),
    Check("the platform", of_profile=definition.platform, asks=False),
    Check("memory", of_profile=definition.memory, asks=False),
    Check("memory that grows", of_profile=growth.growth, asks=False),
    Check("the entry point", of_profile=container.entry_point, asks=False),
    Check("the container's user", of_profile=container.user, asks=False),
    Check("the container's disk", of_profile=container.disk, asks=False),
    Check("stopTimeout against Spot", of_profile=container.stop_timeout, asks=False),
    Check("secrets in the environment", of_profile=variables.secrets_in_the_clear, asks=False),
    Check("ECS Exec", of_profile=container.execute_command, asks=False),
    Check("the log driver", of_profile=log_driver.driver, asks=False),
    Check("log groups", of_profile=log_driver.groups),
    Check("the image", of_profile=images.exists),
    Check("the image's Region", of_profile=images.far_away, asks=False),
    Check("the image's processor", of_profile=images.processor),
    Check("the image's Airflow", of_profile=images.versions, asks=False),
    Check("secrets", of_profile=secrets.secrets),
    Check("subnets", of_profile=network.subnets),
    Check("free addresses", of_profile=network.free_addresses),
    Check("security groups", of_profile=network.groups),
    Check("public addresses", of_profile=network.public_address, asks=False),
    Check("a way out of the subnets", of_profile=routes.way_out),
    Check("VPC endpoints", of_profile=routes.endpoints),
    Check("the task's roles", of_profile=roles.present, asks=False),
    Check("the roles' trust", of_profile=roles.trust),
    Check("permissions", of_all=roles.permissions),
    Check("Fargate's quota of vCPUs", of_profile=rates.vcpus),
    Check("the launch rate", of_all=rates.launch_rate),
    Check("rates", of_all=rates.limits),
    Check("Airflow's slots", of_all=rates.slots, of_options=True),
    Check("timeouts", of_all=rates.times),
    Check("the execution API's address", of_profile=api.address),
    Check("the API server", of_all=api.answers, of_options=True),
    Check("the JWT secret", of_all=api.key, of_options=True),
    Check("tasks' tokens", of_all=api.token, of_options=True),
    Check("the payload bucket", of_all=payloads.bucket),
    Check("vCPUs for standbys", of_all=standby.vcpus),
    Check("the number of standbys", of_profile=standby.number, asks=False),
    Check("the cost of standbys", of_all=standby.cost),
    Check("remote logs", of_all=remote_logs.here, of_options=True),
    Check("the containers' remote logs", of_profile=remote_logs.there, asks=False),
    Check("everything asked was answered", of_all=connection.reachable),
)


def run(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Yield what all checks find; FINE for one that finds nothing wrong and missed no answer."""
    for check in CHECKS:
        seen = facts.fresh()
        found = [replace(each, check=check.name) for each in _findings(check, setup, seen)]
        yield from found
        is_fine = all(each.severity is Severity.NOTE for each in found)
        if is_fine and not seen.missed and (setup.settings is not None or check.of_options):
            yield Finding(Severity.FINE, check.name, check=check.name)


def _findings(check: Check, setup: Setup, facts: Facts) -> Iterator[Finding]:
    if check.of_all is not None:
        yield from check.of_all(setup, facts)
    if check.of_profile is None:
        return
    for each in effectives(setup, facts):
        arguments: tuple[Any, ...] = (facts,) if check.asks else ()
        for found in check.of_profile(setup, each, *arguments):
            yield replace(found, profiles=(each.name,))
