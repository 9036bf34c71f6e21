"""`ecs-async stack` makes the stack of the template on moto, hands over its variables, and takes it down again."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ecs_async_executor.cli import main
from ecs_async_executor.stack.template import read_template
from tests.support.moto import serve_moto

ROOT = Path(__file__).parents[2]
KEYS = {"region_name": "us-east-1", "aws_access_key_id": "t", "aws_secret_access_key": "t"}
ELSEWHERE = ("--set", "Airflow=elsewhere", "--set", "ExecutionApiUrl=https://airflow.example.com/execution/")


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with serve_moto("tests.support.moto_stack_server") as url:
        yield url


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """AWS, empty, where the standard variables lead to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=moto_url, **KEYS)
    yield moto_url
    _reset(moto_url)


def _reset(url: str) -> None:
    import urllib.request  # noqa: PLC0415  only here

    with urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")):  # noqa: S310  http
        pass


def client(url: str, service: str) -> Any:
    return boto3.client(service, endpoint_url=url, **KEYS)


def stack(*words: str) -> int:
    return main(["stack", *words])


def up(*words: str) -> int:
    return stack("up", "--yes", "--no-doctor", *words)


def variables(capsys: pytest.CaptureFixture[str], name: str = "airflow") -> dict[str, str]:
    capsys.readouterr()
    assert stack("env", "--name", name, "--format", "json") == 0
    found: dict[str, str] = json.loads(capsys.readouterr().out)
    return found


def secret_values(url: str) -> list[str]:
    manager = client(url, "secretsmanager")
    return [
        manager.get_secret_value(SecretId=each["ARN"])["SecretString"]
        for each in manager.list_secrets()["SecretList"]
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        ("--set", "Network=new-endpoints", "--set", "Spot=yes"),
        (*ELSEWHERE, "--set", "Database=none"),
    ],
    ids=["default", "endpoints only", "Airflow elsewhere, no database"],
)
def test_up_makes_the_stack_and_gives_all_variables_without_a_secret_in_them(
    aws: str, capsys: pytest.CaptureFixture[str], parameters: tuple[str, ...]
):
    assert up(*parameters) == 0
    out = capsys.readouterr().out
    found = variables(capsys)
    template = read_template()
    given = dict(each.split("=", 1) for each in parameters[1::2])
    assert list(found) == template.variables(template.values(given))
    assert all(found.values())
    for secret in secret_values(aws):
        assert secret not in out + json.dumps(found)


def test_an_existing_network_is_used_as_it_is(aws: str, capsys: pytest.CaptureFixture[str]):
    ec2 = client(aws, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    before = len(ec2.describe_vpcs()["Vpcs"])
    network = (f"VpcId={vpc}", f"SubnetIds={','.join(subnets)}", "Network=existing")
    assert up(*(word for each in network for word in ("--set", each))) == 0
    assert variables(capsys)["AIRFLOW__ECS_ASYNC_EXECUTOR__SUBNETS"] == ",".join(subnets)
    assert len(ec2.describe_vpcs()["Vpcs"]) == before


def test_the_env_file_is_for_its_owner_only_and_a_shell_reads_it(
    aws: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    path = tmp_path / "airflow.env"
    assert up("--env-file", str(path)) == 0
    assert capsys.readouterr().out == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    script = 'set -a; . "$1"; exec env'
    read = subprocess.run(
        ["/bin/sh", "-c", script, "sh", str(path)], capture_output=True, text=True, check=True, env={}
    )
    lines = set(read.stdout.splitlines())
    assert {f"{name}={value}" for name, value in variables(capsys).items()} <= lines


def test_airflow_reads_its_secrets_by_the_variables(
    aws: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert up() == 0
    found = variables(capsys)
    script = (
        "from airflow.configuration import conf; from cryptography.fernet import Fernet\n"
        "Fernet(conf.get('core', 'fernet_key'))\n"
        "print(len(conf.get('api_auth', 'jwt_secret')), conf.get('database', 'sql_alchemy_conn'))"
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW__") or name.startswith("AIRFLOW__CORE__LOAD")
    }
    home = {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**kept, **found, **home},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    length, connection = ran.stdout.split()[-2:]
    assert length == "64"
    assert connection in secret_values(aws)
    assert connection.startswith("postgresql+psycopg2://airflow:")


def test_the_doctor_misses_nothing_but_the_image_and_what_is_inside_the_vpc(
    aws: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    assert up() == 0
    found = variables(capsys)
    # Airflow's own, of the tests, stay out of it.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    home = {"AIRFLOW_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "ecs_async_executor", "doctor", "--json"]
    ran = subprocess.run(command, env={**kept, **found, **home}, capture_output=True, text=True, check=False)
    assert "aws_default" not in ran.stderr  # Airflow's hook logs that there is no such connection
    findings = json.loads(ran.stdout)["findings"]
    assert {
        (each["severity"], each["check"]) for each in findings if each["severity"] in {"error", "warning"}
    } == {
        ("error", "the image"),  # not pushed yet
        ("error", "the execution API's address"),  # a name inside the VPC
        ("warning", "the execution API's address"),  # without TLS, inside the VPC
    }


def test_up_again_changes_nothing_if_nothing_is_new(aws: str, capsys: pytest.CaptureFixture[str]):
    assert up() == 0
    before = variables(capsys)
    assert up() == 0
    assert variables(capsys) == before


def test_the_images_tag_is_set_once_there_is_an_image(aws: str, capsys: pytest.CaptureFixture[str]):
    assert up("--set", "Spot=yes") == 0
    assert "--set ImageTag=TAG" in capsys.readouterr().err
    assert up("--set", "ImageTag=1") == 0
    err = capsys.readouterr().err
    assert "  ImageTag: (empty) -> 1\n" in err
    assert "--set ImageTag=TAG" not in err
    (found,) = client(aws, "cloudformation").describe_stacks(StackName="airflow")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}
    assert (parameters["ImageTag"], parameters["Spot"]) == ("1", "yes")


def test_a_stack_of_another_template_is_left_alone(aws: str, capsys: pytest.CaptureFixture[str]):
    template = {
        "Description": "The shop",
        "Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "shop"}}},
    }
    client(aws, "cloudformation").create_stack(StackName="airflow", TemplateBody=json.dumps(template))
    assert up() == 1
    assert stack("down", "--yes", "--delete-data") == 1
    assert "wasn't made with `ecs-async stack`" in capsys.readouterr().err
    assert [each["logGroupName"] for each in client(aws, "logs").describe_log_groups()["logGroups"]] == [
        "shop"
    ]


def test_down_keeps_the_data_and_says_where_it_is(aws: str, capsys: pytest.CaptureFixture[str]):
    assert up() == 0
    capsys.readouterr()
    assert stack("down", "--yes") == 0
    out = capsys.readouterr().out
    buckets = [each["Name"] for each in client(aws, "s3").list_buckets()["Buckets"]]
    assert len(buckets) == 2
    assert all(f"  bucket {name}" in out for name in buckets)
    secrets = client(aws, "secretsmanager").list_secrets()["SecretList"]
    assert [each["Name"].partition("-")[0] for each in secrets] == ["FernetKey"]
    assert secrets[0]["ARN"] in out
    # moto never deletes a cluster.
    assert [each["IsDefault"] for each in client(aws, "ec2").describe_vpcs()["Vpcs"]] == [True]
    # Made for a new account, and the account's from then on. (AWS's name for it ends with ECS.)
    assert [each["RoleName"] for each in client(aws, "iam").list_roles()["Roles"]] == ["AWSServiceRoleForecs"]
    rds = client(aws, "rds")
    assert rds.describe_db_instances()["DBInstances"] == []
    assert len(rds.describe_db_snapshots()["DBSnapshots"]) == 1
    assert stack("env") == 1


def test_down_with_delete_data_leaves_nothing(aws: str, capsys: pytest.CaptureFixture[str]):
    assert up() == 0
    s3 = client(aws, "s3")
    bucket = variables(capsys)["AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET"].removeprefix("s3://")
    s3.put_object(Bucket=bucket, Key="payload", Body=b"{}")
    rds = client(aws, "rds")
    database = rds.describe_db_instances()["DBInstances"][0]["DBInstanceIdentifier"]
    rds.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier="my-own")
    assert stack("down", "--yes", "--delete-data") == 0
    assert s3.list_buckets()["Buckets"] == []
    assert client(aws, "secretsmanager").list_secrets()["SecretList"] == []
    snapshots = [each["DBSnapshotIdentifier"] for each in rds.describe_db_snapshots()["DBSnapshots"]]
    assert snapshots == ["my-own"]


@pytest.mark.parametrize("words", [("up",), ("down",)])
def test_without_a_terminal_nothing_is_done_without_yes(
    aws: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    if words == ("down",):
        assert up() == 0
    assert stack(*words) == 1
    assert "add --yes" in capsys.readouterr().err
    assert len(client(aws, "cloudformation").list_stacks()["StackSummaries"]) == (words == ("down",))


def test_a_stack_that_is_not_there_is_named_with_its_region(aws: str, capsys: pytest.CaptureFixture[str]):
    assert stack("env", "--name", "other") == 1
    assert "there is no stack other in us-east-1" in capsys.readouterr().err


def test_a_linter_finds_nothing_in_the_template_and_would_find_a_fault(tmp_path: Path):
    template = ROOT / "examples" / "cloudformation" / "ecs-async.yaml"
    broken = tmp_path / "broken.yaml"
    broken.write_text(template.read_text("utf-8").replace("!Ref VpcCidr", "!Ref VpcCdir"), encoding="utf-8")

    def lint(path: Path) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("cfn-lint"), path]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    said = lint(template)
    assert (said.stdout, said.returncode) == ("", 0)
    assert "VpcCdir" in lint(broken).stdout
