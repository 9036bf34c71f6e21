"""What is found when all is over: ECS tasks, queueings, task instances."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.journal import SENT, Line

Task = tuple[str, int]
"""Task id and map index."""


@dataclass(frozen=True)
class End:
    """Where a task instance is at the end."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int


@dataclass(frozen=True)
class Container:
    """An ECS task at the end. Times are epoch seconds."""

    arn: str
    started_by: str
    client_token: str
    created_at: float
    started_at: float | None
    stopped_at: float = math.inf
    """Infinite while it lives."""
    stop_code: str = ""
    memory: int = 0
    """MiB."""

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> Container:
        """Read one from the local ECS's answer, in DescribeTasks' shape."""
        return cls(
            arn=task["taskArn"],
            started_by=task["startedBy"],
            client_token=task["clientToken"],
            created_at=task["createdAt"],
            started_at=task.get("startedAt"),
            stopped_at=task["stoppedAt"] if task["lastStatus"] == "STOPPED" else math.inf,
            stop_code=task.get("stopCode", ""),
            memory=int(task.get("memory", 0)),
        )

    @property
    def id(self) -> str:
        """The last part of its ARN: what it calls itself in the journal."""
        return self.arn.rpartition("/")[2]

    @property
    def stopped(self) -> bool:
        """Whether it has ended."""
        return self.stopped_at < math.inf

    @property
    def was_told_to_stop(self) -> bool:
        """Whether a StopTask call has ended it."""
        return self.stop_code == "UserInitiated"

    @property
    def failed_to_start(self) -> bool:
        """Whether its end is none of ours and its command never ran: then it is right to start another one."""
        return self.stopped and self.started_at is None and not self.was_told_to_stop


@dataclass(frozen=True)
class Queueing:
    """One time that a task instance went to QUEUED."""

    ti_id: str
    number: int


class Queueings:
    """All queueings of all task instances, by the times (epoch seconds) at which their rows were QUEUED."""

    def __init__(self, queued: Iterable[tuple[str, float]]) -> None:
        self._times: dict[str, list[float]] = defaultdict(list)
        for ti_id, at in queued:
            self._times[ti_id].append(at)
        for times in self._times.values():
            times.sort()

    def at(self, ti_id: str, at: float) -> Queueing:
        """Find the one that was in force: the first of a task instance has the number 1."""
        return Queueing(ti_id, bisect_right(self._times.get(ti_id, []), at))


@dataclass(frozen=True)
class Observations:
    """All of it."""

    containers: Sequence[Container]
    journal: Sequence[Line]
    queueings: Queueings
    ends: Sequence[End]

    def containers_by_queueing(self) -> dict[Queueing | str, list[Container]]:
        """Group them by what they were started for; what nobody knows is grouped by its startedBy."""
        sent = {line.container: line for line in self.journal if line.event == SENT}
        groups: dict[Queueing | str, list[Container]] = defaultdict(list)
        for container in self.containers:
            line = sent.get(container.client_token)
            known = line and self.queueings.at(line.ti_id, container.created_at)
            groups[known or container.started_by].append(container)
        return groups

    def runs_by_queueing(self) -> dict[Queueing, list[Line]]:
        """Group the runs of user code."""
        groups: dict[Queueing, list[Line]] = defaultdict(list)
        for line in self.journal:
            if line.event == "ran":
                groups[self.queueings.at(line.ti_id, line.at)].append(line)
        return groups

    def memory_of_tries(self) -> dict[Task, dict[int, int]]:
        """Say how much memory, in MiB, each try of each task had in which user code ran."""
        memory = {container.id: container.memory for container in self.containers}
        found: dict[Task, dict[int, int]] = defaultdict(dict)
        for line in self.journal:
            if line.event == "ran":
                found[line.task_id, line.map_index][line.try_number] = memory.get(line.container, 0)
        return found

    def task_of(self, container: Container) -> Task | None:
        """Say for which task a container was started."""
        names = {container.id, container.client_token}
        return next(
            ((line.task_id, line.map_index) for line in self.journal if line.container in names), None
        )
