"""`ecs-async conformance`: checks on a real cluster whether ECS behaves as the executor assumes."""

from __future__ import annotations

import argparse
import ipaddress
import sys
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ecs_async_executor import __version__
from ecs_async_executor.cli.operation import INTERRUPTED, add_command, exit_with
from ecs_async_executor.commands import BURST, CONFORMANCE
from ecs_async_executor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecs_async_executor.conformance.edge import BotocoreEdge
    from ecs_async_executor.conformance.target import Target

LOCAL_PACE = 0.02
"""On this machine every wait is fifty times shorter."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `conformance`."""
    add_command(CONFORMANCE, subparsers, run)


def run(args: argparse.Namespace) -> int:
    """Run the suite, print its report and return the exit code."""
    from botocore.exceptions import BotoCoreError, NoRegionError  # noqa: PLC0415  a tenth of a second of imports

    from ecs_async_executor.conformance.edge import BotocoreEdge  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.conformance.plan import plan  # noqa: PLC0415  with the others

    if args.launch_type and args.capacity_provider:
        sys.stderr.write("ecs-async conformance: write either --launch-type or --capacity-provider.\n")
        return 2
    try:
        edge = BotocoreEdge(args.region, args.endpoint_url, args.profile)
        target, facts = _target(edge, args)
    except NoRegionError:
        sys.stderr.write(
            "ecs-async conformance: no Region is set. Add --region, or set AWS_DEFAULT_REGION or the profile's region.\n"
        )
        return 1
    except (BotoCoreError, ConfigurationError, ValueError) as error:
        sys.stderr.write(f"ecs-async conformance: {error}\n")
        return 1
    is_here = _is_loopback(edge.endpoint_url)
    planned = plan(target, burst=BURST if args.burst else 0, here=is_here)
    sys.stderr.write(f"At {edge.endpoint_url} this starts:\n{planned.text}")
    if not (is_here or args.i_know_this_costs_cents):
        sys.stderr.write("Nothing was started. To start it, add --i-know-this-costs-cents.\n")
        return 1
    if not is_here and planned.most_cents > args.max_cents:
        sys.stderr.write(
            f"Nothing was started: it can cost {planned.most_cents:g} cents, more than --max-cents {args.max_cents:g}. "
            "Take a smaller task definition, or raise --max-cents.\n"
        )
        return 1
    return _run(edge, target, args, facts, LOCAL_PACE if is_here else 1.0)


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async conformance`."""
    exit_with(run(args))


def _run(
    edge: BotocoreEdge, target: Target, args: argparse.Namespace, facts: Mapping[str, str], pace: float
) -> int:
    from ecs_async_executor.conformance.judges import Outcome  # noqa: PLC0415  with the others
    from ecs_async_executor.conformance.limits import SECONDS, Limits  # noqa: PLC0415  with the others
    from ecs_async_executor.conformance.probes import PROBES, throttle  # noqa: PLC0415  with the others
    from ecs_async_executor.conformance.report import as_json, as_markdown, make_report  # noqa: PLC0415  as above
    from ecs_async_executor.conformance.run import run as run_probes  # noqa: PLC0415  with the others

    probes = (*PROBES, throttle(BURST)) if args.burst else PROBES
    outcome = run_probes(
        target,
        edge,
        Limits(time.time() + SECONDS),
        probes,
        clock=time.time,
        sleep=time.sleep,
        pace=pace,
        say=_say,
    )
    report = make_report(target, outcome.record, facts, outcome.left)
    sys.stdout.write(as_json(report) if args.json else as_markdown(report))
    sys.stdout.flush()
    for arn in sorted(outcome.left):
        sys.stderr.write(f"May still run: aws ecs stop-task --cluster {target.cluster} --task {arn}\n")
    if not outcome.record.has("first"):
        sys.stderr.write("No task was started, so little could be determined; the report says why.\n")
    if outcome.interrupted:
        return INTERRUPTED
    whole = outcome.record.has("first") and not outcome.record.cut_short and not outcome.left
    return 0 if whole and not report.count(Outcome.DIFFERS) else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _target(edge: BotocoreEdge, args: argparse.Namespace) -> tuple[Target, Mapping[str, str]]:
    """Describe the task definition; return the target, and what the report says about the run.

    Raises:
        ConfigurationError: It can't be described, or the options don't fit it.
    """
    from botocore import __version__ as botocore_version  # noqa: PLC0415  with the others

    from ecs_async_executor.conformance.answers import Call  # noqa: PLC0415  with the others
    from ecs_async_executor.conformance.target import read_target  # noqa: PLC0415  with the others

    named = {"taskDefinition": args.task_definition}
    answer = edge.send(Call("definition", "DescribeTaskDefinition", {**named, "include": ["TAGS"]}))
    if answer.is_denial:
        # Its tags may be what this identity may not see.
        answer = edge.send(Call("definition", "DescribeTaskDefinition", named))
    if answer.tells_nothing:
        raise ConfigurationError(
            f"DescribeTaskDefinition failed at {edge.endpoint_url}: {answer.says}. Check the network, the Region and the "
            "credentials: --endpoint-url, --region, --profile."
        )
    if not answer.ok:
        raise ConfigurationError(f"--task-definition: DescribeTaskDefinition failed: {answer.says}")
    if "taskDefinition" not in answer.body:  # botocore takes a web page for an empty answer
        raise ConfigurationError(
            f"What answers at {edge.endpoint_url} is no ECS: it sent no task definition."
        )
    given = {
        "cluster": args.cluster,
        "task_definition": args.task_definition,
        "container": args.container,
        "run_id": uuid.uuid4().hex,
        "launch_type": args.launch_type,
        "capacity_provider": args.capacity_provider,
        "subnets": args.subnets,
        "security_groups": args.security_groups,
        "public_ip": args.assign_public_ip,
        "broken_task_definition": args.broken_task_definition,
    }
    target = read_target(answer.body["taskDefinition"], answer.body.get("tags", ()), given)
    where = target.capacity_provider or target.launch_type
    host = urlsplit(edge.endpoint_url).hostname or edge.endpoint_url
    return target, {
        "Endpoint": host,
        "Region": edge.region,
        "Capacity": f"{where}, {target.cpu:g} vCPU, {target.memory:g} GiB",
        "At": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "Versions": f"ecs-async-executor {__version__}, botocore {botocore_version}",
    }


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
