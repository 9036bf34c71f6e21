from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by, split, url_of
from ecs_async_executor.engine.responses import Task, parse_tasks
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.payload_objects import MAX_DELETIONS, PayloadObjects
from ecs_async_executor.messages import Diagnosis, Payload, Recovery, Stopped, Watch
from tests.support.engine import options, order

URL = "s3://bucket/airflow/run-001.json"
FETCH = ["python", "-c", "fetch it", URL]


def task(*command: str, container: str = "airflow", exit_code: int = 0) -> Task:
    """Make a stopped task, as DescribeTasks shows it."""
    document = {
        "taskArn": "arn:1",
        "lastStatus": "STOPPED",
        "startedAt": 1.0,
        "containers": [{"name": "airflow", "exitCode": exit_code}],
        "overrides": {"containerOverrides": [{"name": container, "command": command}], "cpu": "512"},
    }
    return parse_tasks(json.dumps({"tasks": [document]}).encode()).tasks[0]


def test_a_command_that_fetches_names_its_object() -> None:
    assert fetched_by(task(*FETCH), "airflow") == URL


@pytest.mark.parametrize(
    "other",
    [
        task("python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"),
        task("aws", "s3", "cp", URL),
        task("sh", "-c", "true"),
        task(),
        task(*FETCH, container="sidecar"),
    ],
)
def test_any_other_command_names_none(other: Task) -> None:
    assert fetched_by(other, "airflow") == ""


UNREADABLE = [
    Task("arn:1"),
    *(
        parse_tasks(b'{"tasks": [{"taskArn": "arn:1", "overrides": %b}]}' % overrides).tasks[0]
        for overrides in (b"7", b'{"containerOverrides": [{"command": 7}]}')
    ),
]


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_unreadable_overrides_say_nothing(unreadable: Task) -> None:
    assert fetched_by(unreadable, "airflow") is None


def test_a_url_is_a_bucket_and_a_key() -> None:
    assert split(URL) == ("bucket", "airflow/run-001.json")


def test_an_object_is_named_after_its_launch() -> None:
    assert url_of("s3://bucket/airflow/", "run-001") == URL


def test_the_repr_of_a_task_or_payload_shows_no_contents() -> None:
    shown = repr(task("python", "the-token")) + repr(Payload(URL, b"the-token"))
    assert "the-token" not in shown
    assert URL in shown


def ended(found: Task, *, payloads: str, arn: str = "arn:1") -> tuple[Stopped, list[str]]:
    """Let a ledger that has adopted a task learn of its end."""
    ledger = Ledger(options(payloads=payloads), lambda: 1.0)
    ledger.watch(Watch("adopted", "label", arn, "default", "airflow"), 0.0)
    (entry,) = ledger
    (report,) = ledger.described(entry, found, 1.0)
    assert isinstance(report, Stopped)
    return report, list(ledger.deletions)


def test_an_adopted_tasks_command_names_the_object_to_delete() -> None:
    assert ended(task(*FETCH), payloads="s3://bucket/airflow/")[1] == [URL]


@pytest.mark.parametrize("payloads", ["", "s3://bucket/other/", "s3://other/"])
def test_objects_outside_this_executors_location_are_never_deleted(payloads: str) -> None:
    assert ended(task(*FETCH), payloads=payloads)[1] == []


@pytest.mark.parametrize("payloads", ["", "s3://bucket/airflow/"])
def test_a_container_that_could_not_fetch_has_not_run(payloads: str) -> None:
    report, _ = ended(task(*FETCH, exit_code=NOT_FETCHED), payloads=payloads)
    assert (report.ran, report.permanent, report.costs_attempt) == (False, False, True)
    assert report.diagnosis.summary == "The container could not fetch its workload from S3."
    assert f"exit code {NOT_FETCHED}" in report.diagnosis.detail
    assert "s3:GetObject" in report.diagnosis.remedy


def test_what_the_task_role_lacks_is_named_in_the_partition_of_the_task() -> None:
    arn = "arn:aws-cn:ecs:cn-north-1:123456789012:task/default/1"
    report, _ = ended(task(*FETCH, exit_code=NOT_FETCHED), payloads="", arn=arn)
    assert '"arn:aws-cn:s3:::bucket/airflow/*"' in report.diagnosis.remedy


def test_with_any_other_command_the_same_exit_code_means_that_the_code_ran() -> None:
    command: list[Any] = ["python", "-m", "airflow", "{}"]
    report, _ = ended(task(*command, exit_code=NOT_FETCHED), payloads="s3://bucket/airflow/")
    assert report.ran


# --- tasks that were never seen -------------------------------------------------------------------------

OURS = "s3://bucket/airflow/"


def lost(*seen: Task, **watch: Any) -> list[str]:
    """Let a ledger that has adopted a task learn that ECS lost it, after showing it as in `seen`."""
    ledger = Ledger(options(payloads=watch.pop("payloads", OURS)), lambda: 1.0)
    ledger.watch(Watch("run", "label", "arn:1", "default", "airflow", **watch), 0.0)
    (entry,) = ledger
    for each in seen:
        ledger.described(entry, each, 1.0)
    (report,) = ledger.not_listed(entry, 9999.0, asked=True)
    assert isinstance(report, Stopped)
    return list(ledger.deletions)


def alive(*command: str) -> Task:
    return replace(task(*command), last_status="RUNNING")


def test_the_launch_of_a_lost_task_that_was_never_seen_names_the_object_to_delete() -> None:
    assert lost() == [URL]
    assert lost(number=2) == ["s3://bucket/airflow/run-002.json"]


def test_nothing_is_deleted_for_a_lost_task_that_cannot_have_left_anything() -> None:
    assert lost(payloads="") == []
    assert lost(listed=False) == [], "nothing says which launch uploaded it"
    assert lost(alive("python", "-m", "airflow")) == [], "its command was seen"


@pytest.mark.parametrize("listed", [True, False])
def test_the_command_of_a_lost_task_that_was_seen_names_the_object_to_delete(listed: bool) -> None:
    assert lost(alive(*FETCH), listed=listed) == [URL]


def test_the_launch_of_a_run_that_is_not_found_names_the_object_to_delete() -> None:
    ledger = Ledger(options(payloads=OURS), lambda: 1.0)
    ledger.launch(order("run", recovery=Recovery.SEARCH_ONLY), 0.0)
    entry = ledger.take(0.0)
    assert entry is not None
    (report,) = ledger.failed(entry, Failure(Kind.NOT_FOUND, Diagnosis("gone")), 9999.0)
    assert isinstance(report, Stopped)
    assert list(ledger.deletions) == [URL]


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_the_launch_of_a_task_with_an_unreadable_command_names_the_object_to_delete(unreadable: Task) -> None:
    assert lost(replace(unreadable, last_status="RUNNING")) == [URL]


def test_the_number_of_objects_waiting_for_deletion_is_limited() -> None:
    objects = PayloadObjects(OURS)
    for number in range(MAX_DELETIONS + 1):
        objects.delete(Entry(str(number), "label", 1, State.WAITING, stored=f"{OURS}{number}.json"))
    assert len(objects.deletions) == MAX_DELETIONS
