"""The clusters and their tasks: everything ECS stores."""

from __future__ import annotations

import itertools
import json
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ecs_async_executor.local.rules.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ecs_async_executor.local.state.definitions import TaskDefinition
    from ecs_async_executor.local.state.lifecycle import Course, Timeline

# Amazon ECS API Reference, "DescribeTasks": stopped tasks appear for at least one hour.
STOPPED_KEPT = 3600.0
# Amazon ECS API Reference, "Ensuring idempotency": min(24 h, the task's life + 1 h).
TOKEN_LIFE = 24 * 3600.0
TOKEN_AFTER_STOP = 3600.0
_EVICT_EVERY = 1024


@dataclass(slots=True, eq=False, repr=False)
class Task:
    """An ECS task. `static` is the part of its description that never changes; `described` caches the rest.

    `main` is the launch's main container, which decides the end of a simulated task.

    There is no generated repr, because overrides contain secrets.
    """

    id: str
    arn: str
    sequence: int
    cluster: str
    definition: TaskDefinition
    main: str
    containers: tuple[str, ...]
    timeline: Timeline
    course: Course
    static: Mapping[str, Any]
    started_by: str
    client_token: str
    tags: list[dict[str, str]]
    static_json: bytes = b""
    described: tuple[tuple[int, bool], bytes] | None = None

    def __post_init__(self) -> None:
        self.static_json = json.dumps(self.static).encode()

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The overrides as ECS shows them, with an entry for every container."""
        overrides: Mapping[str, Any] = self.static["overrides"]
        return overrides

    def gone(self, now: float) -> bool:
        """Tell whether DescribeTasks no longer shows this task."""
        return self.timeline.stopped_at + STOPPED_KEPT < now


@dataclass(frozen=True, slots=True)
class Token:
    """The request and the response of a clientToken."""

    fingerprint: bytes
    tasks: tuple[Task, ...]
    failures: tuple[Mapping[str, str], ...]
    created_at: float

    def expired(self, now: float) -> bool:
        """Tell whether ECS no longer knows this token."""
        last_stop = max((task.timeline.stopped_at for task in self.tasks), default=self.created_at)
        return now > min(self.created_at + TOKEN_LIFE, last_stop + TOKEN_AFTER_STOP)


@dataclass(slots=True)
class Started:
    """How many tasks of one startedBy were launched, and how many of them ever ran."""

    tasks: int = 0
    ran: int = 0


@dataclass(slots=True, eq=False)
class Cluster:
    """A cluster: its tasks by id, by startedBy and in order of creation."""

    name: str
    arn: str
    default_strategy: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    in_order: list[Task] = field(default_factory=list)
    by_started_by: dict[str, list[Task]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    forgotten: dict[str, Started] = field(default_factory=dict)
    launched: int = 0

    def add(self, task: Task, now: float) -> None:
        """Add a task; from time to time, drop tasks that DescribeTasks no longer shows."""
        self.tasks[task.id] = task
        self.in_order.append(task)
        self.by_started_by.setdefault(task.started_by, []).append(task)
        self.launched += 1
        if self.launched % _EVICT_EVERY == 0:
            self._evict(now)

    def find(self, name: str) -> Task | None:
        """Look up a task by id or ARN."""
        return self.tasks.get(name.rpartition("/")[2])

    def after(self, sequence: int, started_by: str | None) -> Iterator[Task]:
        """Yield the tasks created after number `sequence`, of one startedBy or of all."""
        tasks = self.in_order if started_by is None else self.by_started_by.get(started_by, [])
        return itertools.islice(tasks, bisect_right(tasks, sequence, key=attrgetter("sequence")), None)

    def token(self, name: str, now: float) -> Token | None:
        """Look up a clientToken that hasn't expired."""
        token = self.tokens.get(name)
        return None if token is None or token.expired(now) else token

    def count_into(self, history: dict[str, Started], now: float) -> None:
        """Add to `history`, per startedBy, the tasks ever launched and those that ever started running."""
        for name, past in self.forgotten.items():
            entry = history.setdefault(name, Started())
            entry.tasks += past.tasks
            entry.ran += past.ran
        for name, tasks in self.by_started_by.items():
            _count(history, name, tasks, now)

    def _evict(self, now: float) -> None:
        old = [task for task in self.tasks.values() if task.gone(now)]
        for task in old:
            del self.tasks[task.id]
            same = self.by_started_by[task.started_by]
            same.remove(task)
            if not same:
                del self.by_started_by[task.started_by]
            _count(self.forgotten, task.started_by, [task], now)
        self.in_order = list(self.tasks.values())
        for name in [name for name, token in self.tokens.items() if token.expired(now)]:
            del self.tokens[name]


class Store:
    """All clusters of one account and Region."""

    def __init__(self, region: str, account: str, names: Iterable[str]) -> None:
        self.region, self.account = region, account
        self._arn_prefix = f"arn:aws:ecs:{region}:{account}:"
        self._sequence = itertools.count(1)
        self.clusters: dict[str, Cluster] = {}
        for name in ("default", *names):
            self.ensure_cluster(name)

    def ensure_cluster(self, name: str) -> Cluster:
        """Return the cluster of this name; create it if it doesn't exist."""
        if name not in self.clusters:
            self.clusters[name] = Cluster(name, self.cluster_arn(name))
        return self.clusters[name]

    def cluster_arn(self, name: str) -> str:
        """Return the ARN of a cluster, whether it exists or not."""
        return f"{self._arn_prefix}cluster/{name}"

    def cluster(self, name: str | None) -> Cluster:
        """Look up a cluster by name or ARN; None means `default`.

        Raises:
            AwsError: ClusterNotFoundException.
        """
        found = self.clusters.get((name or "default").rpartition("/")[2])
        if found is None:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def task_arn(self, cluster: Cluster, task_id: str) -> str:
        """Return the (long) ARN of a task."""
        return f"{self._arn_prefix}task/{cluster.name}/{task_id}"

    def next_sequence(self) -> int:
        """Return the next task's number in order of creation."""
        return next(self._sequence)

    def all_tasks(self) -> Iterator[Task]:
        """Yield every task of every cluster."""
        for cluster in self.clusters.values():
            yield from cluster.tasks.values()

    def forget_tasks(self) -> None:
        """Remove all tasks, tokens and history from every cluster."""
        for name, cluster in self.clusters.items():
            self.clusters[name] = Cluster(name, cluster.arn, cluster.default_strategy)


def _count(history: dict[str, Started], name: str, tasks: Iterable[Task], now: float) -> None:
    entry = history.setdefault(name, Started())
    for task in tasks:
        entry.tasks += 1
        entry.ran += task.timeline.started_at <= now
