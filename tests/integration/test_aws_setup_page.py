"""docs/aws-setup.md, followed by somebody who has nothing but the page: on moto and a real PostgreSQL, its commands do what it says.

What moto and PostgreSQL can't stand in for (Docker, the instance's shell, Airflow's services) is marked on the page.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.blocks import ROOT, block_of, run_by
from tests.support.moto import serve_moto
from tests.support.postgres import postgres
from tests.support.shell import Shell, shell

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


def client(moto: str, service: str) -> Any:
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


def lead_out(moto: str) -> None:
    """Give the default VPC what AWS's has and moto's lacks: a route to the internet."""
    ec2 = client(moto, "ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    of_it = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    table = ec2.describe_route_tables(Filters=of_it)["RouteTables"][0]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc["VpcId"])
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def left_behind(moto: str) -> dict[str, list[str]]:
    """Return what the page made and AWS still has."""
    roles = client(moto, "iam").list_roles()["Roles"]
    groups = client(moto, "ec2").describe_security_groups()["SecurityGroups"]
    instances = client(moto, "ec2").describe_instances()["Reservations"]
    clusters = client(moto, "ecs").describe_clusters(clusters=["my-cluster"])["clusters"]
    return {
        "databases": client(moto, "rds").describe_db_instances()["DBInstances"],
        "repositories": client(moto, "ecr").describe_repositories()["repositories"],
        "log groups": client(moto, "logs").describe_log_groups()["logGroups"],
        "clusters": [each["clusterName"] for each in clusters if each["status"] == "ACTIVE"],
        "roles": [each["RoleName"] for each in roles if each["RoleName"].startswith("airflow")],
        "groups": [each["GroupName"] for each in groups if each["GroupName"].startswith("airflow")],
        "instances": [
            each["InstanceId"]
            for reservation in instances
            for each in reservation["Instances"]
            if each["State"]["Name"] != "terminated"
        ],
    }


def on_the_socket(variables: Path, socket: str) -> None:
    """Let Airflow find the PostgreSQL that stands in for RDS."""
    text = variables.read_text("utf-8")
    assert ".rds.amazonaws.com/airflow" in text
    variables.write_text(re.sub(r"@[^/\n]*\.rds\.amazonaws\.com/airflow", f"@/airflow?host={socket}", text))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_of_the_page_set_everything_up_and_remove_it_again(
    reader: Shell, moto: str, socket: str, tmp_path: Path
) -> None:
    lead_out(moto)
    *setting_up, examining, cleaning_up = run_by(__file__, PAGE)

    for block in setting_up:
        code = block.code
        if "MasterUserSecret" in code:
            # moto makes no secret for the database, and this PostgreSQL asks for no password.
            secret = client(moto, "secretsmanager").create_secret(
                Name="master", SecretString=json.dumps({"password": 'it\'s "$HOME" x'})
            )
            reader.run(f"database={socket}")
            reader.run(code.replace(code.splitlines()[0], f"master={secret['ARN']}"))
        elif "airflow db migrate" in code:
            on_the_socket(tmp_path / "airflow.env", socket)
            assert "Connection successful" in reader.run(code)
        else:
            reader.run(code)
    push(moto)

    assert reader.run("echo $PGPASSWORD") == 'it\'s "$HOME" x\n'
    configured, doctor = examining.commands
    assert "taskDefinition" in reader.run(configured)
    found = json.loads(reader.run(f"{doctor} --json 2> doctor.log || true"))["findings"]
    wrong = [each["what"] for each in found if each["severity"] == "error"]
    # Nobody has started the API server.
    assert [each for each in wrong if "/execution/" not in each] == []

    reader.run(cleaning_up.code)
    assert {what: made for what, made in left_behind(moto).items() if made} == {}
