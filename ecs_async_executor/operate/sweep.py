"""The sweep: reads ECS, S3 and the rows, has the tables judge, and acts on what they say if it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ecs_async_executor.operate import containers, payloads
from ecs_async_executor.operate.access import Access
from ecs_async_executor.operate.facts import read_facts


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found."""

    containers: Sequence[containers.Judged]
    payloads: Sequence[payloads.Judged]


def look(access: Access, rules: containers.Rules, now: float) -> Found:
    """Judge all containers and payloads of this deployment; changes nothing; raises `OperationError`."""
    # Objects first, then ECS, then the rows: whatever is launched in between is protected by what is read later.
    location = access.configuration.settings.payload_bucket
    objects = list(access.aws.objects(location)) if location else []
    tasks = access.tasks()
    facts = read_facts(tasks, access.deployment)
    shown = containers.live_ids(facts.live)
    unseen = {each for each in shown if each.startswith("arn:")} - {task.arn for task in tasks}
    elsewhere = access.named(sorted(unseen))
    tasks += elsewhere
    judged = containers.judge_all(tasks, facts, rules, now)
    live_runs = shown | {task.started_by.rpartition("/")[2] for task in tasks}
    all_seen = unseen == {task.arn for task in elsewhere}
    return Found(
        judged,
        payloads.judge_all(objects, location or "", live_runs, now, all_seen=all_seen) if location else [],
    )


def stop_again_judged(
    access: Access, rules: containers.Rules, judged: Sequence[containers.Judged], now: float
) -> list[str]:
    """Stop the containers that a second look condemns, too; return the ARNs of those that were stopped.

    The first look may be minutes old by now: somebody has read its list.
    """
    doomed = {each.task.arn for each in judged if each.is_to_stop}
    if not doomed:
        return []
    again = [
        each for each in look(access, rules, now).containers if each.is_to_stop and each.task.arn in doomed
    ]
    for each in again:
        access.aws.stop(each.task, f"Swept by ecs-async: {each.verdict.value}.")
    return [each.task.arn for each in again]
