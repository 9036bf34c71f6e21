"""The sweep: reads ECS, S3 and the rows, has the tables judge, and acts on what they say if it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    judged, live_runs, all_seen = _look_at_containers(access, rules, now)
    return Found(
        judged,
        payloads.judge_all(objects, location or "", live_runs, now, all_seen=all_seen) if location else [],
    )


def act(access: Access, rules: containers.Rules, found: Found, clock: Callable[[], float]) -> Iterator[str]:
    """Stop and delete what is to go; yield each ARN and URL once that is done; raises `OperationError` at the first that can't be."""
    yield from _stop(access, rules, found.containers, clock)
    # A run that is over stays over, so its payload needs no second look.
    for each in found.payloads:
        if each.is_to_delete:
            access.aws.delete(each.object.url)
            yield each.object.url


def _stop(
    access: Access, rules: containers.Rules, judged: Sequence[containers.Judged], clock: Callable[[], float]
) -> Iterator[str]:
    """Stop the containers that a second look condemns, too: the first may have taken minutes."""
    doomed = {each.task.arn for each in judged if each.is_to_stop}
    if not doomed:
        return
    again, _, _ = _look_at_containers(access, rules, clock())
    for each in again:
        if each.is_to_stop and each.task.arn in doomed:
            access.aws.stop(each.task, f"Swept by ecs-async: {each.verdict.value}.")
            yield each.task.arn


def _look_at_containers(
    access: Access, rules: containers.Rules, now: float
) -> tuple[list[containers.Judged], set[str], bool]:
    """Judge the containers; return also the run ids of all that lives, and whether ECS shows every task that rows name."""
    tasks = access.tasks()
    facts = read_facts(tasks, access.deployment)
    shown = containers.live_ids(facts.live)
    unseen = {each for each in shown if each.startswith("arn:")} - {task.arn for task in tasks}
    elsewhere = access.named(sorted(unseen))
    tasks += elsewhere
    live_runs = shown | {task.started_by.rpartition("/")[2] for task in tasks}
    all_seen = unseen == {task.arn for task in elsewhere}
    return containers.judge_all(tasks, facts, rules, now), live_runs, all_seen
