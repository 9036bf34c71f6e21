"""`ecs-async config`: shows a task's RunTask request, and where each of its values comes from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ecs_async_executor.cli.operation import add_command, exit_with
from ecs_async_executor.commands import CONFIG
from ecs_async_executor.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from ecs_async_executor.config.configuration import Configuration
    from ecs_async_executor.config.explain import Line
    from ecs_async_executor.config.profiles import Profile
    from ecs_async_executor.config.sources import Found

_COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "..."]
_OF_PROFILE = ("rate_share", "fallback", "fallback_after", "fallback_on_out_of_memory")
_OPEN = "the cluster's default capacity providers, else FARGATE"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `config`."""
    add_command(CONFIG, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Print the request; return 1 if the user must correct something."""
    try:
        shown = describe(args.executor_config, args.team, args.queue)
    except (ConfigurationError, InvalidRequestError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in shown.pop("warnings"):
        sys.stderr.write(f"{warning}\n")
    sys.stdout.write(json.dumps(shown, indent=2) + "\n" if args.json else as_text(shown))
    return 0


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async config`."""
    exit_with(run(args))


def describe(executor_config: str | None, team: str | None, queue: str = "") -> dict[str, Any]:
    """Return the request and each value's origin, with secrets masked; raises what the executor would raise."""
    from airflow.executors.base_executor import ExecutorConf  # noqa: PLC0415  a second of imports

    from ecs_async_executor.config.configuration import read_configuration  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.config.explain import explain, masked  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.config.layers import Layer  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.config.reading import unknown_team  # noqa: PLC0415  it imports pydantic
    from ecs_async_executor.config.sources import known_teams  # noqa: PLC0415  as the others

    if team is not None and team not in known_teams():
        raise ConfigurationError(unknown_team(team))
    configuration = read_configuration(ExecutorConf(team))
    found, profile = configuration.found, configuration.profiles.of(queue)
    template, warning = profile.template, configuration.profiles.warning_for(queue)
    value = _json(executor_config)
    request = profile.request(_COMMAND, value)
    layers = template.layers if value is None else (*template.layers, Layer("executor_config", value))
    body = {**request.body, "image": request.image} if request.image else request.body
    lines = explain(body, layers, request.container, "the executor")
    values = [{"path": line.path, "value": line.value, "origin": _origin(line, found)} for line in lines]
    if request.settle is not None:
        values.insert(0, {"path": "launchType", "value": _OPEN, "origin": "the executor"})
    return {
        "container": request.container,
        "request": masked(dict(body)),
        "values": values,
        "besides": _besides(configuration, profile),
        "warnings": (*configuration.warnings, *([warning] if warning else [])),
    }


def as_text(shown: Mapping[str, Any]) -> str:
    """Format the values grouped by origin, the lowest layer first."""
    lines = [
        "The task's RunTask request, grouped by where each value is set; a later group overrides the ones above it:"
    ]
    for origin, values in groupby(shown["values"], key=itemgetter("origin")):
        lines += ["", origin, *(f"    {each['path']} = {json.dumps(each['value'])}" for each in values)]
    lines += ["", "Other settings of this task:"]
    lines += [
        f"    {each['name']} = {json.dumps(each['value'])}  ({each['origin']})" for each in shown["besides"]
    ]
    return "\n".join(lines) + "\n"


def _besides(configuration: Configuration, profile: Profile) -> list[dict[str, Any]]:
    """Return settings outside the request: where it is sent, and how the executor treats the task."""
    from ecs_async_executor.config.profiles import split  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.config.reading import origin  # noqa: PLC0415  it imports pydantic
    from ecs_async_executor.executor.connection import effective_region  # noqa: PLC0415  it imports the Amazon provider

    settings, found = configuration.settings, configuration.found
    own, _ = split(settings.queues.get(profile.name, {}))
    region, region_from = effective_region(settings.conn_id, settings.region_name)
    values: dict[str, Any] = {
        "profile": profile.name or None,
        "region_name": region,
        "conn_id": settings.conn_id,
        "payload_bucket": settings.payload_bucket,
        "container_name": profile.template.container,
        "max_run_task_attempts": profile.max_starts,
        "launch_timeout": profile.launch_timeout,
        "capacity_timeout": profile.capacity_timeout,
        **{name: own[name] for name in _OF_PROFILE if name in own},
    }
    if profile.standby:
        values |= {"standby": profile.standby, "standby_max_age": profile.standby_max_age}
    if profile.larger is not None:
        values["memory"] = [size.memory for size in profile.sizes]
    of_all = {name: origin(name, found) for name in found if found[name].where != "default"}
    origins = (
        {"profile": "queues", "region_name": region_from}
        | of_all
        | dict.fromkeys((*own, "memory"), f"queue {profile.name}")
    )
    return [
        {"name": name, "value": value, "origin": origins.get(name, "default")}
        for name, value in values.items()
    ]


def _origin(line: Line, found: Mapping[str, Found]) -> str:
    if line.layer in found:
        from ecs_async_executor.config.reading import origin  # noqa: PLC0415  it imports pydantic

        return origin(line.layer, found)
    return f"{line.layer} (default)" if line.layer == "assign_public_ip" else line.layer


def _json(text: str | None) -> Any:
    if text is None:
        return None
    from ecs_async_executor.config.parsing import parse_json  # noqa: PLC0415  with the others

    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidRequestError(f"--executor-config: {error}.", "Write a JSON object.") from None
