"""A whole Airflow for `benchmarks.warm`: its scheduler, its API server, and an ECS whose containers are real processes."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.airflow_home import HOME

# isort: split
import boto3
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.taskinstance import TaskInstance
from airflow.providers.amazon.aws.executors.ecs import AwsEcsExecutor

from benchmarks.airflow_rows import create_run, task_instances
from benchmarks.scheduler_process import scheduler
from benchmarks.stamps import BEAT, CLAIM, CLAIMED, ORDERED, WRITTEN, Stamped, Stamps, stamp_engine
from benchmarks.tables.warm import Start
from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.local import Control, Options, serve_in_process
from ecs_async_executor.standby.command import READY_SECONDS

DAG_ID = "warm"
DAG = f'''"""A Dag whose only task has nothing to do."""

from airflow.sdk import DAG, BaseOperator


class Nothing(BaseOperator):
    def execute(self, context):
        pass


with DAG("{DAG_ID}", schedule=None, max_active_runs=1000):
    Nothing(task_id="task")
'''
DEPLOYMENT = "warm"
STANDBY = f"airflow/{DEPLOYMENT}/standby"
"""The `startedBy` of standbys."""
LOG_GROUP = "/ecs/warm"
REGION = "us-east-1"
GOT_IT = "Standby: has a workload"
"""What a standby logs when it has read its object."""
WHOLE_START = {"provisioning": 0.3, "pending": 0.2, "pull": 0.4, "activating": 0.1}
"""Shares of a container's start that each of its phases takes."""
READY = READY_SECONDS + 10.0
"""Seconds that a standby's container runs until it surely counts as ready: the engine counts from its first look."""
LIMIT = 180.0
"""Seconds that anything may take."""


class Theirs(Stamped, AwsEcsExecutor):
    """The executor of Airflow's Amazon provider."""


class Ours(Stamped, AsyncEcsExecutor):
    """The executor of this package."""


KINDS: Mapping[str, type[Stamped]] = {"AwsEcsExecutor": Theirs, "AsyncEcsExecutor": Ours}


@dataclass(frozen=True, slots=True)
class World:
    """All of it."""

    ecs: Control
    stamps: Stamps
    standbys: int

    def beats(self) -> list[float]:
        """Return what the heartbeats took, in seconds."""
        return [each.took for each in self.stamps.read() if each.what == BEAT]

    def until_ready(self) -> None:
        """Wait until all standbys are ready."""
        until(lambda: len(self.waiting(READY)) >= self.standbys, LIMIT)

    def waiting(self, since: float = 0.0) -> list[str]:
        """Return the ARNs of standbys that have been running for so many seconds, whether or not a task has taken them."""
        now = time.time()
        return [
            task["taskArn"]
            for task in self.ecs.tasks()
            if task.get("startedBy") == STANDBY
            and task["lastStatus"] == "RUNNING"
            and now - task["startedAt"] >= since
        ]

    def run(self, count: int, every: float, limit: float = LIMIT) -> list[Start]:
        """Run so many tasks, one each few seconds, and return them when all have started."""
        run_ids = []
        for number in range(count):
            begun = time.monotonic()
            run_ids.append(create_run(DAG_ID))
            if number + 1 < count:
                time.sleep(max(0.0, every - (time.monotonic() - begun)))

        def rows() -> list[TaskInstance]:
            return [ti for ti in task_instances(dag_id=DAG_ID) if ti.run_id in run_ids]

        until(lambda: sum(ti.start_date is not None for ti in rows()) == count, limit)
        until(lambda: all(ti.state in {"success", "failed"} for ti in rows()), limit)
        return self._starts(rows())

    def _starts(self, rows: Sequence[TaskInstance]) -> list[Start]:
        tasks = {task["taskArn"]: task for task in self.ecs.tasks()}
        stamps = {(each.ti_id, each.what): each.at for each in reversed(self.stamps.read())}
        starts = [self._start(ti, tasks[str(ti.external_executor_id)], stamps) for ti in rows]
        return sorted(starts, key=lambda each: each.queued)

    def _start(
        self, ti: TaskInstance, task: Mapping[str, Any], stamps: Mapping[tuple[str, str], float]
    ) -> Start:
        warm = task.get("startedBy") == STANDBY

        def at(what: str) -> float:
            return stamps.get((str(ti.id), what), math.nan)

        return Start(
            queued=_epoch(ti.queued_dttm),
            ordered=at(ORDERED),
            running=_epoch(ti.start_date),
            handed_over=at(WRITTEN) if warm else task["createdAt"],
            claim=at(CLAIM),
            claimed=at(CLAIMED),
            read=self._read_at(task["taskArn"]) if warm else math.nan,
            warm=warm,
        )

    def _read_at(self, arn: str) -> float:
        logs = boto3.client("logs", endpoint_url=self.ecs.logs_endpoint_url, region_name=REGION)
        stream = f"ecs/airflow/{arn.rpartition('/')[2]}"
        answer = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)
        return next(
            (event["timestamp"] / 1000 for event in answer["events"] if GOT_IT in event["message"]), math.nan
        )


@contextmanager
def warm_airflow(kind: str, standbys: int, start: float, folder: Path) -> Iterator[World]:
    """Run it, with an executor of `KINDS`; containers take `start` seconds to start. For a process of its own."""
    port = _free_port()
    api = f"http://127.0.0.1:{port}/execution/"
    _store_dag()
    os.environ |= {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
        "AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT": DEPLOYMENT,
        "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET": "s3://airflow/payloads",
        "AIRFLOW__ECS_ASYNC_EXECUTOR__STANDBY": str(standbys),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "5400",
        "AWS_DEFAULT_REGION": REGION,
    }
    options = Options(
        task_definitions=[_definition(api, folder)],
        plan={"defaults": {name: start * share for name, share in WHOLE_START.items()}},
        conditions={"latency": {"*": [0.02, 0.1], "s3:*": [0.01, 0.05]}},
        logs=True,
        s3=True,
        seed=1,
    )
    stamps = Stamped.stamps = Stamps(folder / f"{kind}-{standbys}.jsonl")
    with ExitStack() as stack:
        ecs = stack.enter_context(serve_in_process(options))
        os.environ["AWS_ENDPOINT_URL_ECS"] = ecs.endpoint_url
        os.environ["AWS_ENDPOINT_URL_S3"] = str(ecs.s3_endpoint_url)
        stamp_engine(stamps)
        gauge = stack.enter_context(scheduler(kind, folder / f"scheduler-{kind}-{standbys}.log", KINDS))
        stack.enter_context(_api_server(api, port, folder / "api-server.log"))
        gauge.go.set()
        yield World(ecs, stamps, standbys)


def until(done: Callable[[], bool], limit: float) -> None:
    """Wait until something is true; raises `TimeoutError` if it is not within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It took longer than {limit:.0f} s.")
        time.sleep(1.0)


@contextmanager
def _api_server(api: str, port: int, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "airflow", "api-server", "--apps", "execution", "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603  our own command line
    try:
        until(lambda: process.poll() is not None or _answers(f"{api}health"), LIMIT)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=20):  # noqa: S310  our own address
        return True
    return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _store_dag() -> None:
    """Write the Dag's file, and store the Dag, as the Dag processor does."""
    folder = Path(HOME.name) / "dags"
    folder.mkdir(exist_ok=True)
    (folder / f"{DAG_ID}.py").write_text(DAG, "utf-8")
    bag = DagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
    sync_bag_to_db(bag, bundle_name="dags-folder", bundle_version=None)


def _definition(api: str, folder: Path) -> dict[str, Any]:
    home = folder / "worker"
    home.mkdir(exist_ok=True)
    (home / "airflow.cfg").touch()  # else several containers would make one at once
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(HOME.name) / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api,
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    }
    logs = {
        "awslogs-group": LOG_GROUP,
        "awslogs-region": REGION,
        "awslogs-stream-prefix": "ecs",
        "awslogs-create-group": "true",
    }
    return {
        "family": "airflow-task",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/benchmark",
        "containerDefinitions": [
            {
                "name": "airflow",
                "image": "airflow",
                "essential": True,
                "environment": [{"name": name, "value": value} for name, value in environment.items()],
                "logConfiguration": {"logDriver": "awslogs", "options": logs},
            }
        ],
    }


def _epoch(moment: datetime | None) -> float:
    if moment is None:
        raise ValueError("The task was never there.")
    return moment.timestamp()
