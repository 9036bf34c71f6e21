"""A way out of the subnets, or the VPC endpoints that Fargate needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from ecs_async_executor.doctor.effective import EcrImage, Effective, secret_question
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.questions import vpcs_of
from ecs_async_executor.doctor.setup import Setup

_ANYWHERE, _ANYWHERE_6 = "0.0.0.0/0", "::/0"
_HALVES = frozenset({"0.0.0.0/1", "128.0.0.0/1"})
"""Together the same as a default route, as VPNs announce it."""
_PUBLIC = frozenset(
    {
        "docker.io",
        "gcr.io",
        "ghcr.io",
        "index.docker.io",
        "mcr.microsoft.com",
        "public.ecr.aws",
        "quay.io",
        "registry-1.docker.io",
        "registry.gitlab.com",
        "registry.k8s.io",
    }
)
_PUBLIC_DOMAINS = (".gcr.io", ".pkg.dev")
"""Google's registries have a name for each place."""
_PULL = "CannotPullContainerError or ResourceInitializationError: the task stops before it starts."


def way_out(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Tasks reach AWS, from every subnet."""
    if not each.network or each.definition is None:
        return
    for subnet in each.subnets:
        found = facts.value(Kind.SUBNET, subnet)
        tables = facts.value(Kind.ROUTES, str(found["VpcId"])) if found else None
        if found is None or tables is None:
            continue
        table = route_table(tables, subnet)
        if not table:
            yield unknown(
                f"Not known: the way out of the subnet {subnet}. No route table of it is shown.",
                "",
                "The VPC may be another account's: look there, or let a container try: ecs-async doctor --launch",
            )
            continue
        yield from _of_subnet(setup, each, facts, found, table)


def _of_subnet(
    setup: Setup, each: Effective, facts: Facts, found: Mapping[str, Any], table: Mapping[str, Any]
) -> Iterator[Finding]:
    subnet, kind = str(found["SubnetId"]), exit_of(table)
    if not each.on_fargate and kind != "blackhole":
        if kind == "public" and each.is_placed:
            yield _no_address(subnet)
        return  # the instance pulls the image, through its own subnet (docs/network.md)
    if kind == "private" or (kind == "public" and each.public_ip):
        yield from _needless_address(each, subnet, kind)
        return
    if exit_by_ipv6(table):
        if not found.get("Ipv6Native"):
            yield unknown(
                f"Only IPv6 leads out of the subnet {subnet}.",
                "Whether all that tasks need has an IPv6 address, only a task shows.",
                "Let a container try: ecs-async doctor --launch",
            )
        return
    endpoints = facts.value(Kind.ENDPOINTS, str(found["VpcId"]))
    if endpoints is None:
        return
    mine = str((facts.value(Kind.IDENTITY) or {}).get("Account") or "")
    if mine and found.get("OwnerId", mine) != mine and kind != "blackhole":
        yield unknown(
            f"Not known: the way out of the subnet {subnet}. It belongs to the account {found['OwnerId']}, whose VPC endpoints "
            "aren't shown here.",
            "",
            "Look there, or let a container try: ecs-async doctor --launch",
        )
        return
    yield from _without_exit(setup, each, subnet, table, kind, endpoints)


def _no_address(subnet: str) -> Finding:
    """Only Fargate's tasks get public addresses."""
    return warning(
        f"The subnet {subnet} leads to the internet through an internet gateway only.",
        "Tasks with the network mode awsvpc on EC2 have no public address, so they can't reach the internet.",
        "Use private subnets with a NAT gateway in the option `subnets`.",
    )


def _needless_address(each: Effective, subnet: str, kind: str) -> Iterator[Finding]:
    """Public addresses are for public subnets."""
    if kind == "private" and each.public_ip:
        yield warning(
            f"Tasks get public addresses (assign_public_ip), and the subnet {subnet} is private.",
            "Nothing uses them: the default route leads to no internet gateway. AWS charges for each.",
            "Set [aws_ecs_executor] assign_public_ip = False (or in the queue's profile).",
        )


def _without_exit(  # noqa: PLR0913, PLR0917  the parts of one sentence
    setup: Setup,
    each: Effective,
    subnet: str,
    table: Mapping[str, Any],
    kind: str,
    endpoints: Sequence[Mapping[str, Any]],
) -> Iterator[Finding]:
    wanted = list(dict.fromkeys(needed(each, setup.region)))
    present = {_service(endpoint) for endpoint in endpoints if _is_up(endpoint)}
    missing = [service for service in wanted if service not in present]
    # On EC2, the instance pulls the image.
    outside = [image for image in each.images if each.on_fargate and not _is_near(image, setup.region)]
    endpoints_too = (
        f"; or make these VPC endpoints: {', '.join(wanted)} (s3 as a gateway)"
        if wanted and not outside
        else ""
    )
    nat = f"Route 0.0.0.0/0 of the subnet to a NAT gateway{endpoints_too}."
    beyond = leads_on(table)
    far = [image for image in outside if _is_public(image) or (EcrImage.parse(image) and not beyond)]
    if far:
        lacks = f"the image {far[0]} is not in Amazon ECR of {setup.region}"
    else:
        lacks = f"there is no VPC endpoint for {', '.join(missing)}" if missing and not beyond else ""
    if kind == "blackhole":
        yield _blackhole(subnet, table, tasks_start=not lacks)
    elif lacks and kind == "public":
        yield error(
            f"The subnet {subnet} is public (an internet gateway), and tasks get no public address.",
            f"Without one nothing answers them, and {lacks}: {_PULL}",
            f"Set [aws_ecs_executor] assign_public_ip = True, or use private subnets with a NAT gateway. {nat}",
        )
    elif lacks:
        yield error(
            f"The subnet {subnet} has no way out: no default route, and {lacks}.",
            _PULL,
            _commands(setup, missing, table) if missing and not outside else nat,
        )
    elif outside or missing:
        yield _other_way(subnet, outside, missing)
    if not lacks and not missing and "s3" in wanted and kind != "blackhole":
        yield from _gateway(subnet, table, endpoints)


def _blackhole(subnet: str, table: Mapping[str, Any], *, tasks_start: bool) -> Finding:
    """Without what the default route led to, tasks don't start; or only their code misses it."""
    report = warning if tasks_start else error
    return report(
        f"The default route of the subnet {subnet} leads nowhere (blackhole): its target was deleted.",
        "Tasks reach nothing that has no route of its own." if tasks_start else _PULL,
        f"aws ec2 replace-route --route-table-id {table.get('RouteTableId')} --destination-cidr-block {_ANYWHERE} "
        "--nat-gateway-id NAT_GATEWAY",
    )


def _other_way(subnet: str, outside: Sequence[str], missing: Sequence[str]) -> Finding:
    """A registry may be in a private network, and other networks that a route leads to may have the VPC endpoints."""
    of_registry = f"the registry of the image {outside[0]}" if outside else ""
    of_services = f"{', '.join(missing)}, which have no VPC endpoint here" if missing else ""
    return unknown(
        f"Not known: whether tasks in the subnet {subnet} reach {' and '.join(filter(None, (of_registry, of_services)))}. "
        "It has no way to the internet.",
        f"If they don't: {_PULL}",
        "Let a container try: ecs-async doctor --launch",
    )


def _is_near(image: str, region: str) -> bool:
    """Return whether VPC endpoints lead to an image."""
    ecr = EcrImage.parse(image)
    return ecr is not None and ecr.region == region


def _is_public(image: str) -> bool:
    """Return whether an image is in a registry of the internet: one of the well-known ones, or Docker Hub, which needs no name."""
    host, slash, _ = image.partition("/")
    if not slash or not (set(host) & set(".:") or host == "localhost"):
        return True
    return host in _PUBLIC or host.endswith(_PUBLIC_DOMAINS)


def leads_on(table: Mapping[str, Any]) -> bool:
    """Return whether a route leads to other networks: a peering, a transit gateway, a VPN; a default route doesn't count."""
    for route in table.get("Routes") or ():
        places = {str(route.get(name) or "") for name in ("DestinationCidrBlock", "DestinationIpv6CidrBlock")}
        is_default = not places.isdisjoint({_ANYWHERE, _ANYWHERE_6, *_HALVES})
        stays = str(route.get("GatewayId") or "").startswith(("local", "igw-", "vpce-"))
        if not is_default and not stays and route.get("State") != "blackhole":
            return True
    return False


def _commands(setup: Setup, missing: Sequence[str], table: Mapping[str, Any]) -> str:
    vpc, region = table.get("VpcId"), setup.region
    made = []
    for service in missing:
        prefix = "cn." if region.startswith("cn-") and service != "s3" else ""
        base = f"aws ec2 create-vpc-endpoint --vpc-id {vpc} --service-name {prefix}com.amazonaws.{region}.{service}"
        if service == "s3":
            made.append(f"{base} --vpc-endpoint-type Gateway --route-table-ids {table.get('RouteTableId')}")
        else:
            made.append(f"{base} --vpc-endpoint-type Interface --subnet-ids ... --security-group-ids ...")
    return "Route 0.0.0.0/0 to a NAT gateway, or: " + "; ".join(made)


def _gateway(
    subnet: str, table: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    gateways = [
        each for each in endpoints if _service(each) == "s3" and each.get("VpcEndpointType") == "Gateway"
    ]
    others = [
        each for each in endpoints if _service(each) == "s3" and each.get("VpcEndpointType") != "Gateway"
    ]
    own = table.get("RouteTableId")
    if gateways and not others and not any(own in (each.get("RouteTableIds") or ()) for each in gateways):
        yield error(
            f"The S3 gateway endpoint isn't in the route table {own} of the subnet {subnet}.",
            "Amazon ECR keeps images' layers in S3: CannotPullContainerError.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {gateways[0].get('VpcEndpointId')} --add-route-table-ids {own}",
        )


def endpoints(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The VPC endpoints work: their state, private DNS, security groups."""
    if not each.network:
        return
    wanted = set(needed(each, setup.region))
    for vpc in vpcs_of(each, facts):
        found = facts.value(Kind.ENDPOINTS, vpc) or ()
        used = [one for one in found if _service(one) in wanted and one.get("VpcEndpointType") == "Interface"]
        has_exit = _all_lead_out(each, vpc, facts)
        in_use = {_service(one) for one in used if _is_up(one) and one.get("PrivateDnsEnabled") is not False}
        for endpoint in used:
            # Without a name in private DNS, tasks don't go through it: they take another one, or the way out.
            if not has_exit and _service(endpoint) not in in_use:
                yield from _broken(endpoint)
            yield from _closed(each, endpoint, facts)
        dns = facts.value(Kind.DNS, vpc)
        if dns and used and not has_exit and not all(dns.values()):
            off = ", ".join(name for name, on in dns.items() if not on)
            yield error(
                f"The VPC {vpc} has {off} off.",
                "The names of AWS's services don't lead to the VPC endpoints, and tasks don't reach them.",
                "; ".join(
                    f"aws ec2 modify-vpc-attribute --vpc-id {vpc} --{_dashed(name)} Value=true"
                    for name, on in dns.items()
                    if not on
                ),
            )
        elif dns and not dns.get("enableDnsSupport", True):
            yield error(
                f"The VPC {vpc} has enableDnsSupport off.",
                "Tasks can't resolve any name: neither AWS's services nor the API server.",
                f"aws ec2 modify-vpc-attribute --vpc-id {vpc} --enable-dns-support Value=true",
            )


def _all_lead_out(each: Effective, vpc: str, facts: Facts) -> bool:
    """Return whether every subnet of a VPC has a way to the internet."""
    found = [facts.value(Kind.SUBNET, subnet) for subnet in each.subnets]
    tables = facts.value(Kind.ROUTES, vpc) or ()
    names = [str(subnet["SubnetId"]) for subnet in found if subnet and str(subnet["VpcId"]) == vpc]
    kinds = {exit_of(route_table(tables, name)) for name in names}
    return kinds <= ({"private", "public"} if each.public_ip else {"private"})


def _dashed(name: str) -> str:
    return {"enableDnsSupport": "enable-dns-support", "enableDnsHostnames": "enable-dns-hostnames"}[name]


def _broken(endpoint: Mapping[str, Any]) -> Iterator[Finding]:
    ident, service = endpoint.get("VpcEndpointId"), _service(endpoint)
    if not _is_up(endpoint):
        yield error(
            f"The VPC endpoint {ident} for {service} is {endpoint.get('State')}.",
            "Tasks can't reach the service through it.",
            "Delete it and create it again, or accept it if it is pendingAcceptance.",
        )
    elif endpoint.get("PrivateDnsEnabled") is False:
        yield error(
            f"The VPC endpoint {ident} for {service} has no private DNS name.",
            "ECS asks for the service's public name, which doesn't lead to the endpoint.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {ident} --private-dns-enabled",
        )


def _closed(each: Effective, endpoint: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The endpoint's security groups let the tasks in."""
    service = _service(endpoint)
    if endpoint.get("PrivateDnsEnabled") is False:
        return
    blocks = [
        str(subnet["CidrBlock"])
        for name in each.subnets
        if (subnet := facts.value(Kind.SUBNET, name)) and subnet.get("CidrBlock")
    ]
    groups = [facts.value(Kind.GROUP, str(one.get("GroupId", ""))) for one in endpoint.get("Groups") or ()]
    known = [group for group in groups if group]
    if known and len(known) == len(groups) and not any(_lets_in(group, each, blocks) for group in known):
        named = ", ".join(str(group["GroupId"]) for group in known)
        yield error(
            f"The security groups {named} of the VPC endpoint for {service} let nothing in on port 443 from the tasks.",
            "Tasks can't reach the service through it.",
            f"aws ec2 authorize-security-group-ingress --group-id {known[0]['GroupId']} --protocol tcp --port 443 "
            f"--source-group {next(iter(each.groups), 'SECURITY_GROUP_OF_THE_TASKS')}",
        )


def _lets_in(group: Mapping[str, Any], each: Effective, blocks: Sequence[str]) -> bool:
    """Return whether some rule lets port 443 in: from addresses of the tasks' subnets, or from one of the tasks' groups."""
    for rule in group.get("IpPermissions") or ():
        protocol, low, high = str(rule.get("IpProtocol")), rule.get("FromPort"), rule.get("ToPort")
        fits = protocol == "-1" or (
            protocol in {"tcp", "6"} and (low is None or high is None or int(low) <= 443 <= int(high))
        )
        pairs = {str(pair.get("GroupId")) for pair in rule.get("UserIdGroupPairs") or ()}
        ranges = [str(one.get("CidrIp")) for one in rule.get("IpRanges") or ()]
        near = ranges if not blocks else [one for one in ranges if _overlaps(one, blocks)]
        sources = near or rule.get("Ipv6Ranges") or rule.get("PrefixListIds")
        of_default = pairs and not each.groups
        if fits and (sources or of_default or pairs & set(each.groups)):
            return True
    return False


def _overlaps(text: str, blocks: Sequence[str]) -> bool:
    network = ip_network(text, strict=False)
    return any(network.overlaps(ip_network(block, strict=False)) for block in blocks)


def needed(each: Effective, region: str) -> Iterator[str]:
    """Yield the services that a task needs before its code runs, as VPC endpoints name them."""
    if not each.on_fargate:
        return
    if any(EcrImage.parse(image) for image in each.images):
        yield from ("ecr.api", "ecr.dkr", "s3")
    elif each.target.standby or any(True for _ in each.environment_files):
        yield "s3"  # a standby gets its task from there
    if any(True for _ in each.log_groups):
        yield "logs"
    for variable, value_from in each.secrets:
        is_secret = secret_question(variable, value_from, region).kind is Kind.SECRET
        yield "secretsmanager" if is_secret else "ssm"


def route_table(tables: Sequence[Mapping[str, Any]], subnet: str) -> Mapping[str, Any]:
    """Return the route table of a subnet: its own, or the VPC's main one."""
    for table in tables:
        if any(each.get("SubnetId") == subnet for each in table.get("Associations") or ()):
            return table
    return next(
        (each for each in tables if any(one.get("Main") for one in each.get("Associations") or ())), {}
    )


def exit_of(table: Mapping[str, Any]) -> str:
    """Return where the default route leads: `public`, `private`, `blackhole`, or empty if there is none."""
    routes = {str(route.get("DestinationCidrBlock")): route for route in table.get("Routes") or ()}
    halves = [routes[each] for each in _HALVES if each in routes]
    default = [routes[_ANYWHERE]] if _ANYWHERE in routes else halves if len(halves) == len(_HALVES) else []
    if not default:
        return ""
    if any(route.get("State") == "blackhole" for route in default):
        return "blackhole"
    return "public" if str(default[0].get("GatewayId") or "").startswith("igw-") else "private"


def exit_by_ipv6(table: Mapping[str, Any]) -> bool:
    """Return whether there is a default route for IPv6."""
    return any(
        route.get("DestinationIpv6CidrBlock") == _ANYWHERE_6 and route.get("State") != "blackhole"
        for route in table.get("Routes") or ()
    )


def _service(endpoint: Mapping[str, Any]) -> str:
    """Return the service's part of `com.amazonaws.eu-central-1.ecr.api`; in China, some begin with `cn.com.amazonaws`."""
    return str(endpoint.get("ServiceName", "")).partition("amazonaws.")[2].partition(".")[2]


def _is_up(endpoint: Mapping[str, Any]) -> bool:
    return str(endpoint.get("State", "available")).lower() == "available"
