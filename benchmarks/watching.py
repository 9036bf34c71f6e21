"""What is the best way to watch live tasks: DescribeTasks for all, or ListTasks and DescribeTasks for those that left it?

Both sweep the same live tasks on a local ECS, with the engine's client. The cluster holds as many tasks of other
owners, and some of ours have left since the last sweep. ListTasks returns its pages one by one (`nextToken`).
"""

from __future__ import annotations

import argparse
import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from aiobotocore.session import get_session

from benchmarks.canned_ecs import RUN_TASK
from benchmarks.command import parse, run, say
from benchmarks.limits import READ_RATE
from benchmarks.processes import step_back
from benchmarks.report import Report, Table, duration, median
from benchmarks.sizes import WATCHING
from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.responses import TaskArns
from ecs_async_executor.local import Control, Options, serve_in_process

COMPUTED = 10_000
"""Tasks to compute the same for, from what was measured."""
BATCH, FLIGHT, PER_LAUNCH = 100, 10, 10
"""Tasks that a call may name, calls in flight, tasks that RunTask may start (ECS API reference)."""
CLUSTER, OURS, OTHERS = "default", "airflow-worker", "somebody-else"
Sweep: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """What one sweep costs."""

    calls: int
    received: int
    cpu: float
    wall: float


class Meter:
    """Counts calls and the bytes of their answers."""

    def __init__(self) -> None:
        self.calls = self.received = 0

    def count(self, response_dict: dict[str, Any], **_: Any) -> None:
        """Handle botocore's event `before-parse`."""
        self.calls += 1
        self.received += len(response_dict["body"])

    async def of(self, sweep: Sweep) -> Cost:
        """Measure a sweep."""
        self.calls = self.received = 0
        cpu, wall = time.thread_time(), time.perf_counter()
        await sweep()
        return Cost(self.calls, self.received, time.thread_time() - cpu, time.perf_counter() - wall)


class Watching:
    """Both ways to sweep."""

    def __init__(self, client: EcsClient) -> None:
        self._client = client
        self.arns: list[str] = []
        """Of ours that are live, as far as the last sweep knew."""

    async def launch(self, live: int, started_by: str, family: str) -> list[str]:
        """Launch tasks, and return their ARNs."""
        calls = [
            {
                **RUN_TASK,
                "cluster": CLUSTER,
                "taskDefinition": family,
                "startedBy": started_by,
                "clientToken": str(uuid.uuid4()),
                "count": min(PER_LAUNCH, live - launched),
            }
            for launched in range(0, live, PER_LAUNCH)
        ]
        answers = await _all([partial(self._client.run_task, body) for body in calls])
        return [task.task_arn for answer in answers for task in answer.tasks]

    async def stop(self, arns: Sequence[str]) -> None:
        """Let tasks leave the list."""
        await _all([partial(self._client.stop_task, CLUSTER, arn, "left") for arn in arns])

    async def describe(self, arns: Sequence[str]) -> None:
        """DescribeTasks in full hundreds."""
        batches = [arns[start : start + BATCH] for start in range(0, len(arns), BATCH)]
        await _all([partial(self._client.describe_tasks, CLUSTER, batch) for batch in batches])

    async def describe_all(self) -> None:
        """Sweep by DescribeTasks."""
        await self.describe(self.arns)

    async def list_cluster(self) -> None:
        """Sweep by ListTasks of the cluster."""
        await self._list_and_describe()

    async def list_family(self) -> None:
        """Sweep by ListTasks of the task definition's family."""
        await self._list_and_describe(family=OURS)

    async def _list_and_describe(self, **filters: str) -> None:
        listed: set[str] = set()
        token: str | None = ""
        while token is not None:
            more = {"nextToken": token} if token else {}
            page: TaskArns = await self._client._ask(  # noqa: SLF001  the engine itself lists by startedBy only
                "list_tasks", cluster=CLUSTER, **filters, **more
            )
            listed.update(page.task_arns)
            token = page.next_token
        await self.describe([arn for arn in self.arns if arn not in listed])


async def _all(calls: Sequence[Callable[[], Awaitable[Any]]]) -> list[Any]:
    slots = asyncio.Semaphore(FLIGHT)

    async def call(each: Callable[[], Awaitable[Any]]) -> Any:
        async with slots:
            return await each()

    return await asyncio.gather(*map(call, calls))


async def sweep_all(ecs: Control, arguments: argparse.Namespace) -> dict[str, list[Cost]]:
    """Measure every way to sweep."""
    meter = Meter()

    def connect() -> Connection:
        session = get_session()
        session.set_credentials("local", "local")
        session.register("before-parse.ecs", meter.count)
        return Connection(session, region_name="us-east-1", endpoint_url=ecs.endpoint_url)

    client = EcsClient(connect, pool_size=FLIGHT, call_timeout=30)
    watching = Watching(client)
    watching.arns = await watching.launch(arguments.live, "airflow/bench", OURS)
    await watching.launch(arguments.live, "others", OTHERS)
    left = round(arguments.live * arguments.left)
    await watching.stop([watching.arns[number * arguments.live // left] for number in range(left)])
    ecs.set_conditions(latency={"*": arguments.latency})
    ways: dict[str, Sweep] = {
        "DescribeTasks of all": watching.describe_all,
        "ListTasks by cluster": watching.list_cluster,
        "ListTasks by family": watching.list_family,
    }
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(arguments.sweeps + 1):
        for name, way in ways.items():
            cost = await meter.of(way)
            if number:  # the first warms up
                found[name].append(cost)
    await client.aclose()
    return found


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything."""
    containers = [{"name": "airflow", "image": "airflow:3"}]
    size = {"networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    definitions = [
        {"family": family, **size, "containerDefinitions": containers} for family in (OURS, OTHERS)
    ]
    options = Options(
        runtime="simulated", plan={"defaults": {"duration": 3600}}, task_definitions=definitions
    )
    say(f"watching: {arguments.live:,} tasks of ours, as many of others")
    with serve_in_process(options) as ecs:
        step_back()
        found = asyncio.run(sweep_all(ecs, arguments))
    costs = {
        name: Cost(
            taken[0].calls, taken[0].received, median([c.cpu for c in taken]), median([c.wall for c in taken])
        )
        for name, taken in found.items()
    }
    scale = COMPUTED / arguments.live
    computed = {
        name: Cost(
            round(cost.calls * scale), round(cost.received * scale), cost.cpu * scale, cost.wall * scale
        )
        for name, cost in costs.items()
    }
    yield Report(
        name="watching",
        tables=[
            _table(f"One sweep over {arguments.live:,} live tasks of ours", costs, arguments),
            _table(f"Computed from it: {COMPUTED:,} live tasks", computed, arguments),
        ],
        figures={
            f"{name}: {figure}": getattr(cost, figure)
            for name, cost in costs.items()
            for figure in ("calls", "received", "cpu", "wall")
        },
    )


def _table(title: str, costs: dict[str, Cost], arguments: argparse.Namespace) -> Table:
    return Table(
        title,
        ("way", "calls", "of the read bucket", "received", "CPU", "time"),
        [
            (
                name,
                f"{cost.calls:,}",
                f"{cost.calls / READ_RATE:.1f} s",
                f"{cost.received / 1e6:,.1f} MB",
                duration(cost.cpu),
                duration(cost.wall),
            )
            for name, cost in costs.items()
        ],
        f"API latency {arguments.latency * 1000:.0f} ms, at most {FLIGHT} calls in flight, no rate limits; as many tasks "
        f"of others in the cluster; {arguments.left:.0%} of ours have left. AWS refills the read bucket with {READ_RATE:.0f} "
        "calls a second.",
    )


if __name__ == "__main__":
    run(measure, parse("watching", __doc__, WATCHING))
