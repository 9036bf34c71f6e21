"""Checks whose faults the local ECS and moto can't show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.doctor.addresses import VARIABLE
from ecs_async_executor.doctor.checks.routes import exit_of, route_table
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Facts, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.findings import Finding, Severity
from ecs_async_executor.doctor.permissions import needs
from ecs_async_executor.doctor.policies import decisions
from ecs_async_executor.doctor.questions import can_be_seen, questions
from ecs_async_executor.doctor.setup import JwtKey, Option, Setup, Target
from ecs_async_executor.messages import Request
from tests.unit.doctor.setups import BODY, CLUSTER, DEFINITION, SUBNET, a_setup, facts, found

BAD = {Severity.ERROR, Severity.WARNING}
LOCALHOST = "http://localhost:8080/execution/"


def said(answers: Mapping[Question, Fact], body: Mapping[str, Any] = BODY, **members: Any) -> list[str]:
    """Return what is wrong and what to do, with these answers beside the good ones."""
    seen = Facts({**facts().answers, **answers})
    return [
        f"{each.what} {each.todo}" for each in found(a_setup(body, **members), seen) if each.severity in BAD
    ]


def identity(**members: Any) -> dict[Question, Fact]:
    good = {"Arn": "arn:aws:iam::123456789012:user/me", "Account": "123456789012", "ahead": 0.0}
    return {Question(Kind.IDENTITY): Known(good | members)}


def definition(**members: Any) -> dict[Question, Fact]:
    return {Question(Kind.DEFINITION, "airflow-task"): Known({**DEFINITION, **members})}


def cluster(**members: Any) -> dict[Question, Fact]:
    return {Question(Kind.CLUSTER, "prod"): Known({**CLUSTER, **members})}


def in_subnets(
    *routes: Mapping[str, Any],
    endpoints: tuple[Any, ...] = (),
    dns: Any = None,
    cidr: str = "",
    **subnet: Any,
) -> dict[Question, Fact]:
    given = {**SUBNET, **({"CidrBlock": cidr} if cidr else {}), **subnet}
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": [*routes]}
    return {
        Question(Kind.SUBNET, "subnet-1"): Known(given),
        Question(Kind.SUBNET, "subnet-2"): Known({**given, "SubnetId": "subnet-2", "AvailabilityZone": "b"}),
        Question(Kind.ROUTES, "vpc-1"): Known([table]),
        Question(Kind.ENDPOINTS, "vpc-1"): Known(endpoints),
        Question(Kind.DNS, "vpc-1"): Known(dns or {"enableDnsSupport": True, "enableDnsHostnames": True}),
    }


def endpoint(service: str, **members: Any) -> dict[str, Any]:
    good = {
        "VpcEndpointId": f"vpce-{service}",
        "ServiceName": f"com.amazonaws.eu-central-1.{service}",
        "VpcEndpointType": "Interface",
        "State": "available",
        "PrivateDnsEnabled": True,
        "Groups": [],
    }
    return good | members


ON_EC2 = {**{name: value for name, value in BODY.items() if name != "launchType"}, "launchType": "EC2"}
PUBLIC = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "assignPublicIp": "ENABLED"}}
ON_SPOT = {
    **{name: value for name, value in BODY.items() if name != "launchType"},
    "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
}
OWN = {**ON_SPOT, "capacityProviderStrategy": [{"capacityProvider": "asg", "weight": 1}]}
IN_ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/airflow:1"
ECR_CONTAINER = {**DEFINITION["containerDefinitions"][0], "image": IN_ECR}
FOR_ECR = definition(containerDefinitions=[ECR_CONTAINER])
FROM_DOCKER_HUB = definition(containerDefinitions=[{**ECR_CONTAINER, "image": "apache/airflow:3.3.2"}])
NEEDED = ("ecr.api", "ecr.dkr", "logs")
GATEWAY = endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=["rtb-1"])
ALL = (*(endpoint(each) for each in NEEDED), GATEWAY)
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
ON = {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-1", "State": "active"}
SIX = {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}

WITHOUT_NETWORK = {"cluster": "prod", "taskDefinition": "airflow-task", "launchType": "EC2"}
ON_DEMAND_RATE = "Fargate On-Demand Sustained Launch Rate"
EXECUTION_ROLE, TASK_ROLE = (f"arn:aws:iam::123456789012:role/{each}" for each in ("execution", "task"))
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:dsn-AbCdEf"
A_LOG = "dag_id=dag/run_id=run/task_id=task/attempt=1.log"
OF_EXEC = tuple(
    f"ssmmessages:{each}"
    for each in ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
)
OF_THE_ACCOUNT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
}
LOGS_IN_S3 = {
    "logging.remote_logging": Option("True", "airflow.cfg"),
    "logging.remote_base_log_folder": Option("s3://logs/airflow", "airflow.cfg"),
}


def with_log(region: str | None) -> dict[str, Any]:
    options = {"awslogs-group": "/ecs/airflow-task", "awslogs-region": region, "awslogs-stream-prefix": "a"}
    given = {name: value for name, value in options.items() if value}
    return {**ECR_CONTAINER, "logConfiguration": {"logDriver": "awslogs", "options": given}}


def default_group(cidr: str) -> dict[Question, Fact]:
    egress = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": cidr}]}]
    group = {"GroupId": "sg-d", "VpcId": "vpc-1", "IpPermissionsEgress": egress}
    return {
        Question(Kind.DEFAULT_GROUP, "vpc-1"): Known(group),
        Question(Kind.ENDPOINTS, "vpc-1"): Known([]),
    }


def trusts(condition: Mapping[str, Any], service: str = "ecs-tasks.amazonaws.com") -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    return {"Statement": [statement]}


def role(trust: Mapping[str, Any] | None = None, **members: Any) -> dict[Question, Fact]:
    good = {"Arn": EXECUTION_ROLE, "AssumeRolePolicyDocument": trust or trusts({})}
    return {Question(Kind.ROLE, "execution"): Known(good | members)}


WRONG: dict[str, tuple[list[str], str, str]] = {
    "a clock that AWS refuses": (said(identity(ahead=400.0)), "400 s ahead of", "Synchronise"),
    "a clock that the API server refuses": (said(identity(ahead=-30.0)), "30 s behind", "Synchronise"),
    "another account's role": (
        said(definition(taskRoleArn="arn:aws:iam::210987654321:role/task")),
        "belongs to the account 210987654321",
        "assume a role",
    ),
    "a cluster that is gone": (said(cluster(status="INACTIVE")), "is INACTIVE", "another one"),
    "a definition that is gone": (said(definition(status="INACTIVE")), "is INACTIVE", "ACTIVE revision"),
    "no container instance": (said({}, ON_EC2), "has no container instance", "managed scaling"),
    "a public address on EC2": (
        said({}, {**ON_EC2, "networkConfiguration": PUBLIC}),
        "assign_public_ip is on, and tasks run on EC2",
        "assign_public_ip = False",
    ),
    "a provider that isn't the cluster's": (
        said(cluster(capacityProviders=["FARGATE"]), ON_SPOT),
        "FARGATE_SPOT doesn't belong to the cluster",
        "--capacity-providers FARGATE FARGATE_SPOT",
    ),
    "a provider that doesn't scale": (
        said(
            {
                **cluster(capacityProviders=["asg"]),
                Question(Kind.PROVIDER, "asg", "prod"): Known(
                    {"status": "ACTIVE", "autoScalingGroupProvider": {"managedScaling": {}}}
                ),
            },
            OWN,
        ),
        "doesn't scale",
        "update-capacity-provider",
    ),
    "no vCPU": (
        said({Question(Kind.QUOTA, "L-3032A538"): Known(0.0)}),
        "vCPUs is 0",
        "request-service-quota-increase",
    ),
    "few vCPUs": (
        said({Question(Kind.QUOTA, "L-3032A538"): Known(6.0)}),
        "6 tasks of 1 vCPU",
        "lower [core] parallelism to 6",
    ),
    "a blackhole": (
        said({**FOR_ECR, **in_subnets({**NAT, "State": "blackhole"})}),
        "blackhole",
        "replace-route",
    ),
    "a blackhole beside VPC endpoints": (
        said({**FOR_ECR, **in_subnets({**NAT, "State": "blackhole"}, endpoints=ALL)}),
        "blackhole",
        "replace-route",
    ),
    "no endpoint for logs": (
        said(
            {
                **FOR_ECR,
                **in_subnets(endpoints=tuple(each for each in ALL if "logs" not in each["ServiceName"])),
            }
        ),
        "no VPC endpoint for logs",
        "com.amazonaws.eu-central-1.logs",
    ),
    "an endpoint without DNS": (
        said(
            {
                **FOR_ECR,
                **in_subnets(endpoints=(endpoint("logs", PrivateDnsEnabled=False), *ALL[:2], GATEWAY)),
            }
        ),
        "has no private DNS name",
        "--private-dns-enabled",
    ),
    "a gateway beside the route table": (
        said({**FOR_ECR, **in_subnets(endpoints=(*ALL[:-1], {**GATEWAY, "RouteTableIds": ["rtb-9"]}))}),
        "isn't in the route table rtb-1",
        "--add-route-table-ids rtb-1",
    ),
    "an endpoint that lets nothing in": (
        said(
            {
                **FOR_ECR,
                **in_subnets(endpoints=(*ALL, endpoint("logs", Groups=[{"GroupId": "sg-9"}]))),
                Question(Kind.GROUP, "sg-9"): Known({"GroupId": "sg-9", "IpPermissions": []}),
            }
        ),
        "sg-9 of the VPC endpoint for logs let nothing in",
        "authorize-security-group-ingress",
    ),
    "a VPC without DNS": (
        said({**FOR_ECR, **in_subnets(NAT, dns={"enableDnsSupport": False, "enableDnsHostnames": True})}),
        "enableDnsSupport off",
        "--enable-dns-support",
    ),
    "a subnet without addresses": (
        said(
            {
                **in_subnets(NAT),
                Question(Kind.SUBNET, "subnet-1"): Known({**SUBNET, "AvailableIpAddressCount": 0}),
            }
        ),
        "subnet-1 has no free address",
        "larger subnets",
    ),
    "a denied action": (
        said(
            {
                Question(
                    Kind.PERMISSIONS,
                    "arn:aws:iam::123456789012:user/me",
                    "iam:PassRole arn:aws:iam::123456789012:role/execution",
                ): Known({"iam:PassRole": "implicitDeny"})
            }
        ),
        "IAM doesn't let the user me call iam:PassRole",
        '"iam:PassedToService": "ecs-tasks.amazonaws.com"',
    ),
    "a rate above the Region's": (
        said({Question(Kind.RATES): Known({ON_DEMAND_RATE: 5.0})}),
        "run_task_rate is 20 calls a second by default; this account may start 5 tasks",
        "run_task_rate = 5",
    ),
    "an image for another processor": (
        said({**FOR_ECR, Question(Kind.PLATFORMS, IN_ECR): Known(("arm64",))}),
        "is for arm64, and the task definition for X86_64",
        "--platform linux/amd64",
    ),
    "an awslogs driver without Region": (
        said(definition(containerDefinitions=[with_log(region=None)])),
        "name no awslogs-region",
        '"awslogs-region": "eu-central-1"',
    ),
    "the log driver none": (
        said(definition(containerDefinitions=[{**ECR_CONTAINER, "logConfiguration": {"logDriver": "none"}}])),
        "has the log driver none",
        "awslogs-group",
    ),
    "a network of none": (
        said(definition(networkMode="none", compatibilities=["EC2"]), WITHOUT_NETWORK),
        "has the network mode none",
        "awsvpc",
    ),
    "placement on Fargate": (
        said({}, {**BODY, "placementStrategy": [{"type": "spread"}]}),
        "has placementStrategy, and tasks run on Fargate",
        "Remove placementStrategy",
    ),
    "an unknown platform version": (
        said({}, {**BODY, "platformVersion": "9.9.9"}),
        "platform version is 9.9.9",
        "Remove the option platform_version",
    ),
    "a task of little memory on EC2": (
        said(definition(memory="256"), ON_EC2),
        "limit of 256 MiB",
        "512 MiB",
    ),
    "a stop timeout that Fargate refuses": (
        said(definition(containerDefinitions=[{**ECR_CONTAINER, "stopTimeout": 300}])),
        "stop timeout of less than 120 seconds",
        '"stopTimeout": 120',
    ),
    "memory that doesn't fit the CPU": (
        said(definition(memory="512")),
        "No Fargate configuration exists",
        'With "cpu": "1024", set "memory" to 2048 to 8192 MiB',
    ),
    "public addresses in private subnets": (
        said(in_subnets(NAT), {**BODY, "networkConfiguration": PUBLIC}),
        "Tasks get public addresses (assign_public_ip), and the subnet subnet-1 is private",
        "assign_public_ip = False",
    ),
    "an image of Docker Hub without a way out": (
        said({**FROM_DOCKER_HUB, **in_subnets(ON, endpoints=ALL)}),
        "no default route, and the image apache/airflow:3.3.2 is not in Amazon ECR of eu-central-1",
        "NAT gateway",
    ),
    "an endpoint that lets in only strangers": (
        said(
            {
                **FOR_ECR,
                **in_subnets(
                    endpoints=(*ALL, endpoint("logs", Groups=[{"GroupId": "sg-9"}])), cidr="10.0.1.0/24"
                ),
                Question(Kind.GROUP, "sg-9"): Known(
                    {
                        "GroupId": "sg-9",
                        "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}],
                    }
                ),
            }
        ),
        "let nothing in on port 443 from the tasks",
        "authorize-security-group-ingress",
    ),
    "a group that lets out to private addresses only": (
        said({**in_subnets(NAT), **default_group("10.0.0.0/8")}),
        "sg-d let no traffic out to port 443 but to private addresses",
        "authorize-security-group-egress",
    ),
    "no task role for remote logs": (
        said({}, more=LOGS_IN_S3),
        "has no task role, and remote logs go to s3://logs/airflow",
        "s3:PutObject",
    ),
    "a task role that may not store logs": (
        said(
            {
                **definition(taskRoleArn=TASK_ROLE),
                Question(
                    Kind.PERMISSIONS, TASK_ROLE, f"s3:PutObject arn:aws:s3:::logs/airflow/{A_LOG}"
                ): Known({"s3:PutObject": "implicitDeny"}),
                Question(Kind.BUCKET_POLICY, "logs"): Absent(),
            },
            more=LOGS_IN_S3,
        ),
        "IAM doesn't let the task role task call s3:PutObject on arn:aws:s3:::logs/airflow/*",
        '"Action": "s3:PutObject"',
    ),
    "a key of the payload bucket": (
        said(
            {
                **definition(taskRoleArn=TASK_ROLE),
                Question(Kind.ENCRYPTION, "payloads"): Known({"KMSMasterKeyID": KEY}),
                Question(Kind.PERMISSIONS, TASK_ROLE, f"kms:Decrypt {KEY}"): Known(
                    {"kms:Decrypt": "explicitDeny"}
                ),
            },
            settings=Settings(cluster="prod", container_name="airflow", payload_bucket="s3://payloads/"),
        ),
        f"explicitly denies kms:Decrypt on {KEY}",
        "Remove the Deny",
    ),
    "a key of a secret": (
        said(
            {
                **definition(
                    containerDefinitions=[{**ECR_CONTAINER, "secrets": [{"name": "A", "valueFrom": SECRET}]}]
                ),
                Question(Kind.SECRET, SECRET, "eu-central-1"): Known({"deleted": False, "key": KEY}),
                Question(Kind.PERMISSIONS, EXECUTION_ROLE, f"kms:Decrypt {KEY}"): Known(
                    {"kms:Decrypt": "implicitDeny"}
                ),
                Question(Kind.KEY_POLICY, KEY, "eu-central-1"): Known({"Statement": OF_THE_ACCOUNT}),
            }
        ),
        f"IAM doesn't let the execution role execution call kms:Decrypt on {KEY}",
        '"Action": "kms:Decrypt"',
    ),
    "a role for ECS Exec": (
        said(
            {
                **definition(taskRoleArn=TASK_ROLE),
                Question(Kind.PERMISSIONS, TASK_ROLE, f"{','.join(OF_EXEC)} *"): Known(
                    dict.fromkeys(OF_EXEC, "implicitDeny")
                ),
            },
            {**BODY, "enableExecuteCommand": True},
        ),
        "call ssmmessages:CreateControlChannel",
        '"ssmmessages:OpenDataChannel"',
    ),
    "a role by another path": (
        said(role(Arn="arn:aws:iam::123456789012:role/team/execution")),
        "isn't the role that IAM has",
        "Set executionRoleArn in the task definition to arn:aws:iam::123456789012:role/team/execution",
    ),
    "a role that trusts another account": (
        said(role(trusts({"StringEquals": {"aws:SourceAccount": "999999999999"}}))),
        "doesn't trust ecs-tasks.amazonaws.com",
        "update-assume-role-policy",
    ),
    "a role that trusts another Region": (
        said(role(trusts({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:123456789012:*"}}))),
        "doesn't trust ecs-tasks.amazonaws.com",
        "update-assume-role-policy",
    ),
    "a connection for remote logs that isn't there": (
        said(
            {Question(Kind.CONNECTION, "logs"): Absent()},
            more={**LOGS_IN_S3, "logging.remote_log_conn_id": Option("logs", "airflow.cfg")},
        ),
        "remote_log_conn_id is logs, and Airflow has no such connection",
        "airflow connections add logs",
    ),
    "a parallelism of 0": (
        said({}, more={"core.parallelism": Option("0", "airflow.cfg")}),
        "[core] parallelism is 0",
        "AIRFLOW__CORE__PARALLELISM",
    ),
    "a parallelism that is no number": (
        said({}, more={"core.parallelism": Option("many", "airflow.cfg")}),
        "[core] parallelism is many",
        "AIRFLOW__CORE__PARALLELISM",
    ),
    "a private key that can't be read": (
        said(
            {},
            jwt=JwtKey(
                private_key=True, where="airflow.cfg", problem="[api_auth] jwt_private_key_path is /nope"
            ),
        ),
        "jwt_private_key_path is /nope",
        "Correct the path",
    ),
    "a base URL of localhost": (
        said(
            {},
            api_url="http://localhost:8080/execution/",
            more={"api.base_url": Option("http://localhost:8080", "B")},
        ),
        "address is http://localhost:8080/execution/ ([api] base_url (B))",
        "an address that containers reach",
    ),
    "a provider that gets nothing": (
        said(
            cluster(capacityProviders=["FARGATE", "FARGATE_SPOT"]),
            {
                **ON_SPOT,
                "capacityProviderStrategy": [
                    {"capacityProvider": "FARGATE_SPOT", "weight": 1},
                    {"capacityProvider": "FARGATE"},
                ],
            },
        ),
        "FARGATE has the weight 0",
        "FARGATE_SPOT:3,FARGATE:1",
    ),
    "a cluster that isn't there": (
        said({Question(Kind.CLUSTER, "prod"): Absent("MISSING")}),
        "no cluster prod",
        "create-cluster",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_remedy(name: str) -> None:
    texts, what, todo = WRONG[name]
    assert any(what in each and todo in each for each in texts), texts


@pytest.mark.parametrize(
    "answers",
    [
        in_subnets(NAT),
        {**FOR_ECR, **in_subnets(NAT)},
        {**FOR_ECR, **in_subnets(endpoints=ALL)},
        {**FOR_ECR, **in_subnets(INTERNET, endpoints=ALL)},
    ],
    ids=["a NAT gateway", "ECR through it", "VPC endpoints", "VPC endpoints in a public subnet"],
)
def test_a_way_out_is_fine(answers: dict[Question, Fact]) -> None:
    assert [each for each in said(answers) if "subnet" in each or "endpoint" in each] == []


def test_endpoints_are_known_by_chinas_names_too() -> None:
    named = tuple(
        {
            **each,
            "ServiceName": each["ServiceName"].replace(
                "com.amazonaws.eu-central-1", "cn.com.amazonaws.cn-north-1"
            ),
        }
        for each in ALL
    )
    answers = {**FOR_ECR, **in_subnets(endpoints=named)}
    assert [each for each in said(answers) if "subnet" in each or "endpoint" in each] == []


@pytest.mark.parametrize(
    "answers",
    [
        {**FOR_ECR, **in_subnets(NAT, endpoints=(endpoint("logs", PrivateDnsEnabled=False),))},
        {**FOR_ECR, **in_subnets(NAT, endpoints=(endpoint("logs", State="pendingAcceptance"),))},
        {
            **FOR_ECR,
            **in_subnets(NAT, endpoints=ALL, dns={"enableDnsSupport": True, "enableDnsHostnames": False}),
        },
        {
            **FOR_ECR,
            **in_subnets(*({**NAT, "DestinationCidrBlock": each} for each in ("0.0.0.0/1", "128.0.0.0/1"))),
        },
        {**FOR_ECR, **in_subnets(SIX, Ipv6Native=True, AvailableIpAddressCount=0)},
        {**FOR_ECR, **in_subnets(SIX)},
        {**FOR_ECR, **in_subnets(OwnerId="210987654321")},
        {**FOR_ECR, **in_subnets(NAT), Question(Kind.ROUTES, "vpc-1"): Known([])},
        {**in_subnets(NAT), **default_group("0.0.0.0/0")},
        {**role(trusts({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-central-1:123456789012:*"}}))},
        {**role(trusts({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:123456789012:*"}}))},
        {**role(trusts({"StringEquals": {"aws:SourceAccount": "123456789012"}}))},
        {**role(trusts({}, "ecs-tasks.amazonaws.com.cn"))},
        {Question(Kind.RATES): Known({ON_DEMAND_RATE: 20.0, "Fargate Spot Sustained Launch Rate": 5.0})},
    ],
    ids=[
        "an endpoint nobody needs",
        "a pending endpoint nobody needs",
        "DNS names nobody needs",
        "a default route in two halves",
        "IPv6 only",
        "IPv4 without a way out, IPv6 with one",
        "a shared subnet",
        "route tables that aren't shown",
        "a group open to the world",
        "trust in this Region",
        "trust in any Region",
        "trust in this account",
        "trust in China",
        "a rate of AWS, and a lower one of Spot, which isn't used",
    ],
)
def test_an_unusual_but_good_set_up_is_no_fault(answers: dict[Question, Fact]) -> None:
    about = ("subnet", "endpoint", "VPC", "role", "security group", "run_task_rate")
    assert [each for each in said(answers) if any(word in each for word in about)] == []


def checked(
    name: str, answers: Mapping[Question, Fact], body: Mapping[str, Any] = BODY, **members: Any
) -> list[Finding]:
    seen = Facts({**facts().answers, **answers})
    told = found(a_setup(body, **members), seen)
    return [each for each in told if each.check == name and each.severity is not Severity.FINE]


WAY_OUT = "a way out of the subnets"


@pytest.mark.parametrize("image", ["registry.example.com/airflow:1", "apache/airflow:3.3.2", IN_ECR])
def test_on_ec2_with_awsvpc_the_instance_pulls_the_image(image: str) -> None:
    containers = definition(containerDefinitions=[{**ECR_CONTAINER, "image": image}])
    assert checked(WAY_OUT, {**containers, **in_subnets()}, ON_EC2) == []


def test_a_blackhole_keeps_tasks_from_starting_only_if_they_have_no_other_way() -> None:
    gone = {**NAT, "State": "blackhole"}
    without, with_all, on_ec2 = (
        checked(WAY_OUT, {**FOR_ECR, **in_subnets(gone)}),
        checked(WAY_OUT, {**FOR_ECR, **in_subnets(gone, endpoints=ALL)}),
        checked(WAY_OUT, {**FOR_ECR, **in_subnets(gone)}, ON_EC2),
    )
    assert {each.severity for each in without} == {Severity.ERROR}
    assert {each.severity for each in (*with_all, *on_ec2)} == {Severity.WARNING}


@pytest.mark.parametrize(
    ("image", "routes", "severity"),
    [
        ("registry.example.com/airflow:1", (), Severity.UNKNOWN),
        ("registry.example.com/airflow:1", (ON,), Severity.UNKNOWN),
        ("registry.internal:5000/airflow:1", (INTERNET,), Severity.UNKNOWN),
        ("apache/airflow:3.3.2", (ON,), Severity.ERROR),
        ("docker.io/apache/airflow:3.3.2", (ON,), Severity.ERROR),
        ("public.ecr.aws/x/airflow:1", (INTERNET,), Severity.ERROR),
        ("europe-docker.pkg.dev/x/airflow:1", (), Severity.ERROR),
        (IN_ECR.replace("eu-central-1", "us-east-1"), (), Severity.ERROR),
        (IN_ECR.replace("eu-central-1", "us-east-1"), (ON,), Severity.UNKNOWN),
    ],
)
def test_a_registry_that_may_be_in_a_private_network_is_not_called_unreachable(
    image: str, routes: tuple[Mapping[str, Any], ...], severity: Severity
) -> None:
    containers = definition(containerDefinitions=[{**ECR_CONTAINER, "image": image}])
    told = checked(WAY_OUT, {**containers, **in_subnets(*routes, endpoints=ALL)})
    assert {each.severity for each in told} == {severity}
    assert len(told) == 2, "one for each subnet"
    assert all(image in each.what or image in each.why for each in told)


LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
TO_S3 = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1", "State": "active"}


@pytest.mark.parametrize(
    ("routes", "severity"),
    [
        ((LOCAL, TO_S3), Severity.ERROR),
        ((LOCAL, {**ON, "State": "blackhole"}), Severity.ERROR),
        ((LOCAL, ON), Severity.UNKNOWN),
        (
            (LOCAL, {"DestinationCidrBlock": "10.9.0.0/16", "VpcPeeringConnectionId": "pcx-1"}),
            Severity.UNKNOWN,
        ),
        ((LOCAL, {"DestinationCidrBlock": "172.16.0.0/12", "GatewayId": "vgw-1"}), Severity.UNKNOWN),
    ],
    ids=["only local", "a peer that is gone", "a transit gateway", "a peering", "a VPN"],
)
def test_vpc_endpoints_may_be_in_another_network_that_a_route_leads_to(
    routes: tuple[Mapping[str, Any], ...], severity: Severity
) -> None:
    told = checked(WAY_OUT, {**FOR_ECR, **in_subnets(*routes)})
    assert {each.severity for each in told} == {severity}


def lets_out(port: int, cidr: str = "10.0.0.0/8", routes: Mapping[str, Any] = NAT) -> dict[Question, Fact]:
    egress = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}]
    group = {"GroupId": "sg-d", "VpcId": "vpc-1", "IpPermissionsEgress": egress}
    return {**in_subnets(routes), **default_group(cidr), Question(Kind.DEFAULT_GROUP, "vpc-1"): Known(group)}


def api_at(url: str) -> dict[str, Any]:
    return {"api_url": url, "more": {"core.execution_api_server_url": Option(url, "airflow.cfg")}}


PRIVATE_HTTP, PRIVATE_HTTPS = "http://10.0.0.5:8080/execution/", "https://airflow.internal/execution/"


@pytest.mark.parametrize(
    ("port", "url", "body", "port_told"),
    [
        (8080, PRIVATE_HTTP, ON_EC2, None),
        (443, PRIVATE_HTTPS, ON_EC2, None),
        (8080, PRIVATE_HTTPS, ON_EC2, 443),
        (443, PRIVATE_HTTP, ON_EC2, 8080),
        (8080, PRIVATE_HTTP, BODY, 443),
        (443, PRIVATE_HTTPS, BODY, 443),
    ],
)
def test_a_task_on_ec2_needs_only_the_api_servers_port(
    port: int, url: str, body: Mapping[str, Any], port_told: int | None
) -> None:
    told = checked("security groups", lets_out(port), body, **api_at(url))
    assert [f"let no traffic out to port {port_told}" in each.what for each in told] == [True] * bool(
        port_told
    )


def test_a_task_on_ec2_needs_https_for_what_it_keeps_in_aws() -> None:
    logs = {**api_at(PRIVATE_HTTP)["more"], **LOGS_IN_S3}
    (told,) = checked("security groups", lets_out(8080), ON_EC2, api_url=PRIVATE_HTTP, more=logs)
    assert told.why == "Tasks can't reach AWS (remote logs)."


def test_aws_may_be_reached_at_private_addresses_that_a_route_leads_to() -> None:
    assert checked("security groups", lets_out(443, routes=ON)) == []


ENTRY_POINTS = {
    ("sh", "-c"): False,
    ("/bin/bash", "-ec", 'exec "$@"'): False,
    ("sh", "-c", 'exec "$@"', "--"): True,
    ("sh", "-c", 'exec "$0" "$@"'): True,
    ("/bin/sh",): False,
    ("bash", "/start.sh"): True,
    ("sleep", "infinity"): False,
    ("python",): False,
    ("python", "/wrap.py"): True,
    ("airflow",): False,
    ("/usr/bin/dumb-init", "--"): True,
    ("dumb-init", "--", "/entrypoint"): True,
    ("tini", "--", "airflow"): False,
    ("/opt/own-entry",): True,
}


@pytest.mark.parametrize("words", ENTRY_POINTS)
def test_an_entry_point_must_run_the_command(words: tuple[str, ...]) -> None:
    container = {**DEFINITION["containerDefinitions"][0], "entryPoint": list(words)}
    texts = [each for each in said(definition(containerDefinitions=[container])) if "entry point" in each]
    assert bool(texts) is not ENTRY_POINTS[words]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("apache/airflow:3.3.2", ""),
        ("docker.io/apache/airflow:3.3.2-python3.12", ""),
        ("mirror.example.com:5000/apache/airflow:slim-3.3.2", ""),
        ("apache/airflow:2.10.5", "has Airflow 2.10.5"),
        ("apache/airflow", "names no exact version"),
        ("apache/airflow:latest-python3.12", "names no exact version"),
        ("apache/airflow:3.3", "names no exact version"),
        ("python:3.12-slim", "has no Airflow"),
        ("public.ecr.aws/docker/library/busybox:1", "has no Airflow"),
        ("registry.example.com/python:3.12", ""),
        ("my-airflow:1", ""),
    ],
)
def test_an_images_name_tells_its_airflow(image: str, words: str) -> None:
    container = {**DEFINITION["containerDefinitions"][0], "image": image}
    texts = said(definition(containerDefinitions=[container]), airflow="3.3.2", python="3.12")
    about = [each for each in texts if image in each and "Airflow" in each]
    assert [words in each for each in about] == ([True] if words else [])


@pytest.mark.parametrize(
    ("name", "value", "is_told"),
    [
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://u:hush@db/airflow", True),
        ("AIRFLOW__CORE__FERNET_KEY", "hush", True),
        ("AWS_SECRET_ACCESS_KEY", "hush", True),
        ("AIRFLOW_CONN_DB", "postgresql://u:hush@db", True),
        ("AIRFLOW_CONN_DB", '{"conn_type": "x", "password": "hush"}', True),
        ("AIRFLOW_CONN_AWS_DEFAULT", "aws://", False),
        ("AIRFLOW__CORE__PARALLELISM", "8", False),
    ],
)
def test_a_secret_in_the_environment_is_named_and_never_shown(name: str, value: str, is_told: bool) -> None:
    variables = [{"name": name, "value": value}]
    container = {**DEFINITION["containerDefinitions"][0], "environment": variables}
    texts = [each for each in said(definition(containerDefinitions=[container])) if name in each]
    assert bool(texts) is is_told
    assert not any("hush" in each for each in texts)


def test_parameters_of_others_and_references_are_not_looked_for() -> None:
    assert can_be_seen("/a/b", "1")
    assert can_be_seen("arn:aws:ssm:r:1:parameter/a", "1")
    assert not can_be_seen("arn:aws:ssm:r:2:parameter/a", "1")
    assert not can_be_seen("/aws/reference/secretsmanager/a", "1")
    assert can_be_seen("arn:aws:secretsmanager:r:2:secret:a", "1")


@pytest.mark.parametrize(
    ("policy", "severity"),
    [
        (Known({"Statement": OF_THE_ACCOUNT}), Severity.ERROR),
        (Known({"Statement": [{**OF_THE_ACCOUNT, "Principal": {"AWS": [EXECUTION_ROLE]}}]}), None),
        (Known({"Statement": [{**OF_THE_ACCOUNT, "Principal": "*"}]}), None),
        (Absent(), Severity.ERROR),
        (Unknown("AWS denies kms:GetKeyPolicy."), Severity.UNKNOWN),
    ],
    ids=["left to IAM", "allowed to the role", "allowed to all", "no policy", "not readable"],
)
def test_a_keys_own_policy_may_allow_what_iams_do_not(policy: Fact, severity: Severity | None) -> None:
    secrets = [{"name": "A", "valueFrom": SECRET}]
    answers = {
        **definition(containerDefinitions=[{**ECR_CONTAINER, "secrets": secrets}]),
        Question(Kind.SECRET, SECRET, "eu-central-1"): Known({"deleted": False, "key": KEY}),
        Question(Kind.PERMISSIONS, EXECUTION_ROLE, f"kms:Decrypt {KEY}"): Known(
            {"kms:Decrypt": "implicitDeny"}
        ),
        Question(Kind.KEY_POLICY, KEY, "eu-central-1"): policy,
    }
    told = found(a_setup(), Facts({**facts().answers, **answers}))
    about = [each.severity for each in told if "kms:Decrypt" in each.what]
    assert about == ([severity] if severity else [])


def asked_of_the_execution_role(action: str, answers: Mapping[Question, Fact]) -> list[str]:
    """The resources on which IAM is asked whether the execution role may do something."""
    asked = questions(a_setup(), Facts({**facts().answers, **answers}))
    listed = [each.of.split(" ") for each in asked if each[:2] == (Kind.PERMISSIONS, EXECUTION_ROLE)]
    return [resource for actions, resource, *_ in listed if action in actions.split(",")]


GROUP_ARN = "arn:aws:logs:eu-central-1:123456789012:log-group:/ecs/airflow-task"


@pytest.mark.parametrize(
    ("rest", "decision"),
    [
        (":*", "allowed"),
        (":log-stream:*", "allowed"),
        (":*:*", "allowed"),
        (":log-stream:airflow/airflow/*", "allowed"),
        ("", "implicitDeny"),
        (":log-stream:other/*", "implicitDeny"),
    ],
)
def test_iam_is_asked_about_a_stream_as_the_log_driver_names_it(rest: str, decision: str) -> None:
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        (resource,) = asked_of_the_execution_role(action, {})
        statement = {"Effect": "Allow", "Action": "logs:*", "Resource": f"{GROUP_ARN}{rest}"}
        assert decisions([{"Statement": statement}], [action], resource) == {action: decision}


@pytest.mark.parametrize("rest", [":*", ":log-stream:*", ":*:*"])
def test_iam_is_asked_about_a_log_group_that_is_to_be_made_as_aws_names_it(rest: str) -> None:
    container = with_log("eu-central-1")
    container["logConfiguration"]["options"] |= {"awslogs-create-group": "true"}
    action = "logs:CreateLogGroup"
    (resource,) = asked_of_the_execution_role(action, definition(containerDefinitions=[container]))
    statement = {"Effect": "Allow", "Action": action, "Resource": f"{GROUP_ARN}{rest}"}
    assert decisions([{"Statement": statement}], [action], resource) == {action: "allowed"}


def test_without_a_prefix_a_stream_has_the_name_that_docker_gives_the_container() -> None:
    container = with_log("eu-central-1")
    del container["logConfiguration"]["options"]["awslogs-stream-prefix"]
    (resource,) = asked_of_the_execution_role(
        "logs:PutLogEvents", definition(containerDefinitions=[container])
    )
    assert resource == f"{GROUP_ARN}:log-stream:{'0' * 64}"


def test_a_log_stream_that_may_not_be_written_is_allowed_with_all_of_its_group() -> None:
    stream = f"{GROUP_ARN}:log-stream:airflow/airflow/{'0' * 32}"
    actions = ("logs:CreateLogStream", "logs:PutLogEvents")
    question = Question(Kind.PERMISSIONS, EXECUTION_ROLE, f"{','.join(actions)} {stream}")
    (wrong,) = [
        each for each in said({question: Known(dict.fromkeys(actions, "implicitDeny"))}) if GROUP_ARN in each
    ]
    assert f"call {', '.join(actions)} on {GROUP_ARN}:*." in wrong
    assert f'"Resource": "{GROUP_ARN}:*"' in wrong


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:PutObject", "logs/airflow/*"),
        ("s3:PutObject", "logs/airflow/dag_id=*"),
        ("s3:GetObject", "payloads/airflow/*"),
        ("s3:GetObject", "payloads/airflow/*.json"),
    ],
)
def test_iam_is_asked_about_an_object_as_it_is_named(action: str, resource: str) -> None:
    bucket = Settings(cluster="prod", container_name="airflow", payload_bucket="s3://payloads/airflow")
    setup = a_setup(settings=bucket, more=LOGS_IN_S3)
    seen = Facts({**facts().answers, **definition(taskRoleArn=TASK_ROLE)})
    (need,) = (
        each
        for each in needs(setup, seen)
        if (each.principal, each.actions) == (TASK_ROLE, (action,)) and "kms" not in each.resource
    )
    statement = {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::{resource}"}
    asked = need.question.of.split(" ")[1]
    assert decisions([{"Statement": statement}], [action], asked) == {action: "allowed"}
    assert need.resource == f"arn:aws:s3:::{resource.partition('/')[0]}/airflow/*", "what people read"


@pytest.mark.parametrize("value_from", [SECRET, SECRET[:-7], f"{SECRET}:dsn::", f"{SECRET[:-7]}:dsn::"])
def test_iam_is_asked_about_a_secrets_whole_arn_however_the_task_definition_names_it(value_from: str) -> None:
    secrets = [{"name": "A", "valueFrom": value_from}]
    answers = definition(containerDefinitions=[{**ECR_CONTAINER, "secrets": secrets}])
    name = ":".join(value_from.split(":")[:7])
    action, described = "secretsmanager:GetSecretValue", Question(Kind.SECRET, name, "eu-central-1")
    assert asked_of_the_execution_role(action, answers) == [], "the name may lack its last six characters"
    known: Fact = Known({"arn": SECRET, "deleted": False, "key": ""})
    assert asked_of_the_execution_role(action, {**answers, described: known}) == [SECRET]


def test_permissions_that_depend_on_conditions_are_reported_as_not_known() -> None:
    question = Question(Kind.PERMISSIONS, EXECUTION_ROLE, "ecr:GetAuthorizationToken *")
    seen = Facts({**facts().answers, **FOR_ECR, question: Known({"ecr:GetAuthorizationToken": "unknown"})})
    unknown = [each.what for each in found(a_setup(), seen) if each.severity is Severity.UNKNOWN]
    assert any(
        "whether the execution role execution may call ecr:GetAuthorizationToken" in each for each in unknown
    )


def test_a_subnets_own_route_table_counts_before_the_main_one() -> None:
    main = {"RouteTableId": "main", "Associations": [{"Main": True}], "Routes": [INTERNET]}
    own = {"RouteTableId": "own", "Associations": [{"SubnetId": "s"}], "Routes": [NAT]}
    assert exit_of(route_table([main, own], "s")) == "private"
    assert exit_of(route_table([main, own], "t")) == "public"
    assert exit_of(route_table([], "t")) == ""


def test_a_denied_call_of_the_executor_itself_is_not_known_and_says_that_it_is_needed() -> None:
    denied = Unknown("AWS denies ecs:ListTasks.", Cause.DENIED, "Allow it.")
    seen = Facts({**facts().answers, Question(Kind.LIST_TASKS, "prod"): denied})
    (told,) = (each for each in found(a_setup(), seen) if "ecs:ListTasks" in each.what)
    assert told.severity is Severity.UNKNOWN
    assert "The executor makes this call itself" in told.why


def test_credentials_that_only_one_service_refuses_are_not_passed_over() -> None:
    refused = Unknown("AWS rejects the credentials.", Cause.CREDENTIALS, "Correct them.")
    seen = Facts({**facts().answers, Question(Kind.BUCKET, "b"): refused})
    assert [each.severity for each in found(a_setup(), seen) if each.todo == "Correct them."] == [
        Severity.UNKNOWN
    ]


def test_credentials_that_all_services_refuse_are_named_once() -> None:
    refused = Unknown("AWS rejects the credentials.", Cause.CREDENTIALS, "Correct them.")
    seen = Facts({**facts().answers, Question(Kind.IDENTITY): refused, Question(Kind.BUCKET, "b"): refused})
    assert [each.severity for each in found(a_setup(), seen) if each.todo == "Correct them."] == [
        Severity.ERROR
    ]


# --- images that ECR doesn't have yet ----------------------------------------------------------------------------

CACHED = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/apache/airflow:3.3.2"
CACHE_RULES = Question(Kind.CACHE_RULES, "123456789012", "eu-central-1")
NO_REPOSITORY = Absent("RepositoryNotFoundException: The repository does not exist.")
NO_IMAGE = Absent("ImageNotFoundException: The image does not exist.")


def without_image(absent: Fact, rules: Fact, image: str = CACHED) -> Finding:
    answers = {
        **definition(containerDefinitions=[{**ECR_CONTAINER, "image": image}]),
        Question(Kind.IMAGE, image): absent,
        CACHE_RULES: rules,
    }
    told = found(a_setup(), Facts({**facts().answers, **answers}))
    (only,) = (each for each in told if each.check == "the image")
    return only


@pytest.mark.parametrize("absent", [NO_REPOSITORY, NO_IMAGE])
@pytest.mark.parametrize(
    "prefixes", [("docker-hub",), ("docker-hub/",), ("quay", "docker-hub/apache"), ("ROOT",)]
)
def test_an_image_that_a_pull_through_cache_rule_fetches_is_not_missing(
    absent: Fact, prefixes: tuple[str, ...]
) -> None:
    told = without_image(absent, Known(prefixes))
    assert told.severity is Severity.UNKNOWN
    assert f"its pull-through cache rule {prefixes[-1]} fetches it at the first pull" in told.what


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (NO_REPOSITORY, "Amazon ECR has no repository docker-hub/apache/airflow in eu-central-1."),
        (NO_IMAGE, "The repository docker-hub/apache/airflow has no image 3.3.2."),
    ],
)
@pytest.mark.parametrize("prefixes", [(), ("docker",), ("docker-hub/apache/airflow",), ("quay",)])
def test_an_image_that_no_rule_fetches_is_missing(
    absent: Fact, words: str, prefixes: tuple[str, ...]
) -> None:
    told = without_image(absent, Known(prefixes))
    assert (told.severity, told.what) == (Severity.ERROR, words)


def test_a_missing_image_is_not_an_error_as_long_as_the_rules_are_not_known() -> None:
    denied = Unknown("AWS denies ecr:DescribePullThroughCacheRules.", Cause.DENIED, "Allow it.")
    told = without_image(NO_REPOSITORY, denied)
    assert told.severity is Severity.UNKNOWN
    assert "whether a pull-through cache rule fetches it isn't known" in told.what


def test_an_image_under_no_prefix_is_missing_whatever_the_rules_are() -> None:
    denied = Unknown("AWS denies ecr:DescribePullThroughCacheRules.", Cause.DENIED, "Allow it.")
    told = without_image(NO_IMAGE, denied, CACHED.replace("docker-hub/apache/", ""))
    assert (told.severity, told.what) == (Severity.ERROR, "The repository airflow has no image 3.3.2.")


def test_rules_are_asked_for_only_where_the_image_is_missing_and_its_manifest_only_where_it_is_not() -> None:
    image, platforms = (Question(kind, CACHED) for kind in (Kind.IMAGE, Kind.PLATFORMS))
    known = definition(containerDefinitions=[{**ECR_CONTAINER, "image": CACHED}])
    cases: list[tuple[dict[Question, Fact], set[Question]]] = [
        ({}, {image}),
        ({image: Known({"size": 1})}, {image, platforms}),
        ({image: Unknown("No.", Cause.DENIED)}, {image, platforms}),
        ({image: NO_REPOSITORY}, {image, CACHE_RULES}),
    ]
    for answers, expected in cases:
        asked = set(questions(a_setup(), Facts({**facts().answers, **known, **answers})))
        assert asked & {image, platforms, CACHE_RULES} == expected


# --- the execution API at the addresses that only containers get -------------------------------------------------

URL = "https://airflow.example.com/execution/"


def with_address(url: str) -> dict[Question, Fact]:
    own = {"name": VARIABLE, "value": url}
    return definition(containerDefinitions=[{**DEFINITION["containerDefinitions"][0], "environment": [own]}])


def answer(problem: str = "", status: int = 200, *, healthy: bool = True) -> Fact:
    return Known({"status": status, "healthy": healthy, "problem": problem})


def test_the_address_that_only_containers_get_is_tried_from_here() -> None:
    asked = set(questions(a_setup(), Facts({**facts().answers, **with_address(URL)})))
    assert {Question(Kind.API, URL), Question(Kind.TOKEN, URL)} <= asked


def test_a_containers_localhost_is_not_this_hosts() -> None:
    here = "http://localhost:8080/execution/"
    asked = questions(a_setup(), Facts({**facts().answers, **with_address(here)}))
    assert not any(each.kind in {Kind.API, Kind.TOKEN} for each in asked)


@pytest.mark.parametrize(
    ("health", "token", "words"),
    [
        (answer("refused", 0, healthy=False), 404, f"Nothing listens at {URL}"),
        (answer("TLS: WRONG_VERSION_NUMBER", 0, healthy=False), 404, "doesn't speak TLS (WRONG_VERSION_NUMBER)"),
        (answer(status=200, healthy=False), 404, "isn't Airflow's execution API"),
        (answer(), 401, f"The API server at {URL} rejects a token"),
        (answer(), 500, "answers 500 to a task"),
    ],
)  # fmt: skip
def test_what_is_wrong_at_the_containers_address_is_named(health: Fact, token: int, words: str) -> None:
    answers = {
        Question(Kind.API, URL): health,
        Question(Kind.TOKEN, URL): Known({"status": token, "unknown_task": False, "problem": ""}),
    }
    assert any(words in each for each in said({**with_address(URL), **answers}))


def test_the_api_is_not_called_fine_if_nobody_asked_it() -> None:
    fine = {each.what for each in found(a_setup(), facts()) if each.severity is Severity.FINE}
    assert not {"the API server", "tasks' tokens"} & fine


def test_an_address_that_cannot_be_seen_is_no_finding() -> None:
    unseen = {Question(Kind.DEFINITION, "airflow-task"): Absent("ClientException")}
    assert not any("execution_api_server_url" in each for each in said(unseen, api_url=LOCALHOST))
    assert any("execution_api_server_url" in each for each in said({}, api_url=LOCALHOST))


@pytest.mark.parametrize("path", ["", "/", "/api/v2", "/api/v2/"])
def test_the_right_path_is_spelled_out(path: str) -> None:
    wrong = said(with_address(f"https://airflow.example.com{path}"))
    assert any(f"{VARIABLE}={URL}" in each for each in wrong)


def test_on_a_local_ecs_the_address_that_containers_get_is_tried_and_no_other() -> None:
    def tried(answers: Mapping[Question, Fact]) -> set[str]:
        asked = questions(a_setup(local=True, api_url=LOCALHOST), Facts({**facts().answers, **answers}))
        return {each.name for each in asked if each.kind is Kind.API}

    assert tried({}) == {LOCALHOST}
    assert tried(with_address(URL)) == {URL}


def test_options_that_cannot_be_used_leave_nothing_of_aws_fine() -> None:
    setup = a_setup(settings=None, targets=(), problems=("[aws_ecs_executor] cluster: it is required.",))
    said = found(setup, Facts())
    fine = {each.what for each in said if each.severity is Severity.FINE}
    assert fine == {"[core] executor", "the JWT secret"}
    assert any("AWS was not asked anything" in each.what for each in said)


EXECUTORS = {
    "ecs_async_executor.AsyncEcsExecutor": "",
    "LocalExecutor,ecs:ecs_async_executor.AsyncEcsExecutor": "",
    "LocalExecutor;a=ecs_async_executor.executor.executor.AsyncEcsExecutor": "",
    "ecs_async_executor.AsyncECSExecutor": "names ecs_async_executor.AsyncECSExecutor",
    "airflow.providers.amazon.aws.executors.ecs.AwsEcsExecutor": "doesn't name AsyncEcsExecutor",
    "": "is not set",
}


@pytest.mark.parametrize("value", EXECUTORS)
def test_the_executor_is_named_by_a_class_that_exists(value: str) -> None:
    wrong = [each for each in said({}, more={"core.executor": Option(value)}) if "[core] executor" in each]
    assert [EXECUTORS[value] in each for each in wrong] == ([True] if EXECUTORS[value] else [])


def test_adding_a_capacity_provider_keeps_the_clusters_default() -> None:
    default = [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]
    answers = cluster(capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=default)
    wrong = said(answers, ON_SPOT)
    assert any(f"--default-capacity-provider-strategy '{json.dumps(default)}'" in each for each in wrong)
    assert any("strategy '[]'" in each for each in said(cluster(capacityProviders=["FARGATE"]), ON_SPOT))


GROUP_THERE = Question(Kind.LOG_GROUP, "/ecs/airflow-task", "eu-west-1")
GROUP_HERE = Question(Kind.LOG_GROUP, "/ecs/airflow-task", "eu-central-1")
LOG_THERE = definition(containerDefinitions=[with_log("eu-west-1")])
SET_REGION = '"awslogs-region": "eu-central-1" in its logConfiguration'


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({GROUP_THERE: Known({})}, f"{SET_REGION}, unless it is meant."),
        ({GROUP_THERE: Absent(), GROUP_HERE: Known({})}, f"{SET_REGION}."),
        ({GROUP_THERE: Absent(), GROUP_HERE: Absent()}, "create-log-group --region eu-central-1 --log-group-name"),
    ],
)  # fmt: skip
def test_a_log_group_in_another_region_has_one_remedy(answers: Mapping[Question, Fact], words: str) -> None:
    (wrong,) = [each for each in said({**LOG_THERE, **answers}) if "eu-west-1" in each]
    assert words in wrong
    assert "create-log-group --region eu-west-1" not in wrong


def test_a_log_group_that_another_region_lacks_is_looked_for_in_the_tasks_region() -> None:
    def asked(answers: Mapping[Question, Fact]) -> set[Question]:
        return set(questions(a_setup(), Facts({**facts().answers, **LOG_THERE, **answers})))

    assert GROUP_HERE not in asked({GROUP_THERE: Known({})})
    assert GROUP_HERE in asked({GROUP_THERE: Absent()})


BARE = definition(
    containerDefinitions=[
        {**DEFINITION["containerDefinitions"][0], "secrets": [{"name": "DSN", "valueFrom": "dsn"}]}
    ]
)
PARAMETER, BARE_SECRET = (Question(kind, "dsn", "eu-central-1") for kind in (Kind.PARAMETER, Kind.SECRET))


def test_a_secrets_bare_name_is_named_with_the_arn_that_ecs_needs() -> None:
    assert BARE_SECRET in set(questions(a_setup(), Facts({**facts().answers, **BARE, PARAMETER: Absent()})))
    found_secret = Known({"arn": SECRET, "deleted": False, "key": ""})
    (wrong,) = [
        each for each in said({**BARE, PARAMETER: Absent(), BARE_SECRET: found_secret}) if "DSN" in each
    ]
    assert "dsn, the name of a secret of Secrets Manager" in wrong
    assert f'"valueFrom" of DSN in the task definition to {SECRET}' in wrong


@pytest.mark.parametrize("secret", [Absent(), Unknown("No.", Cause.DENIED)])
def test_a_bare_name_that_nothing_has_may_have_been_meant_for_either(secret: Fact) -> None:
    (wrong,) = [each for each in said({**BARE, PARAMETER: Absent(), BARE_SECRET: secret}) if "DSN" in each]
    assert "no parameter dsn" in wrong
    assert "a secret of Secrets Manager must be named by its ARN" in wrong


def test_a_parameters_name_that_is_there_is_no_finding_and_asks_for_no_secret() -> None:
    answers: dict[Question, Fact] = {**BARE, PARAMETER: Known({"type": "SecureString"})}
    assert not [each for each in said(answers) if "DSN" in each]
    assert BARE_SECRET not in set(questions(a_setup(), Facts({**facts().answers, **answers})))


def test_a_registrys_credentials_may_be_the_bare_name_of_a_secret() -> None:
    container = {
        **DEFINITION["containerDefinitions"][0],
        "repositoryCredentials": {"credentialsParameter": "dsn"},
    }
    answers = {**definition(containerDefinitions=[container]), **role()}
    asked = set(questions(a_setup(), Facts({**facts().answers, **answers})))
    assert BARE_SECRET in asked
    assert PARAMETER not in asked
    known: Fact = Known({"arn": SECRET, "deleted": False, "key": ""})
    needed = questions(a_setup(), Facts({**facts().answers, **answers, BARE_SECRET: known}))
    assert any(SECRET in each.of for each in needed if each.kind is Kind.PERMISSIONS)


def test_an_address_without_tls_whose_port_speaks_tls_is_named() -> None:
    url = URL.replace("https", "http")
    health = {Question(Kind.API, url): answer("plain HTTP", 400, healthy=False)}
    (wrong,) = [each for each in said({**with_address(url), **health}) if "speaks TLS" in each]
    assert f"{VARIABLE}={URL}" in wrong


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_what_a_role_needs_is_in_the_partition_of_the_region(region: str, partition: str) -> None:
    answers = {
        **definition(taskRoleArn=TASK_ROLE),
        **identity(Arn=f"arn:{partition}:iam::123456789012:user/me"),
    }
    setup = a_setup(region=region, more=LOGS_IN_S3)
    for more in (answers, {**answers, Question(Kind.IDENTITY): Unknown("No.", Cause.DENIED)}):
        asked = questions(setup, Facts({**facts().answers, **more}))
        assert any(f"s3:PutObject arn:{partition}:s3:::logs/airflow/{A_LOG}" in each.of for each in asked)


ML = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ml:2"


def with_image(image: str = ML) -> Setup:
    return a_setup(targets=(Target("ml", "prod", "airflow", Request(BODY, "airflow", image=image)),))


def asked_permissions(setup: Setup) -> set[str]:
    wanted = {
        **role(),
        Question(Kind.IDENTITY): Known(
            {"Arn": "arn:aws:iam::123456789012:user/me", "Account": "123456789012"}
        ),
    }
    asked = questions(setup, Facts({**facts().answers, **wanted}))
    return {each.of for each in asked if each.kind is Kind.PERMISSIONS}


def test_a_profile_with_an_image_needs_the_right_to_register_it_and_to_launch_it() -> None:
    permissions = asked_permissions(with_image())
    assert "ecs:DescribeTaskDefinition,ecs:RegisterTaskDefinition *" in permissions
    tags = [each for each in permissions if each.startswith("ecs:TagResource ")]
    launches = [each for each in permissions if each.startswith("ecs:RunTask ")]
    family = "arn:aws:ecs:eu-central-1:123456789012:task-definition/ecs-async-image-airflow-task-7-"
    assert [each.split(" ")[1].startswith(family) for each in (*tags, *launches)] == [True, True]


def test_a_set_up_without_images_is_asked_for_no_right_to_register() -> None:
    permissions = asked_permissions(a_setup())
    assert not [each for each in permissions if "RegisterTaskDefinition" in each or "TagResource" in each]
    (launch,) = (each for each in permissions if each.startswith("ecs:RunTask "))
    assert launch.split(" ")[1].endswith(":task-definition/airflow-task:7")


def test_a_profiles_image_is_checked_in_place_of_the_task_definitions() -> None:
    asked = questions(with_image(), facts())
    assert Question(Kind.IMAGE, ML) in set(asked)
    found_image = found(with_image("python:3.12"), facts())
    assert any("python:3.12 has no Airflow" in each.what for each in found_image)
