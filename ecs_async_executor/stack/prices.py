"""What a stack costs in a month, roughly. Pure.

The prices are AWS's public on-demand prices of one Region on one day, those of `fargate_prices.py`. They are for a first idea: AWS's own calculator
(https://calculator.aws) knows every Region, today's prices and your discounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ecs_async_executor.fargate_prices import FARGATE
from ecs_async_executor.fargate_prices import MONTH as HOURS
from ecs_async_executor.stack.template import Resource, Template, Values

# US dollars an hour. Fargate's: `fargate_prices.py`.
# https://aws.amazon.com/vpc/pricing and https://aws.amazon.com/privatelink/pricing
NAT_GATEWAY = 0.045
PUBLIC_ADDRESS = 0.005
ENDPOINT = 0.01
"""An interface endpoint in one zone."""
# https://aws.amazon.com/rds/postgresql/pricing, Single-AZ.
DATABASE = {"db.t4g.micro": 0.016, "db.t4g.small": 0.032, "db.t4g.medium": 0.065}
# US dollars a month. Storage: gp3, as above. https://aws.amazon.com/secrets-manager/pricing
DATABASE_GIB = 0.115
SECRET = 0.40

NOT_COUNTED = (
    "the tasks themselves",
    "data through the NAT gateway or the endpoints",
    "log lines",
    "what S3 and ECR store",
    "DNS",
    "snapshots",
    "traffic",
    "taxes",
)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the estimate."""

    what: str
    dollars: float | None
    """US dollars a month; None: the price isn't in the table."""


def estimate(template: Template, values: Values) -> list[Item]:
    """Return what a stack with these values costs in a month, the dearest first."""
    items = list(_items(template.resources(values), values))
    return sorted(items, key=lambda item: -(item.dollars or 0.0))


def per_task_hour(values: Values) -> float:
    """Return what a task costs an hour on Fargate, on demand, in US dollars."""
    return _fargate(int(values["TaskCpu"]) / 1024, int(values["TaskMemory"]) / 1024, values)


def total(items: Sequence[Item]) -> float:
    """Return the sum in US dollars a month, of what is in the table."""
    return sum(item.dollars or 0.0 for item in items)


def _items(resources: Sequence[Resource], values: Values) -> Iterator[Item]:
    kinds = [each.kind for each in resources]
    by_name = {each.name: each for each in resources}
    for count, what, price in (
        (kinds.count("AWS::EC2::NatGateway"), "NAT gateway", NAT_GATEWAY),
        (kinds.count("AWS::EC2::EIP"), "its public address", PUBLIC_ADDRESS),
    ):
        if count:
            yield Item(what, count * price * HOURS)
    zones = sum(
        len(each.properties["SubnetIds"])
        for each in resources
        if each.properties.get("VpcEndpointType") == "Interface"
    )
    if zones:
        yield Item(f"VPC endpoints ({zones} in all zones)", zones * ENDPOINT * HOURS)
    if secrets := kinds.count("AWS::SecretsManager::Secret"):
        yield Item(f"secrets ({secrets})", secrets * SECRET)
    if database := by_name.get("MetadataDatabase"):
        hour = DATABASE.get(values["Database"])
        gib = int(database.properties["AllocatedStorage"])
        yield Item(f"PostgreSQL on {values['Database']}", None if hour is None else hour * HOURS)
        yield Item(f"its storage, {gib} GiB", gib * DATABASE_GIB)
    services = [by_name[f"{each.name}Definition"] for each in resources if each.kind == "AWS::ECS::Service"]
    if services:
        hour = sum(
            _fargate(int(each.properties["Cpu"]) / 1024, int(each.properties["Memory"]) / 1024, values)
            for each in services
        )
        started = "" if values["ImageTag"] else ", once ImageTag is set"
        yield Item(f"Airflow: {len(services)} services on Fargate{started}", hour * HOURS)


def _fargate(vcpus: float, gib: float, values: Values) -> float:
    vcpu_hour, gib_hour = FARGATE[values["Architecture"]]
    return vcpus * vcpu_hour + gib * gib_hour
