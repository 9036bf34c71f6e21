"""`ecs-async local`: runs a local ECS in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import json
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ecs_async_executor.argument_values import seconds
from ecs_async_executor.cli.definitions import Loaded, describe, load
from ecs_async_executor.errors import EcsAsyncError
from ecs_async_executor.local import Options, serve
from ecs_async_executor.local.options import BUCKET

if TYPE_CHECKING:
    from ecs_async_executor.local import Control

DEFAULT_PORT = 8787
# Amazon ECS API Reference, "CreateCluster": clusterName.
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{1,255}")
# Amazon S3 User Guide, "General purpose bucket naming rules".
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# The executor's option: what is too long for RunTask goes through S3.
_PAYLOADS = f"AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET=s3://{BUCKET}/payloads"
_SUBNETS = "awsvpcConfiguration={subnets=[subnet-1]}"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `local`."""
    parser = subparsers.add_parser(
        "local",
        help="run a local ECS, without AWS",
        description="Run a local ECS: it accepts the ECS API's calls, and runs the containers' commands as processes on this machine.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help="port to listen on; 0 picks a free one (default %(default)s)",
    )
    add(
        "--logs-port",
        type=_port,
        metavar="PORT",
        help="port of the local CloudWatch Logs; 0 picks a free one (default: --port plus 1)",
    )
    add(
        "--s3-port",
        type=_port,
        metavar="PORT",
        help="port of the local S3; 0 picks a free one (default: --port plus 2)",
    )
    add(
        "--runtime",
        choices=("process", "simulated"),
        default="process",
        help="run commands, or only simulate tasks (default: %(default)s)",
    )
    add(
        "--cluster",
        action="append",
        type=_cluster,
        default=[],
        metavar="NAME",
        help="another cluster besides `default`; repeatable",
    )
    add(
        "--task-definition",
        action="append",
        default=[],
        metavar="FILE",
        help="a task definition in JSON, as the console or `aws ecs describe-task-definition` prints it, besides "
        "`airflow-task`; repeatable",
    )
    add(
        "--no-logs",
        action="store_true",
        help="discard the containers' output instead of keeping it in a local CloudWatch Logs",
    )
    add(
        "--log-group",
        action="append",
        default=[],
        metavar="NAME",
        help="create this log group at startup; repeatable",
    )
    add(
        "--no-s3",
        action="store_true",
        help="offer no local S3, and tell containers of none; in the simulated runtime there is one only with --bucket",
    )
    add(
        "--bucket",
        action="append",
        type=_bucket,
        default=[],
        metavar="NAME",
        help=f"another bucket of the local S3 besides `{BUCKET}`; repeatable",
    )
    add(
        "--pass-env",
        action="append",
        type=_variable,
        default=[],
        metavar="NAME",
        help="pass this environment variable to the containers; repeatable",
    )
    add(
        "--plan",
        type=_json_object,
        default={},
        metavar="JSON",
        help="how long simulated tasks take, and how they end; see docs/local-ecs.md",
    )
    add(
        "--fault",
        action="append",
        type=_json_object,
        default=[],
        metavar="JSON",
        help='inject a fault, such as {"kind": "throttle", "action": "RunTask", "probability": 0.1}; repeatable',
    )
    add(
        "--latency",
        action="append",
        type=_latency,
        default=[],
        metavar="[ACTION=]SECONDS[+JITTER]",
        help="delay calls, such as 0.05 or RunTask=0.2+0.1; repeatable",
    )
    add("--throttling", action="store_true", help="throttle as AWS does")
    add(
        "--consistency-lag",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help="show tasks in DescribeTasks and ListTasks this much later",
    )
    add("--seed", type=int, help="seed of the random choices, for repeatable runs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return 1 if it can't start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in args.pass_env:
        if name not in os.environ:
            sys.stderr.write(
                f"WARNING: --pass-env {name}: the variable isn't set, so containers won't get it.\n"
            )
    options = Options()
    try:
        definitions = load(args.task_definition, options.region, options.account)
        asyncio.run(_serve(_options(args, definitions), definitions))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # as in `ecs-async local | head`: the reader is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (EcsAsyncError, OSError) as error:
        sys.stderr.write(f"ecs-async local: {_explain(error, args)}\n")
        return 1
    return 0


def _options(args: argparse.Namespace, definitions: Sequence[Loaded]) -> Options:
    return Options(
        host=args.host,
        port=args.port,
        runtime=args.runtime,
        clusters=args.cluster,
        task_definitions=[loaded.request for loaded in definitions],
        plan=args.plan,
        conditions={
            "faults": args.fault,
            "latency": dict(args.latency),
            "throttling": args.throttling,
            "consistency_lag": args.consistency_lag,
        },
        logs=not args.no_logs and args.runtime == "process",
        logs_port=_beside(args.port, 1) if args.logs_port is None else args.logs_port,
        log_groups=args.log_group,
        s3=not args.no_s3 and (args.runtime == "process" or bool(args.bucket)),
        s3_port=_beside(args.port, 2) if args.s3_port is None else args.s3_port,
        buckets=args.bucket,
        pass_environment=args.pass_env,
        seed=args.seed,
    )


def _beside(port: int, distance: int) -> int:
    """Return the port at a distance, the same at each start; 0, a free one, if there is none."""
    return port + distance if 0 < port <= 65535 - distance else 0


async def _serve(options: Options, definitions: Sequence[Loaded]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(options) as control:
        if not _is_loopback(options.host):
            sys.stderr.write(
                f"WARNING: {options.host} is not a loopback address. Anyone who can reach it can run commands as you.\n"
            )
        sys.stdout.write(_greeting(options, control, definitions))
        sys.stdout.flush()
        await stop.wait()
    sys.stdout.write("\nStopped; every container is gone.\n")


def _greeting(options: Options, control: Control, definitions: Sequence[Loaded]) -> str:
    logs = (
        f"export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={control.logs_endpoint_url}\n"
        if control.logs_endpoint_url
        else ""
    )
    s3 = f"export AWS_ENDPOINT_URL_S3={control.s3_endpoint_url}\n" if control.s3_endpoint_url else ""
    payloads = f"export {_PAYLOADS}\n" if s3 else ""
    buckets = f"S3's buckets: {', '.join((BUCKET, *options.buckets))}.\n" if s3 else ""
    output = (
        "Output: aws logs get-log-events --log-group-name /ecs/airflow-task --log-stream-name ecs/airflow/TASK_ID\n"
        if logs
        else ""
    )
    added = "".join(f"{line}\n" for line in describe(definitions, options.log_groups if logs else None))
    clusters = ", ".join(("default", *options.clusters))
    return (
        f"Local ECS ({options.runtime}) at {control.endpoint_url}; Ctrl-C stops it and every container.\n"
        f"Clusters: {clusters}. Task definitions:\n"
        "  airflow-task:1, built in: container airflow\n"
        f"{added}"
        f"{buckets}"
        "\n"
        f"export AWS_ENDPOINT_URL_ECS={control.endpoint_url}\n"
        f"{logs}"
        f"{s3}"
        "export AWS_ACCESS_KEY_ID=local\n"
        "export AWS_SECRET_ACCESS_KEY=local\n"
        f"export AWS_DEFAULT_REGION={options.region}\n"
        f"{payloads}"
        "\n"
        f"Try: aws ecs run-task --task-definition airflow-task --network-configuration '{_SUBNETS}' --overrides "
        """'{"containerOverrides": [{"name": "airflow", "command": ["date"]}]}'\n"""
        f"{output}"
        f"Control: {control.endpoint_url}/_local/tasks, /_local/faults, /_local/calls\n"
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("write a number from 0 to 65535")
    return int(text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _explain(error: Exception, args: argparse.Namespace) -> str:
    """Describe the error, and name the option that avoids it."""
    if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
        return f"--host {args.host} is not an address of this machine. Omit it to listen on 127.0.0.1."
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {args.port} on {args.host} is in use. Choose another with --port, or 0 for a free one."
    if isinstance(error, PermissionError):
        return f"--port {args.port}: {error.strerror}. Choose a port above 1023."
    return str(error)


def _cluster(text: str) -> str:
    if not _CLUSTER.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "a cluster name has up to 255 letters, numbers, hyphens and underscores"
        )
    return text


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "a bucket name has 3 to 63 lower-case letters, numbers, hyphens and dots"
        )
    return text


def _variable(text: str) -> str:
    if "=" in text:
        raise argparse.ArgumentTypeError("write only the variable's name, and set its value in this shell")
    return text


def _json_object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"it is not JSON ({error}). Put it in single quotes: '{{...}}'"
        ) from None
    if not isinstance(document, dict):
        raise argparse.ArgumentTypeError("it is not a JSON object, {...}")
    return document


def _latency(text: str) -> tuple[str, tuple[float, float]]:
    action, _, numbers = text.rpartition("=")
    base, _, jitter = numbers.partition("+")
    try:
        return action or "*", (float(base), float(jitter or 0))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not [ACTION=]SECONDS[+JITTER]") from None
