"""`ecs-async status`, `tasks`, `sweep`, `stop` and `exec` beside a real scheduler, on its database and its ECS."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from airflow.executors.base_executor import ExecutorConf
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, BaseOperator
from airflow.utils.session import create_session
from sqlalchemy import delete

from ecs_async_executor.cli import main
from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.engine.images import FAMILIES, Revision
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.errors import OperationError
from ecs_async_executor.fleet.executors import OurExecutors
from ecs_async_executor.local import Control
from ecs_async_executor.operate import access
from ecs_async_executor.operate.aws import Aws
from ecs_async_executor.operate.ecs_task import Container, EcsTask, ecs_task
from tests.support.callbacks import needs_callbacks
from tests.support.ecs import live
from tests.support.plugin import fake_plugin
from tests.support.s3 import Bucket, bucket
from tests.support.scheduler import Scheduler, finish_all_rows, one_task_dag, set_row
from tests.unit.docs.pages import ROOT, command_lines

RunDag = Callable[[DAG], str]
Ecs = Callable[..., tuple[int, str, str]]
LOGGED = re.compile(r"^\d{4}-\d\d-\d\dT\S+Z \[.*\n", re.MULTILINE)
"""A line of this process's scheduler, whose threads log before and after the command."""


@pytest.fixture
def ecs_async(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ecs:
    """Run a command, and give its exit code, its output and its errors; no output may hold a workload's token."""
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        out = LOGGED.sub("", out)
        assert "eyJ" not in out + err
        return code, out, err

    return run


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the commands see this many seconds more on their clock."""

    def move(seconds: float) -> None:
        at = datetime.now(timezone.utc).timestamp() + seconds
        monkeypatch.setattr("ecs_async_executor.cli.sweep.time.time", lambda: at)

    return move


def mapped(run_dag: RunDag, count: int = 3) -> None:
    with DAG("fleet", schedule=None) as dag:
        for index in range(count):
            BaseOperator(task_id=f"t{index}", queue="gpu" if index == 0 else "default")
    run_dag(dag)


# --- from another host ------------------------------------------------------------------------------------


def from_another_host(*arguments: str) -> Any:
    """Run it in a process of its own, which has no scheduler."""
    done = subprocess.run(
        [sys.executable, "-m", "ecs_async_executor", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "eyJ" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_status_and_tasks_work_on_a_host_without_a_scheduler(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag
) -> None:
    mapped(run_dag)
    tis = scheduler.launched(3)
    set_row(tis[0], state="running", start_date=datetime.now(timezone.utc))
    status = from_another_host("status", "--json")
    assert status["phases"] | {"starting": 2, "running": 1} == status["phases"]
    assert [each["job_id"] for each in status["schedulers"]] == [scheduler.job_id]
    tasks = from_another_host("tasks", "--json")
    assert {task["arn"] for task in tasks} == {ti.external_executor_id for ti in tis}
    assert {(task["task"], task["state"], task["ecs_state"]) for task in tasks} == {
        (ti.task_id, "running" if ti.id == tis[0].id else "queued", "RUNNING") for ti in tis
    }


# --- tasks --------------------------------------------------------------------------------------------------


def test_tasks_joins_and_filters(scheduler: Scheduler, ecs_async: Ecs, run_dag: RunDag) -> None:
    mapped(run_dag)
    scheduler.launched(3)
    code, out, _ = ecs_async("tasks", "--queue", "gpu", "--json")
    (task,) = json.loads(out)
    assert (code, task["task"], task["phase"], task["queue"]) == (0, "t0", "starting", "gpu")
    assert "3 tasks: 3 starting." in ecs_async("tasks")[1]
    assert json.loads(ecs_async("tasks", "--state", "stopped", "--json")[1]) == []


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ecs:us-east-1:210987654321:task/default/0cbb5d540a3a4b3c8a512a4f4c1b6d0e",
        "arn:aws:ecs:eu-west-1:123456789012:task/default/0cbb5d540a3a4b3c8a512a4f4c1b6d0e",
        "arn:aws:ecs:eu-west-1:123456789012:task/gone/0cbb5d540a3a4b3c8a512a4f4c1b6d0e",
        "arn:aws:ecs:us-east-1:123456789012:task/default/cut-off",
    ],
    ids=["account", "Region", "cluster", "cut off"],
)
def test_a_row_with_an_arn_that_ecs_refuses_keeps_no_command_from_the_others(
    scheduler: Scheduler, ecs_async: Ecs, run_dag: RunDag, arn: str
) -> None:
    mapped(run_dag)
    moved, *ours = scheduler.launched(3)
    set_row(moved, state="running", external_executor_id=arn)
    for command in ("tasks", "status", "sweep"):
        code, out, err = ecs_async(command)
        assert (code, err) == (0, ""), (command, out)
    tasks = {task["arn"]: task["ecs_state"] for task in json.loads(ecs_async("tasks", "--json")[1])}
    assert {tasks[ti.external_executor_id or ""] for ti in ours} == {"RUNNING"}
    code, _, err = ecs_async("stop", arn, "--yes")
    assert code == 1
    assert "ECS shows no task" in err
    set_row(moved, external_executor_id=moved.external_executor_id)


FOREIGN = {
    "account": "arn:aws:ecs:us-east-1:222222222222:task/default/00000000000000000000000000000001",
    "Region": "arn:aws:ecs:eu-west-1:111111111111:task/default/00000000000000000000000000000002",
    "cluster": "arn:aws:ecs:us-east-1:222222222222:task/ml/00000000000000000000000000000003",
}
"""ECS tasks of other teams' executors, by what this one's connection doesn't reach."""


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_another_teams_task_is_elsewhere_and_hides_nothing(
    scheduler: Scheduler,
    ecs: Control,
    ecs_async: Ecs,
    run_dag: RunDag,
    later: Callable[[float], None],
    foreign: str,
) -> None:
    mapped(run_dag)
    tis = scheduler.launched(3)
    over = str(tis[0].external_executor_id)
    set_row(tis[0], external_executor_id=foreign)
    set_row(tis[1], state="success")
    code, out, err = ecs_async("tasks", "--json")
    assert (code, err) == (0, "")
    states = {each["arn"]: each["ecs_state"] for each in json.loads(out)}
    assert states == {
        foreign: "ELSEWHERE",
        **{ti.external_executor_id: "RUNNING" for ti in tis[1:]},
        over: "RUNNING",
    }
    later(100_000)
    assert "Stopped 1 container" in ecs_async("sweep", "--yes")[1]
    assert str(tis[1].external_executor_id) not in {task["taskArn"] for task in live(ecs)}


def test_tasks_says_why_a_task_waits(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag
) -> None:
    ecs.add_fault("capacity")
    run_dag(one_task_dag("waits"))
    scheduler.until(lambda: "apacity" in ecs_async("tasks")[1])
    assert "waiting" in ecs_async("tasks")[1]


def test_an_ecs_that_can_not_be_reached_is_said_in_one_sentence(
    configured: Control, clean_database: None, ecs_async: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:9")
    monkeypatch.setattr("ecs_async_executor.operate.aws._ATTEMPTS", 1)
    code, out, err = ecs_async("tasks")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "This host can't reach ECS at http://127.0.0.1:9" in err


# --- stop ---------------------------------------------------------------------------------------------------


def test_stop_names_the_user_and_airflow_fails_the_try(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    run_id = run_dag(one_task_dag("one"))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    code, out, _ = ecs_async("stop", f"one/{run_id}/task", "--yes")
    assert code == 0
    assert f"one/{run_id}/task is running: Airflow fails try 1 of 1" in " ".join(out.split())
    scheduler.until_state("failed", dag_id="one")
    (task,) = ecs.tasks()
    assert task["stoppedReason"] == "Stopped by ada with ecs-async stop."


@pytest.mark.parametrize("part", [slice(None), slice(8)])
def test_stop_takes_an_id_or_its_beginning(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, part: slice
) -> None:
    mapped(run_dag)
    tis = scheduler.launched(3)
    arn = str(tis[0].external_executor_id)
    assert ecs_async("stop", arn.rpartition("/")[2][part], "--yes")[0] == 0
    assert arn not in {task["taskArn"] for task in live(ecs)}
    assert len(live(ecs)) >= 2


def test_stop_asks_and_a_no_stops_nothing(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dag(one_task_dag("one"))
    (ti,) = scheduler.launched()
    assert "no terminal to ask" in ecs_async("stop", str(ti.external_executor_id))[2]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda: "n")
    code, out, _ = ecs_async("stop", str(ti.external_executor_id))
    assert (code, out.splitlines()[-1]) == (1, "Stop it? [y/N] Nothing was stopped.")
    assert len(live(ecs)) == 1


def test_stop_leaves_what_is_not_this_airflows(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dag(one_task_dag("one"))
    (ti,) = scheduler.launched()
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT", "other")
    set_row(ti, external_executor_id=None, state="success")
    code, _, err = ecs_async("stop", str(ti.external_executor_id), "--yes")
    assert code == 1
    assert "is not this Airflow's: its startedBy is airflow/default/" in err
    assert len(live(ecs)) == 1


def test_a_task_that_waits_has_nothing_to_stop(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag
) -> None:
    ecs.add_fault("capacity")
    run_id = run_dag(one_task_dag("waits"))
    scheduler.until_state("queued", dag_id="waits")
    code, _, err = ecs_async("stop", f"waits/{run_id}/task", "--yes")
    assert (code, "has no ECS task yet" in err) == (1, True)


# --- sweep --------------------------------------------------------------------------------------------------


def test_sweep_leaves_alone_what_lives_however_old_it_is(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, later: Callable[[float], None]
) -> None:
    mapped(run_dag)
    tis = scheduler.launched(3)
    set_row(tis[0], state="running")
    set_row(tis[1], external_executor_id="an id that was written late")
    later(100_000)
    code, out, _ = ecs_async("sweep", "--yes", "--gone")
    assert (code, len(live(ecs))) == (0, 3)
    assert "Nothing to clean up." in out
    assert "its task instance is live under another id" in out


def test_sweep_lists_what_outlived_its_task_and_stops_it_only_if_told_to(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, later: Callable[[float], None]
) -> None:
    mapped(run_dag)
    tis = scheduler.launched(3)
    set_row(tis[0], state="success")
    assert "Nothing to clean up." in ecs_async("sweep")[1]
    later(100_000)
    code, out, _ = ecs_async("sweep")
    assert (code, len(live(ecs))) == (0, 3)
    assert "1 container to stop, 0 payloads to delete. Nothing was changed: add --yes to do it." in out
    assert f"fleet/{tis[0].run_id}/t0 is success" in " ".join(out.split())
    documents = json.loads(ecs_async("sweep", "--yes", "--json")[1])
    assert [each["done"] for each in documents if each["action"] == "stop"] == [True]
    assert {task["taskArn"] for task in live(ecs)} == {ti.external_executor_id for ti in tis[1:]}


def test_sweep_spares_what_has_become_live_since_it_was_listed(
    scheduler: Scheduler,
    ecs: Control,
    ecs_async: Ecs,
    run_dag: RunDag,
    later: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ecs_async_executor.operate import sweep  # noqa: PLC0415  the module, not the function

    run_dag(one_task_dag("one"))
    (ti,) = scheduler.launched()
    set_row(ti, state="success")
    later(100_000)
    act = sweep.act

    def cleared_meanwhile(*arguments: Any) -> Iterator[str]:
        set_row(ti, state="running")
        return act(*arguments)

    monkeypatch.setattr(sweep, "act", cleared_meanwhile)
    out = ecs_async("sweep", "--yes")[1]
    assert "Stopped 0 containers" in out
    assert "1 container left alone after a second look" in out
    assert len(live(ecs)) == 1


def register(ecs: Control, deployment: str, image: str) -> str:
    """Register a revision as another scheduler of this deployment would have, and give its ARN."""
    api = Aws(read_configuration(ExecutorConf()).settings)._client("ecs")
    answer = api.describe_task_definition(taskDefinition="airflow-task", include=["TAGS"])
    base = TaskDefinition(task_definition=answer["taskDefinition"])
    made = api.register_task_definition(**Revision(base, "airflow", image, deployment).registration)
    return str(made["taskDefinition"]["taskDefinitionArn"])


@pytest.fixture
def no_images(ecs: Control, configured: Control) -> None:
    """Deregister what other tests have registered: the local ECS keeps it."""
    api = Aws(read_configuration(ExecutorConf()).settings)
    for family in list(api.families(FAMILIES)):
        api.deregister(str(api.definition(family)["taskDefinition"]["taskDefinitionArn"]))


def test_sweep_deregisters_images_that_nothing_names_only_if_told_to(
    scheduler: Scheduler,
    ecs: Control,
    no_images: None,
    ecs_async: Ecs,
    later: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"ml": {"image": "airflow:named"}}')
    register(ecs, "airflow/default", "airflow:named")
    old = register(ecs, "airflow/default", "airflow:old")
    register(ecs, "airflow/other", "airflow:theirs")
    assert "Images" not in ecs_async("sweep")[1]
    assert "Nothing to clean up." in ecs_async("sweep", "--images")[1]
    later(31 * 86_400)
    code, out, _ = ecs_async("sweep", "--images")
    assert code == 0
    assert f"deregister {old.rpartition('/')[2]}" in out
    assert "airflow-task:1 with the image airflow:old." in " ".join(out.split())
    assert "1 revision to deregister. Nothing was changed: add --yes to do it." in out
    documents = json.loads(ecs_async("sweep", "--images", "--yes", "--json")[1])
    verdicts = {each["verdict"]: each["done"] for each in documents if "taskDefinition" in each}
    assert verdicts == {"named": False, "left_over": True, "foreign": False}
    assert "Nothing to clean up." in ecs_async("sweep", "--images", "--yes")[1]


@pytest.mark.parametrize(
    "definition", ["airflow-task", "airflow-task:1", "arn:aws:ecs:us-east-1:1:task-definition/airflow-task:1"]
)
def test_sweep_keeps_the_images_that_another_team_names(
    scheduler: Scheduler,
    ecs: Control,
    no_images: None,
    ecs_async: Ecs,
    later: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    definition: str,
) -> None:
    ours = OurExecutors(frozenset(), {}, frozenset({None, "ml"}))
    monkeypatch.setattr(access, "find_our_executors", lambda: ours)
    for name, value in [*os.environ.items()]:
        for section in ("AWS_ECS_EXECUTOR", "ECS_ASYNC_EXECUTOR"):
            if name.startswith(f"AIRFLOW__{section}__"):
                monkeypatch.setenv(name.replace("AIRFLOW__", "AIRFLOW__ML___", 1), value)
    queues = {
        "theirs": {"image": "airflow:theirs", "taskDefinition": definition},
        "gone": {"image": "airflow:gone", "taskDefinition": "no-such-family"},
    }
    monkeypatch.setenv("AIRFLOW__ML___ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(queues))
    kept = register(ecs, "airflow/default", "airflow:theirs")
    later(31 * 86_400)
    found = json.loads(ecs_async("sweep", "--images", "--json")[1])
    assert {each["taskDefinition"]: each["verdict"] for each in found if "taskDefinition" in each}[
        kept
    ] == "named"


def test_a_sweep_that_fails_halfway_says_what_it_has_done(
    scheduler: Scheduler,
    ecs: Control,
    ecs_async: Ecs,
    run_dag: RunDag,
    later: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mapped(run_dag)
    scheduler.launched(3)
    finish_all_rows()
    later(100_000)
    stop, stopped = Aws.stop, list[str]()

    def denied_after_one(aws: Aws, task: EcsTask, reason: str) -> None:
        if stopped:
            raise OperationError("AWS denied ecs:StopTask.")
        stop(aws, task, reason)
        stopped.append(task.arn)

    monkeypatch.setattr(Aws, "stop", denied_after_one)
    code, out, err = ecs_async("sweep", "--yes")
    assert (code, len(live(ecs))) == (1, 2)
    assert out.splitlines()[-1] == "Stopped 1 container, deleted 0 payloads. Nothing else was changed."
    assert err == "ecs-async sweep: AWS denied ecs:StopTask.\n"
    stopped.clear()
    code, out, _ = ecs_async("sweep", "--yes", "--json")
    assert (code, [each["done"] for each in json.loads(out) if each["action"] == "stop"].count(True)) == (
        1,
        1,
    )


def test_sweep_stops_what_no_row_knows_only_if_no_other_airflow_can_own_it(
    scheduler: Scheduler, ecs: Control, ecs_async: Ecs, run_dag: RunDag, later: Callable[[float], None]
) -> None:
    run_dag(one_task_dag("one"))
    scheduler.launched()
    finish_all_rows()
    with create_session() as session:
        session.execute(delete(TaskInstance))
    later(100_000)
    assert "may belong to another Airflow" in ecs_async("sweep", "--yes")[1]
    assert len(live(ecs)) == 1
    assert "Stopped 1 container" in ecs_async("sweep", "--yes", "--gone")[1]
    assert live(ecs) == []


@needs_callbacks
def test_sweep_leaves_a_callbacks_container_alone(
    enqueue_callback: Callable[[], None],
    scheduler: Scheduler,
    ecs: Control,
    ecs_async: Ecs,
    later: Callable[[float], None],
) -> None:
    enqueue_callback()
    scheduler.until(lambda: len(live(ecs)) == 1, step=scheduler.heartbeat)
    later(100_000)
    assert "it runs a callback" in ecs_async("sweep", "--yes", "--gone")[1]
    assert len(live(ecs)) == 1


@pytest.fixture(scope="module")
def served_bucket() -> Iterator[Bucket]:
    with bucket("swept") as served:
        yield served


def test_sweep_deletes_old_payloads_of_runs_that_are_over_and_nothing_else(
    served_bucket: Bucket,
    configured: Control,
    monkeypatch: pytest.MonkeyPatch,
    ecs_async: Ecs,
    later: Callable[[float], None],
    request: pytest.FixtureRequest,
) -> None:
    served_bucket.empty()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served_bucket.endpoint_url)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", f"{served_bucket.name}/airflow")
    scheduler: Scheduler = request.getfixturevalue("scheduler")
    run_dag: RunDag = request.getfixturevalue("run_dag")
    with DAG("long", schedule=None) as dag:
        BaseOperator(task_id="task", executor_config={"environment": {"A": "x" * 7000}})
    run_dag(dag)
    scheduler.launched()
    (used,) = served_bucket.names()
    over = "airflow/11111111222243338444555555555555-001.json"
    for key in (over, "airflow/notes.txt", "elsewhere/11111111222243338444555555555555-001.json"):
        served_bucket.client.put_object(Bucket=served_bucket.name, Key=key, Body=b"x")
    assert "Nothing to clean up." in ecs_async("sweep", "--yes")[1]
    later(100_000)
    assert f"delete s3://{served_bucket.name}/{over}" in ecs_async("sweep")[1]
    assert over in served_bucket.names()
    assert "deleted 1 payload." in ecs_async("sweep", "--yes")[1]
    assert sorted(served_bucket.names()) == sorted(
        [used, "airflow/notes.txt", "elsewhere/11111111222243338444555555555555-001.json"]
    )


# --- exec ---------------------------------------------------------------------------------------------------


@pytest.fixture
def with_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent of ECS Exec, which the local ECS does not run."""

    def described(document: Any) -> EcsTask:
        agents = [{"name": "ExecuteCommandAgent", "lastStatus": "RUNNING"}]
        containers = [
            {**each, "runtimeId": "abc-1", "managedAgents": agents} for each in document["containers"]
        ]
        return ecs_task({**document, "containers": containers})

    monkeypatch.setattr("ecs_async_executor.operate.aws.ecs_task", described)


def open_session(_: Aws, task: EcsTask, container: str, command: str) -> dict[str, Any]:
    """Stand in for ExecuteCommand, which neither the local ECS nor moto has."""
    assert isinstance(task.containers[0], Container)
    return {"sessionId": f"{container}: {command}", "streamUrl": "wss://x", "tokenValue": "a-session-token"}


def test_exec_starts_the_plugin_on_the_running_container(
    scheduler: Scheduler,
    ecs_async: Ecs,
    run_dag: RunDag,
    with_agent: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    plugin = fake_plugin(tmp_path, exit_code=7)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(Aws, "open_session", open_session)
    run_id = run_dag(one_task_dag("one", executor_config=EXEC))
    (ti,) = scheduler.launched()
    set_row(ti, state="running")
    code, out, err = ecs_async("exec", "--run", run_id, "one", "task", "--", "ls", "-l", "a b")
    assert (code, out) == (7, "")
    assert "a-session-token" not in err
    task_id = str(ti.external_executor_id).rpartition("/")[2]
    assert json.loads(plugin.arguments()[4]) == {"Target": f"ecs:default_{task_id}_abc-1"}
    assert json.loads(plugin.session())["SessionId"] == "airflow: ls -l 'a b'"


EXEC = {
    "enableExecuteCommand": True,
    "overrides": {"taskRoleArn": "arn:aws:iam::123456789012:role/airflow-task"},
}


def test_exec_says_all_that_is_missing(
    scheduler: Scheduler, ecs_async: Ecs, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run_dag(one_task_dag("one"))
    scheduler.launched()
    code, _, err = ecs_async("exec", "one", "task")
    assert code == 1
    assert "enableExecuteCommand" in err
    assert "Session Manager plugin of the AWS CLI is not installed" in " ".join(err.split())


def test_exec_needs_a_task_that_lives_and_only_one(
    scheduler: Scheduler, ecs_async: Ecs, run_dag: RunDag
) -> None:
    assert "no task instance of one.task is live" in ecs_async("exec", "one", "task")[2]
    dag = one_task_dag("one")
    run_dag(dag)
    run_dag(dag)
    scheduler.launched(2)
    assert "2 task instances fit" in ecs_async("exec", "one", "task")[2]


# --- the page ---------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "operating.md").read_text("utf-8")
LINES = [shlex.split(line)[1:] for line in command_lines(PAGE) if line.startswith("ecs-async ")]
PAGES_RUN = "scheduled__2026-11-27T00:00:00+00:00"


def test_the_pages_commands_do_what_it_says(
    scheduler: Scheduler,
    ecs_async: Ecs,
    run_dag: RunDag,
    with_agent: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    fake_plugin(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(Aws, "open_session", open_session)
    with DAG("etl", schedule=None) as dag:
        BaseOperator(task_id="load", executor_config=EXEC, queue="gpu")
    run_id = run_dag(dag)
    (ti,) = scheduler.launched()
    task_id = str(ti.external_executor_id).rpartition("/")[2]
    # What needs a mapped task or never ends is left to other tests; stopping comes last.
    lines = [
        line for line in LINES if "--watch" not in line and "3" not in line and not line[-1].endswith("/3")
    ]
    assert {line[0] for line in lines} == {"status", "tasks", "sweep", "stop", "exec"}
    for line in sorted(lines, key=lambda each: each[0] == "stop"):
        words = [word.replace(PAGES_RUN, run_id).replace("57547f5c", task_id) for word in line]
        assert (
            ecs_async(*words, *(["--yes"] if words[0] == "stop" and "--yes" not in words else []))[0] == 0
        ), words


# --- without a database ---------------------------------------------------------------------------------------


def test_options_that_are_wrong_are_listed(ecs_async: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__CONCURRENCY", "many")
    code, out, err = ecs_async("tasks")
    assert (code, out) == (1, "")
    assert "concurrency" in err


def test_a_team_that_does_not_exist_is_refused(ecs_async: Ecs, configured: Control) -> None:
    assert ecs_async("tasks", "--team", "nobody")[0] == 1
