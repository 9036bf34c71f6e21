"""Checks whose faults the local ECS and moto can't show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ecs_async_executor.doctor.checks.routes import exit_of, route_table
from ecs_async_executor.doctor.facts import Absent, Fact, Facts, Kind, Known, Question
from ecs_async_executor.doctor.findings import Severity
from tests.unit.doctor.setups import BODY, CLUSTER, DEFINITION, SUBNET, a_setup, facts, found

BAD = {Severity.ERROR, Severity.WARNING}


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
    *routes: Mapping[str, Any], endpoints: tuple[Any, ...] = (), dns: Any = None
) -> dict[Question, Fact]:
    table = {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": [*routes]}
    return {
        Question(Kind.SUBNET, "subnet-1"): Known(SUBNET),
        Question(Kind.SUBNET, "subnet-2"): Known({**SUBNET, "SubnetId": "subnet-2", "AvailabilityZone": "b"}),
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
NEEDED = ("ecr.api", "ecr.dkr", "logs")
GATEWAY = endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=["rtb-1"])
ALL = (*(endpoint(each) for each in NEEDED), GATEWAY)
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}

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


def test_a_subnets_own_route_table_counts_before_the_main_one() -> None:
    main = {"RouteTableId": "main", "Associations": [{"Main": True}], "Routes": [INTERNET]}
    own = {"RouteTableId": "own", "Associations": [{"SubnetId": "s"}], "Routes": [NAT]}
    assert exit_of(route_table([main, own], "s")) == "private"
    assert exit_of(route_table([main, own], "t")) == "public"
    assert exit_of(route_table([], "t")) == ""
