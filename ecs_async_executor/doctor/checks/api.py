"""The execution API: the address that containers get, what answers there, and whether it accepts tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ecs_async_executor.doctor.addresses import BASE, VARIABLE, is_here, own_address, source_of, tried
from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind, Question
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.setup import Setup

_EXAMPLE = "https://airflow.example.com/execution/"
_WHERE = "in the container's environment in the task definition (and for the scheduler)"
_REST_API = re.compile(r"(?:/api/v\d+)?/*$")
"""What people add to the API server's own path: the REST API's is `/api/v2`."""
LEAST_CHARACTERS = 64
"""Bytes of a secret for HS512, Airflow's default algorithm (RFC 7518, section 3.2)."""


def address(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Containers get an address, and one that leads out of themselves."""
    own = own_address(each)
    name, option = source_of(setup)
    hidden = each.hidden(VARIABLE) or each.hidden(BASE)
    if own is None and (hidden or (each.container is None and not option.value)):
        facts.skip(Question(Kind.ADDRESS))  # what the container has can't be seen
        return
    if own is None and not option.value and is_here(urlsplit(setup.api_url).hostname or ""):
        report = warning if setup.local else error
        yield report(
            "[core] execution_api_server_url is set neither here nor in the container's environment: containers look for the "
            f"API server at {setup.api_url}.",
            "In a container, localhost is the container itself, so no task can tell Airflow that it runs. (Containers of a "
            "local ECS are processes of this machine.)",
            f"Set {VARIABLE}={_EXAMPLE} {_WHERE}.",
        )
        return
    shown = own if own is not None else setup.api_url
    source = "the container's environment" if own is not None else f"{name} ({option.where})"
    yield from _judge(setup, shown, source, facts)
    if own is None and each.container is not None and option.in_environment and not setup.local:
        yield unknown(
            f"The container's environment has no {VARIABLE}; the scheduler has {name} in its own environment, which containers "
            "don't get.",
            "If the image doesn't set it either, tasks look for the API server at localhost.",
            f"Set it in the task definition's environment for the container {each.target.container}; or see what containers get: "
            "ecs-async doctor --launch",
        )
    if own is not None and option.value and own.rstrip("/") != setup.api_url.rstrip("/"):
        yield from _judge(setup, setup.api_url, f"{name} ({option.where})", facts)


def _judge(setup: Setup, url: str, source: str, facts: Facts) -> Iterator[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host:
        yield error(
            f"The execution API's address is {url} ({source}): not a URL with http or https and a host.",
            "No task can reach the API server.",
            f"Write it as {_EXAMPLE}.",
        )
        return
    if is_here(host):
        report: Callable[[str, str, str], Finding] = warning if setup.local else error
        yield report(
            f"The execution API's address is {url} ({source}).",
            f"In a container, {host} is the container itself, so no task can tell Airflow that it runs. (Containers of a local "
            "ECS are processes of this machine.)",
            f"Set {VARIABLE} to an address that containers reach, such as {_EXAMPLE}, {_WHERE}.",
        )
        return
    if parts.scheme == "http":
        yield warning(
            f"The execution API's address is {url} ({source}): without TLS.",
            "Each task's token, and what tasks read of connections and variables, crosses the network in the clear.",
            f"Put TLS in front of the API server (a load balancer), and set {VARIABLE}=https://{parts.netloc}{parts.path}",
        )
    if not parts.path.rstrip("/").endswith("/execution"):
        yield error(
            f"The execution API's address is {url} ({source}): its path doesn't end in /execution/.",
            "The API server answers tasks with 404.",
            f"Set {VARIABLE}={parts.scheme}://{parts.netloc}{_REST_API.sub('', parts.path)}/execution/",
        )
    if facts.absent(Kind.ADDRESS, host):
        yield error(
            f"The name {host} of the execution API ({source}) doesn't resolve on this host.",
            "Tasks that can't resolve it either can't reach the API server.",
            f"Correct {VARIABLE}, or make the name known in the VPC's DNS (Route 53, Cloud Map).",
        )


def answers(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The API server answers at each address that this host can try."""
    addresses = tried(setup, facts)
    if not addresses:
        facts.skip(Question(Kind.API))
    for url in addresses:
        found = facts.value(Kind.API, url)
        if found and not _unresolved(url, facts):
            yield from _answered(url, found)


def _answered(url: str, found: Mapping[str, Any]) -> Iterator[Finding]:
    problem = str(found["problem"])
    if problem == "refused":
        yield error(
            f"Nothing listens at {url}.",
            "No task can reach the API server.",
            "Start the API server (airflow api-server), or correct host and port.",
        )
    elif problem.startswith("certificate"):
        yield error(
            f"The certificate of {url} isn't trusted here ({problem.partition(': ')[2]}).",
            "Airflow's worker refuses the connection, unless its container trusts the certificate.",
            "Use a certificate of a public authority (ACM), or install yours in the image (SSL_CERT_FILE).",
        )
    elif problem == "plain HTTP":
        yield error(
            f"The address {url} begins with http://, and that port speaks TLS.",
            "Airflow's worker can't connect.",
            f"Set {VARIABLE}=https://{url.partition('://')[2]} {_WHERE}.",
        )
    elif problem.startswith("TLS"):
        yield error(
            f"{url} doesn't speak TLS ({problem.partition(': ')[2]}).",
            "Airflow's worker can't connect.",
            "Correct the port, or write http:// if nothing in front of the API server has TLS.",
        )
    elif problem:
        yield unknown(
            f"This host doesn't reach {url} ({problem}).",
            "Containers may, from their subnets.",
            "Run the doctor where the scheduler runs; or let a container try: ecs-async doctor --launch",
        )
    elif not found["healthy"]:
        yield error(
            f"{url} answers {found['status']} to /health: it isn't Airflow's execution API.",
            "Tasks can't tell Airflow anything.",
            "Correct host, port and path: the API server's address, and /execution/.",
        )


def token(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The API server accepts a token that this host's key signs."""
    for url in tried(setup, facts) or [""]:
        health = facts.value(Kind.API, url)
        if health and health["healthy"]:
            found = facts.value(Kind.TOKEN, url)
            if found:
                yield from _token_answered(url, int(found["status"]), facts)
        else:
            facts.skip(Question(Kind.TOKEN, url))


def _token_answered(url: str, status: int, facts: Facts) -> Iterator[Finding]:
    if status in {401, 403}:
        yield error(
            f"The API server at {url} rejects a token that this host signs ({status}).",
            "It rejects each task's token as well: tasks fail as soon as they start.",
            "Give the scheduler and the API server the same AIRFLOW__API_AUTH__JWT_SECRET (and jwt_issuer, jwt_audience), and "
            "synchronise their clocks.",
        )
    elif status >= 500:
        yield error(
            f"The API server at {url} answers {status} to a task.",
            "Tasks can't start.",
            "Read the API server's log; often it can't reach its database.",
        )
    elif not status:  # it took too long, or broke the connection
        facts.skip(Question(Kind.TOKEN, url))


def key(setup: Setup, _: Facts) -> Iterator[Finding]:
    """There is a key that all components share."""
    jwt = setup.jwt
    if jwt.private_key:
        if jwt.problem:
            yield error(
                f"{jwt.problem} ({jwt.where}).",
                "The scheduler signs each task's token with it: no task can be launched.",
                "Correct the path, let the scheduler's user read the file, or set [api_auth] jwt_secret instead.",
            )
        return
    command = "AIRFLOW__API_AUTH__JWT_SECRET=$(openssl rand -hex 32)"
    if jwt.problem:
        yield error(
            f"{jwt.problem} ({jwt.where})." if jwt.where != "default" else f"{jwt.problem}.",
            "The scheduler signs each task's token, and the API server checks it: without a common secret, tasks are rejected.",
            f"Make one, and set it for the scheduler and the API server: {command}",
        )
    elif jwt.characters < LEAST_CHARACTERS:
        yield warning(
            f"[api_auth] jwt_secret ({jwt.where}) has {jwt.characters} bytes.",
            "HS512, Airflow's default, wants 64 (RFC 7518): who guesses the secret can act as any task.",
            f"Set a longer one for the scheduler and the API server: {command}",
        )


def _unresolved(url: str, facts: Facts) -> bool:
    return facts.absent(Kind.ADDRESS, urlsplit(url).hostname or "") is not None
