"""The bucket for long workloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.permissions import key_of
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.payloads import split

_LONGEST = 7
"""Days that leftovers may stay: a task's token is valid for hours."""
_CURRENT, _OLD = ("Expiration", "Days"), ("NoncurrentVersionExpiration", "NoncurrentDays")
"""Where a lifecycle rule says after how many days it deletes objects, and old versions of them (API reference: LifecycleRule)."""


def bucket(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """It exists, in the tasks' Region, and cleans up after crashes."""
    location = setup.settings.payload_bucket if setup.settings else None
    if not location:
        return
    name, prefix = split(location)
    if facts.absent(Kind.BUCKET, name):
        yield error(
            f"S3 has no bucket {name} (option payload_bucket).",
            "Workloads that are too long for RunTask can't be stored, and their tasks fail."
            f"{' No standby gets a task.' if setup.has_standbys else ''}",
            f"aws s3 mb s3://{name} --region {setup.region}; or correct the option.",
        )
        return
    found = facts.value(Kind.BUCKET, name)
    region = str((found or {}).get("region") or "")
    if region and setup.region and region != setup.region:
        yield warning(
            f"The bucket {name} (option payload_bucket) is in {region}, and tasks run in {setup.region}.",
            f"Each long workload {'and each look of a standby ' if setup.has_standbys else ''}crosses Regions: slower, charged, "
            "and not through a VPC's S3 endpoint.",
            f"Use a bucket in {setup.region}.",
        )
    encryption = {} if facts.absent(Kind.ENCRYPTION, name) else facts.value(Kind.ENCRYPTION, name) or {}
    own_key = str(encryption.get("KMSMasterKeyID") or "")
    # A key that is named by its ARN is looked at with the roles' permissions (`permissions.needs`).
    if own_key and not key_of(encryption) and not own_key.endswith("alias/aws/s3"):
        yield unknown(
            f"The bucket {name} is encrypted with the key {own_key}.",
            "The scheduler needs kms:GenerateDataKey for it, the task role kms:Decrypt.",
            "Allow both in the key's policy or the roles' (docs/long-workloads.md).",
        )
    rules = () if facts.absent(Kind.LIFECYCLE, name) else facts.value(Kind.LIFECYCLE, name)
    kept = facts.value(Kind.VERSIONING, name) == "Enabled"
    if kept and rules is not None and not any(_expires(rule, prefix, _OLD) for rule in rules):
        leases = ", and of standbys' lease, which is written each minute" if setup.has_standbys else ""
        yield warning(
            f"The bucket {name} (option payload_bucket) keeps old versions of its objects.",
            f"Those of workloads that were deleted, with their tokens{leases}, stay for ever.",
            f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Suspended; or use a bucket "
            f"without versioning, or have a lifecycle rule expire noncurrent versions within {_LONGEST} days.",
        )
    if rules is not None and not any(_expires(rule, prefix, _CURRENT) for rule in rules):
        yield warning(
            f"No lifecycle rule of the bucket {name} expires what is below {prefix or 'it'} within {_LONGEST} days.",
            "A scheduler that is killed leaves workloads there, with their tokens, for ever.",
            f"aws s3api put-bucket-lifecycle-configuration --bucket {name} --lifecycle-configuration "
            f'\'{{"Rules": [{{"ID": "airflow", "Status": "Enabled", "Filter": {{"Prefix": "{prefix}"}}, '
            '"Expiration": {"Days": 1}}]}\' (it replaces the rules that the bucket has)',
        )


def _expires(rule: Any, prefix: str, which: tuple[str, str]) -> bool:
    member, of_days = which
    days = (rule.get(member) or {}).get(of_days)
    scope = rule.get("Filter") or {}
    of = str(scope.get("Prefix", rule.get("Prefix", "")) or "")
    others = "Tag" in scope or "And" in scope
    return (
        rule.get("Status") == "Enabled"
        and days is not None
        and days <= _LONGEST
        and prefix.startswith(of)
        and not others
    )
