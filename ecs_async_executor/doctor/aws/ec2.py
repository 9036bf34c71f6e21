"""Asks EC2 about the network."""

from __future__ import annotations

from typing import Any

from ecs_async_executor.doctor.facts import Absent, Question


def subnet(client: Any, question: Question) -> Any:
    """Return DescribeSubnets' document."""
    found = client.describe_subnets(SubnetIds=[question.name]).get("Subnets")
    return found[0] if found else Absent()


def group(client: Any, question: Question) -> Any:
    """Return DescribeSecurityGroups' document."""
    found = client.describe_security_groups(GroupIds=[question.name]).get("SecurityGroups")
    return found[0] if found else Absent()


def default_group(client: Any, question: Question) -> Any:
    """Return that document of a VPC's default security group."""
    filters = [{"Name": "vpc-id", "Values": [question.name]}, {"Name": "group-name", "Values": ["default"]}]
    found = client.describe_security_groups(Filters=filters).get("SecurityGroups")
    return found[0] if found else Absent()


def routes(client: Any, question: Question) -> Any:
    """Return a VPC's route tables."""
    return client.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [question.name]}])[
        "RouteTables"
    ]


def endpoints(client: Any, question: Question) -> Any:
    """Return a VPC's endpoints."""
    return client.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [question.name]}])[
        "VpcEndpoints"
    ]


def dns(client: Any, question: Question) -> Any:
    """Return whether a VPC's `enableDnsSupport` and `enableDnsHostnames` are on."""
    found = {}
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = client.describe_vpc_attribute(VpcId=question.name, Attribute=attribute)
        found[attribute] = bool(answer[attribute[0].upper() + attribute[1:]]["Value"])
    return found
