"""What a deleted stack leaves, and how that is deleted when it is told."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Made
from ecs_async_executor.stack.leftovers import Leftover, delete_leftovers, snapshots_before, what_is_left
from ecs_async_executor.stack.template import read_template

BUCKET, SECRET = Leftover("bucket", "logs"), Leftover("secret", "arn:fernet")
SNAPSHOT = Leftover("snapshot of the database", "db")


class FakeCloud:
    def __init__(self, denied: str = "") -> None:
        self.names = ["my-own"]
        self.denied = denied
        self.deleted: list[str] = []

    def snapshots(self, _database: str) -> list[str]:
        return list(self.names)

    def _delete(self, name: str) -> None:
        if name == self.denied:
            raise OperationError("AWS denies it.")
        self.deleted.append(name)

    delete_bucket = delete_secret = delete_snapshot = _delete


def test_only_the_snapshot_of_the_deletion_is_deleted():
    cloud: Any = FakeCloud()
    spared = snapshots_before(cloud, [BUCKET, SNAPSHOT])
    cloud.names.append("airflow-snapshot-1")
    gone = delete_leftovers(cloud, [BUCKET, SECRET, SNAPSHOT], spared)
    assert cloud.deleted == ["logs", "arn:fernet", "airflow-snapshot-1"]
    assert [each.id for each in gone] == cloud.deleted


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
