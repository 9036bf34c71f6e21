"""`ecs-async conformance`: checks on a real cluster whether ECS behaves as the executor assumes."""

from __future__ import annotations

import argparse
import ipaddress
import math
import sys
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ecs_async_executor import __version__
from ecs_async_executor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecs_async_executor.conformance.edge import BotocoreEdge
    from ecs_async_executor.conformance.target import Target

DEFAULT_MAX_CENTS = 100.0
BURST = 400
"""Calls of --burst: the bucket has 100 and gets 20 a second ("Request throttling for the Amazon ECS API")."""
LOCAL_PACE = 0.02
"""On this machine every wait is fifty times shorter."""
INTERRUPTED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `conformance`."""
    parser = subparsers.add_parser(
        "conformance",
        help="check on a real cluster whether ECS behaves as the executor assumes",
        description="Start a handful of short ECS tasks, check whether ECS behaves as the executor assumes, stop them, "
        "and print a report to paste into an issue. Without --i-know-this-costs-cents it only prints what it would do. "
        "Exits with 0 if nothing differs, with 1 if something does, or if the run didn't get through.",
    )
    parser.add_argument("--cluster", required=True, metavar="NAME", help="the cluster's name or ARN")
    parser.add_argument(
        "--task-definition",
        required=True,
        metavar="NAME",
        help="a family, family:revision or ARN; its image has python",
    )
    parser.add_argument("--container", default="", metavar="NAME", help="default: the first essential one")
    parser.add_argument(
        "--subnets", type=_names, default=(), metavar="ID,...", help="for awsvpc task definitions"
    )
    parser.add_argument(
        "--security-groups", type=_names, default=(), metavar="ID,...", help="default: the VPC's"
    )
    parser.add_argument(
        "--assign-public-ip",
        action="store_true",
        help="for subnets whose only way out is an internet gateway",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--launch-type",
        choices=("FARGATE", "EC2"),
        default="",
        help="default: FARGATE if the task definition allows it",
    )
    where.add_argument("--capacity-provider", default="", metavar="NAME", help="instead of a launch type")
    parser.add_argument(
        "--broken-task-definition",
        default="",
        metavar="NAME",
        help="a task definition whose image doesn't exist, to see how a failed pull ends",
    )
    parser.add_argument(
        "--burst",
        action="store_true",
        help=f"call DescribeTasks {BURST} times at once, to see how AWS throttles; throttles others of this account, too",
    )
    parser.add_argument("--region", metavar="NAME", help="default: as for the AWS CLI")
    parser.add_argument("--profile", metavar="NAME", help="a profile of the AWS CLI's configuration")
    parser.add_argument(
        "--endpoint-url", metavar="URL", help="another ECS, such as the one of `ecs-async local`"
    )
    parser.add_argument(
        "--max-cents",
        type=_cents,
        default=DEFAULT_MAX_CENTS,
        metavar="CENTS",
        help="refuse to start if it can cost more US cents (default: %(default)g)",
    )
    parser.add_argument(
        "--i-know-this-costs-cents",
        action="store_true",
        help="start the tasks; not needed for an ECS on this machine",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def _cents(text: str) -> float:
    """Parse an amount of US cents; raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of US cents")
    return value


def run(args: argparse.Namespace) -> int:
    """Run the suite, print its report and return the exit code."""
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  a tenth of a second of imports

    from ecs_async_executor.conformance.edge import BotocoreEdge  # noqa: PLC0415  it imports botocore
    from ecs_async_executor.conformance.plan import plan  # noqa: PLC0415  with the others

    try:
        edge = BotocoreEdge(args.region, args.endpoint_url, args.profile)
        target, facts = _target(edge, args)
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
        sys.stderr.write("No task was started, so little could be told; the report says why.\n")
    if outcome.interrupted:
        return INTERRUPTED
    whole = outcome.record.has("first") and not outcome.record.cut_short and not outcome.left
    return 0 if whole and not report.count(Outcome.DIFFERS) else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _target(edge: BotocoreEdge, args: argparse.Namespace) -> tuple[Target, Mapping[str, str]]:
    """Describe the task definition; return the target, and what the report tells about the run.

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
    if not answer.ok:
        raise ConfigurationError(f"--task-definition: DescribeTaskDefinition failed: {answer.says}")
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


def _names(text: str) -> Sequence[str]:
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise argparse.ArgumentTypeError("write one or more ids, separated by commas")
    return found
