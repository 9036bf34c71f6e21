"""The image: it exists, its processor, and its Airflow as far as its name says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_async_executor.doctor.checks.regions import is_misspelt
from ecs_async_executor.doctor.effective import EcrImage, Effective
from ecs_async_executor.doctor.facts import Facts, Kind, Known, Question
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.setup import Setup

_OFFICIAL = re.compile(
    r"(?:[\w.-]+(?::\d+)?/)*apache/airflow:(?:slim-)?(?P<airflow>\d+\.\d+\.\d+)(?:(?:a|b|rc)\d+)?"
    r"(?:-python(?P<python>\d+\.\d+))?(?:@.*)?"
)
_FLOATING = re.compile(
    r"(?:[\w.-]+(?::\d+)?/)*apache/airflow(?::(?:slim-)?(?:latest|main|\d+|\d+\.\d+)(?:-python[\d.]+)?)?"
)
_WITHOUT_AIRFLOW = re.compile(
    r"(?:docker\.io/|public\.ecr\.aws/docker/)?(?:library/)?"
    r"(?P<name>alpine|amazonlinux|busybox|debian|hello-world|httpd|nginx|node|postgres|python|redis|ubuntu)(?:[:@].*)?"
)
_PULL = "The task stops before it starts: CannotPullContainerError."
_PROCESSORS = {"X86_64": "amd64", "ARM64": "arm64"}


def exists(_: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Amazon ECR has it, or fetches it at the first pull."""
    for name in each.images:
        image, absent = EcrImage.parse(name), facts.absent(Kind.IMAGE, name)
        if image is None or absent is None:
            continue
        if "RepositoryNotFound" in absent.why:
            what = f"Amazon ECR has no repository {image.repository} in {image.region}"
            todo = f"Correct `image` in the task definition: aws ecr describe-repositories --region {image.region}"
        else:
            what = f"The repository {image.repository} has no image {image.tag or image.digest}"
            todo = (
                f"Push it, or correct `image` in the task definition: aws ecr list-images --region {image.region} "
                f"--repository-name {image.repository}"
            )
        rules = facts.get(Question(Kind.CACHE_RULES, image.account, image.region))
        if not isinstance(rules, Known) and "/" in image.repository:  # else no rule with a prefix is for it
            yield unknown(
                f"{what}; whether a pull-through cache rule fetches it isn't known.",
                f"If none does: {_PULL}",
                f"See: aws ecr describe-pull-through-cache-rules --region {image.region} --registry-id {image.account}. "
                f"Without one: {todo}",
            )
        elif isinstance(rules, Known) and (
            rule := next((each for each in rules.value if _is_for(each, image.repository)), None)
        ):
            yield unknown(
                f"{what} yet: its pull-through cache rule {rule} fetches it at the first pull.",
                "Whether the upstream registry has it, only a pull shows. The execution role or the registry's policy must allow "
                "ecr:BatchImportUpstreamImage and ecr:CreateRepository for that.",
                "Let a container try: ecs-async doctor --launch",
            )
        else:
            yield error(f"{what}.", _PULL, todo)


def _is_for(prefix: str, repository: str) -> bool:
    """Return whether a pull-through cache rule with a prefix is for a repository; ROOT is for those of no other rule.

    Source: "Customizing repository prefixes for ECR to ECR pull through cache" of the ECR user guide.
    """
    return prefix == "ROOT" or repository.startswith(f"{prefix.rstrip('/')}/")


def far_away(setup: Setup, each: Effective) -> Iterator[Finding]:
    """It is in the tasks' Region."""
    for name in each.images:
        image = EcrImage.parse(name)
        if image is None or is_misspelt(setup, image.region):
            continue
        if setup.region and image.region != setup.region:
            yield warning(
                f"The image {name} is in {image.region}, and tasks run in {setup.region}.",
                "Each start pulls it from there: slow, charged, and not through VPC endpoints.",
                f"Replicate the repository to {setup.region} (aws ecr put-replication-configuration), and name that one.",
            )


def processor(_: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """It is made for the processor of the task definition."""
    name = str((each.container or {}).get("image") or "")
    if EcrImage.parse(name) is None:
        return
    wanted = str((each.document.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64")
    found = facts.value(Kind.PLATFORMS, name)
    if found and _PROCESSORS.get(wanted, wanted) not in found:
        yield error(
            f"The image {name} is for {', '.join(found)}, and the task definition for {wanted}.",
            "The container doesn't start: exec format error.",
            f"Build it for {wanted}: docker build --platform linux/{_PROCESSORS.get(wanted, wanted)}; or set cpuArchitecture in "
            "runtimePlatform of the task definition.",
        )


def versions(setup: Setup, each: Effective) -> Iterator[Finding]:
    """An official image has the scheduler's Airflow and Python."""
    name = str((each.container or {}).get("image") or "")
    if base := _WITHOUT_AIRFLOW.fullmatch(name):
        yield error(
            f"The image {name} has no Airflow: it is the public image {base['name']}.",
            "The container's command runs Airflow's worker: No module named airflow.",
            f"Use apache/airflow:{setup.airflow or 'VERSION'}, or an image that is built on it (docs/image.md).",
        )
        return
    if _FLOATING.fullmatch(name) and setup.airflow:
        yield warning(
            f"The image {name} names no exact version of Airflow.",
            f"What it means changes with each release; the scheduler has {setup.airflow}, and workers of another version may not "
            "understand it.",
            f"Use apache/airflow:{setup.airflow}-python{setup.python}.",
        )
        return
    found = _OFFICIAL.fullmatch(name)
    if found is None or not setup.airflow:
        return
    if found["airflow"] != setup.airflow:
        yield error(
            f"The image {name} has Airflow {found['airflow']}, and the scheduler has {setup.airflow}.",
            "A worker of another version may not understand its workload or the API server.",
            f"Use apache/airflow:{setup.airflow}-python{setup.python}, or build on it: ecs-async image check IMAGE checks it.",
        )
    elif found["python"] and found["python"] != setup.python:
        yield warning(
            f"The image {name} has Python {found['python']}, and the scheduler has {setup.python}.",
            "Dags may be parsed by one and fail in the other.",
            f"Use apache/airflow:{setup.airflow}-python{setup.python}.",
        )
