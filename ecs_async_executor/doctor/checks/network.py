"""Subnets and security groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from ecs_async_executor.doctor.addresses import own_address, source_of
from ecs_async_executor.doctor.checks.routes import leads_on
from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.questions import vpcs_of
from ecs_async_executor.doctor.setup import Setup


def subnets(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """They exist, in one VPC, in several zones."""
    found = []
    for subnet in each.subnets:
        if facts.absent(Kind.SUBNET, subnet):
            yield error(
                f"EC2 has no subnet {subnet} in {setup.region}.",
                "RunTask fails: InvalidParameterException, the subnet ID does not exist.",
                f"Correct the option `subnets`: aws ec2 describe-subnets --region {setup.region} "
                "--query 'Subnets[].[SubnetId,VpcId,AvailabilityZone]' --output text",
            )
        elif subnet_found := facts.value(Kind.SUBNET, subnet):
            found.append(subnet_found)
    vpcs = sorted({str(subnet["VpcId"]) for subnet in found})
    if len(vpcs) > 1:
        yield error(
            f"The subnets are in several VPCs: {', '.join(vpcs)}.",
            "RunTask fails: all subnets of a task must be in one VPC.",
            "Name subnets of one VPC in the option `subnets`.",
        )
    zones = {str(subnet.get("AvailabilityZone", "")) for subnet in found}
    if len(found) == len(each.subnets) and len(zones) == 1:
        yield warning(
            f"All tasks are in one Availability Zone ({zones.pop()}).",
            "If it has no capacity or fails, no task starts.",
            "Add a subnet of another zone to the option `subnets`.",
        )


def free_addresses(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """There are addresses for the tasks."""
    found = [facts.value(Kind.SUBNET, subnet) for subnet in dict.fromkeys(each.subnets)]
    # The count is of IPv4; a subnet with IPv6 only has more addresses than anybody needs.
    if not found or any(subnet is None or subnet.get("Ipv6Native") for subnet in found):
        return
    counts = {str(subnet["SubnetId"]): int(subnet.get("AvailableIpAddressCount", 0)) for subnet in found}
    parallelism = setup.number("core.parallelism", 32)
    todo = "Add larger subnets to the option `subnets`, or lower [core] parallelism."
    empty = [subnet for subnet, count in counts.items() if not count]
    if empty:
        yield error(
            f"{', '.join(empty)} has no free address.",
            "Tasks that ECS places there don't start: RESOURCE:ENI.",
            todo,
        )
    elif sum(counts.values()) < parallelism:
        yield warning(
            f"The subnets have {sum(counts.values())} free addresses, and [core] parallelism is {parallelism}.",
            "Each task takes one: with more tasks than addresses, some don't start.",
            todo,
        )


def groups(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The security groups exist, in the subnets' VPC, and let the tasks out."""
    vpcs = vpcs_of(each, facts)
    found: list[Mapping[str, Any]] = []
    for group in each.groups:
        if facts.absent(Kind.GROUP, group):
            yield error(
                f"EC2 has no security group {group} in {setup.region}.",
                "RunTask fails: InvalidParameterException, the security group does not exist.",
                f"Correct the option `security_groups`: aws ec2 describe-security-groups --region {setup.region} "
                "--query 'SecurityGroups[].[GroupId,VpcId,GroupName]' --output text",
            )
        elif group_found := facts.value(Kind.GROUP, group):
            found.append(group_found)
            if len(vpcs) == 1 and str(group_found["VpcId"]) != vpcs[0]:
                yield error(
                    f"The security group {group} is in {group_found['VpcId']}, and the subnets are in {vpcs[0]}.",
                    "RunTask fails: security group and subnet belong to different networks.",
                    f"Name a group of {vpcs[0]} in the option `security_groups`.",
                )
    if not each.groups:
        found = [group for vpc in vpcs if (group := facts.value(Kind.DEFAULT_GROUP, vpc))]
    complete = len(found) == len(each.groups or vpcs)
    if found and complete:
        # Other networks that a route leads to may have the VPC endpoints.
        inside = any(
            facts.value(Kind.ENDPOINTS, vpc) != [] or any(map(leads_on, facts.value(Kind.ROUTES, vpc) or ()))
            for vpc in vpcs
        )
        yield from _way_out(setup, each, found, inside=inside)


def _way_out(
    setup: Setup, each: Effective, groups: list[Mapping[str, Any]], *, inside: bool
) -> Iterator[Finding]:
    """What the groups must let out; `inside` tells whether AWS may be reached at private addresses."""
    rules = [rule for group in groups for rule in group.get("IpPermissionsEgress") or ()]
    named = ", ".join(str(group["GroupId"]) for group in groups)
    address = own_address(each) or setup.api_url
    parts = urlsplit(address)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 443
    of_aws = _of_aws(setup, each)
    needs = {443: f"AWS ({', '.join(of_aws)})"} if of_aws else {}
    if source_of(setup)[1].value or own_address(each):
        needs.setdefault(port, f"the execution API at {address}")
    for number, what in needs.items():
        allowing = [rule for rule in rules if _allows(rule, number)]
        must_leave = number == 443 and bool(of_aws) and not inside
        if not allowing or (must_leave and not any(map(_leads_out, allowing))):
            only = " but to private addresses" if allowing else ""
            yield error(
                f"The security groups {named} let no traffic out to port {number}{only}.",
                f"Tasks can't reach {what}.",
                f"aws ec2 authorize-security-group-egress --group-id {groups[0]['GroupId']} --ip-permissions "
                f"IpProtocol=tcp,FromPort={number},ToPort={number},IpRanges=[{{CidrIp=0.0.0.0/0}}]",
            )


def _of_aws(setup: Setup, each: Effective) -> list[str]:
    """Return what goes between AWS and a task's own network interface; on EC2, the rest goes through the instance's."""
    if each.on_fargate:
        return ["the image", "logs", "secrets"]
    log = setup.option("logging.remote_base_log_folder").value
    is_in_aws = log.startswith(("s3://", "cloudwatch://")) and setup.is_on("logging.remote_logging")
    has_bucket = setup.settings is not None and setup.settings.payload_bucket
    return [*(["remote logs"] if is_in_aws else []), *(["long workloads"] if has_bucket else [])]


def _allows(rule: Mapping[str, Any], port: int) -> bool:
    if str(rule.get("IpProtocol")) == "-1":
        return True
    if str(rule.get("IpProtocol")) not in {"tcp", "6"}:
        return False
    low, high = rule.get("FromPort"), rule.get("ToPort")
    return low is None or high is None or int(low) <= port <= int(high)


def _leads_out(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule may let traffic out of private networks."""
    if rule.get("Ipv6Ranges") or rule.get("PrefixListIds") or rule.get("UserIdGroupPairs"):
        return True
    networks = [ip_network(str(each.get("CidrIp")), strict=False) for each in rule.get("IpRanges") or ()]
    return any(network.prefixlen == 0 or not network.is_private for network in networks)


def public_address(_: Setup, each: Effective) -> Iterator[Finding]:
    """Only Fargate gives public addresses."""
    if each.public_ip and each.launch_type and not each.on_fargate:
        yield error(
            f"assign_public_ip is on, and tasks run on {each.launch_type}.",
            "RunTask fails: Assign public IP is not supported for this launch type.",
            "Set [aws_ecs_executor] assign_public_ip = False (or in the queue's profile).",
        )
