"""What a launch's report means."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.doctor.findings import Severity
from ecs_async_executor.doctor.launch.observation import Observation
from ecs_async_executor.doctor.launch.phases import phases
from ecs_async_executor.doctor.launch.probe import MARK, command, report_in
from ecs_async_executor.doctor.launch.verdict import verdict
from ecs_async_executor.doctor.setup import Option
from ecs_async_executor.ecs_rules import OVERRIDES
from ecs_async_executor.messages import Diagnosis
from tests.unit.doctor.setups import a_setup

FOLDER = "s3://logs/airflow"
LOGGING = {
    "logging.remote_logging": Option("True", "airflow.cfg"),
    "logging.remote_base_log_folder": Option(FOLDER, "airflow.cfg"),
}
SETUP = a_setup(airflow="3.3.2", python="3.12", bundles=("dags-folder",), more=LOGGING)
GOOD: dict[str, Any] = {
    "airflow": "3.3.2",
    "python": "3.12",
    "api": {"url": "https://a/execution", "status": 404, "known": True},
    "dags": {"dags-folder": {"folder": "/opt/airflow/dags", "files": 3}},
    "logs": {"on": True, "folder": FOLDER, "written": True},
    "payload": True,
    "standby": {"age": 61.0, "status": 403},
}


def severities(**members: Any) -> dict[str, Severity]:
    seen = Observation("airflow", arn="arn", report=GOOD | members)
    return {f"{each.what} {each.todo}": each.severity for each in verdict(SETUP, seen)}


def test_a_good_report_is_fine() -> None:
    assert set(severities().values()) == {Severity.FINE}


@pytest.mark.parametrize(
    ("members", "severity", "words"),
    [
        ({"airflow": "3.2.2"}, Severity.ERROR, "has Airflow 3.2.2"),
        ({"airflow": {"error": "ModuleNotFoundError: no"}}, Severity.ERROR, "can't import Airflow"),
        ({"python": "3.10"}, Severity.WARNING, "Python 3.10"),
        ({"api": {"url": "u", "unreachable": "timed out"}}, Severity.ERROR, "security groups"),
        ({"api": {"url": "u", "status": 400, "known": False, "tls": True}}, Severity.ERROR, "Begin AIRFLOW__CORE__EXECUTION_API_SERVER_URL in the container's environment with https://"),
        ({"api": {"url": "u", "unreachable": "Remote end closed connection without response", "tls": True}}, Severity.ERROR, "its server speaks TLS"),
        ({"api": {"url": "u", "status": 401}}, Severity.ERROR, "JWT_SECRET"),
        ({"api": {"url": "u", "status": 404, "known": False}}, Severity.ERROR, "ends in /execution/"),
        ({"api": {"url": "u", "status": 500}}, Severity.ERROR, "API server's log"),
        ({"dags": {"dags-folder": {"folder": "/d", "files": 0}}}, Severity.ERROR, "no Dags"),
        ({"dags": {"other": {"folder": "/d", "files": 1}}}, Severity.ERROR, "no Dag bundle dags-folder"),
        ({"dags": {"dags-folder": "x.GitDagBundle"}}, Severity.UNKNOWN, "GitDagBundle"),
        ({"logs": {"on": False, "folder": ""}}, Severity.ERROR, "off in the container"),
        ({"logs": {"on": True, "folder": "s3://x"}}, Severity.ERROR, "stores logs in s3://x"),
        ({"logs": {"error": "ClientError: AccessDenied"}}, Severity.ERROR, "s3:PutObject"),
        ({"logs": {"error": "NoSuchBucket: no"}}, Severity.ERROR, "create the bucket"),
        ({"payload": {"error": "ClientError: AccessDenied"}}, Severity.ERROR, "s3:GetObject"),
        ({"standby": {"error": "ClientError: AccessDenied"}}, Severity.ERROR, "can't wait for a task in this container (ClientError: AccessDenied). Allow the task role s3:GetObject"),
        ({"standby": {"error": "ModuleNotFoundError: botocore"}}, Severity.ERROR, "Use an image with Airflow and the Amazon provider"),
        ({"standby": {"age": 3.0, "status": 500}}, Severity.ERROR, "S3 answers 500"),
    ],
)  # fmt: skip
def test_what_the_container_found_wrong_is_named(
    members: dict[str, Any], severity: Severity, words: str
) -> None:
    assert [each for each, how in severities(**members).items() if how is severity and words in each]


STOPPED = {"taskArn": "arn:aws:ecs:r:1:task/c/1", "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart"}


ENDED_WELL = {
    **STOPPED,
    "stopCode": "EssentialContainerExited",
    "containers": [{"name": "airflow", "exitCode": 0, "lastStatus": "STOPPED"}],
}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Observation("airflow", refusal=Diagnosis("RunTask was refused.", "code", "Do this.")), "RunTask was refused. Do this."),
        (Observation("airflow", task={"lastStatus": "PROVISIONING"}, late=60), "After 60 s the task was PROVISIONING"),
        (
            Observation("airflow", task={**STOPPED, "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 5 time(s): not found"}),
            "image",
        ),
        (Observation("airflow", arn="a", stop_problem="AWS denies it.", report=GOOD), "may still run"),
        (Observation("airflow", report=GOOD, payload_problem="AccessDenied"), "can't store an object"),
        (Observation("airflow", report=GOOD, standby_problem="AccessDenied"), "can't hand a task to a standby: AccessDenied."),
        (Observation("airflow", task=ENDED_WELL, lines=("hello",)), "it didn't run the doctor's command"),
    ],
)  # fmt: skip
def test_a_launch_without_a_good_end_is_an_error(seen: Observation, words: str) -> None:
    said = [f"{each.what} {each.todo}" for each in verdict(SETUP, seen) if each.severity is Severity.ERROR]
    assert any(words in each for each in said), said


def test_the_report_is_the_last_marked_line() -> None:
    lines = ["x", f'{MARK}{{"a": 1}}', f'2026 {MARK}{{"a": 2}}', f"{MARK}cut {{"]
    assert report_in(lines) == {"a": 2}
    assert report_in(["nothing"]) is None


def test_the_probe_leaves_half_of_the_overrides_to_the_user() -> None:
    words = command({"token": "t" * 600, "ti": "u" * 36, "payload": "s3://b/k", "region": []})
    assert sum(map(len, words)) < OVERRIDES // 2 + 300


def test_phases_are_the_times_between_moments() -> None:
    task = {"createdAt": 10.0, "pullStartedAt": 12.5, "pullStoppedAt": 20.0}
    assert phases(task) == {"provisioning": 2.5, "pulling the image": 7.5}


def test_a_log_that_cannot_be_read_says_nothing_about_the_container() -> None:
    seen = Observation("airflow", task=ENDED_WELL, lines_problem="AWS denied GetLogEvents.")
    assert [(each.severity, each.why) for each in verdict(SETUP, seen)] == [
        (Severity.UNKNOWN, "AWS denied GetLogEvents.")
    ]


def test_a_container_that_never_ran_has_no_lines_to_miss() -> None:
    seen = Observation("airflow", task={**STOPPED, "stoppedReason": "x"}, lines_problem="No stream.")
    assert not any("No stream." in each.why for each in verdict(SETUP, seen))
