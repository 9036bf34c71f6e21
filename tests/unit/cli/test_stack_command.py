"""`ecs-async stack` says what happens, and what to do if it doesn't."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import botocore.exceptions as boto
import pytest
from botocore.parsers import ResponseParserError

from ecs_async_executor.cli import main
from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack import operation
from ecs_async_executor.stack.cloud import Cloud, Made, Stack, _explained
from ecs_async_executor.stack.progress import Event
from ecs_async_executor.stack.template import Template, read_template

OUTPUTS = (
    {"OutputKey": "Cluster", "OutputValue": "airflow", "Description": "AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER"},
)
CLUSTER = Made("Cluster", "AWS::ECS::Cluster", "airflow", "CREATE_COMPLETE")


class FakeCloud:
    """AWS by script: `states` are the stack's next states, each with the events that are new by then."""

    region = "eu-central-1"

    def __init__(self, before: str = "", states: list[tuple[str, list[Event]]] | None = None) -> None:
        self.now = before
        self.states = states or []
        self.happened: list[Event] = []
        self.asked: list[str] = []
        self.tasks = ["arn:task/1"]
        self.parameters: Mapping[str, str] = {"ImageTag": "1", "Spot": "yes"}
        self.values: Mapping[str, str] = {}
        self.on_update: Callable[[], bool] = lambda: True
        self.description = read_template().document["Description"]

    def stack(self, name: str) -> Stack | None:
        if self.asked and self.states:
            self.now, new = self.states.pop(0)
            self.happened += new
        return Stack("id", name, self.now, self.parameters, OUTPUTS, self.description) if self.now else None

    def create(self, _name: str, _text: str, values: Mapping[str, str]) -> None:
        self.asked.append("create")
        self.now, self.values = "CREATE_IN_PROGRESS", values

    def update(self, _name: str, _text: str, values: Mapping[str, str]) -> bool:
        self.asked.append("update")
        self.values = values
        return self.on_update()

    def delete(self, _name: str) -> None:
        self.asked.append("delete")

    def make_service_linked_role(self) -> None:
        raise OperationError("Service role name AWSServiceRoleForECS has been taken in this account.")

    def events(self, _stack_id: str, _seen: object = ()) -> list[Event]:
        return list(self.happened)

    def made(self, _stack_id: str) -> list[Made]:
        return [CLUSTER]

    def running_tasks(self, _cluster: str) -> list[str]:
        return list(self.tasks)

    def stop_task(self, _cluster: str, arn: str) -> None:
        self.asked.append(f"stop {arn}")
        self.tasks.remove(arn)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeCloud], FakeCloud]:
    def install(cloud: FakeCloud) -> FakeCloud:
        monkeypatch.setattr(Cloud, "connect", lambda *_: cloud)
        monkeypatch.setattr(operation, "EVERY", 0.0)
        monkeypatch.setattr(operation, "PAUSE", 0.0)
        return cloud

    return install


def event(number: int, name: str, status: str, reason: str = "", kind: str = "AWS::ECS::Cluster") -> Event:
    return Event(str(number), float(number), name, kind, status, reason)


def up(*words: str) -> int:
    return main(["stack", "up", "--yes", "--no-doctor", *words])


def test_without_a_terminal_progress_is_a_line_an_event_on_stderr(
    use: Any, capsys: pytest.CaptureFixture[str]
):
    making, made = event(1, "Cluster", "CREATE_IN_PROGRESS"), event(2, "Cluster", "CREATE_COMPLETE")
    use(FakeCloud("", [("CREATE_IN_PROGRESS", [making]), ("CREATE_COMPLETE", [made])]))
    assert up() == 0
    out, err = capsys.readouterr()
    assert out == "AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER=airflow\n"
    assert "making    Cluster (ECS Cluster)\nmade      Cluster (ECS Cluster)\n" in err


def test_a_failure_is_explained_by_the_resource_that_failed_first(
    use: Any, capsys: pytest.CaptureFixture[str]
):
    failure = event(2, "MetadataDatabase", "CREATE_FAILED", "No such class.", "AWS::RDS::DBInstance")
    after = event(3, "Cluster", "CREATE_FAILED", "Resource creation cancelled")
    use(FakeCloud("", [("ROLLBACK_IN_PROGRESS", [failure]), ("ROLLBACK_COMPLETE", [after])]))
    assert up() == 1
    last = capsys.readouterr().err.split("ecs-async stack up: ")[-1]
    assert last.startswith("MetadataDatabase (AWS::RDS::DBInstance) failed: No such class.\n")
    assert "ecs-async stack down --name airflow" in last


def test_a_failed_change_is_said_to_be_undone(use: Any, capsys: pytest.CaptureFixture[str]):
    failure = event(2, "Cluster", "UPDATE_FAILED", "Denied.")
    use(FakeCloud("CREATE_COMPLETE", [("UPDATE_ROLLBACK_COMPLETE", [failure])]))
    assert up() == 1
    assert "put the stack back as it was" in capsys.readouterr().err


def test_a_change_keeps_the_stacks_parameters(use: Any):
    cloud = use(FakeCloud("CREATE_COMPLETE", [("UPDATE_COMPLETE", [])]))
    assert up("--set", "ImageTag=2") == 0
    assert cloud.asked == ["update"]
    assert (cloud.values["ImageTag"], cloud.values["Spot"]) == ("2", "yes")


def test_a_stack_that_aws_works_on_is_only_watched(use: Any, capsys: pytest.CaptureFixture[str]):
    cloud = FakeCloud("CREATE_IN_PROGRESS")
    answers = iter(["CREATE_IN_PROGRESS"] * 3 + ["CREATE_COMPLETE"] * 3)
    cloud.stack = lambda name: Stack("id", name, next(answers), {"ImageTag": "1"}, OUTPUTS, cloud.description)  # type: ignore[method-assign]  # a fake
    use(cloud)
    assert up() == 0
    assert cloud.asked == []
    assert "AWS works on it already" in capsys.readouterr().err


def test_a_dead_stack_must_be_deleted_first(use: Any, capsys: pytest.CaptureFixture[str]):
    cloud = use(FakeCloud("ROLLBACK_COMPLETE"))
    assert up() == 1
    assert "`ecs-async stack down --name airflow`" in capsys.readouterr().err
    assert cloud.asked == []


@pytest.mark.parametrize("command", ["up", "down"])
def test_after_ctrl_c_aws_goes_on_and_the_command_says_how_to_resume(
    use: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
):
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    use(FakeCloud("" if command == "up" else "CREATE_COMPLETE"))
    monkeypatch.setattr(operation, "watch", interrupted)
    words = ["--no-doctor"] if command == "up" else []
    assert main(["stack", command, "--yes", "--name", "mine", *words]) == 130
    err = capsys.readouterr().err
    assert "AWS goes on with the stack mine." in err
    assert f"ecs-async stack {command} --name mine" in err


def test_down_stops_the_tasks_that_would_hold_the_cluster(use: Any, capsys: pytest.CaptureFixture[str]):
    cloud = use(FakeCloud("CREATE_COMPLETE", [("DELETE_IN_PROGRESS", []), ("DELETE_COMPLETE", [])]))
    assert main(["stack", "down", "--yes"]) == 0
    assert cloud.asked == ["stop arn:task/1", "delete"]
    assert "1 ECS task runs in its cluster, and will be stopped." in capsys.readouterr().out


def test_the_answer_no_changes_nothing(
    use: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda: "n")
    cloud = use(FakeCloud("CREATE_COMPLETE"))
    assert main(["stack", "down"]) == 1
    assert main(["stack", "up"]) == 1
    assert cloud.asked == []
    assert "Nothing was deleted." in capsys.readouterr().out


def test_a_dry_run_needs_no_aws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def nothing(*_: object) -> Any:
        raise OperationError("there are no AWS credentials.")

    monkeypatch.setattr(Cloud, "connect", nothing)
    assert main(["stack", "up", "--dry-run", "--region", "eu-central-1"]) == 0
    out, err = capsys.readouterr()
    template: Template = read_template()
    assert all(each.name in out for each in template.resources(template.values({})))
    assert all(f"  {name}=" in out for name in template.parameters)
    assert "A month costs about:" in out
    assert "there are no AWS credentials." in err


@pytest.mark.parametrize("name", ["Airflow", "a--b", "1a", "a" * 33, "a-"])
def test_a_name_that_resources_cannot_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_:
        main(["stack", "up", "--name", name])
    assert exit_.value.code == 2
    assert "small letters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        (
            "AccessDenied",
            "User: arn:aws:iam::1:user/a is not authorized to perform: cloudformation:CreateStack on resource: arn:aws:x",
            '"Action": "cloudformation:CreateStack"',
        ),
        ("ExpiredToken", "The security token included in the request is expired", "aws sso login"),
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "AWS_*"),
        ("ValidationError", "Template error.", "CreateStack failed: Template error."),
    ],
)
def test_aws_errors_are_sentences_that_say_what_to_do(code: str, message: str, says: str):
    error = boto.ClientError({"Error": {"Code": code, "Message": message}}, "CreateStack")
    assert says in str(_explained(error))


def test_an_answer_that_is_not_awss_is_reported_without_its_text():
    def describe_stacks(**_: Any) -> None:
        raise ResponseParserError("invalid XML received: b'<!doctype html><title>Sign in'")

    cloud = Cloud(session=None, _clients={"cloudformation": SimpleNamespace(describe_stacks=describe_stacks)})
    with pytest.raises(
        OperationError, match=r"^what answers instead of cloudformation is not AWS: [^<]*proxy"
    ):
        cloud.stack("airflow")


def test_events_of_before_are_not_shown_again(use: Any, capsys: pytest.CaptureFixture[str]):
    cloud = FakeCloud("CREATE_COMPLETE", [("UPDATE_COMPLETE", [])])
    cloud.happened = [dataclasses.replace(event(1, "Old", "CREATE_FAILED", "long ago"))]
    use(cloud)
    assert up() == 0
    assert "long ago" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [("up", "--yes"), ("down", "--yes"), ("down", "--yes", "--delete-data"), ("env",)]
)
def test_somebody_elses_stack_is_left_alone(
    use: Any, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    cloud = FakeCloud("CREATE_COMPLETE")
    cloud.description = "The shop"
    use(cloud)
    assert main(["stack", *words]) == 1
    assert cloud.asked == []
    assert "wasn't made with `ecs-async stack`" in capsys.readouterr().err


def test_a_new_stack_takes_no_image_because_its_repository_is_not_there_yet(
    use: Any, capsys: pytest.CaptureFixture[str]
):
    cloud = use(FakeCloud())
    assert up("--set", "ImageTag=1") == 1
    assert cloud.asked == []
    assert "Make it without ImageTag" in capsys.readouterr().err


def test_parameters_that_come_too_late_are_reported_and_end_in_1(
    use: Any, capsys: pytest.CaptureFixture[str]
):
    cloud = FakeCloud("UPDATE_IN_PROGRESS")
    cloud.asked = ["update"]
    cloud.states = [
        ("UPDATE_IN_PROGRESS", []),
        ("UPDATE_IN_PROGRESS", []),
        ("UPDATE_COMPLETE", []),
    ]
    use(cloud)
    assert up("--set", "Spot=no") == 1
    assert cloud.asked == ["update"]
    assert "too late" in capsys.readouterr().err


def test_credentials_that_expire_meanwhile_are_reported_with_how_to_go_on(
    use: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def expired(*_: object) -> Any:
        raise OperationError("the AWS credentials have expired.")

    use(FakeCloud())
    monkeypatch.setattr(operation, "watch", expired)
    assert up("--profile", "work", "--region", "eu-central-1") == 1
    err = capsys.readouterr().err
    assert "the AWS credentials have expired." in err
    assert "ecs-async stack up --name airflow --region eu-central-1 --profile work" in err


def test_a_stack_that_aws_cannot_put_back_is_not_to_be_deleted(use: Any, capsys: pytest.CaptureFixture[str]):
    use(FakeCloud("CREATE_COMPLETE", [("UPDATE_ROLLBACK_FAILED", [])]))
    assert up() == 1
    err = capsys.readouterr().err
    assert "continue-update-rollback" in err
    assert "stack down" not in err


def test_a_change_shows_what_comes_and_what_goes(use: Any, capsys: pytest.CaptureFixture[str]):
    cloud = FakeCloud("CREATE_COMPLETE", [("UPDATE_COMPLETE", [])])
    cloud.parameters = {"Airflow": "elsewhere", "ExecutionApiUrl": "https://a.example.com/execution/"}
    use(cloud)
    assert up("--set", "Database=none") == 0
    err = capsys.readouterr().err
    assert "  Database: db.t4g.small -> none\n" in err
    assert "Deleted: " in err
    assert "MetadataDatabase (its data is kept)" in err


def test_ctrl_d_is_a_no(use: Any, monkeypatch: pytest.MonkeyPatch):
    def ended() -> str:
        raise EOFError

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", ended)
    cloud = use(FakeCloud("CREATE_COMPLETE"))
    assert main(["stack", "down"]) == 1
    assert cloud.asked == []


def test_down_that_is_interrupted_names_the_data_that_stays(
    use: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> Any:
        raise KeyboardInterrupt

    cloud = FakeCloud("CREATE_COMPLETE")
    monkeypatch.setattr(
        cloud, "made", lambda _: [Made("LogBucket", "AWS::S3::Bucket", "my-logs", "CREATE_COMPLETE")]
    )
    use(cloud)
    monkeypatch.setattr(operation, "watch", interrupted)
    assert main(["stack", "down", "--yes", "--delete-data"]) == 130
    err = capsys.readouterr().err
    assert "still there:\n  bucket my-logs\n" in err
    assert "ecs-async stack down --name airflow --delete-data\n" in err


@pytest.mark.parametrize("words", [(), ("--delete-data",)])
def test_a_deletion_that_fails_names_the_same_command_again(
    use: Any, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    use(FakeCloud("CREATE_COMPLETE", [("DELETE_FAILED", [])] * 9))
    assert main(["stack", "down", "--yes", *words]) == 1
    assert (
        f"run `{' '.join(['ecs-async stack down --name airflow', *words])}` again." in capsys.readouterr().err
    )


def test_the_doctor_gets_the_profile_and_not_the_keys_of_the_environment(
    use: Any, monkeypatch: pytest.MonkeyPatch
):
    environments: list[Mapping[str, str]] = []
    monkeypatch.setattr("subprocess.run", lambda *_, env, **__: environments.append(env))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another account")
    for words in ([], ["--profile", "work"]):
        use(FakeCloud("CREATE_COMPLETE", [("UPDATE_COMPLETE", [])]))
        assert main(["stack", "up", "--yes", *words]) == 0
    without, with_profile = environments
    assert without["AWS_ACCESS_KEY_ID"] == "of another account"
    assert with_profile["AWS_PROFILE"] == "work"
    assert "AWS_ACCESS_KEY_ID" not in with_profile
    assert with_profile["AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER"] == "airflow"
