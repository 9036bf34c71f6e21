"""The local ECS's S3 over HTTP, as AWS's own clients see it."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local import Control, Options, serve, serve_in_process, serve_in_thread
from tests.support.moto import serve_moto
from tests.support.s3 import KEYS, Bucket, ecs_with_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=10, max_pool_connections=30)


def client(control: Control, config: Config = ONCE) -> Any:
    return boto3.client("s3", endpoint_url=control.s3_endpoint_url, config=config, **KEYS)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Control, Bucket]]:
    with ecs_with_s3(runtime="simulated", buckets=["my.other-bucket"]) as both:
        yield both


@pytest.fixture
def control(served: tuple[Control, Bucket]) -> Control:
    served[0].reset()
    return served[0]


@pytest.fixture
def bucket(served: tuple[Control, Bucket]) -> Bucket:
    """The bucket `airflow`, empty, seen without the faults."""
    served[1].empty()
    return served[1]


def status_of(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def test_its_buckets_exist_from_the_start(control: Control) -> None:
    buckets = client(control).list_buckets()["Buckets"]
    assert {each["Name"] for each in buckets} == {"airflow", "my.other-bucket"}


@pytest.mark.parametrize(
    ("name", "style"),
    [("airflow", None), ("airflow", "auto"), ("airflow", "virtual"), ("my.other-bucket", None)],
)
def test_clients_put_the_bucket_into_the_path_whatever_its_name_and_their_settings(
    control: Control, bucket: Bucket, name: str, style: str | None
) -> None:
    s3 = client(control, ONCE.merge(Config(s3={"addressing_style": style})) if style else ONCE)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    assert s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"}).startswith(
        f"{control.s3_endpoint_url}/{name}/k?"
    )


async def test_aiobotocore_stores_reads_and_deletes() -> None:
    with serve_moto() as kept_at:
        async with serve(Options(runtime="simulated", s3=kept_at)) as control:
            config: Any = ONCE
            async with get_session().create_client(
                "s3", endpoint_url=control.s3_endpoint_url, config=config, **KEYS
            ) as s3:
                await s3.put_object(Bucket="airflow", Key="a/b.json", Body=b"{}", IfNoneMatch="*")
                answer = await s3.get_object(Bucket="airflow", Key="a/b.json")
                assert await answer["Body"].read() == b"{}"
                await s3.delete_object(Bucket="airflow", Key="a/b.json")
                with pytest.raises(ClientError) as caught:
                    await s3.get_object(Bucket="airflow", Key="a/b.json")
        assert status_of(caught.value) == 404
        calls = control.calls()
        assert calls["s3:PutObject"] == calls["s3:DeleteObject"] == {"ok": 1}
        assert calls["s3:GetObject"] == {"ok": 1, "NoSuchKey": 1}


@pytest.mark.parametrize(
    ("key", "data"),
    [
        ("a/b.json", b"{}"),
        ("empty", b""),
        ("sp ace/ü+%&", b"x"),
        ("a/../b", b"x"),
        ("large", b"x" * 3_000_000),
    ],
)
def test_objects_pass_as_they_are(control: Control, bucket: Bucket, key: str, data: bytes) -> None:
    s3 = client(control)
    s3.put_object(Bucket="airflow", Key=key, Body=data, ContentType="text/x", ContentEncoding="gzip")
    assert bucket.names() == [key]
    answer = s3.get_object(Bucket="airflow", Key=key)
    assert answer["Body"].read() == data
    assert (answer["ContentType"], answer["ContentEncoding"]) == ("text/x", "gzip")
    assert s3.head_object(Bucket="airflow", Key=key)["ContentLength"] == len(data)


def test_a_file_in_parts_passes_whole(control: Control, bucket: Bucket, tmp_path: Any) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"line\n" * 2_000_000)  # more than one part of 8 MiB
    s3 = client(control)
    s3.upload_file(str(file), "airflow", "log")
    s3.download_file("airflow", "log", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_a_put_that_wants_no_object_there_is_refused_if_there_is_one(
    control: Control, bucket: Bucket
) -> None:
    s3 = client(control)
    s3.put_object(Bucket="airflow", Key="k", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="airflow", Key="k", Body=b"second", IfNoneMatch="*")
    assert (caught.value.response["Error"]["Code"], status_of(caught.value)) == ("PreconditionFailed", 412)
    assert bucket.text("k") == "first"


def test_an_object_may_be_put_again_after_its_deletion(control: Control, bucket: Bucket) -> None:
    s3 = client(control)
    for body in (b"first", b"second"):
        s3.put_object(Bucket="airflow", Key="k", Body=body, IfNoneMatch="*")
        assert bucket.text("k") == body.decode()
        s3.delete_object(Bucket="airflow", Key="k")


@pytest.mark.timeout(120)
def test_of_twenty_conditional_puts_at_once_exactly_one_wins() -> None:
    """This moto takes a moment between its look for the key and its write: by itself, it lets all of them win."""
    with (
        serve_moto("tests.support.hasty_moto_server") as kept_at,
        serve_in_thread(Options(runtime="simulated", s3=kept_at)) as control,
        ThreadPoolExecutor(20) as threads,
    ):
        s3 = client(control)

        def put(key: str, number: int) -> int:
            try:
                s3.put_object(Bucket="airflow", Key=key, Body=b"%d" % number, IfNoneMatch="*")
            except ClientError as error:
                return status_of(error)
            return 200

        for round_ in range(10):
            key = f"round-{round_}"
            answers = list(threads.map(put, [key] * 20, range(20)))
            assert sorted(answers) == [200] + [412] * 19
            winner = s3.get_object(Bucket="airflow", Key=key)["Body"].read()
            assert winner == b"%d" % answers.index(200)


def test_the_age_of_an_object_follows_from_s3s_own_clock(control: Control, bucket: Bucket) -> None:
    s3 = client(control)
    s3.put_object(Bucket="airflow", Key="lease", Body=b"")
    answer = s3.get_object(Bucket="airflow", Key="lease")
    date = time.strptime(answer["ResponseMetadata"]["HTTPHeaders"]["date"], "%a, %d %b %Y %H:%M:%S %Z")
    modified = answer["LastModified"].utctimetuple()
    assert 0 <= time.mktime(date) - time.mktime(modified) < 60


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "SlowDown", 503),
        ("server_error", "InternalError", 500),
        ("expired_credentials", "ExpiredToken", 400),
        ("access_denied", "AccessDenied", 403),
    ],
)
def test_an_injected_error_arrives_as_its_client_error_and_nothing_is_stored(
    control: Control, bucket: Bucket, kind: str, code: str, status: int
) -> None:
    control.add_fault(kind, action="s3:PutObject", times=1)
    s3 = client(control)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="airflow", Key="k", Body=b"x")
    assert (caught.value.response["Error"]["Code"], status_of(caught.value)) == (code, status)
    assert bucket.names() == []
    s3.put_object(Bucket="airflow", Key="k", Body=b"x")
    assert control.calls()["s3:PutObject"] == {code: 1, "ok": 1}


def test_a_lost_response_leaves_the_object_and_a_lost_request_does_not(
    control: Control, bucket: Bucket
) -> None:
    s3 = client(control)
    for kind, left in (("lost_request", []), ("lost_response", ["k"])):
        control.add_fault(kind, action="s3:PutObject", times=1)
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            s3.put_object(Bucket="airflow", Key="k", Body=b"mine", IfNoneMatch="*")
        assert bucket.names() == left
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="airflow", Key="k", Body=b"mine", IfNoneMatch="*")
    assert control.calls()["s3:PutObject"] == {
        "lost_request": 1,
        "lost_response": 1,
        "PreconditionFailed": 1,
    }


def test_a_lost_request_of_ecs_starts_nothing(control: Control) -> None:
    control.add_fault("lost_request", action="RunTask", times=1)
    ecs: Any = boto3.client("ecs", endpoint_url=control.endpoint_url, config=ONCE, **KEYS)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        ecs.run_task(taskDefinition="airflow-task", networkConfiguration=network, clientToken="t")
    assert control.history() == {}
    assert ecs.run_task(taskDefinition="airflow-task", networkConfiguration=network, clientToken="t")["tasks"]
    assert control.calls()["RunTask"] == {"lost_request": 1, "ok": 1}


def test_a_late_response_comes_after_the_clients_patience(control: Control, bucket: Bucket) -> None:
    control.add_fault("late_response", action="s3:*", times=1, seconds=10)
    hasty = client(control, Config(retries={"total_max_attempts": 1}, read_timeout=2))
    with pytest.raises(ReadTimeoutError):
        hasty.put_object(Bucket="airflow", Key="k", Body=b"x")
    assert bucket.names() == ["k"]


def test_s3_may_be_slow(control: Control, bucket: Bucket) -> None:
    control.set_conditions(latency={"s3:PutObject": 0.3, "*": 30})
    s3 = client(control)
    before = time.monotonic()
    s3.put_object(Bucket="airflow", Key="k", Body=b"x")
    middle = time.monotonic()
    assert middle - before >= 0.3
    s3.get_object(Bucket="airflow", Key="k")
    assert time.monotonic() - middle < 5, "the latency of all of ECS is not S3's"


def test_a_fault_may_be_for_some_keys(control: Control, bucket: Bucket) -> None:
    control.add_fault("access_denied", action="s3:*", key="*/lease-*")
    s3 = client(control)
    s3.put_object(Bucket="airflow", Key="standby/0f.json", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket="airflow", Key="standby/lease-1.json", Body=b"x")
    assert control.conditions()["faults"][0]["key"] == "*/lease-*"


def test_an_absent_key_may_be_denied_as_to_a_role_that_may_not_list(control: Control, bucket: Bucket) -> None:
    control.add_fault("missing_denied", action="s3:GetObject")
    s3 = client(control)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="airflow", Key="k")
    assert (caught.value.response["Error"]["Code"], status_of(caught.value)) == ("AccessDenied", 403)
    s3.put_object(Bucket="airflow", Key="k", Body=b"x")
    assert s3.get_object(Bucket="airflow", Key="k")["Body"].read() == b"x"


def test_web_pages_may_not_store_what_containers_run(control: Control, bucket: Bucket) -> None:
    connection = http.client.HTTPConnection(str(control.s3_endpoint_url).removeprefix("http://"), timeout=10)
    try:
        connection.request("PUT", "/airflow/k", b"x", {"Origin": "http://evil.example"})
        assert connection.getresponse().status == 403
    finally:
        connection.close()
    assert bucket.names() == []


def test_a_reset_keeps_what_is_stored(control: Control, bucket: Bucket) -> None:
    client(control).put_object(Bucket="airflow", Key="k", Body=b"x")
    control.reset()
    assert bucket.names() == ["k"]


def test_a_server_behind_it_that_dies_is_a_503_and_one_that_is_dead_is_reported_at_the_start() -> None:
    with ExitStack() as behind:
        kept_at = behind.enter_context(serve_moto())
        with serve_in_thread(Options(runtime="simulated", s3=kept_at)) as control:
            client(control).list_buckets()
            behind.close()
            with pytest.raises(ClientError) as caught:
                client(control).list_buckets()
            assert (caught.value.response["Error"]["Code"], status_of(caught.value)) == (
                "ServiceUnavailable",
                503,
            )
    with (
        pytest.raises(ConfigurationError, match="can't create the bucket 'airflow'"),
        serve_in_thread(Options(runtime="simulated", s3=kept_at)),
    ):
        pass


def test_one_server_keeps_logs_and_objects() -> None:
    with serve_in_process(Options(runtime="simulated", logs=True, s3=True)) as control:
        assert control.health()["s3"] == control.s3_endpoint_url != control.logs_endpoint_url
        client(control).put_object(Bucket="airflow", Key="k", Body=b"x")
        logs: Any = boto3.client("s3", endpoint_url=control.logs_endpoint_url, **KEYS)
        assert logs.get_object(Bucket="airflow", Key="k")["Body"].read() == b"x"


def test_without_s3_there_is_none() -> None:
    with serve_in_thread(Options(runtime="simulated")) as control:
        assert control.s3_endpoint_url is None
        assert control.health()["s3"] is None


def test_a_bucket_that_s3_does_not_take_is_reported_at_the_start() -> None:
    with (
        serve_moto() as kept_at,
        pytest.raises(ConfigurationError, match=r"can't create the bucket 'No' \(InvalidBucketName\)"),
        serve_in_thread(Options(runtime="simulated", s3=kept_at, buckets=["No"])),
    ):
        pass
