"""What a measurement needs around it: an empty database, an ECS in a process of its own, an executor's options."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from benchmarks.airflow_home import HOME, make_database

# isort: split
from airflow import settings

from benchmarks.processes import step_back
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.local import Control, Options, serve_in_process

FOR_EVER = 36_000.0
"""Seconds that a task lives which is only watched."""

_DATABASE, _EMPTY = (Path(HOME.name) / name for name in ("airflow.db", "empty.db"))
VARIABLES = [
    {"name": f"A_SETTING_OF_THE_DEPLOYMENT_{number}", "value": "a value of some length"}
    for number in range(16)
]
_DEFINITION = {
    "family": "airflow-task",
    "containerDefinitions": [
        {"name": "airflow", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/airflow:3", "essential": True},
        {"name": "log-router", "image": "public.ecr.aws/aws-observability/aws-for-fluent-bit", "essential": False},
    ],
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "1024",
    "memory": "2048",
    "executionRoleArn": "arn:aws:iam::123456789012:role/benchmark",
}  # fmt: skip
FULL_SIZE = {
    "AIRFLOW__AWS_ECS_EXECUTOR__RUN_TASK_KWARGS": json.dumps(
        {"overrides": {"containerOverrides": [{"name": "airflow", "environment": VARIABLES}]}}
    )
}
"""With the second container, it makes ECS's answers about as long as AWS's are: 4.5 KB a task."""


def prepare() -> None:
    """Be quiet, and make the empty database that every measurement starts with."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    os.environ |= FULL_SIZE
    make_database()
    _close_connections()
    shutil.copy(_DATABASE, _EMPTY)


def forget_all() -> None:
    """Empty the database; nobody may use it at the moment."""
    _close_connections()
    for file in _DATABASE.parent.glob(f"{_DATABASE.name}*"):
        file.unlink()  # its log as well, which a killed process may have left
    shutil.copy(_EMPTY, _DATABASE)


def _close_connections() -> None:
    if settings.engine is not None:
        settings.engine.dispose()


def without_limits() -> Mapping[str, str]:
    """Return the options that let an executor launch as fast as it can; its reads keep AWS's rates."""
    rates = [name for name in Settings.model_fields if name.endswith("_rate") and name != "read_rate"]
    options = {**dict.fromkeys(rates, "0"), "concurrency": str(CONCURRENCY)}
    return {f"AIRFLOW__ECS_ASYNC_EXECUTOR__{name.upper()}": value for name, value in options.items()}


@contextmanager
def metrics_to_statsd() -> Iterator[None]:
    """Have Airflow of this process send its metrics to a StatsD that reads none: UDP packets are dropped then."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        options = {
            "statsd_on": "True",
            "statsd_host": "127.0.0.1",
            "statsd_port": str(listener.getsockname()[1]),
            "statsd_influxdb_enabled": "True",
        }
        os.environ |= {f"AIRFLOW__METRICS__{name.upper()}": value for name, value in options.items()}
        yield


CONCURRENCY = 100
"""RunTask calls in flight at once where no rate limits apply."""


@contextmanager
def local_ecs(
    latency: float, *, throttling: bool = False, task_seconds: float = FOR_EVER, s3: bool = False
) -> Iterator[Control]:
    """Run a local ECS in a process of its own, and point this process's clients at it. Times are in seconds."""
    options = Options(
        runtime="simulated",
        seed=1,
        task_definitions=[_DEFINITION],
        conditions={"latency": {"*": latency}, "throttling": throttling},
        plan={"defaults": {"duration": task_seconds}},
        s3=s3,
    )
    with serve_in_process(options) as ecs:
        os.environ["AWS_ENDPOINT_URL_ECS"] = ecs.endpoint_url
        if ecs.s3_endpoint_url is not None:
            os.environ["AWS_ENDPOINT_URL_S3"] = ecs.s3_endpoint_url
        step_back()
        yield ecs


def launched(ecs: Control) -> int:
    """Count the tasks that ECS has launched for anybody."""
    return ecs.calls().get("RunTask", {}).get("ok", 0)


def throttled(ecs: Control) -> tuple[int, int]:
    """Count all RunTask calls, and those of them that ECS has throttled."""
    outcomes = ecs.calls().get("RunTask", {})
    return sum(outcomes.values()), outcomes.get("ThrottlingException", 0)


def reads(ecs: Control) -> int:
    """Count the calls that the read bucket has paid for."""
    calls = ecs.calls()
    return sum(sum(calls.get(action, {}).values()) for action in ("DescribeTasks", "ListTasks"))
