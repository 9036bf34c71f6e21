"""What does one ECS call cost the thread that makes it? A stock aiobotocore client beside the engine's.

Full-size answers come from a process of their own. Both clients take turns in one run, and of each the best turn
counts, for what else a machine does only adds: read the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import JSONParser

from benchmarks.canned_ecs import ARNS, REGION, RUN_TASK, answers, canned_ecs
from benchmarks.command import parse, run, say
from benchmarks.report import Report, Table, Target
from benchmarks.sizes import CLIENT
from ecs_async_executor.engine.aws.client import Connection
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.responses import parse_tasks

LARGE = "DescribeTasks"
TARGETS = {LARGE: 4.0, "RunTask": 1.2}
"""Milliseconds of CPU a call."""
Call: TypeAlias = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Clients:
    """The same calls by both clients, by operation."""

    stock: Mapping[str, Call]
    ours: Mapping[str, Call]


@asynccontextmanager
async def clients(url: str, flight: int) -> AsyncIterator[Clients]:
    """Make both clients, with one connection for each call in flight."""
    config = AioConfig(
        retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=flight, read_timeout=20
    )
    engine = EcsClient(lambda: connection(url), pool_size=flight, call_timeout=30)
    async with connection(url).session.create_client(
        "ecs", region_name=REGION, endpoint_url=url, config=config
    ) as stock:
        yield Clients(
            {
                "RunTask": lambda: stock.run_task(**RUN_TASK),
                LARGE: lambda: stock.describe_tasks(cluster="airflow", tasks=ARNS),
                "ListTasks": lambda: stock.list_tasks(cluster="airflow", startedBy="airflow/production/1"),
                "StopTask": lambda: stock.stop_task(cluster="airflow", task=ARNS[0], reason="because"),
            },
            {
                "RunTask": lambda: engine.run_task(RUN_TASK),
                LARGE: lambda: engine.describe_tasks("airflow", ARNS),
                "ListTasks": lambda: engine.list_tasks_started_by("airflow", "airflow/production/1"),
                "StopTask": lambda: engine.stop_task("airflow", ARNS[0], "because"),
            },
        )
    await engine.aclose()


def connection(url: str) -> Connection:
    """Connect with credentials that nobody checks."""
    session = get_session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    return Connection(session, region_name=REGION, endpoint_url=url)


async def cpu(call: Call, calls: int) -> float:
    """Return this thread's CPU milliseconds per call, one call after another."""
    begun = time.thread_time()
    for _ in range(calls):
        await call()
    return (time.thread_time() - begun) * 1000 / calls


async def rate(call: Call, calls: int, flight: int) -> float:
    """Return calls a second."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(flight)))
    return calls / (time.perf_counter() - begun)


async def measure_cpu(url: str, arguments: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Return (stock, ours) CPU milliseconds per call, by operation."""
    found = {}
    async with clients(url, 1) as both:
        for operation, stock in both.stock.items():
            say(f"client: CPU of {operation}")
            ours = both.ours[operation]
            calls = max(2, arguments.calls // (5 if operation == LARGE else 1))
            await cpu(stock, 3), await cpu(ours, 3)
            turns = [(await cpu(stock, calls), await cpu(ours, calls)) for _ in range(arguments.rounds)]
            found[operation] = (min(a for a, _ in turns), min(b for _, b in turns))
    return found


async def measure_rates(url: str, arguments: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Return (stock, ours) calls a second with many in flight, by operation."""
    found = {}
    async with clients(url, arguments.flight) as both:
        for operation in ("RunTask", LARGE):
            say(f"client: {operation} with {arguments.flight} in flight")
            stock, ours = both.stock[operation], both.ours[operation]
            calls = arguments.calls * (2 if operation == LARGE else 5)
            stock_calls = max(1, calls // 10) if operation == LARGE else calls
            (
                await rate(stock, arguments.flight, arguments.flight),
                await rate(ours, arguments.flight, arguments.flight),
            )
            turns = [
                (await rate(stock, stock_calls, arguments.flight), await rate(ours, calls, arguments.flight))
                for _ in range(3)
            ]
            found[operation] = (max(a for a, _ in turns), max(b for _, b in turns))
    return found


@dataclass(frozen=True)
class Parsed:
    """What parsing one answer of DescribeTasks takes."""

    milliseconds: float
    """In one stretch: no other thread runs Python code meanwhile, or only by taking turns."""
    objects: int
    tracked: int
    """Objects that the garbage collector has to visit."""


def measure_parsing(rounds: int) -> tuple[Parsed, Parsed]:
    """Parse one answer of DescribeTasks with botocore's parser, and with ours."""
    body = answers()[LARGE]
    model = ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs").operation_model(LARGE)
    response = {"status_code": 200, "headers": {}, "body": body}
    return (
        _parsed(lambda: JSONParser().parse(response, model.output_shape), rounds),
        _parsed(lambda: parse_tasks(body), rounds * 5),
    )


def _parsed(parse_one: Callable[[], object], rounds: int) -> Parsed:
    held: list[object] = [parse_one()]
    with _without_collector():
        times = []
        for _ in range(rounds):
            begun = time.thread_time()
            parse_one()
            times.append((time.thread_time() - begun) * 1000)
        blocks, tracked = sys.getallocatedblocks(), len(gc.get_objects())
        held.append(parse_one())
        return Parsed(min(times), sys.getallocatedblocks() - blocks, len(gc.get_objects()) - tracked)


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(arguments: argparse.Namespace) -> Iterator[Report]:
    """Measure everything, and report after each part."""
    with canned_ecs() as url:
        costs = asyncio.run(measure_cpu(url, arguments))
    yield report(costs, {}, None, arguments)
    with canned_ecs(arguments.latency) as url:
        rates = asyncio.run(measure_rates(url, arguments))
    yield report(costs, rates, None, arguments)
    say("client: parsing")
    yield report(costs, rates, measure_parsing(arguments.rounds), arguments)


def report(
    costs: Mapping[str, tuple[float, float]],
    rates: Mapping[str, tuple[float, float]],
    parsing: tuple[Parsed, Parsed] | None,
    arguments: argparse.Namespace,
) -> Report:
    """Write down what is measured; `rates` are empty and `parsing` is None as long as they are not."""
    sizes = {operation: len(body) for operation, body in answers().items()}
    columns = ("stock aiobotocore", "the engine's client", "ratio")
    return Report(
        name="client",
        tables=[
            Table(
                "CPU of the calling thread, per call",
                ("operation", "answer", *columns),
                [
                    (name, f"{sizes[name] / 1000:,.0f} KB", f"{a:.2f} ms", f"{b:.2f} ms", f"{a / b:.1f} x")
                    for name, (a, b) in costs.items()
                ],
                "DescribeTasks: 100 running Fargate tasks of two containers each, as AWS describes them.",
            ),
            Table(
                f"Calls per second, {arguments.flight} in flight, API latency {arguments.latency * 1000:.0f} ms",
                ("operation", *columns),
                [(name, f"{a:,.0f}", f"{b:,.0f}", f"{b / a:.1f} x") for name, (a, b) in rates.items()],
            ),
            *([] if parsing is None else [_parsing_table(*parsing)]),
        ],
        targets=[
            Target(
                f"CPU of {name}",
                f"at most {wanted:.1f} ms",
                f"{costs[name][1]:.2f} ms",
                costs[name][1] <= wanted,
            )
            for name, wanted in TARGETS.items()
        ],
        figures={
            **{
                f"{name}_{who}_cpu_ms": cost
                for name, pair in costs.items()
                for who, cost in zip(("stock", "ours"), pair, strict=True)
            },
            **{
                f"{name}_{who}_per_second": each
                for name, pair in rates.items()
                for who, each in zip(("stock", "ours"), pair, strict=True)
            },
            **_parsing_figures(parsing),
        },
    )


def _parsing_figures(parsing: tuple[Parsed, Parsed] | None) -> dict[str, float]:
    if parsing is None:
        return {}
    stock, ours = parsing
    return {"parse_stock_ms": stock.milliseconds, "parse_ours_ms": ours.milliseconds}


def _parsing_table(stock: Parsed, ours: Parsed) -> Table:
    return Table(
        "Parsing one answer of DescribeTasks",
        ("", "botocore", "the engine", "ratio"),
        [
            _row(
                "holds the GIL for",
                f"{stock.milliseconds:.2f} ms",
                f"{ours.milliseconds:.2f} ms",
                stock.milliseconds / ours.milliseconds,
            ),
            _row("objects left", f"{stock.objects:,}", f"{ours.objects:,}", stock.objects / ours.objects),
            _row(
                "of which the garbage collector tracks",
                f"{stock.tracked:,}",
                f"{ours.tracked:,}",
                stock.tracked / max(1, ours.tracked),
            ),
        ],
    )


def _row(what: str, theirs: str, ours: str, ratio: float) -> tuple[str, ...]:
    return (what, theirs, ours, f"{ratio:,.0f} x")


if __name__ == "__main__":
    run(measure, parse("client", __doc__, CLIENT))
