"""A task's container gets its Dags from S3: the image's entrypoint and a real AWS CLI, against moto."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import settings
from moto.server import ThreadedMotoServer

from ecs_async_executor.engine.payloads import split
from ecs_async_executor.standby.command import LEFT, lease_url, object_url, standby_command
from tests.support import image
from tests.support.image import TOKEN

KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret"}
SERVICE = {"region_name": "us-east-1", "aws_access_key_id": "local", "aws_secret_access_key": "local-secret"}


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(moto_url: str) -> Any:
    s3 = boto3.client("s3", endpoint_url=moto_url, **SERVICE)
    s3.create_bucket(Bucket="dags")
    for key in ("prod/one.py", "prod/nested/two.py", "elsewhere/three.py"):
        s3.put_object(Bucket="dags", Key=key, Body=f"# {key}".encode())
    return s3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dags"


def enter(url: str, folder: Path, endpoint: str, **environment: str) -> tuple[int, str, str]:
    """Start a container whose Dags come from `url`; its command says that it runs."""
    code, output, errors = image.run(
        "entrypoint.sh",
        "echo",
        TOKEN,
        environment={
            **KEYS,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_MAX_ATTEMPTS": "1",
            "CONTAINER_DAG_PATH": str(folder),
            "HOME": str(folder.parent),
            "S3_URL": url,
            **environment,
        },
    )
    assert TOKEN not in errors
    assert "secret" not in errors
    # A failed start must not look like a task that has run.
    assert output == ("" if code else f"{TOKEN}\n")
    return code, output, errors


def test_dags_below_the_prefix_are_there_before_the_command_runs(s3: Any, moto_url: str, folder: Path):
    code, _, errors = enter("s3://dags/prod", folder, moto_url)

    assert code == 0
    assert {str(p.relative_to(folder)) for p in folder.rglob("*.py")} == {"one.py", "nested/two.py"}
    assert errors == f"entrypoint: Fetched the Dags from s3://dags/prod into {folder}.\n"


def test_the_official_images_variable_works_as_well(s3: Any, moto_url: str, folder: Path):
    assert enter("", folder, moto_url, S3_URI="s3://dags/prod/")[0] == 0
    assert (folder / "one.py").is_file()


@pytest.mark.parametrize("seconds", [0, 4_000_000_000], ids=["older", "newer"])
def test_a_dag_of_the_same_size_in_the_image_is_replaced_and_others_stay(
    seconds: int, s3: Any, moto_url: str, folder: Path
):
    folder.mkdir()
    (folder / "one.py").write_text("# PROD/ONE.PY")
    (folder / "mine.py").touch()
    os.utime(folder / "one.py", (seconds, seconds))

    assert enter("s3://dags/prod", folder, moto_url)[0] == 0
    assert (folder / "one.py").read_text() == "# prod/one.py"
    assert (folder / "mine.py").exists()


@pytest.mark.parametrize(
    ("url", "environment", "code", "words"),
    [
        ("s3://no-such-bucket/prod", {}, 78, "there is no such bucket.\nentrypoint: Check S3_URL."),
        ("s3://dags/pord", {}, 78, "There are no files under s3://dags/pord.\nentrypoint: Check the bucket"),
        (
            "s3://dags/prod",
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            78,
            "the container has no AWS credentials.\nentrypoint: Give the task definition a task role",
        ),
        (
            "s3://dags/prod",
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
            75,
            "S3 can't be reached.\nentrypoint: Check how the task's subnets reach S3",
        ),
        ("s3://dags/prod", {"AWS_PROFILE": "nobody"}, 75, "see the AWS CLI's message above"),
    ],
)
def test_a_failed_sync_fails_the_container_with_the_reason_and_a_remedy(
    url: str, environment: dict[str, str], code: int, words: str, s3: Any, moto_url: str, folder: Path
):
    found, _, errors = enter(url, folder, moto_url, **environment)

    assert found == code
    assert words in errors


@pytest.fixture
def permissions_count(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto check who asks, once the bucket is there."""
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0.0)


def test_access_denied_names_the_permissions_that_are_missing(
    moto_url: str, folder: Path, request: pytest.FixtureRequest
):
    iam = boto3.client("iam", endpoint_url=moto_url, **SERVICE)
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    request.getfixturevalue("permissions_count")

    code, _, errors = enter("s3://dags/prod", folder, moto_url, **keys)

    assert code == 78
    assert "access denied" in errors
    assert "Allow the task role s3:ListBucket on the bucket and s3:GetObject on its objects" in errors
    assert key["SecretAccessKey"] not in errors


def test_wrong_keys_are_told_from_missing_permissions(permissions_count: None, moto_url: str, folder: Path):
    code, _, errors = enter("s3://dags/prod", folder, moto_url, AWS_ACCESS_KEY_ID="AKIAWRONG")

    assert code == 78
    assert "credentials are invalid or expired" in errors


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def test_a_sync_that_takes_too_long_is_given_up(silent_server: socket.socket, folder: Path):
    endpoint = f"http://127.0.0.1:{silent_server.getsockname()[1]}"

    code, _, errors = enter("s3://dags/prod", folder, endpoint, S3_SYNC_TIMEOUT="1")

    assert code == 75
    assert "did not arrive within 1 seconds (S3_SYNC_TIMEOUT)" in errors


def test_stop_task_ends_a_sync_at_once(silent_server: socket.socket, folder: Path):
    environment = {
        **KEYS,
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{silent_server.getsockname()[1]}",
        "CONTAINER_DAG_PATH": str(folder),
        "S3_URL": "s3://dags/prod",
    }
    with image.start("entrypoint.sh", "echo", TOKEN, environment=environment) as process:
        connection, _ = silent_server.accept()
        with connection:
            connection.settimeout(30)
            # As dumb-init does: it forwards signals to the process group.
            os.killpg(process.pid, signal.SIGTERM)
            output, _ = process.communicate()
            while connection.recv(65536):
                """The request; after it, the end that tells that the AWS CLI is gone."""

    assert process.returncode == -signal.SIGTERM
    assert output == ""


READS_DAGS = """
import os, pathlib
print(sorted(each.read_text() for each in pathlib.Path(os.environ["CONTAINER_DAG_PATH"]).rglob("*.py")))
print("ECS_ASYNC_REFRESH" in os.environ)
"""


@pytest.fixture
def standby(s3: Any, moto_url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A standby behind the entrypoint that has fetched the Dags and waits, and the key of its object."""
    stand_ins = folder.parent / "image"
    for package in ("airflow", "airflow/executors", "airflow/sdk", "airflow/sdk/execution_time"):
        (stand_ins / package).mkdir(parents=True)
        (stand_ins / package / "__init__.py").touch()
    (stand_ins / "airflow/executors/base_executor.py").touch()
    (stand_ins / "airflow/sdk/execution_time/execute_workload.py").write_text(READS_DAGS)
    location = "s3://dags/payloads/"
    lease, own = lease_url(location, "me"), object_url(location, secrets.token_hex(16))
    s3.put_object(Bucket="dags", Key=split(lease)[1], Body=b"{}")
    s3.put_object(Bucket="dags", Key="changing/dag.py", Body=b"old")
    environment = {
        **KEYS,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": moto_url,
        "AWS_MAX_ATTEMPTS": "1",
        "CONTAINER_DAG_PATH": str(folder),
        "HOME": str(folder.parent),
        "PYTHONPATH": str(stand_ins),
        "S3_URL": "s3://dags/changing",
    }
    command = standby_command("us-east-1", 600, lease, own)
    with image.start("entrypoint.sh", *command, environment=environment) as process:
        assert process.stderr is not None
        assert "Fetched the Dags" in process.stderr.readline()
        assert "waits in" in process.stderr.readline()
        yield process, split(own)[1]
        process.kill()


def test_a_standbys_dags_are_as_new_as_its_task(s3: Any, standby: tuple[subprocess.Popen[str], str]):
    process, key = standby
    s3.put_object(Bucket="dags", Key="changing/dag.py", Body=b"brand-new")
    s3.put_object(Bucket="dags", Key=key, Body=b"{}")
    output, errors = process.communicate(timeout=100)
    assert output == "['brand-new']\nFalse\n"
    assert process.returncode == 0
    assert "Fetched the Dags" in errors


def test_a_standby_that_can_not_fetch_them_again_has_not_run(
    s3: Any, standby: tuple[subprocess.Popen[str], str], folder: Path
):
    process, key = standby
    shutil.rmtree(folder)
    s3.delete_object(Bucket="dags", Key="changing/dag.py")
    s3.put_object(Bucket="dags", Key=key, Body=b"{}")
    output, errors = process.communicate(timeout=100)
    assert (output, process.returncode) == ("", LEFT)
    assert "There are no files under s3://dags/changing." in errors


def test_only_a_standby_is_told_how_to_fetch_them_again(s3: Any, moto_url: str, folder: Path):
    code, output, _ = image.run(
        "entrypoint.sh",
        "env",
        environment={
            **KEYS,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": moto_url,
            "CONTAINER_DAG_PATH": str(folder),
            "HOME": str(folder.parent),
            "S3_URL": "s3://dags/prod",
        },
    )
    assert code == 0
    assert "ECS_ASYNC_REFRESH" not in output
