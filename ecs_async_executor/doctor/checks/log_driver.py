"""Where the container's lines go."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ecs_async_executor.doctor.checks.regions import is_misspelt
from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.setup import Setup


def driver(setup: Setup, each: Effective) -> Iterator[Finding]:
    """Airflow's container has a log driver whose lines can be found."""
    if each.container is None:
        return
    log = each.container.get("logConfiguration") or {}
    options = log.get("options") or {}
    name = str(log.get("logDriver") or "")
    family = str(each.document.get("family") or "airflow-task")
    if name in {"", "none"}:
        wanted = {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": f"/ecs/{family}",
                "awslogs-region": setup.region,
                "awslogs-stream-prefix": "airflow",
            },
        }
        yield warning(
            f"The container {each.target.container} has {'the log driver none' if name else 'no logConfiguration'}.",
            "Nothing keeps what it prints: the log page shows nothing of a running task, and a container that dies leaves no trace.",
            f'Set in the task definition: "logConfiguration": {json.dumps(wanted)}',
        )
    elif name == "awsfirelens" and not any(each.get("firelensConfiguration") for each in each.containers):
        yield error(
            f"The container {each.target.container} logs to awsfirelens, and no container of the task definition is its router.",
            "ECS refuses to start the task.",
            "Add the container log_router with firelensConfiguration, or use the log driver awslogs.",
        )
    if name != "awslogs":
        return
    if not options.get("awslogs-group"):
        yield error(
            f"The awslogs options of the container {each.target.container} name no awslogs-group.",
            "The container doesn't start.",
            f'Set "awslogs-group": "/ecs/{family}" in its logConfiguration.',
        )
    if each.on_fargate and not options.get("awslogs-region"):
        yield error(
            f"The awslogs options of the container {each.target.container} name no awslogs-region.",
            "Fargate requires it: the container doesn't start.",
            f'Set "awslogs-region": "{setup.region}" in its logConfiguration.',
        )
    if each.on_fargate and not options.get("awslogs-stream-prefix"):
        yield error(
            f"The awslogs options of the container {each.target.container} have no awslogs-stream-prefix.",
            "Fargate requires it; without it, the log page can't find the stream.",
            'Set "awslogs-stream-prefix": "airflow" in its logConfiguration.',
        )


def groups(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The log groups exist, or may be made, in the tasks' Region: one finding a group."""
    for container, group, region in each.log_groups:
        name = str(container.get("name"))
        options = (container.get("logConfiguration") or {}).get("options") or {}
        creates = str(options.get("awslogs-create-group", "")).lower() == "true"
        is_missing = not creates and facts.absent(Kind.LOG_GROUP, group, region) is not None
        if setup.region and region != setup.region:
            if not is_misspelt(setup, region):
                yield _elsewhere(setup, name, region, _remedy(setup, group, facts) if is_missing else "")
        elif is_missing:
            yield error(
                f"CloudWatch Logs has no log group {group} in {region}.",
                f"The container {name} doesn't start: its log driver can't create its stream.",
                f"aws logs create-log-group --region {region} --log-group-name {group}",
            )


def _elsewhere(setup: Setup, container: str, region: str, remedy: str) -> Finding:
    """Return the finding about a log group in another Region than the tasks'; with a `remedy` if there is no such group."""
    what = f"The container {container} logs to CloudWatch Logs in {region}"
    here = f"its tasks run in {setup.region}"
    if remedy:
        why = "The container doesn't start: its log driver can't create its stream."
        return error(f"{what}, which has no such log group; {here}.", why, remedy)
    return warning(
        f"{what}; {here}.",
        "VPC endpoints lead only to their own Region, and AWS charges for the traffic.",
        f'Set "awslogs-region": "{setup.region}" in its logConfiguration, unless it is meant.',
    )


def _remedy(setup: Setup, group: str, facts: Facts) -> str:
    """Return what to do about a missing group in another Region: use the tasks', and make it there if it is missing there, too."""
    todo = f'Set "awslogs-region": "{setup.region}" in its logConfiguration'
    if not facts.absent(Kind.LOG_GROUP, group, setup.region):
        return f"{todo}."
    return f"{todo}, and create the group there: aws logs create-log-group --region {setup.region} --log-group-name {group}"
