"""docs/aws-setup.md, followed by somebody who has nothing but the page: on moto and a real PostgreSQL, its commands do what it says.

What moto and PostgreSQL can't stand in for (Docker, the instance's shell, Airflow's services) is marked on the page.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.support.blocks import ROOT, block_of, run_by
from tests.support.moto import serve_moto
from tests.support.postgres import postgres
from tests.support.shell import BlockFailedError, Shell, shell

PAGE = ROOT / "docs" / "aws-setup.md"
DEFINITION = ROOT / "docs" / "task-definition.md"
IAM = ROOT / "docs" / "iam.md"
SAVED = {
    "scheduler.json": (IAM, "## The scheduler's role"),
    "api-server.json": (IAM, "## The API server's role"),
    "execution.json": (IAM, "## The execution role"),
    "doctor.json": (IAM, "## The doctor's role"),
    "trust.json": (IAM, "## The trust policy of both roles"),
    "trust-ec2.json": (PAGE, "## 4. The roles"),
    "task-definition.json": (DEFINITION, "# The task definition"),
}
"""What a reader saves: the file, and the page and the heading that the JSON stands below."""
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_PAGER": "",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        with serve_moto() as url:
            yield url


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The folder of the socket of a PostgreSQL."""
    with postgres() as url:
        yield url.partition("host=")[2]


@pytest.fixture
def reader(moto: str, tmp_path: Path) -> Iterator[Shell]:
    """A reader's shell, in a folder with what the page says to save."""
    for name, (page, heading) in SAVED.items():
        (tmp_path / name).write_text(block_of(page, heading, "json"))
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**KEYS, "HOME": str(tmp_path), "PATH": programs, "AWS_ENDPOINT_URL": moto}
    with shell(tmp_path, environment) as started:
        yield started


def client(moto: str, service: str) -> object:
    return boto3.client(
        service,
        endpoint_url=moto,
        region_name="eu-central-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def push(moto: str) -> None:
    """Push an image, as the block that needs Docker does."""
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}
    )
    client(moto, "ecr").put_image(repositoryName="airflow-task", imageManifest=manifest, imageTag="1")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_commands_of_the_page_set_everything_up_and_remove_it_again(
    reader: Shell, moto: str, socket: str, tmp_path: Path
) -> None:
    blocks = run_by(__file__, PAGE)
    headings = PAGE.read_text("utf-8").splitlines()
    ends_before_aws = next(i for i, each in enumerate(blocks) if "database.env" in each.code)
    assert "12. Clean up" in "\n".join(headings[: blocks[-1].line])

    for block in blocks[:ends_before_aws]:
        reader.run(block.code)
    push(moto)
    # moto makes no secret for the database, and PostgreSQL is here, not at its address.
    secret = client(moto, "secretsmanager").create_secret(
        Name="master", SecretString=json.dumps({"username": "postgres", "password": "it's \"$HOME\" x"})
    )
    for block in blocks[ends_before_aws:-1]:
        code = block.code
        if "MasterUserSecret" in code:
            reader.run(f"database={socket}")
            code = code[code.index("cat >") :]
            reader.run(f"master={secret['ARN']}")
        if "airflow db migrate" in code:
            local = (
                (tmp_path / "airflow.env").read_text().replace("rds.amazonaws.com/airflow", "HERE").splitlines()
            )
            lines = [
                line.partition("@")[0] + f"@/airflow?host={socket}" if "HERE" in line else line for line in local
            ]
            (tmp_path / "airflow.env").write_text("\n".join(lines))
        if "ecs-async doctor" in code:
            break
        reader.run(code)
    assert "Running" not in reader.run("ls")
    with pytest.raises(BlockFailedError) as failed:
        reader.run(code)
    print(failed.value)
