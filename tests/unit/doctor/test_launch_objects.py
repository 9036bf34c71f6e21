"""What a launch stores in S3 for its container, and that nothing of it stays."""

from __future__ import annotations

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.launch.objects import stored
from ecs_async_executor.standby.command import is_standby, lease_url
from ecs_async_executor.standby.waiting import MODULE, WARM_UP

BUCKET = Bucket("s3://bucket/airflow/", "eu-central-1")
PAYLOAD, LEASE = "s3://bucket/airflow/ecs-async-doctor-1.json", lease_url(BUCKET.location, "1")


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")


class Storage:
    """A bucket; `conditional` says whether it knows If-None-Match."""

    def __init__(self, *, conditional: bool = True, denied: str = "") -> None:
        self.objects: set[str] = set()
        self.conditional = conditional
        self.denied = denied

    def client(self, service: str) -> Storage:
        assert service == "s3"
        return self

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:  # noqa: N803  boto3's names
        url = f"s3://{Bucket}/{Key}"
        assert Body
        if self.denied and self.denied in url:
            raise refusal("AccessDenied")
        if url in self.objects and IfNoneMatch and self.conditional:
            raise refusal("PreconditionFailed")
        self.objects.add(url)

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803  boto3's names
        self.objects.discard(f"s3://{Bucket}/{Key}")


def told(
    storage: Storage, bucket: Bucket | None = BUCKET, *, standby: bool = True
) -> tuple[Any, Any, set[str]]:
    """The probe's inputs, the problems, and what is stored meanwhile; nothing is afterwards."""
    with stored(bucket, cast("Aws", storage), "1", standby=standby) as found:
        meanwhile = {*storage.objects}
    assert storage.objects == set()
    return found.inputs, found.problems, meanwhile


def test_a_lease_is_stored_beside_the_payload_and_a_standbys_object_is_not() -> None:
    inputs, problems, meanwhile = told(Storage())
    lease, own, *names = inputs["standby"]
    assert (inputs["payload"], inputs["region"], lease) == (PAYLOAD, ["eu-central-1"], LEASE)
    assert is_standby(own)
    assert names == [WARM_UP, MODULE]
    assert meanwhile == {PAYLOAD, LEASE}
    assert problems == {}


def test_without_standbys_there_is_only_the_payload_and_without_a_bucket_nothing() -> None:
    inputs, problems, meanwhile = told(Storage(), standby=False)
    assert (inputs, problems, meanwhile) == ({"payload": PAYLOAD, "region": ["eu-central-1"]}, {}, {PAYLOAD})
    assert told(Storage(), None) == ({}, {}, set())


def test_a_storage_that_ignores_conditions_is_reported() -> None:
    inputs, problems, _ = told(Storage(conditional=False))
    assert "two schedulers could both hand over a task" in problems["standby_problem"]
    assert "standby" not in inputs


@pytest.mark.parametrize(
    ("denied", "problem", "tried"),
    [
        ("bucket/airflow/", "payload_problem", set()),
        ("standby/", "standby_problem", {"payload"}),
    ],
)
def test_what_cannot_be_stored_is_reported_and_not_looked_for(
    denied: str, problem: str, tried: set[str]
) -> None:
    inputs, problems, _ = told(Storage(denied=denied))
    assert list(problems) == [problem]
    assert "AccessDenied" in problems[problem]
    assert {*inputs} - {"region"} == tried


def test_the_objects_are_deleted_if_the_launch_is_interrupted() -> None:
    storage = Storage()

    def interrupted() -> None:
        with stored(BUCKET, cast("Aws", storage), "1", standby=True):
            assert storage.objects
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert storage.objects == set()
