"""A real engine in its thread, over HTTP on whatever speaks ECS: order runs, wait for their ends."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from aiobotocore.session import get_session
from botocore.loaders import Loader
from typing_extensions import Self

from ecs_async_executor.engine.aws.client import Connect, Connection
from ecs_async_executor.engine.thread import EngineThread
from ecs_async_executor.local import Control
from ecs_async_executor.messages import (
    Launch,
    Launched,
    Order,
    Report,
    Request,
    Stop,
    Terminal,
    Watch,
)
from tests.support.engine import options

STARTED_BY = "airflow/test"
PATIENCE = 120.0
"""Seconds that a test waits for what must come."""


@lru_cache(maxsize=1)
def _loader() -> Loader:
    """Read botocore's models once for all sessions."""
    return get_session().get_component("data_loader")


def connect_to(url: str, *, s3_url: str | None = None) -> Connect:
    """Connect to an ECS, and to an S3, at these URLs."""

    def connect() -> Connection:
        session = get_session()
        session.register_component("data_loader", _loader())
        session.set_credentials("local", "local")
        return Connection(session, region_name="us-east-1", endpoint_url=url, s3_endpoint_url=s3_url)

    return connect


def body(cluster: str = "default", *, command: Iterable[str] = (), **environment: str) -> dict[str, Any]:
    """Make a RunTask request for the local ECS's own task definition."""
    override: dict[str, Any] = {"name": "airflow"}
    if command:
        override["command"] = list(command)
    if environment:
        override["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    return {
        "cluster": cluster,
        "taskDefinition": "airflow-task",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        "overrides": {"containerOverrides": [override]},
    }


def launch_order(request: Mapping[str, Any] | None = None, *, run_id: str = "", **more: Any) -> Launch:
    run_id = run_id or str(uuid.uuid4())
    order = Request(request or body(), "airflow")
    launch = {"build": lambda: order, "cluster": order.cluster, "container": order.container}
    return Launch(run_id, f"label of {run_id}", **{**launch, **more})


class LiveEngine:
    """A context manager: leaving it closes the engine and checks that no run has ended twice."""

    def __init__(self, connect: Connect, **changes: Any) -> None:
        defaults = {"started_by": STARTED_BY, "poll_interval": 0.1, "missing_grace": 1.0}
        self.thread = EngineThread(connect, options(**{**defaults, **changes}))
        self.reports: list[Report] = []

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.close(10)
        self._drain()
        ends = Counter(report.run_id for report in self.of(Terminal))
        assert set(ends.values()) <= {1}, f"ended more than once: {ends}"
        assert not self.thread.is_alive

    def submit(self, *orders: Order) -> None:
        self.thread.submit(orders)

    def launch(self, request: Mapping[str, Any] | None = None, *, run_id: str = "", **more: Any) -> str:
        """Order a launch; give its run id."""
        order = launch_order(request, run_id=run_id, **more)
        self.submit(order)
        return order.run_id

    def launch_many(self, count: int, **more: Any) -> list[str]:
        return [self.launch(**more) for _ in range(count)]

    def watch(self, run_id: str, launched: Launched) -> None:
        self.submit(Watch(run_id, run_id, launched.arn, launched.cluster, launched.container))

    def stop(self, run_id: str) -> None:
        self.submit(Stop(run_id, "because"))

    def of(self, kind: Any) -> list[Any]:
        """Return the reports of one kind that have come."""
        return [report for report in self.reports if isinstance(report, kind)]

    def about(self, run_id: str) -> list[Any]:
        """Return the reports about one run that have come."""
        return [report for report in self.reports if getattr(report, "run_id", None) == run_id]

    def until(self, done: Callable[[], Any]) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not (result := done()):
            assert time.monotonic() < deadline, f"still waiting; the last reports: {self.reports[-10:]}"
            time.sleep(0.01)
            self._drain()
        return result

    def until_report(self, kind: Any, run_id: str | None = None) -> Any:
        """Wait for the first report of a kind, about a run if one is given."""

        def found() -> list[Any]:
            return [each for each in self.of(kind) if run_id is None or each.run_id == run_id]

        return self.until(found)[0]

    def end_of(self, run_id: str) -> Any:
        """Wait for a run's terminal report."""
        return self.until_report(Terminal, run_id)

    def ends_of(self, run_ids: Iterable[str]) -> dict[str, Any]:
        """Wait for the terminal reports of runs."""
        wanted = set(run_ids)

        def found() -> dict[str, Any]:
            ends = {report.run_id: report for report in self.of(Terminal) if report.run_id in wanted}
            return ends if len(ends) == len(wanted) else {}

        ends: dict[str, Any] = self.until(found)
        return ends

    def _drain(self) -> None:
        self.reports.extend(self.thread.drain())


def containers(ecs: Control) -> dict[str, int]:
    """Return how many tasks each run has started, by run id."""
    return {
        started_by.removeprefix(f"{STARTED_BY}/"): counts["tasks"]
        for started_by, counts in ecs.history().items()
    }
