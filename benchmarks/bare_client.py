"""RunTask without any executor: as fast as aiobotocore can, or at a constant rate, as another user of the account."""

from __future__ import annotations

import asyncio
import time
import uuid
from multiprocessing.connection import Connection
from typing import Any

import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from benchmarks.limits import LAUNCH_RATE
from benchmarks.setup import CONCURRENCY, VARIABLES

BARE, OTHER = "bare", "other"
"""Their `startedBy`."""
_COMMAND = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "x" * 1200]
"""About as long as what an executor sends."""


def launch(endpoint_url: str, tasks: int) -> float:
    """Launch tasks with as many calls in flight as an executor may have; return the time when it began."""
    return asyncio.run(_launch(endpoint_url, tasks))


async def _launch(endpoint_url: str, tasks: int) -> float:
    left = iter(range(tasks))  # the workers share it: each takes the next task

    async def worker(client: Any) -> None:
        for _ in left:
            await client.run_task(**_request(BARE))

    async with _client(endpoint_url) as client:
        begun = time.time()  # with the API's model read, which takes long
        await asyncio.gather(*(worker(client) for _ in range(CONCURRENCY)))
    return begun


def take_half(connection: Connection, endpoint_url: str) -> None:
    """Call RunTask at half of AWS's rate, from one message to the next.

    Sends a list then: of each call its time (epoch seconds), and whether it was granted.
    """
    connection.recv()
    connection.send(asyncio.run(_take_half(connection, endpoint_url)))


async def _take_half(connection: Connection, endpoint_url: str) -> list[tuple[float, bool]]:
    calls: list[tuple[float, bool]] = []

    async def call(client: Any) -> None:
        try:
            await client.run_task(**_request(OTHER))
        except ClientError:
            calls.append((time.time(), False))
        else:
            calls.append((time.time(), True))

    async with _client(endpoint_url) as client, anyio.create_task_group() as group:
        due = time.monotonic()
        while not connection.poll():
            group.start_soon(call, client)
            due += 2 / LAUNCH_RATE
            await anyio.sleep(max(0.0, due - time.monotonic()))
    return calls


def take_room(connection: Connection, endpoint_url: str, slots: int, seconds: float) -> None:
    """Hold up to `slots` slots of the cluster for so many seconds, and none for as many, between two messages.

    Sends the number of its own RunTask calls that ECS refused then.
    """
    connection.recv()
    connection.send(asyncio.run(_take_room(connection, endpoint_url, slots, seconds)))


async def _take_room(connection: Connection, endpoint_url: str, slots: int, seconds: float) -> int:
    refused = 0
    async with _client(endpoint_url) as client:
        begun, held = time.monotonic(), list[str]()
        while not connection.poll():
            takes = int((time.monotonic() - begun) / seconds) % 2 == 1
            try:
                if takes and len(held) < slots:
                    answer = await client.run_task(**_request(OTHER))
                    held += [task["taskArn"] for task in answer["tasks"]]
                    refused += bool(answer["failures"])
                elif not takes and held:
                    await client.stop_task(cluster="default", task=held[-1])
                    held.pop()
            except ClientError:
                pass  # a throttle: it tries again
            await anyio.sleep(1 / LAUNCH_RATE)
    return refused


def _client(endpoint_url: str) -> Any:
    config = AioConfig(max_pool_connections=CONCURRENCY, retries={"total_max_attempts": 1})
    return get_session().create_client(
        "ecs", region_name="us-east-1", endpoint_url=endpoint_url, config=config
    )


def _request(started_by: str) -> dict[str, Any]:
    return {
        "cluster": "default",
        "taskDefinition": "airflow-task",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "startedBy": started_by,
        "clientToken": str(uuid.uuid4()),
        "overrides": {
            "containerOverrides": [{"name": "airflow", "command": _COMMAND, "environment": VARIABLES}]
        },
    }
