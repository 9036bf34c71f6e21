"""The sweep: reads ECS, S3 and the rows, has the tables judge, and acts on what they say if it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ecs_async_executor.engine.images import FAMILIES
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.operate import containers, payloads, revisions
from ecs_async_executor.operate.access import Access, all_configurations
from ecs_async_executor.operate.aws import StoredObject
from ecs_async_executor.operate.facts import read_facts
from ecs_async_executor.standby.command import folders, is_lease


@dataclass(frozen=True, slots=True)
class Found:
    """What one look found."""

    containers: Sequence[containers.Judged]
    payloads: Sequence[payloads.Judged]
    revisions: Sequence[revisions.Judged] = ()


def look(access: Access, rules: containers.Rules, now: float, *, images: bool = False) -> Found:
    """Judge all containers and payloads of this deployment, with `images` also the revisions that were registered for images.

    Changes nothing; raises `OperationError`.
    """
    # Objects first, then ECS, then the rows: whatever is launched in between is protected by what is read later.
    location = access.configuration.settings.payload_bucket
    objects = _objects(access)
    registered = list(_registered(access)) if images else []
    judged, live_runs, all_seen = _look_at_containers(access, rules, now, objects)
    live = {each.task.family for each in judged}
    return Found(
        judged,
        payloads.judge_all(objects, location or "", live_runs, now, all_seen=all_seen) if location else [],
        revisions.judge_all(registered, access.deployment, live, _named(access), now) if images else [],
    )


def act(access: Access, rules: containers.Rules, found: Found, clock: Callable[[], float]) -> Iterator[str]:
    """Stop and delete what is to go; yield each ARN and URL once that is done; raises `OperationError` at the first that can't be."""
    yield from _stop(access, rules, found.containers, clock)
    # A run that is over stays over, so its payload needs no second look.
    for each in found.payloads:
        if each.is_to_delete:
            access.aws.delete(each.object.url)
            yield each.object.url
    # If a run wants one just now, RunTask refuses it, and the run's next launch registers another one.
    for revision in found.revisions:
        if revision.is_to_deregister:
            access.aws.deregister(revision.revision.arn)
            yield revision.revision.arn


def _registered(access: Access) -> Iterator[revisions.Registered]:
    for family in access.aws.families(FAMILIES):
        yield revisions.registered(access.aws.definition(family))


def _named(access: Access) -> set[tuple[str, str]]:
    """Return definition (`family:revision`) and image of the profiles that name an image, of all teams.

    Teams may share the account and the deployment. What a team of another account names is in the set, too: it keeps a
    revision here only if that has the same name.
    """
    named = set()
    for configuration in (access.configuration, *all_configurations()):
        for profile in configuration.profiles:
            try:
                request = profile.request(["airflow"], None)
            except InvalidRequestError:  # it launches nothing
                continue
            if request.image:
                named.add((str(request.body["taskDefinition"]).rpartition("/")[2], request.image))
    latest = {name: access.aws.latest(name) for name, _ in named if ":" not in name}
    return {(latest.get(name) or name, image) for name, image in named}


def _stop(
    access: Access, rules: containers.Rules, judged: Sequence[containers.Judged], clock: Callable[[], float]
) -> Iterator[str]:
    """Stop the containers that a second look condemns, too: the first may have taken minutes."""
    doomed = {each.task.arn for each in judged if each.is_to_stop}
    if not doomed:
        return
    has_standbys = any(each.verdict is containers.Verdict.FORSAKEN for each in judged)
    objects = _objects(access) if has_standbys else []
    again, _, _ = _look_at_containers(access, rules, clock(), objects)
    for each in again:
        if each.is_to_stop and each.task.arn in doomed:
            access.aws.stop(each.task, f"Swept by ecs-async: {each.verdict.value}.")
            yield each.task.arn


def _look_at_containers(
    access: Access, rules: containers.Rules, now: float, objects: Sequence[StoredObject]
) -> tuple[list[containers.Judged], set[str], bool]:
    """Judge the containers; return also the run ids of all that lives, and whether ECS shows every task that rows name."""
    tasks = access.tasks()
    facts = replace(read_facts(tasks, access.deployment), leases=_leases(access, objects))
    shown = containers.live_ids(facts.live)
    unseen = {each for each in shown if each.startswith("arn:")} - {task.arn for task in tasks}
    others = access.named(sorted(unseen)).tasks
    tasks += others
    live_runs = shown | {task.started_by.rpartition("/")[2] for task in tasks}
    live_runs |= {task.standby.own for task in tasks if task.standby is not None}
    all_seen = unseen == {task.arn for task in others}
    return containers.judge_all(tasks, facts, rules, now), live_runs, all_seen


def _objects(access: Access) -> list[StoredObject]:
    """Return what is stored in S3 for containers: payloads, standbys' workloads, leases."""
    location = access.configuration.settings.payload_bucket
    return [each for under in folders(location) for each in access.aws.objects(under)] if location else []


def _leases(access: Access, objects: Sequence[StoredObject]) -> containers.Leases | None:
    """Return the leases among the bucket's objects; None if there are none, as if nobody had looked."""
    location = access.configuration.settings.payload_bucket
    if not location or not objects:
        return None
    return containers.Leases(location, {each.url: each.changed_at for each in objects if is_lease(each.url)})
