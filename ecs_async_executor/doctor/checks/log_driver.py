"""Where the container's lines go."""

from __future__ import annotations

import json
from collections.abc import Iterator

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
    region = options.get("awslogs-region")
    if region and setup.region and region != setup.region:
        yield warning(
            f"The container {each.target.container} logs to CloudWatch Logs in {region}; its tasks run in {setup.region}.",
            "VPC endpoints lead only to their own Region, and AWS charges for the traffic.",
            f'Set "awslogs-region": "{setup.region}" in its logConfiguration, unless it is meant.',
        )


def groups(_: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """The log groups exist, or may be made."""
    for container, group, region in each.log_groups:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        creates = str(options.get("awslogs-create-group", "")).lower() == "true"
        if not creates and facts.absent(Kind.LOG_GROUP, group, region):
            yield error(
                f"CloudWatch Logs has no log group {group} in {region}.",
                f"The container {container.get('name')} doesn't start: its log driver can't create its stream.",
                f"aws logs create-log-group --region {region} --log-group-name {group}",
            )
