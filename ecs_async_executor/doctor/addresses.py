"""The addresses at which containers look for the execution API. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective, effectives
from ecs_async_executor.doctor.facts import Facts
from ecs_async_executor.doctor.setup import Setup

VARIABLE = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"


def own_address(each: Effective) -> str | None:
    """Return the address that a profile's containers get by their environment; None if that has none."""
    return each.environment.get(VARIABLE)


def addresses(setup: Setup, facts: Facts) -> Iterator[str]:
    """Yield every address that containers get, and this host's."""
    if setup.api_url:
        yield setup.api_url
    for each in effectives(setup, facts):
        if own := own_address(each):
            yield own


def is_here(host: str) -> bool:
    """Return whether a host name or address means the machine itself."""
    if host.lower().rstrip(".") in {"localhost", "localhost.localdomain", "ip6-localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().endswith(".localhost")
    return address.is_loopback or address.is_unspecified
