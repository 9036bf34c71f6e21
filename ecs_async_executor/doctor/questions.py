"""Which questions to ask next, by what is known already. Pure: called again after each round, until it asks nothing new."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ecs_async_executor.doctor.addresses import addresses, is_here, tried
from ecs_async_executor.doctor.effective import (
    EcrImage,
    Effective,
    account_of,
    effectives,
    role_name,
    secret_question,
)
from ecs_async_executor.doctor.facts import Facts, Kind, Question
from ecs_async_executor.doctor.permissions import assumed_role, needs
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.ecs_rules import FARGATE_PROVIDERS
from ecs_async_executor.engine.payloads import split

QUOTAS = {"FARGATE": "L-3032A538", "FARGATE_SPOT": "L-36FBB829"}
"""Service Quotas' codes of Fargate's vCPUs, On-Demand and Spot (AWS General Reference, "AWS Fargate endpoints and quotas")."""


def questions(setup: Setup, facts: Facts) -> Iterator[Question]:
    """Yield all questions whose need is known by now, those that have an answer as well."""
    yield from _of_host(setup, facts)
    if setup.connection_problem or not setup.region or setup.settings is None:
        return
    yield Question(Kind.IDENTITY)
    for each in effectives(setup, facts):
        yield from _of_ecs(each)
        yield from _of_network(each, facts)
        yield from _of_containers(each, facts)
        yield from _of_images(each, facts)
    location = setup.settings.payload_bucket
    if location:
        bucket = split(location)[0]
        of_bucket = (Kind.BUCKET, Kind.LIFECYCLE, Kind.ENCRYPTION, Kind.VERSIONING)
        yield from (Question(kind, bucket) for kind in of_bucket)
    remote = setup.option("logging.remote_base_log_folder").value
    if remote.startswith("s3://") and setup.is_on("logging.remote_logging"):
        yield Question(Kind.BUCKET, split(remote)[0])
    caller = assumed_role(str((facts.value(Kind.IDENTITY) or {}).get("Arn") or ""))
    if caller:
        yield Question(Kind.ROLE, caller)
    for need in needs(setup, facts):
        yield need.question
        decided = facts.value(*need.question) or {}
        if need.policy and "implicitDeny" in decided.values():
            yield need.policy


def _of_host(setup: Setup, facts: Facts) -> Iterator[Question]:
    for address in addresses(setup, facts):
        host = urlsplit(address).hostname
        if host and not is_here(host):
            yield Question(Kind.ADDRESS, host)
    for address in tried(setup, facts):
        yield Question(Kind.API, address)
        if not setup.jwt.problem:
            yield Question(Kind.TOKEN, address)
    yield Question(Kind.POOL, "default_pool")
    if (conn_id := setup.option("logging.remote_log_conn_id").value) and setup.is_on(
        "logging.remote_logging"
    ):
        yield Question(Kind.CONNECTION, conn_id)


def _of_ecs(each: Effective) -> Iterator[Question]:
    yield Question(Kind.CLUSTER, each.cluster_name)
    if each.definition_name:
        yield Question(Kind.DEFINITION, each.definition_name)
    if each.cluster is not None and each.cluster.get("status") == "ACTIVE":
        yield Question(Kind.LIST_TASKS, each.cluster_name)
        yield Question(Kind.DESCRIBE_TASKS, each.cluster_name)
    for provider in each.providers:
        is_own = provider not in FARGATE_PROVIDERS
        yield (
            Question(Kind.PROVIDER, provider, each.cluster_name)
            if is_own
            else Question(Kind.QUOTA, QUOTAS[provider])
        )
    if each.on_fargate:
        yield Question(Kind.RATES)
        if not each.providers:
            yield Question(Kind.QUOTA, QUOTAS["FARGATE"])


def _of_containers(each: Effective, facts: Facts) -> Iterator[Question]:
    account = str((facts.value(Kind.IDENTITY) or {}).get("Account") or "")
    for _, role in each.roles:
        if not account or account_of(role) in {"", account}:
            yield Question(Kind.ROLE, role_name(role))
    for _, group, region in each.log_groups:
        yield (asked := Question(Kind.LOG_GROUP, group, region))
        if region != each.setup.region and facts.absent(*asked):
            yield asked._replace(of=each.setup.region)
    for variable, value_from in each.secrets:
        if can_be_seen(value_from, account):
            yield (asked := secret_question(variable, value_from, each.setup.region))
            if asked.kind is Kind.PARAMETER and asked.name == value_from and facts.absent(*asked):
                yield asked._replace(kind=Kind.SECRET)  # whoever writes a secret's name means that


def _of_images(each: Effective, facts: Facts) -> Iterator[Question]:
    for image in each.images:
        if (ecr := EcrImage.parse(image)) is not None:
            yield (asked := Question(Kind.IMAGE, image))
            if facts.absent(*asked):
                yield Question(Kind.CACHE_RULES, ecr.account, ecr.region)
            elif asked in facts.answers:  # where ECR has none, to ask for its manifest may make ECR fetch it
                yield Question(Kind.PLATFORMS, image)


def can_be_seen(value_from: str, account: str) -> bool:
    """Return whether AWS would list what a `valueFrom` names, if it is there.

    DescribeParameters shows only the account's own parameters, and no references to Secrets Manager.
    """
    if ":secretsmanager:" in value_from:
        return True
    return "/aws/reference/" not in value_from and account_of(value_from) in {"", account}


def _of_network(each: Effective, facts: Facts) -> Iterator[Question]:
    for subnet in each.subnets:
        yield Question(Kind.SUBNET, subnet)
    for group in each.groups:
        yield Question(Kind.GROUP, group)
    for vpc in vpcs_of(each, facts):
        yield Question(Kind.ROUTES, vpc)
        yield Question(Kind.ENDPOINTS, vpc)
        yield Question(Kind.DNS, vpc)
        if not each.groups:
            yield Question(Kind.DEFAULT_GROUP, vpc)
        for endpoint in facts.value(Kind.ENDPOINTS, vpc) or ():
            for group in endpoint.get("Groups") or ():
                yield Question(Kind.GROUP, str(group.get("GroupId", "")))


def vpcs_of(each: Effective, facts: Facts) -> list[str]:
    """Return the ids of the VPCs that a profile's subnets are in."""
    found = (facts.value(Kind.SUBNET, subnet) for subnet in each.subnets)
    return list(dict.fromkeys(str(subnet["VpcId"]) for subnet in found if subnet))
