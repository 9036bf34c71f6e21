"""What must hold in every world, whatever fails in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from ecs_async_executor.standby.command import LEASE_SECONDS
from tests.property.simulation.ecs import NEVER, Conditions, EcsTask
from tests.property.simulation.setup import IMAGES, MAX_AGE
from tests.property.simulation.world import LAST_LOOK, SHORT_FAULT, Circumstances, World

SOON = 15.0
"""Seconds in which a standby finds its workload, if nothing fails: it looks each second, and its calls take some."""
READY_AFTER = 150.0
"""Seconds after which the first standbys are ready, if nothing fails."""


def violations(world: World) -> Iterator[tuple[str, object]]:
    """Yield the name of each invariant that doesn't hold, with what was seen."""
    yield from _of_containers(world)
    yield from _of_standbys(world)
    yield from _of_revisions(world)
    if world.is_hopeless:
        if not world.is_over:
            yield "each task is given up", world.airflow.rows
        return
    yield from _of_tasks(world)
    yield from _of_objects(world)
    if is_calm(world):
        yield from _of_service(world)


def is_calm(world: World) -> bool:
    """Return whether nothing fails in it."""
    calm = Conditions(lag=world.of_aws.lag, latency=world.of_aws.latency)
    undisturbed = Circumstances(
        standby=world.circumstances.standby, schedulers=world.circumstances.schedulers
    )
    same = replace(world.of_aws, faulty_until=0.0) == calm
    return same and world.circumstances == undisturbed


def _is_given_up(world: World) -> bool:
    """Return whether the engine gives up runs whose task it can't see, which costs a try."""
    return world.of_aws.faulty > 0 and world.of_aws.faulty_until > SHORT_FAULT


def _of_containers(world: World) -> Iterator[tuple[str, object]]:
    containers, airflow = world.containers, world.airflow
    if containers.duplicates:
        yield "one container at a time has a queueing's workload", containers.duplicates
    if containers.wrong_images:
        yield "each task runs in its queue's image", containers.wrong_images
    if containers.too_small:
        yield "no task gets the memory again that was too little", containers.too_small
    if containers.killed:
        yield "no container is stopped while its task runs", containers.killed
    again = {queueing: count for queueing, count in containers.asked.items() if count > 1 and queueing}
    if again:
        yield "one container of each queueing asks Airflow to start", again
    if not all(count == 1 for count in airflow.code_runs.values()):
        yield "code runs once", airflow.code_runs


def _of_standbys(world: World) -> Iterator[tuple[str, object]]:
    standbys = [task for task in world.ecs.tasks if task.is_standby]
    arns = {task.arn for task in standbys}
    if world.containers.unnamed:
        yield "the row names the standby before the standby has the workload", world.containers.unnamed
    shared = {url: readers for url, readers in world.containers.readers.items() if len(readers) > 1}
    if shared or len({task.url for task in standbys}) < len(standbys):
        yield "each standby has an object of its own", shared
    if world.s3.overwritten:
        yield "a standby's object is written once", world.s3.overwritten
    of_two = {arn: runs for arn, runs in world.airflow.shown.items() if arn in arns and len(runs) > 1}
    if of_two:
        yield "a standby serves one run", of_two
    if old := [task.arn for task in standbys if _idle_for(world, task) > MAX_AGE + LAST_LOOK]:
        yield "no standby waits for longer than its max_age", old
    late = [task.arn for task in standbys if _outlives(world, task)]
    if late and not _may_not_be_seen(world):
        yield "no standby outlives its lease", late
    if world.is_over and not world.is_hopeless and (left := list(world.ecs.alive)):
        yield "no standby outlives its scheduler for long", left
    if world.too_many and not _may_lose_launches(world):
        yield "no engine keeps more standbys than it is to", world.too_many


def _idle_for(world: World, task: EcsTask) -> float:
    """Return the seconds for which a standby has waited for its workload."""
    if task.began_at == inf:
        return 0.0
    until = min(task.served_at, world.now() if task.stopped_at is None else task.stopped_at)
    return until - task.began_at


def _outlives(world: World, task: EcsTask) -> bool:
    """Return whether a standby waited on although its lease had run out."""
    if task.began_at == inf or task.served_at < inf:
        return False
    written, deleted = world.s3.modified.get(task.lease, 0.0), world.s3.deleted.get(task.lease, inf)
    runs_out = deleted if deleted >= written and deleted < inf else written + LEASE_SECONDS
    until = world.now() if task.stopped_at is None else task.stopped_at
    return until > max(runs_out, task.began_at) + LAST_LOOK


def _may_not_be_seen(world: World) -> bool:
    """Return whether a standby may look at its lease in vain, again and again: that means nothing to it."""
    aws = world.of_aws
    return bool(aws.lost or aws.unreachable or aws.s3_down != NEVER)


def _may_lose_launches(world: World) -> bool:
    """Return whether the engine may give up a standby's launch that ECS has carried out: it ends by itself."""
    aws = world.of_aws
    return bool(aws.lost or aws.broken or aws.blocked or aws.faulty)


def _of_revisions(world: World) -> Iterator[tuple[str, object]]:
    if world.circumstances.schedulers > 1 or world.of_aws.deployed:
        return  # two may register the same at the same time
    families = [each.task_definition["family"] for each in world.ecs.definitions.registered]
    if not len(families) == len(set(families)) <= len(IMAGES):
        yield "each image is registered once", families


def _of_tasks(world: World) -> Iterator[tuple[str, object]]:
    if wrong := [row for row in world.airflow.rows if row.state != (row.marked or "success")]:
        yield "each task ends as it should", wrong
    for row in world.airflow.rows:
        lost = row.try_number - (1 + row.deaths + row.clears)
        if lost and not (lost > 0 and _is_given_up(world)):
            yield "no try is lost", f"{row.name}: {lost}"
    if world.airflow.resets:
        yield "each orphan is adopted", world.airflow.resets
    if world.airflow.wrongly_failed:
        yield "no task is failed while it runs", world.airflow.wrongly_failed
    if not world.is_over:
        yield "everything ends in time", world.ecs.tasks


def _of_objects(world: World) -> Iterator[tuple[str, object]]:
    circumstances, aws = world.circumstances, world.of_aws
    if circumstances.deadly or circumstances.blocked or circumstances.accidents or _is_given_up(world):
        return
    if world.containers.unfetched:
        yield "each container finds its workload", world.containers.unfetched
    objects = [url for url in world.s3.objects if "/standby/lease-" not in url]
    if objects and not (aws.late or aws.s3_down != NEVER or aws.s3_denied != NEVER):
        yield "nothing but leases is left in S3", objects


def _of_service(world: World) -> Iterator[tuple[str, object]]:
    """Yield what only holds where nothing fails: standbys do serve, and what is handed over is started."""
    standbys = {task.arn: task for task in world.ecs.tasks if task.is_standby}
    named = [arn for arn in world.airflow.shown if arn in standbys]
    if wasted := [arn for arn in named if standbys[arn].payload is None]:
        yield "a standby that a row names starts its task", wasted
    if lazy := [arn for arn in named if not world.containers.asked[standbys[arn].queueing]]:
        yield "a standby that a row names starts its task", lazy
    served = [task for task in standbys.values() if task.served_at < inf]
    if slow := [task.arn for task in served if task.served_at - world.s3.created[task.url or ""] > SOON]:
        yield "a standby finds its workload within seconds", slow
    expected = [
        row
        for row in world.airflow.rows
        if row.due_at > READY_AFTER and row.queue != "long" and row.executor_config is None
    ]
    if world.circumstances.standby and expected and not named:
        yield "standbys serve", expected
