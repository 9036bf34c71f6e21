"""The Terraform module is the CloudFormation template once more: inputs, outputs, permissions, kinds of resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest

from ecs_async_executor.stack.template import read_template
from tests.support.stack import policies

FOLDER = Path(__file__).parents[3] / "examples" / "terraform"
TEMPLATE = read_template()
KINDS = {
    "aws_cloudwatch_log_group": "AWS::Logs::LogGroup",
    "aws_db_instance": "AWS::RDS::DBInstance",
    "aws_db_subnet_group": "AWS::RDS::DBSubnetGroup",
    "aws_ecr_repository": "AWS::ECR::Repository",
    "aws_ecs_cluster": "AWS::ECS::Cluster",
    "aws_ecs_service": "AWS::ECS::Service",
    "aws_ecs_task_definition": "AWS::ECS::TaskDefinition",
    "aws_eip": "AWS::EC2::EIP",
    "aws_iam_policy": "AWS::IAM::ManagedPolicy",
    "aws_iam_role": "AWS::IAM::Role",
    "aws_internet_gateway": "AWS::EC2::InternetGateway",
    "aws_internet_gateway_attachment": "AWS::EC2::VPCGatewayAttachment",
    "aws_nat_gateway": "AWS::EC2::NatGateway",
    "aws_route": "AWS::EC2::Route",
    "aws_route_table": "AWS::EC2::RouteTable",
    "aws_route_table_association": "AWS::EC2::SubnetRouteTableAssociation",
    "aws_s3_bucket": "AWS::S3::Bucket",
    "aws_s3_bucket_policy": "AWS::S3::BucketPolicy",
    "aws_secretsmanager_secret": "AWS::SecretsManager::Secret",
    "aws_security_group": "AWS::EC2::SecurityGroup",
    "aws_service_discovery_private_dns_namespace": "AWS::ServiceDiscovery::PrivateDnsNamespace",
    "aws_service_discovery_service": "AWS::ServiceDiscovery::Service",
    "aws_subnet": "AWS::EC2::Subnet",
    "aws_vpc": "AWS::EC2::VPC",
    "aws_vpc_endpoint": "AWS::EC2::VPCEndpoint",
    "aws_vpc_security_group_ingress_rule": "AWS::EC2::SecurityGroupIngress",
}
PARTS = {
    "aws_ecr_lifecycle_policy",
    "aws_ecs_cluster_capacity_providers",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_secretsmanager_secret_version",
}
"""What is a resource in Terraform, and a property of another one in CloudFormation."""
POLICIES = {
    "start": ["ExecutionRole.start-tasks", "AirflowExecutionRole.start-services"],
    "tasks": ["TaskRole.tasks"],
    "scheduler": ["SchedulerPolicy"],
    "container_logs": ["ContainerLogsPolicy"],
    "airflow": ["AirflowPolicy"],
    "secrets": ["SecretsPolicy", "AirflowExecutionRole.secrets"],
    "forward_a_port": ["ApiServerRole.forward-a-port"],
}


def blocks(kind: str) -> Iterator[tuple[Any, ...]]:
    """Yield the labels and the body of each block of a kind."""
    for path in sorted(FOLDER.glob("*.tf")):
        for block in hcl2.loads(path.read_text("utf-8")).get(kind, ()):
            labels: list[Any] = []
            body = block
            while not body.get("__is_block__") or len(body) == 1:
                ((label, body),) = ((name, value) for name, value in body.items() if name != "__is_block__")
                labels.append(unquoted(label))
                if body.get("__is_block__"):
                    break
            yield (*labels, body)


def unquoted(value: Any) -> Any:
    if isinstance(value, list):
        return [unquoted(each) for each in value]
    return value[1:-1].replace('\\"', '"') if isinstance(value, str) and value.startswith('"') else value


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_the_inputs_are_the_parameters_with_their_defaults_and_descriptions():
    variables = {name: body for name, body in blocks("variable")}  # noqa: C416  pairs of a tuple of any length
    # CloudFormation names everything after the stack.
    del variables["name"]
    defaults = {}
    for name, each in variables.items():
        default = unquoted(each["default"])
        defaults[name] = "" if default == [] else str(default)
    assert defaults == {snake(each.name): each.default for each in TEMPLATE.parameters.values()}
    assert {name: unquoted(each["description"]) for name, each in variables.items()} == {
        snake(each.name): each.description for each in TEMPLATE.parameters.values()
    }


def test_the_inputs_take_the_same_values():
    checks = {
        name: str([each["condition"] for each in body.get("validation", ())])
        for name, body in blocks("variable")
    }
    for each in TEMPLATE.parameters.values():
        for value in each.allowed:
            assert re.search(rf"\b{re.escape(value)}\b", checks[snake(each.name)]), (each.name, value)


def test_the_outputs_are_the_variables():
    assert [name for name, _ in blocks("output")] == [
        each["Description"] for each in TEMPLATE.document["Outputs"].values()
    ]


def test_the_kinds_of_resources_are_the_same():
    kinds = {kind for kind, _, _ in blocks("resource")}
    assert kinds == set(KINDS) | PARTS
    assert {KINDS[kind] for kind in kinds - PARTS} == {
        each["Type"] for each in TEMPLATE.document["Resources"].values()
    }


@pytest.mark.parametrize("name", POLICIES)
def test_the_policies_allow_the_same_under_the_same_conditions(name: str):
    documents = {data: body for kind, data, body in blocks("data") if kind == "aws_iam_policy_document"}
    here = {
        unquoted(each["sid"]): (
            sorted(unquoted(each["actions"])),
            sorted((unquoted(one["test"]), unquoted(one["variable"])) for one in each.get("condition", ())),
        )
        for each in documents[name]["statement"]
    }
    for other in POLICIES[name]:
        there = {
            each["Sid"]: (
                sorted([each["Action"]] if isinstance(each["Action"], str) else each["Action"]),
                sorted(
                    (test, variable)
                    for test, asked in each.get("Condition", {}).items()
                    for variable in asked
                ),
            )
            for each in dict(policies(TEMPLATE))[other]["Statement"]
        }
        assert here == there


def test_every_policy_of_the_template_is_compared():
    assert {each for names in POLICIES.values() for each in names} == {name for name, _ in policies(TEMPLATE)}


def test_no_secret_gets_into_the_state():
    for kind, name, body in blocks("resource"):
        if kind in {"aws_secretsmanager_secret_version", "aws_db_instance"}:
            assert "secret_string" not in body, name
            assert "password" not in body, name
            assert body.get("secret_string_wo") or body.get("password_wo"), name


def test_the_database_has_the_same_settings():
    (here,) = (body for kind, _, body in blocks("resource") if kind == "aws_db_instance")
    there = TEMPLATE.document["Resources"]["MetadataDatabase"]["Properties"]
    names = {
        "AllocatedStorage": "allocated_storage",
        "MaxAllocatedStorage": "max_allocated_storage",
        "StorageType": "storage_type",
        "StorageEncrypted": "storage_encrypted",
        "EngineVersion": "engine_version",
        "PubliclyAccessible": "publicly_accessible",
        "BackupRetentionPeriod": "backup_retention_period",
    }
    assert {name: str(unquoted(here[name])).lower() for name in names.values()} == {
        names[name]: str(there[name]).lower() for name in names
    }


# Limits of the provider's name_prefix and bucket_prefix: what AWS takes, less the 26 characters that it adds.
@pytest.mark.parametrize(
    ("kind", "argument", "most"),
    [("aws_iam_role", "name_prefix", 38), ("aws_s3_bucket", "bucket_prefix", 37)],
)
def test_the_longest_name_leaves_room_for_what_is_added(kind: str, argument: str, most: int):
    (short,) = (body["short"] for (body,) in blocks("locals") if "short" in body)
    length = int(re.search(r"substr\(var\.name, 0, (\d+)\)", short)[1])  # type: ignore[index]  # a failure if not
    for found, name, body in blocks("resource"):
        if found == kind:
            # each.key: a role of Airflow's services; the longest is api-server.
            prefix = unquoted(body[argument]).replace("${each.key}", "api-server")
            assert prefix.startswith("${local.short}"), name
            assert len(prefix.replace("${local.short}", "a" * length)) <= most, name


def test_services_start_when_their_rights_and_secrets_are_there():
    (service,) = (body for kind, _, body in blocks("resource") if kind == "aws_ecs_service")
    waits = {each.strip("${}").split(".")[0] for each in service["depends_on"]}
    assert {
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_secretsmanager_secret_version",
    } <= waits
    versions = {
        f"aws_secretsmanager_secret_version.{name}"
        for kind, name, _ in blocks("resource")
        if kind == "aws_secretsmanager_secret_version"
    }
    # The database's password is in its connection.
    assert versions - {each.strip("${}") for each in service["depends_on"]} == {
        "aws_secretsmanager_secret_version.database_password"
    }
