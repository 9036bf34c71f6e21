"""The engine without Airflow: launch 20 ECS tasks and print what became of each.

    python examples/engine_only.py            # on a local ECS, no AWS needed
    python examples/engine_only.py --aws CLUSTER TASK_DEFINITION CONTAINER SUBNET [SUBNET ...]

The second form uses the standard AWS environment (credentials, Region) and starts real Fargate tasks.
"""

from __future__ import annotations

import argparse
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from aiobotocore.session import get_session

from ecs_async_executor.engine import Connection, EngineOptions, EngineThread, connect_by_environment
from ecs_async_executor.messages import (
    Cancelled,
    Launch,
    Launched,
    LaunchFailed,
    Paused,
    Request,
    Running,
    Stopped,
    Waiting,
)

TASKS = 20


def main() -> int:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Launch 20 ECS tasks with the engine alone.")
    parser.add_argument(
        "--aws", nargs="+", metavar="ARG", help="cluster, task definition, container, subnets"
    )
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.aws:
            if len(arguments.aws) < 4:
                parser.error("--aws takes a cluster, a task definition, a container and at least one subnet")
            cluster, definition, container, *subnets = arguments.aws
            connect = connect_by_environment
        else:
            cluster, definition, container, subnets = "default", "airflow-task", "airflow", ["subnet-1"]
            connect = start_local_ecs(stack)
        engine = EngineThread(connect, EngineOptions(started_by="example", poll_interval=2))
        engine.start()
        stack.callback(engine.close, 10)
        return launch_and_watch(engine, cluster, definition, container, subnets)


def start_local_ecs(stack: ExitStack) -> Any:
    """Start a local ECS that runs the tasks' commands as processes."""
    from ecs_async_executor.local import serve_in_thread  # noqa: PLC0415  the extra `local` is not needed on AWS

    local = stack.enter_context(serve_in_thread())

    def connect() -> Connection:
        session = get_session()
        session.set_credentials("local", "local")
        return Connection(session, region_name="us-east-1", endpoint_url=local.endpoint_url)

    return connect


def launch_and_watch(
    engine: EngineThread, cluster: str, definition: str, container: str, subnets: list[str]
) -> int:
    """Order all tasks and print the engine's reports until each has ended."""
    names = {}
    for number in range(TASKS):
        run_id = str(uuid.uuid4())
        names[run_id] = f"task {number:2}"
        # Every fifth fails, so that there is something to see.
        script = f"sleep {number % 3}; echo this is task {number}; exit {int(number % 5 == 4)}"
        request = Request(
            {
                "cluster": cluster,
                "taskDefinition": definition,
                "launchType": "FARGATE",
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "ENABLED"}
                },
                "overrides": {"containerOverrides": [{"name": container, "command": ["sh", "-c", script]}]},
            },
            container,
        )
        engine.submit([Launch(run_id, names[run_id], partial(replace, request))])

    exit_codes: dict[str, int | None] = {}
    while len(exit_codes) < TASKS:
        for report in engine.drain():
            match report:
                case Launched():
                    print(f"{names[report.run_id]}: launched as {report.arn}")
                case Running():
                    print(f"{names[report.run_id]}: running")
                case Waiting():
                    print(f"{names[report.run_id]}: waits. {report.diagnosis}")
                case Stopped():
                    exit_codes[report.run_id] = report.exit_code
                    print(f"{names[report.run_id]}: {report.diagnosis.summary}")
                case LaunchFailed() | Cancelled():
                    exit_codes[report.run_id] = None
                    print(f"{names[report.run_id]}: not launched. {report.diagnosis}")
                case Paused():
                    print(f"AWS can't be used. {report.diagnosis}")
        time.sleep(0.1)
    succeeded = sum(code == 0 for code in exit_codes.values())
    print(
        f"{succeeded} of {TASKS} tasks ended with exit code 0, {TASKS - succeeded} did not (4 fail on purpose)."
    )
    return 0 if succeeded == TASKS - 4 else 1


if __name__ == "__main__":
    raise SystemExit(main())
