"""What the commands of operation share: the executor's configuration, AWS, and this deployment's ECS tasks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow.executors.base_executor import ExecutorConf

from ecs_async_executor.config.configuration import Configuration, read_configuration
from ecs_async_executor.config.reading import unknown_team
from ecs_async_executor.config.sources import known_teams
from ecs_async_executor.errors import ConfigurationError, OperationError
from ecs_async_executor.fleet.executors import find_our_executors
from ecs_async_executor.operate.aws import Aws, Sought
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.task_arn import TaskArn

_WHOLE_ID = 32
"""Characters of an ECS task's id."""


@dataclass(frozen=True, slots=True)
class Access:
    """The executor's configuration on this host, and AWS by it."""

    configuration: Configuration
    aws: Aws

    @property
    def deployment(self) -> str:
        """The prefix of `startedBy`: `airflow/<deployment>`."""
        return self.configuration.settings.engine_options.started_by

    @property
    def clusters(self) -> tuple[str, ...]:
        """The clusters of the options and of all queues' profiles, the default profile's first; each once, by name or ARN."""
        named: dict[str, str] = {}
        for profile in self.configuration.profiles:
            named.setdefault(name_of(profile.template.cluster), profile.template.cluster)
        return tuple(named.values())

    def tasks(self) -> list[EcsTask]:
        """Return all tasks in the clusters that nobody has told to stop, others' as well: what is ours, `startedBy` tells."""
        return [
            task
            for cluster in self.clusters
            for task in self.aws.describe(cluster, dict.fromkeys(self.aws.list_tasks(cluster)))
        ]

    def ended_tasks(self) -> list[EcsTask]:
        """Return all tasks in the clusters that have ended, or were told to, as long as ECS lists them."""
        return [
            task
            for cluster in self.clusters
            for task in self.aws.describe(cluster, dict.fromkeys(self.aws.list_tasks(cluster, "STOPPED")))
        ]

    def named(self, arns: Iterable[str]) -> Sought:
        """Return what ECS tells about ARNs that rows show: of stopped tasks, of other clusters, and of other executors.

        `tasks` misses those that an `executor_config` has sent to a cluster of its own, and those just launched.
        """
        return self.aws.seek(arns)

    def find(self, what: str) -> EcsTask:
        """Return one of this deployment's tasks by its ARN, its id, or the first characters of its id."""
        parsed = TaskArn.parse(what)
        clusters = self.clusters if parsed is None or parsed.cluster is None else (parsed.cluster,)
        wanted = what if parsed is None else parsed.task_id
        if len(wanted) < _WHOLE_ID:
            live = {cluster: dict.fromkeys(self.aws.list_tasks(cluster)) for cluster in clusters}
            found = [
                task
                for cluster, arns in live.items()
                for task in self.aws.describe(
                    cluster, [arn for arn in arns if _id_of(arn).startswith(wanted)]
                )
            ]
        else:
            found = [task for cluster in clusters for task in self.aws.describe(cluster, [what])]
        return as_one(found, what)

    def container_names(self) -> frozenset[str]:
        """Return the containers that run Airflow, by the options and the profiles."""
        return frozenset(profile.template.container for profile in self.configuration.profiles)


def all_configurations() -> list[Configuration]:
    """Read the configurations of all teams that have this executor, and the general one; raises `ConfigurationError`."""
    teams = find_our_executors().teams
    return [read_configuration(ExecutorConf(team)) for team in sorted(teams, key=lambda team: team or "")]


def open_access(team: str | None) -> Access:
    """Read the configuration; raises `ConfigurationError`. Calls neither AWS nor the database."""
    if team is not None and team not in known_teams():
        raise ConfigurationError(unknown_team(team))
    configuration = read_configuration(ExecutorConf(team))
    return Access(configuration, Aws(configuration.settings))


def name_of(cluster: str) -> str:
    """Return a cluster's name, from its name or its ARN."""
    return cluster.rpartition("/")[2]


def as_one(found: list[EcsTask], what: str) -> EcsTask:
    """Return the only task; raises `OperationError` if there are none or several."""
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(task.task_id for task in found)
        raise OperationError(f"{what} is the beginning of several ECS tasks: {ids}. Write more of it.")
    raise OperationError(
        f"ECS shows no task {what} of this Airflow. It forgets a task about an hour after its end, and knows none of another "
        "account or Region; `ecs-async tasks` lists those that live."
    )


def _id_of(arn: str) -> str:
    return arn.rpartition("/")[2]
