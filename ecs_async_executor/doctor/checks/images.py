"""The image: it exists, its processor, and its Airflow as far as its name says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecs_async_executor.doctor.checks.regions import is_misspelt
from ecs_async_executor.doctor.effective import EcrImage, Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
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
_PROCESSORS = {"X86_64": "amd64", "ARM64": "arm64"}


def exists(_: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Amazon ECR has it."""
    for name in each.images:
        image, absent = EcrImage.parse(name), facts.absent(Kind.IMAGE, name)
        if image is None or absent is None:
            continue
        if "RepositoryNotFound" in absent.why:
            yield error(
                f"Amazon ECR has no repository {image.repository} in {image.region}.",
                "The task stops before it starts: CannotPullContainerError.",
                f"Correct `image` in the task definition: aws ecr describe-repositories --region {image.region}",
            )
        else:
            yield error(
                f"The repository {image.repository} has no image {image.tag or image.digest}.",
                "The task stops before it starts: CannotPullContainerError.",
                f"Push it, or correct `image` in the task definition: aws ecr list-images --region {image.region} "
                f"--repository-name {image.repository}",
            )


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
