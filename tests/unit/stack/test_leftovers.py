"""What a deleted stack leaves, and how that is deleted when it is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Made, Snapshot
from ecs_async_executor.stack.leftovers import Leftover, delete_leftovers, snapshots_before, what_is_left
from ecs_async_executor.stack.progress import Event
from ecs_async_executor.stack.template import read_template

BUCKET, SECRET = Leftover("bucket", "logs"), Leftover("secret", "arn:fernet")
SNAPSHOT = Leftover("snapshot of the database", "db")


LAST = Snapshot("airflow-snapshot-1", 120.0)


def event(at: float, status: str, kind: str = "AWS::RDS::DBInstance") -> Event:
    return Event(str(at), at, "MetadataDatabase", kind, status)


class FakeCloud:
    def __init__(self, denied: str = "") -> None:
        self.taken = [Snapshot("my-own", 90.0)]
        self.happened = [event(50.0, "CREATE_COMPLETE")]
        self.denied = denied
        self.deleted: list[str] = []

    def snapshots(self, _database: str) -> list[Snapshot]:
        return list(self.taken)

    def events(self, _stack: str) -> list[Event]:
        return self.happened

    def _delete(self, name: str) -> None:
        if name == self.denied:
            raise OperationError("AWS denies it.")
        self.deleted.append(name)

    delete_bucket = delete_secret = delete_snapshot = _delete


def test_only_the_snapshot_of_the_deletion_is_deleted():
    cloud: Any = FakeCloud()
    spared = snapshots_before(cloud, "id", [BUCKET, SNAPSHOT])
    cloud.taken.append(LAST)
    gone = delete_leftovers(cloud, [BUCKET, SECRET, SNAPSHOT], spared)
    assert cloud.deleted == ["logs", "arn:fernet", "airflow-snapshot-1"]
    assert [each.id for each in gone] == cloud.deleted


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "DELETE_IN_PROGRESS"])
def test_a_second_try_deletes_the_snapshot_that_the_first_one_has_left_and_no_other(status: str):
    made = [Made("MetadataDatabase", "AWS::RDS::DBInstance", "db", status)]
    left = what_is_left(made, read_template())
    cloud: Any = FakeCloud()
    cloud.happened += [
        event(70.0, "DELETE_IN_PROGRESS"),
        event(80.0, "DELETE_FAILED"),
        event(100.0, "DELETE_IN_PROGRESS"),
        event(130.0, "DELETE_COMPLETE"),
        event(140.0, "DELETE_IN_PROGRESS", "AWS::ECS::Cluster"),
    ]
    cloud.taken += [LAST, Snapshot("my-copy", 200.0, is_copy=True), Snapshot("under way", None)]
    spared = snapshots_before(cloud, "id", left)
    assert spared == {"my-own", "my-copy", "under way"}
    assert [each.id for each in delete_leftovers(cloud, left, spared)] == ["airflow-snapshot-1"]


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "DELETE_FAILED"])
def test_while_the_database_is_there_each_snapshot_may_be_somebodys(status: str):
    made = [Made("MetadataDatabase", "AWS::RDS::DBInstance", "db", status)]
    cloud: Any = FakeCloud()
    cloud.happened += [event(70.0, "DELETE_IN_PROGRESS"), event(80.0, "DELETE_FAILED")]
    assert snapshots_before(cloud, "id", what_is_left(made, read_template())) == {"my-own"}


def test_without_an_event_of_its_deletion_no_snapshot_is_the_last_one():
    cloud: Any = FakeCloud()
    assert snapshots_before(cloud, "id", [replace(SNAPSHOT, going=True)]) == {"my-own"}


def test_what_cannot_be_deleted_is_named_with_all_that_comes_after_it():
    cloud: Any = FakeCloud(denied="arn:fernet")
    with pytest.raises(
        OperationError, match=r"denies it\. .* the secret arn:fernet, the snapshot of the database db\."
    ):
        delete_leftovers(cloud, [BUCKET, SECRET, SNAPSHOT], set())
    assert cloud.deleted == ["logs"]


def test_a_resource_that_is_gone_already_is_not_left():
    made = [
        Made("LogBucket", "AWS::S3::Bucket", "logs", "CREATE_COMPLETE"),
        Made("PayloadBucket", "AWS::S3::Bucket", "payloads", "DELETE_COMPLETE"),
        Made("JwtSecret", "AWS::SecretsManager::Secret", "arn:jwt", "CREATE_COMPLETE"),
        Made("FernetKey", "AWS::SecretsManager::Secret", "arn:fernet", "CREATE_COMPLETE"),
        Made("MetadataDatabase", "AWS::RDS::DBInstance", "db", "CREATE_COMPLETE"),
    ]
    assert what_is_left(made, read_template()) == [BUCKET, SECRET, SNAPSHOT]
