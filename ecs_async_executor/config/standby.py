"""The pools of standbys that profiles ask for, and which of them may serve a run. Pure.

A standby serves a run only if their requests are equal apart from the command. A pool belongs to a profile, and all queues
that get the profile share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from ecs_async_executor.cold_starts import EXECUTOR_CONFIG, FALLBACK, MEMORY
from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.config.explain import origin_of
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.config.reading import origin
from ecs_async_executor.config.sources import Found
from ecs_async_executor.config.task_tags import TagTemplate, TaskFacts, names_in
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import Request, StandbyPool
from ecs_async_executor.standby.command import lease_url, object_url, standby_command

_WILDCARDS = frozenset("*?[")
"""What makes a profile's name a pattern (fnmatch)."""
_WITHOUT_BUCKET = "standbys get their tasks through S3. Set payload_bucket, with the permissions that docs/long-workloads.md names; or remove standby."


def pools_of(
    profiles: Profiles,
    bucket: Bucket | None,
    found: Mapping[str, Found] | None = None,
    *,
    team: str | None = None,
) -> tuple[StandbyPool, ...]:
    """Return a pool for each profile with `standby`; raises `OptionsError` with every reason why one can't work.

    `found` holds where each option is set, `team` is the executor's.
    """
    found = found or {}
    pools: list[StandbyPool] = []
    problems: list[str] = []
    for profile in profiles:
        if not profile.standby:
            continue
        wrong = [*_problems(profile, profiles)]
        unlaunchable = _unlaunchable(profile)
        wrong += unlaunchable
        if bucket is None:
            wrong.append(_WITHOUT_BUCKET)
        else:
            pool = _pool(profile, profiles, bucket, found, team)
            wrong += _misfit(pool) if not unlaunchable else ()
            pools.append(pool)
        of_queue = f"{origin('queues', found, team)}: {profile.name}: standby"
        where = of_queue if profile.name else origin("standby", found, team)
        problems += [f"{where}: {each}" for each in wrong]
    if problems:
        raise OptionsError(problems)
    return tuple(pools)


def number_warnings(pools: Iterable[StandbyPool], parallelism: int) -> Iterator[str]:
    """Yield a warning for each pool with more standbys than `[core] parallelism` (0: no limit) lets tasks run at once."""
    for pool in pools:
        if 0 < parallelism < pool.count:
            yield (
                f"standby of the queue {pool.queue} is {pool.count}, and [core] parallelism is {parallelism}: this scheduler "
                "runs no more tasks at once than that, so the other standbys only cost. Lower standby, or raise parallelism."
            )


def pool_for(
    profiles: Profiles,
    queue: str,
    executor_config: object = None,
    *,
    fallbacks: int = 0,
    outgrown: int = 0,
) -> tuple[str, str]:
    """Return the name of the pool that may serve a run; or an empty name, and the reason for people, a clause.

    `fallbacks` and `outgrown` (MiB) are those of `Profiles.of`.
    """
    own = profiles.of(queue)
    if not own.standby:
        return "", "its queue keeps no standbys"
    profile = profiles.of(queue, fallbacks, outgrown)
    if profile is not own:
        has_grown = profile.name == own.name
        return "", MEMORY if has_grown else f"{FALLBACK} {profile.name}"
    if executor_config is not None and executor_config != {}:
        return "", EXECUTOR_CONFIG
    return _name(own, profiles), ""


def _name(profile: Profile, profiles: Profiles) -> str:
    # `_problems` sees to it that no profile is called like the default queue if the default profile has standbys.
    return profile.name or profiles.default_queue


def _pool(
    profile: Profile, profiles: Profiles, bucket: Bucket, found: Mapping[str, Found], team: str | None
) -> StandbyPool:
    name, template = _name(profile, profiles), profile.template
    facts = TaskFacts(queue=profile.name if _has_one_queue(profile) else "", team=team or "")
    where = partial(origin_of, layers=template.layers, container=template.container, found=found)

    def build(object_url: str, lease_url: str) -> Request:
        command = standby_command(bucket.region, profile.standby_max_age, lease_url, object_url)
        return replace(profile.request(command, None, facts=facts), origin=where)

    return StandbyPool(
        name,
        profile.standby,
        profile.standby_max_age,
        build,
        template.cluster,
        template.container,
        bucket.location,
        launch_timeout=profile.launch_timeout,
        queue=name,
        room=template.room(None),
    )


def _has_one_queue(profile: Profile) -> bool:
    """Return whether all tasks with this profile have the queue of its name."""
    return bool(profile.name) and _WILDCARDS.isdisjoint(profile.name)


def _problems(profile: Profile, profiles: Profiles) -> Iterator[str]:
    """Yield why standbys of this profile would serve no task."""
    of_default_queue = profiles.of(profiles.default_queue)
    if not profile.name and of_default_queue is not profile:
        yield (
            f"Airflow's default queue has the profile {of_default_queue.name}, so these standbys would wait for tasks whose "
            "queue nobody knows. Set standby in profiles instead."
        )
    known = {"team", *(("queue",) if _has_one_queue(profile) else ())}
    values = {tag["key"]: tag.get("value") for tag in profile.template.tags}
    names = {
        key: [name for name in names_in(value.template) if name not in known]
        for key, value in values.items()
        if isinstance(value, TagTemplate)
    }
    varying = {key: each for key, each in names.items() if each}
    if varying:
        shown = ", ".join(
            f"{key} ({', '.join(f'{{{name}}}' for name in each)})" for key, each in varying.items()
        )
        without = ", ".join(f'"{key}": null' for key in varying)
        remedy = (
            f'Add "task_tags": {{{without}}} to the profile' if profile.name else "Take them out of task_tags"
        )
        yield f"a standby is tagged before it has a task, and these tags differ from task to task: {shown}. {remedy}, or remove standby."


def _unlaunchable(profile: Profile) -> list[str]:
    """Return why ECS would start no task with this profile, not even with the shortest command, if that is so.

    For tasks that is only a warning, because their executor_config may change it; a standby has none.
    """
    try:
        profile.request(["airflow"], None)
    except InvalidRequestError as error:
        return [f"no standby can be launched. {error} Or remove standby."]
    return []


def _misfit(pool: StandbyPool) -> Iterator[str]:
    """Yield a problem if the waiting command has no room beside the profile's overrides."""
    name = "0" * 32  # each standby's is as long
    try:
        pool.build(object_url(pool.location, name), lease_url(pool.location, name))
    except InvalidRequestError as error:
        yield (
            f"the command that waits for a task has no room. {error.problem} Shorten the profile's overrides, such as "
            "environment, or put them into the task definition; or remove standby."
        )
