from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FOR_AWS = ("hello", "fan_out", "sidecar")
"""Those of examples/aws_dags that need nothing of AWS beside ECS."""


def without_airflow() -> dict[str, str]:
    """The demo brings its own Airflow: nothing of the one that this test run uses may reach it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "AWS_"))}


class Demos:
    """One demo with --keep, started when a test needs it: again if an earlier test has ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._printed = ""

    def running(self) -> tuple[subprocess.Popen[str], str]:
        """The demo, which has come to its end, and what it has printed until then."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process, self._printed = self._start(), ""
            assert self._process.stdout is not None
            for line in self._process.stdout:
                self._printed += line
                if "until Ctrl-C" in line:
                    give_the_dags_for_aws(Kept(self._printed))
                    break
        return self._process, self._printed

    def _start(self) -> subprocess.Popen[str]:
        command = ("-u", "-m", "ecs_async_executor", "demo", "--no-live", "--keep", "--timeout", "840")
        environment = {**without_airflow(), "COLUMNS": "100"}
        return subprocess.Popen(
            (sys.executable, *command),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            with self._process as process:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)


def give_the_dags_for_aws(demo: Kept) -> None:
    """Let the demo find Dags of examples/aws_dags while other tests run: its Dag processor looks every ten seconds."""
    for name in FOR_AWS:
        shutil.copy(EXAMPLES / "aws_dags" / f"{name}.py", demo.dags / f"aws_{name}.py")


@pytest.fixture(scope="module")
def demos() -> Iterator[Demos]:
    demos = Demos()
    yield demos
    demos.close()


@pytest.fixture
def kept(demos: Demos) -> tuple[subprocess.Popen[str], str]:
    return demos.running()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs_real_dags_and_all_end_as_their_authors_expect(kept: tuple[subprocess.Popen[str], str]):
    _, printed = kept

    assert "every task ended as expected" in printed
    assert "fan_out" in printed
    assert "skipped" in printed


class Kept:
    """What a kept demo offers, by what it has printed."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        (self.airflow,) = re.findall(r"^Airflow: +(\S+) \(user", printed, re.MULTILINE)
        (self.password,) = re.findall(r"^Airflow: .*password (\S+)\)", printed, re.MULTILINE)
        (self.ecs,) = re.findall(r"^ECS: +(\S+)", printed, re.MULTILINE)
        (self.logs,) = re.findall(r"^Logs: +(\S+)", printed, re.MULTILINE)
        (self.s3,) = re.findall(r"^S3: +(\S+)", printed, re.MULTILINE)
        self.dags, self.components = (
            Path(re.findall(rf"^{name}: +(\S+)", printed, re.MULTILINE)[0])
            for name in ("Dags", "Component logs")
        )
        self.worth_opening = re.findall(r"^  \S.*: +(http\S+)$", printed, re.MULTILINE)

    def client(self, service: str) -> Any:
        url = {"ecs": self.ecs, "logs": self.logs, "s3": self.s3}[service]
        keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", **keys)

    @contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """The REST API, for the demo's user."""
        with httpx.Client(base_url=self.airflow, timeout=60) as api:
            login = api.post("/auth/token", json={"username": "admin", "password": self.password})
            api.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            yield api

    def log_of(self, api: httpx.Client, page: str, try_number: int = 1) -> str:
        """The log that a task's page shows; empty until there is such a try."""
        dag, run, task = re.findall(r"/dags/([^/]+)/runs/([^/]+)/tasks/([^/?]+)", page)[0]
        answer = api.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{try_number}")
        return str(answer.text) if answer.is_success else ""

    def audit_log(self, api: httpx.Client) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = (
                api.get("/api/v2/eventLogs", params={"limit": 100, "offset": len(found)})
                .raise_for_status()
                .json()
            )
            found += page["event_logs"]
            if len(found) >= page["total_entries"]:
                return found

    def stored_logs(self) -> list[str]:
        """The tasks' logs in the local S3, and the containers' in the local CloudWatch."""
        s3, cloudwatch, group = self.client("s3"), self.client("logs"), "/ecs/airflow-demo"
        bucket = "airflow-demo-logs"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        objects = [s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys]
        streams = [
            each["logStreamName"]
            for each in cloudwatch.describe_log_streams(logGroupName=group)["logStreams"]
        ]
        events = [
            event["message"]
            for stream in streams
            for event in cloudwatch.get_log_events(logGroupName=group, logStreamName=stream)["events"]
        ]
        assert objects
        assert events
        return objects + events


def until(done: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_pages_worth_opening_show_the_fleet_a_growing_log_and_why_a_container_died(
    kept: tuple[subprocess.Popen[str], str],
):
    _, printed = kept
    demo = Kept(printed)
    fleet, growing, killed = demo.worth_opening
    with demo.api() as api:
        assert fleet.endswith("/plugin/ecs-fleet")
        until(lambda: " of 600 seconds" in demo.log_of(api, growing))
        lines = len(re.findall(" of 600 seconds", demo.log_of(api, growing)))
        until(lambda: len(re.findall(" of 600 seconds", demo.log_of(api, growing))) > lines)
        log = until(lambda: "SIGKILL" in demo.log_of(api, killed) and demo.log_of(api, killed))
        assert "ended before Airflow could write this log" in log
        assert "Loading forty gigabytes into memory" in log
        assert "What to do: " in log
        events = {each["event"] for each in demo.audit_log(api)}
        assert {"ecs task launched", "ecs task ended"} <= events


def environment_of_the_scheduler(home: Path) -> dict[str, str]:
    for each in psutil.process_iter():
        with suppress(psutil.Error):  # it has ended by now, or is somebody else's
            environment = each.environ()
            if "scheduler" in each.cmdline() and environment.get("AIRFLOW_HOME") == str(home):
                return environment
    raise AssertionError("no scheduler")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_log_event_page_or_link_has_a_token_or_a_secret(kept: tuple[subprocess.Popen[str], str]):
    _, printed = kept
    demo = Kept(printed)
    environment = environment_of_the_scheduler(demo.dags.parent)
    secrets = [
        environment[name]
        for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET")
    ]
    with demo.api() as api:
        outputs = {
            "the Audit Log": [f"{each['event']} {each['extra']}" for each in demo.audit_log(api)],
            "log pages": [demo.log_of(api, page) for page in demo.worth_opening[1:]],
            "the fleet page": [api.get("/ecs-fleet/").text, api.get("/ecs-fleet/fleet.json").text],
            "links": [
                api.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/links").text
                for page in demo.worth_opening[1:]
                for dag, run, task in re.findall(r"/dags/([^/]+)/runs/([^/]+)/tasks/([^/?]+)", page)
            ],
        }
    outputs["stored logs"] = demo.stored_logs()
    outputs["components' logs"] = [path.read_text("utf-8", "replace") for path in demo.components.iterdir()]
    for name, texts in outputs.items():
        assert any(texts), name
        for text in texts:
            assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}\.", text), f"{name}: a token"
            assert not any(secret in text for secret in secrets), f"{name}: a secret"


def with_sidecar(demo: Kept) -> dict[str, Any]:
    """Return examples/task_definitions/airflow-sidecar.json as it would be for somebody who runs the demo's containers."""
    text = (EXAMPLES / "task_definitions" / "airflow-sidecar.json").read_text("utf-8")
    definition = json.loads(text.replace("8099", str(free_port())))
    demos_own = demo.client("ecs").describe_task_definition(taskDefinition="airflow-demo")["taskDefinition"]
    (worker,) = demos_own["containerDefinitions"]
    airflow, web = definition["containerDefinitions"]
    mine = {name: worker[name] for name in ("name", "image", "logConfiguration")}
    environment = [*worker["environment"], *airflow["environment"][1:]]
    web["logConfiguration"] = worker["logConfiguration"]
    return {**definition, "containerDefinitions": [{**airflow, **mine, "environment": environment}, web]}


def is_there(api: httpx.Client, dag: str) -> bool:
    return api.get(f"/api/v2/dags/{dag}").is_success


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_dags_for_aws_succeed_and_ecs_stops_a_sidecar_with_its_task(
    kept: tuple[subprocess.Popen[str], str],
):
    demo = Kept(kept[1])
    ecs = demo.client("ecs")
    ecs.register_task_definition(**with_sidecar(demo))
    runs = {}
    with demo.api() as api:
        for dag in (f"aws_{name}" for name in FOR_AWS):
            until(partial(is_there, api, dag))
            conf = {"parts": 2} if dag == "aws_fan_out" else {}
            run = api.post(f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None, "conf": conf})
            runs[dag] = f"/api/v2/dags/{dag}/dagRuns/{run.raise_for_status().json()['dag_run_id']}"

        def states() -> dict[str, str]:
            return {dag: api.get(path).raise_for_status().json()["state"] for dag, path in runs.items()}

        until(lambda: set(states().values()) <= {"success", "failed"})
        assert states() == dict.fromkeys(runs, "success")
        tasks = api.get(f"{runs['aws_fan_out']}/taskInstances").json()["task_instances"]
        assert sorted(task["task_id"] for task in tasks) == ["split", "total", "work", "work"]

    def ended() -> dict[str, int]:
        stopped = ecs.list_tasks(cluster="demo", family="airflow-sidecar", desiredStatus="STOPPED")[
            "taskArns"
        ]
        tasks = ecs.describe_tasks(cluster="demo", tasks=stopped)["tasks"] if stopped else []
        return {each["name"]: each.get("exitCode") for task in tasks for each in task["containers"]}

    codes = until(lambda: None not in (found := ended()).values() and found)
    assert codes["worker"] == 0
    assert codes["web"] != 0, "it was stopped, and didn't end by itself"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_demo_that_is_kept_says_where_dags_logs_and_ecs_are_and_leaves_nothing_behind(
    kept: tuple[subprocess.Popen[str], str],
):
    process, printed = kept
    demo = Kept(printed)
    assert (demo.dags / "fan_out.py").is_file()
    assert (demo.components / "scheduler.log").is_file()
    assert "metadatabase" in httpx.get(f"{demo.airflow}/api/v2/monitor/health", timeout=60).json()
    assert demo.client("ecs").list_tasks(cluster="demo", desiredStatus="STOPPED")["taskArns"]

    process.send_signal(signal.SIGINT)

    assert process.wait(60) == 0
    assert not demo.dags.parent.exists()


@pytest.mark.slow
def test_the_engine_runs_without_airflow():
    example = subprocess.run(
        (sys.executable, "-X", "importtime", "examples/engine_only.py"),  # lists every import on stderr
        cwd=ROOT,
        env=without_airflow(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert example.returncode == 0, example.stdout + example.stderr
    assert example.stdout.splitlines()[-1].startswith("16 of 20 tasks ended with exit code 0")
    assert " airflow" not in example.stderr
