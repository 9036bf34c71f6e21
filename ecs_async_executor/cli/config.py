"""`ecs-async config`: the RunTask request that a task gets, and where each value of it comes from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ecs_async_executor.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from ecs_async_executor.explain import Line
    from ecs_async_executor.sources import Found

_COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "..."]
_OPEN = "the cluster's default capacity providers, else FARGATE"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `config`."""
    parser = subparsers.add_parser(
        "config",
        help="show the RunTask request that tasks get, and where each value comes from",
        description="Check the options and show the RunTask request that they make. Asks neither AWS nor the "
        "database. Values of environment variables and tags that look secret are masked.",
    )
    parser.add_argument(
        "--executor-config", metavar="JSON", help="a task's executor_config, laid over everything else"
    )
    parser.add_argument("--queue", default="", metavar="NAME", help="the Airflow queue that the task is in")
    parser.add_argument("--team", metavar="NAME", help="the team whose options are meant")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the request; 1 if something must be corrected."""
    try:
        shown = describe(args.executor_config, args.team, args.queue)
    except (ConfigurationError, InvalidRequestError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(shown, indent=2) + "\n" if args.json else as_text(shown))
    return 0


def run_in_airflow(args: argparse.Namespace) -> None:
    """Do it as `airflow ecs-async config`, whose commands give no exit code."""
    if code := run(args):
        raise SystemExit(code)


def describe(executor_config: str | None, team: str | None, queue: str = "") -> dict[str, Any]:
    """Give the request and the origin of each value, both masked; raises what the executor would raise."""
    from airflow.executors.base_executor import ExecutorConf  # noqa: PLC0415  a second of imports

    from ecs_async_executor.explain import explain, masked  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.layers import Layer  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.profiles import make_profiles  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.settings import read_settings  # noqa: PLC0415  it imports pydantic

    settings, found = read_settings(ExecutorConf(team))
    template = make_profiles(settings).of(queue).template
    value = _json(executor_config)
    request = template.request(_COMMAND, value)
    layers = template.layers if value is None else (*template.layers, Layer("executor_config", value))
    lines = explain(request.body, layers, request.container, "the executor")
    values = [{"path": line.path, "value": line.value, "origin": _origin(line, found)} for line in lines]
    if request.settle is not None:
        values.insert(0, {"path": "launchType", "value": _OPEN, "origin": "the executor"})
    return {"container": request.container, "request": masked(dict(request.body)), "values": values}


def as_text(shown: Mapping[str, Any]) -> str:
    """Give the values in groups, one for each origin, the lowest layer first."""
    lines = ["The RunTask request of a task, by where its values come from; what stands lower wins:"]
    for origin, values in groupby(shown["values"], key=itemgetter("origin")):
        lines += ["", origin, *(f"    {each['path']} = {json.dumps(each['value'])}" for each in values)]
    return "\n".join(lines) + "\n"


def _origin(line: Line, found: Mapping[str, Found]) -> str:
    if line.layer in found:
        option = found[line.layer]
        return f"[{option.section}] {line.layer} ({option.where})"
    return f"{line.layer} (default)" if line.layer == "assign_public_ip" else line.layer


def _json(text: str | None) -> Any:
    if text is None:
        return None
    from ecs_async_executor.parsing import parse_json  # noqa: PLC0415  with the others

    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidRequestError(f"--executor-config: {error}.", "Write it as JSON.") from None
