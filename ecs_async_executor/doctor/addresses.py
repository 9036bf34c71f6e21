"""The addresses at which containers look for the execution API. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from ecs_async_executor.doctor.effective import Effective, effectives
from ecs_async_executor.doctor.facts import Facts
from ecs_async_executor.doctor.setup import Option, Setup

VARIABLE = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
BASE = "AIRFLOW__API__BASE_URL"
"""What Airflow derives the address from, if that isn't set."""


def own_address(each: Effective) -> str | None:
    """Return the address that a profile's containers get by their environment; None if that has none."""
    if VARIABLE in each.environment:
        return each.environment[VARIABLE]
    base = each.environment.get(BASE, "")
    return f"{base.rstrip('/')}/execution/" if urlsplit(base).hostname else None


def source_of(setup: Setup) -> tuple[str, Option]:
    """Return which option this host's address comes from, as people write it; its value is empty if neither is set."""
    for name in ("core.execution_api_server_url", "api.base_url"):
        option = setup.option(name)
        if option.value and (name.startswith("core.") or urlsplit(option.value).hostname):
            break
    else:
        name, option = "core.execution_api_server_url", Option()
    section, _, key = name.partition(".")
    return f"[{section}] {key}", option


def addresses(setup: Setup, facts: Facts) -> Iterator[str]:
    """Yield every address that containers get, and this host's."""
    if setup.api_url:
        yield setup.api_url
    for each in effectives(setup, facts):
        if own := own_address(each):
            yield own


def tried(setup: Setup, facts: Facts) -> list[str]:
    """Return the addresses at which this host tries the execution API: those that lead to one place for it and for containers."""
    profiles = effectives(setup, facts)
    found = [setup.api_url] if source_of(setup)[1].value else []
    for each in profiles:
        # Without either, containers take Airflow's default. On AWS, a container's localhost is the container.
        address = own_address(each) or setup.api_url
        if setup.local or (own_address(each) and not is_here(urlsplit(address).hostname or "")):
            found.append(address)
    # A slash at the end makes no difference.
    return list({url.rstrip("/"): url for url in reversed(found) if url}.values())[::-1]


def is_here(host: str) -> bool:
    """Return whether a host name or address means the machine itself."""
    if host.lower().rstrip(".") in {"localhost", "localhost.localdomain", "ip6-localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower().endswith(".localhost")
    return address.is_loopback or address.is_unspecified
