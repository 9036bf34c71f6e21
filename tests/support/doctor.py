"""A set-up in which nothing is wrong, on the local ECS and moto, for the doctor to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.loaders import create_loader

from ecs_async_executor.doctor.facts import Fact, Kind, Known, Question
from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS
from ecs_async_executor.local import Control, Options, serve_in_thread
from tests.support.moto import serve_moto

REGION = "us-east-1"
ACCOUNT = "123456789012"
API = "https://airflow.example.com/execution/"
SECRET = "a secret of at least sixty-four bytes, as HS512 wants, for the doctor's tests only"
_KEYS = {"region_name": REGION, "aws_access_key_id": "test", "aws_secret_access_key": "test"}


class World:
    """AWS as moto and the local ECS show it, with everything that a good set-up names."""

    def __init__(self, ecs: Control, moto: str) -> None:
        self.control = ecs
        self.moto = moto
        self.ecs = boto3.client("ecs", endpoint_url=ecs.endpoint_url, **_KEYS)
        self.ec2, self.iam, self.s3 = self.client("ec2"), self.client("iam"), self.client("s3")
        self.logs, self.secrets, self.ecr = (
            self.client("logs"),
            self.client("secretsmanager"),
            self.client("ecr"),
        )
        self._count = 0
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.subnets = [self.private(self.subnet(zone)) for zone in ("a", "b")]
        self.group = self.security_group()
        self.execution_role = self.role("execution")
        self.task_role = self.role("task")
        self.logs.create_log_group(logGroupName="/ecs/tasks")
        self.secret = self.secrets.create_secret(Name="dsn", SecretString="hush")["ARN"]
        self.image = self.push("airflow-task", "1")
        self.bucket("payloads-of-tests", days=1)
        self.bucket("logs-of-tests")
        self.definition = self.register()

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.moto, **_KEYS)

    def number(self) -> int:
        self._count += 1
        return self._count

    def subnet(self, zone: str = "a", vpc: str = "", cidr: str = "") -> str:
        block = cidr or f"10.0.{self.number()}.0/24"
        made = self.ec2.create_subnet(
            VpcId=vpc or self.vpc, CidrBlock=block, AvailabilityZone=f"{REGION}{zone}"
        )
        return str(made["Subnet"]["SubnetId"])

    def table(self, subnet: str) -> str:
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return str(table)

    def private(self, subnet: str) -> str:
        """Route a subnet to a NAT gateway."""
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"][
            "NatGatewayId"
        ]
        self.ec2.create_route(
            RouteTableId=self.table(subnet), DestinationCidrBlock="0.0.0.0/0", NatGatewayId=gateway
        )
        return subnet

    def public(self, subnet: str) -> str:
        """Route a subnet to an internet gateway."""
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.create_route(
            RouteTableId=self.table(subnet), DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
        return subnet

    def security_group(self, vpc: str = "") -> str:
        made = self.ec2.create_security_group(
            GroupName=f"group-{self.number()}", Description="tasks", VpcId=vpc or self.vpc
        )
        return str(made["GroupId"])

    def role(self, name: str, trust: Any = TRUSTS_ECS_TASKS) -> str:
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        everything = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
        }
        self.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))
        return str(made["Role"]["Arn"])

    def bucket(self, name: str, days: int = 0) -> str:
        self.s3.create_bucket(Bucket=name)
        if days:
            rule = {
                "ID": "airflow",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": days},
            }
            self.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
        return name

    def push(self, repository: str, tag: str, processors: tuple[str, ...] = ("amd64", "arm64")) -> str:
        """Push an image for these processors, and return its name."""
        if not any(
            each["repositoryName"] == repository for each in self.ecr.describe_repositories()["repositories"]
        ):
            self.ecr.create_repository(repositoryName=repository)
        kind = "application/vnd.oci.image.index.v1+json"
        manifests = [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": f"sha256:{index:064d}",
                "size": 1,
                "platform": {"architecture": each, "os": "linux"},
            }
            for index, each in enumerate(processors)
        ]
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": manifests})
        self.ecr.put_image(
            repositoryName=repository, imageManifest=manifest, imageManifestMediaType=kind, imageTag=tag
        )
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{tag}"

    def container(self, **members: Any) -> dict[str, Any]:
        """Return a good container with some members changed; None removes one."""
        options = {
            "awslogs-group": "/ecs/tasks",
            "awslogs-region": REGION,
            "awslogs-stream-prefix": "airflow",
        }
        environment = {
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": API,
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs-of-tests/airflow",
        } | members.pop("variables", {})
        good = {
            "name": "airflow",
            "image": self.image,
            "essential": True,
            "stopTimeout": 120,
            "environment": [{"name": name, "value": value} for name, value in environment.items() if value],
            "secrets": [{"name": "DSN", "valueFrom": self.secret}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
        return {name: value for name, value in (good | members).items() if value is not None}

    def register(self, containers: list[dict[str, Any]] | None = None, **members: Any) -> str:
        """Register a good task definition with some members changed, and return its family."""
        family = f"tasks-{self.number()}"
        good = {
            "networkMode": "awsvpc",
            "cpu": "1024",
            "memory": "2048",
            "executionRoleArn": self.execution_role,
            "taskRoleArn": self.task_role,
            "containerDefinitions": containers or [self.container()],
        }
        document = {name: value for name, value in (good | members).items() if value is not None}
        self.ecs.register_task_definition(family=family, **document)
        return family

    def with_container(self, **members: Any) -> str:
        """Register a task definition whose container differs in this from a good one."""
        return self.register([self.container(**members)])

    def environment(self) -> dict[str, str]:
        """Return the variables of a good set-up, for a scheduler."""
        queues = {"spot": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}}
        return {
            "AWS_ENDPOINT_URL": self.moto,
            "AWS_ENDPOINT_URL_ECS": self.control.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
            "AIRFLOW__CORE__EXECUTOR": "ecs_async_executor.AsyncEcsExecutor",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": API,
            "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "5400",
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
            "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs-of-tests/airflow",
            "AIRFLOW__AWS_ECS_EXECUTOR__REGION_NAME": REGION,
            "AIRFLOW__AWS_ECS_EXECUTOR__CLUSTER": "default",
            "AIRFLOW__AWS_ECS_EXECUTOR__CONTAINER_NAME": "airflow",
            "AIRFLOW__AWS_ECS_EXECUTOR__TASK_DEFINITION": self.definition,
            "AIRFLOW__AWS_ECS_EXECUTOR__SUBNETS": ",".join(self.subnets),
            "AIRFLOW__AWS_ECS_EXECUTOR__SECURITY_GROUPS": self.group,
            "AIRFLOW__AWS_ECS_EXECUTOR__LAUNCH_TYPE": "FARGATE",
            "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET": "s3://payloads-of-tests/airflow",
            "AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES": json.dumps(queues),
        }


@contextmanager
def world() -> Iterator[World]:
    """Serve it. All sessions share what botocore reads of its models: each would take a second to parse them anew."""
    models = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lambda _: models)
        with serve_in_thread(Options(runtime="simulated")) as ecs, serve_moto() as moto:
            yield World(ecs, moto)


HEALTHY: dict[Kind, Fact] = {
    Kind.ADDRESS: Known(("10.0.0.9",)),
    Kind.API: Known({"status": 200, "healthy": True, "problem": ""}),
    Kind.TOKEN: Known({"status": 404, "unknown_task": True, "problem": ""}),
    Kind.POOL: Known({"slots": 128}),
}


def healthy_host(question: Question) -> Fact:
    """Answer what a host answers that has a good network, API server and database."""
    return HEALTHY[question.kind]
