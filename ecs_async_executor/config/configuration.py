"""The complete configuration: read and checked, with all problems reported in one error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from ecs_async_executor.config.delivery import SHORTEST_WORKLOAD, Bucket, Delivery, in_command
from ecs_async_executor.config.executor_names import executor_names
from ecs_async_executor.config.heartbeats import Heartbeats, read_heartbeats
from ecs_async_executor.config.profiles import Profile, Profiles, make_profiles
from ecs_async_executor.config.reading import options_of_unknown_teams, read_options, strange_names
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.sources import Conf, Found, airflow_conf, seconds, team_of
from ecs_async_executor.config.standby import number_warnings, pools_of
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import StandbyPool

LONGEST_QUEUED = "its capacity_timeout, those of its fallbacks, and one slow start (launch_timeout)"
"""What `Profile.longest_queued` adds up, in words."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration. Reading it calls no AWS API."""

    settings: Settings
    found: Mapping[str, Found]
    """Where each option is set, for those that are."""
    profiles: Profiles
    bucket: Bucket | None
    """Where workloads that are too long for RunTask go, and those of standbys."""
    queued_timeout: float
    """`[scheduler] task_queued_timeout`, in seconds."""
    heartbeats: Heartbeats
    warnings: tuple[str, ...]
    """Probable mistakes."""
    standby_pools: tuple[StandbyPool, ...] = ()
    """The standbys to keep."""
    parallelism: int = 0
    """`[core] parallelism`; 0: no limit, or no number."""


def read_configuration(conf: Conf) -> Configuration:
    """Read and check everything; raises one `OptionsError` that lists every problem."""
    settings, found, problems = read_options(conf)
    airflow = airflow_conf()  # a team's conf has only defaults where the scheduler has options
    default_queue = airflow.get("operators", "default_queue", fallback="default") or "default"
    bucket = Bucket(settings.payload_bucket, settings.region_name) if settings.payload_bucket else None
    standby_pools: tuple[StandbyPool, ...] = ()
    try:
        profiles = make_profiles(
            settings,
            found,
            default_queue=default_queue,
            team=team_of(conf),
            environment=executor_names(airflow),
        )
        if bucket is not None or "payload_bucket" not in found:  # a wrong one is among the problems
            standby_pools = pools_of(profiles, bucket, found, team=team_of(conf))
    except OptionsError as error:
        problems += error.problems
    queued_timeout = seconds(airflow, "scheduler", "task_queued_timeout", 600.0, problems)
    heartbeats = read_heartbeats(airflow, problems)
    if problems:
        raise OptionsError(problems)
    strange = (*strange_names(conf), *options_of_unknown_teams())
    slots = str(airflow.get("core", "parallelism", fallback=None) or 32).strip()
    parallelism = int(slots) if slots.isdecimal() else 0
    warnings = (
        *strange,
        *_of_requests(profiles, bucket),
        *time_warnings(profiles, queued_timeout),
        *number_warnings(standby_pools, parallelism),
    )
    return Configuration(
        settings, found, profiles, bucket, queued_timeout, heartbeats, warnings, standby_pools, parallelism
    )


def _of_requests(profiles: Profiles, bucket: Bucket | None) -> Iterator[str]:
    """Yield problems that only a task's executor_config can fix, each once even if all queues have it."""
    workload = "x" * SHORTEST_WORKLOAD
    deliver = Delivery(bucket, str(UUID(int=0)), workload) if bucket else None
    seen = set()
    for profile in profiles:
        try:
            profile.request(in_command(workload), None, deliver=deliver)
        except InvalidRequestError as error:
            if str(error) not in seen:
                seen.add(str(error))
                whose = f"Tasks of the queue {profile.name}" if profile.name else "Tasks"
                yield f"{whose} can't be launched unless their executor_config changes that. {error}"


def time_warnings(profiles: Profiles, queued_timeout: float) -> Iterator[str]:
    """Yield a warning if Airflow gives up on a queued task before the executor does; `queued_timeout` is in seconds."""
    longest: Profile = max(profiles, key=lambda profile: profile.longest_queued)
    if queued_timeout < longest.longest_queued:
        whose = f" of the queue {longest.name}" if longest.name else ""
        yield (
            f"Airflow requeues a task that is queued for longer than [scheduler] task_queued_timeout ({queued_timeout:.0f} s),"
            f" and fails it the third time. A task{whose} may be queued for {longest.longest_queued:.0f} s and still start: {LONGEST_QUEUED}."
            f" Set task_queued_timeout to at least {longest.longest_queued:.0f}."
        )
