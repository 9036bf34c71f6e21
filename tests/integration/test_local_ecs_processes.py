"""The local ECS's process runtime: what runs really runs, and nothing outlives its end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ecs_async_executor.local import Control, Options, serve_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CREDENTIALS = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
CONTAINERS = [
    {
        "name": "main",
        "image": "i",
        "command": ["sh", "-c", "exit 4"],
        "environment": [{"name": "FROM", "value": "definition"}],
    },
    {"name": "log-router", "image": "i", "essential": False},
    {"name": "helper", "image": "i", "essential": False, "command": ["sh", "-c", "exit 5"]},
]
STUBBORN = [{"name": "main", "image": "i", "stopTimeout": 1}]
SIZE = {"networkMode": "awsvpc", "cpu": "256", "memory": "512"}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
OPTIONS = Options(
    task_definitions=[
        {"family": "three", **SIZE, "containerDefinitions": CONTAINERS},
        {"family": "stubborn", **SIZE, "containerDefinitions": STUBBORN},
    ],
    pass_environment=["PASSED_ON"],
)


class Ecs:
    """A server and a client of it."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.client: Any = boto3.client("ecs", endpoint_url=control.endpoint_url, **CREDENTIALS)

    def run(
        self,
        *command: str,
        container: str = "airflow",
        family: str = "airflow-task",
        launch_type: str = "EC2",
        **fields: Any,
    ) -> str:
        override = {"name": container, **fields, **({"command": list(command)} if command else {})}
        answer = self.client.run_task(
            taskDefinition=family,
            launchType=launch_type,
            networkConfiguration=NETWORK,
            overrides={"containerOverrides": [override]},
        )
        arn: str = answer["tasks"][0]["taskArn"]
        return arn

    def task(self, arn: str) -> dict[str, Any]:
        task: dict[str, Any] = self.client.describe_tasks(tasks=[arn])["tasks"][0]
        return task

    def wait(self, arn: str, status: str = "STOPPED") -> dict[str, Any]:
        until(lambda: self.task(arn)["lastStatus"] == status)
        return self.task(arn)


def until(true: Callable[[], bool]) -> None:
    """Wait for something; the test's timeout is the limit."""
    while not true():
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids_from(path: Path, count: int) -> list[int]:
    until(lambda: path.exists() and len(path.read_text(encoding="utf-8").split()) == count)
    return [int(pid) for pid in path.read_text(encoding="utf-8").split()]


@pytest.fixture(scope="module")
def server() -> Iterator[Ecs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSED_ON", "yes")
        patch.setenv("KEPT_BACK", "no")
        with serve_in_thread(OPTIONS) as control:
            yield Ecs(control)


@pytest.fixture
def ecs(server: Ecs) -> Ecs:
    server.control.reset()
    return server


def exits(task: dict[str, Any]) -> dict[str, int | None]:
    return {container["name"]: container.get("exitCode") for container in task["containers"]}


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -SEGV $$", 139), ("kill -KILL $$", 137)]
)
def test_the_exit_code_is_the_commands(ecs: Ecs, script: str, code: int) -> None:
    task = ecs.wait(ecs.run("sh", "-c", script))
    assert exits(task) == {"airflow": code}
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["createdAt"] <= task["startedAt"] <= task["stoppingAt"] <= task["stoppedAt"]


def test_python_is_this_virtual_environments(ecs: Ecs) -> None:
    assert exits(ecs.wait(ecs.run("python", "-c", "import ecs_async_executor"))) == {"airflow": 0}


def test_the_environment_is_minimal_and_overridden_last(ecs: Ecs, tmp_path: Path) -> None:
    out = tmp_path / "env"
    environment = [{"name": "MINE", "value": "a b"}, {"name": "FROM", "value": "override"}]
    ecs.wait(
        ecs.run(
            "sh",
            "-c",
            f"env > {out}; pwd >> {out}",
            container="main",
            family="three",
            environment=environment,
        )
    )
    lines = out.read_text(encoding="utf-8").splitlines()
    assert {"PASSED_ON=yes", "MINE=a b", "FROM=override", f"HOME={lines[-1]}"} <= set(lines)
    assert not any(line.startswith("KEPT_BACK") for line in lines)
    assert not Path(lines[-1]).exists()


def test_a_missing_program_never_starts(ecs: Ecs) -> None:
    task = ecs.wait(ecs.run("no-such-program", "a-secret"))
    assert (task["stopCode"], exits(task)) == ("TaskFailedToStart", {"airflow": None})
    assert task["containers"][0]["reason"].startswith("CannotStartContainerError")
    assert "no-such-program" in task["stoppedReason"]
    assert "a-secret" not in task["stoppedReason"]
    assert "startedAt" not in task


def test_the_essential_container_ends_the_task_and_the_others_are_terminated(ecs: Ecs) -> None:
    arn = ecs.run("sleep", "60", container="main", family="three")
    until(lambda: exits(ecs.task(arn))["helper"] == 5)
    assert ecs.task(arn)["lastStatus"] == "RUNNING"
    ecs.client.stop_task(task=arn)
    assert exits(ecs.wait(arn)) == {"main": 143, "log-router": 143, "helper": 5}


def test_the_definitions_command_runs_when_nothing_overrides_it(ecs: Ecs) -> None:
    assert exits(ecs.wait(ecs.run(container="main", family="three")))["main"] == 4


def test_a_container_without_a_command_idles_until_it_is_stopped(ecs: Ecs) -> None:
    arn = ecs.run()
    ecs.wait(arn, "RUNNING")
    ecs.client.stop_task(task=arn)
    assert exits(ecs.wait(arn)) == {"airflow": 143}


def test_stopping_lets_a_command_finish_in_its_own_way(ecs: Ecs, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    arn = ecs.run("sh", "-c", f"trap 'exit 9' TERM; touch {ready}; while :; do sleep 0.05; done")
    until(ready.exists)
    ecs.client.stop_task(task=arn, reason="cleared")
    task = ecs.wait(arn)
    assert (exits(task), task["stopCode"], task["stoppedReason"]) == (
        {"airflow": 9},
        "UserInitiated",
        "cleared",
    )


def test_a_command_that_ignores_sigterm_is_killed_after_its_stop_timeout(ecs: Ecs, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done"
    arn = ecs.run("sh", "-c", script, container="main", family="stubborn")
    until(ready.exists)
    ecs.client.stop_task(task=arn)
    assert ecs.wait(arn, "STOPPING")["desiredStatus"] == "STOPPED"
    assert exits(ecs.wait(arn)) == {"main": 137}


# As Airflow's task process does: a group of its own, and an environment that tells nothing.
OWN_GROUP = (
    "env -i PATH=$PATH python -c 'import os, sys; os.setpgid(0, 0); os.execvp(sys.argv[1], sys.argv[1:])' "
)


@pytest.mark.parametrize("starter", ["", "setsid ", OWN_GROUP])
def test_what_a_container_leaves_running_ends_with_it(ecs: Ecs, tmp_path: Path, starter: str) -> None:
    out = tmp_path / "pids"
    arn = ecs.run(
        "sh",
        "-c",
        f"{starter}sh -c 'echo $$ >> {out}; exec sleep 60' & while [ ! -s {out} ]; do sleep 0.02; done",
    )
    ecs.wait(arn)
    (pid,) = pids_from(out, 1)
    until(lambda: not alive(pid))


def test_a_spot_interruption_is_injected_before_and_after_the_start(ecs: Ecs) -> None:
    ecs.control.set_plan(provisioning=30)
    ecs.control.add_fault("spot_before_start", times=1)
    early = ecs.wait(ecs.run("sleep", "60"))
    ecs.control.set_plan()
    ecs.control.add_fault("spot_interruption", times=1)
    late = ecs.wait(ecs.run("sleep", "60"))
    assert [task["stopCode"] for task in (early, late)] == ["SpotInterruption", "SpotInterruption"]
    assert ["startedAt" in task for task in (early, late)] == [False, True]
    assert [exits(task) for task in (early, late)] == [{"airflow": None}, {"airflow": 143}]


def test_a_lost_host_leaves_no_exit_code_and_no_process(ecs: Ecs, tmp_path: Path) -> None:
    out = tmp_path / "pids"
    arn = ecs.run("sh", "-c", f"echo $$ > {out}; exec sleep 60")
    (pid,) = pids_from(out, 1)
    ecs.wait(arn, "RUNNING")
    ecs.control.interrupt(arn, "host")
    assert exits(ecs.wait(arn)) == {"airflow": None}
    assert not alive(pid)


def test_a_sidecar_may_be_reported_killed_while_the_main_container_succeeds(ecs: Ecs) -> None:
    ecs.control.add_fault("sidecar_exit", container="log-router", exit_code=137, reason="OutOfMemoryError")
    task = ecs.wait(ecs.run("true", container="main", family="three"))
    router = next(container for container in task["containers"] if container["name"] == "log-router")
    assert (exits(task)["main"], router["exitCode"], router["reason"]) == (0, 137, "OutOfMemoryError")


def test_a_start_failure_starts_nothing(ecs: Ecs, tmp_path: Path) -> None:
    ecs.control.add_fault("start_failure", times=1)
    task = ecs.wait(ecs.run("touch", str(tmp_path / "ran")))
    assert task["stoppedReason"].startswith("CannotPullContainerError")
    assert not (tmp_path / "ran").exists()


def test_a_stop_before_the_start_is_kept(ecs: Ecs) -> None:
    ecs.control.set_plan(provisioning=30)
    arn = ecs.run("sleep", "60")
    ecs.client.stop_task(task=arn)
    task = ecs.wait(arn)
    assert (task["stopCode"], exits(task)) == ("UserInitiated", {"airflow": None})


def test_a_reset_kills_what_runs(ecs: Ecs, tmp_path: Path) -> None:
    out = tmp_path / "pids"
    ecs.run("sh", "-c", f"echo $$ > {out}; exec sleep 60")
    (pid,) = pids_from(out, 1)
    ecs.control.reset()
    until(lambda: not alive(pid))
    assert ecs.control.tasks() == []


def test_closing_the_server_leaves_no_process_behind(tmp_path: Path) -> None:
    out = tmp_path / "pids"
    script = f"trap '' TERM; echo $$ >> {out}; sh -c 'echo $$ >> {out}; exec sleep 60' & setsid sh -c 'echo $$ >> {out}; exec sleep 60' & sleep 60"
    with serve_in_thread() as control:
        ecs = Ecs(control)
        for _ in range(3):
            ecs.run("sh", "-c", script)
        pids = pids_from(out, 9)
        assert all(alive(pid) for pid in pids)
    until(lambda: not any(alive(pid) for pid in pids))
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


def test_closing_the_server_leaves_no_directory_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with serve_in_thread() as control:
        ecs = Ecs(control)
        arns = [ecs.run("true") for _ in range(10)] + [ecs.run("sleep", "60") for _ in range(10)]
        for arn in arns[:10]:
            ecs.wait(arn)
    assert not list(tmp_path.iterdir())


def test_output_goes_to_cloudwatch_logs() -> None:
    with serve_in_thread(Options(logs=True)) as control:
        ecs = Ecs(control)
        arn = ecs.run("sh", "-c", "echo one; echo two >&2; printf three; exit 1")
        ecs.wait(arn)
        logs: Any = boto3.client("logs", endpoint_url=control.logs_endpoint_url, **CREDENTIALS)
        name = f"ecs/airflow/{arn.rpartition('/')[2]}"

        def messages() -> list[str]:
            try:
                events = logs.get_log_events(logGroupName="/ecs/airflow-task", logStreamName=name)["events"]
            except logs.exceptions.ResourceNotFoundException:
                return []
            return [event["message"] for event in events]

        until(lambda: messages() == ["one", "two", "three"])


def logging_to(group: str, **options: str) -> dict[str, Any]:
    options = {
        "awslogs-group": group,
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "ecs",
        **options,
    }
    container = {
        "name": "airflow",
        "image": "i",
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    return {"family": group, "executionRoleArn": "arn", **SIZE, "containerDefinitions": [container]}


NO_GROUP = "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."


NO_GROUP_ON_FARGATE = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: "
    f"{NO_GROUP} : exit status 1"
)


@pytest.mark.parametrize(
    ("launch_type", "reason"),
    [
        (
            "EC2",
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: "
            + NO_GROUP,
        ),
        ("FARGATE", NO_GROUP_ON_FARGATE),
    ],
)
def test_a_task_whose_log_group_is_missing_never_starts(
    launch_type: str, reason: str, tmp_path: Path
) -> None:
    definitions = [
        logging_to("missing"),
        logging_to("made", **{"awslogs-create-group": "true"}),
        logging_to("there"),
    ]
    with serve_in_thread(Options(logs=True, log_groups=["there"], task_definitions=definitions)) as control:
        ecs = Ecs(control)
        task = ecs.wait(ecs.run("touch", str(tmp_path / "ran"), family="missing", launch_type=launch_type))
        assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", reason)
        assert (exits(task), task["containers"][0]["reason"]) == ({"airflow": None}, reason)
        assert not (tmp_path / "ran").exists()
        for family in ("made", "there"):
            assert exits(ecs.wait(ecs.run("echo", "x", family=family, launch_type=launch_type))) == {
                "airflow": 0
            }


def test_without_cloudwatch_logs_no_log_group_is_missed() -> None:
    with serve_in_thread(Options(task_definitions=[logging_to("missing")])) as control:
        ecs = Ecs(control)
        assert exits(ecs.wait(ecs.run("true", family="missing"))) == {"airflow": 0}


def test_a_start_failure_marks_the_container_it_names(ecs: Ecs) -> None:
    ecs.control.add_fault("start_failure", times=1, container="helper", reason="CannotPullContainerError: no")
    task = ecs.wait(ecs.run("true", container="main", family="three"))
    reasons = {container["name"]: container.get("reason") for container in task["containers"]}
    assert reasons == {"main": None, "log-router": None, "helper": "CannotPullContainerError: no"}


def test_an_absent_log_service_neither_delays_nor_fails_a_task() -> None:
    with serve_in_thread(Options(logs="http://127.0.0.1:9")) as control:
        ecs = Ecs(control)
        assert exits(ecs.wait(ecs.run("sh", "-c", "seq 5000"))) == {"airflow": 0}


def test_stop_task_answers_with_what_it_has_done(ecs: Ecs) -> None:
    arn = ecs.run("sleep", "60")
    ecs.wait(arn, "RUNNING")
    task = ecs.client.stop_task(task=arn, reason="cleared")["task"]
    assert (task["desiredStatus"], task["stoppedReason"]) == ("STOPPED", "cleared")
