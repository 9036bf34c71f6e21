"""What is found when all is over: ECS tasks, queueings, task instances."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.chaos.journal import HANDED, SENT, Line

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
    def is_standby(self) -> bool:
        """Whether it was started before anybody knew for which task."""
        return self.started_by.endswith("/standby")

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
class StandbyCounts:
    """What became of the standbys."""

    warm: int = 0
    """Runs of user code in them."""
    all: int = 0
    """Runs of user code in all containers."""
    started: int = 0
    reclaimed: int = 0
    """Those whose capacity was taken away while they waited."""
    stopped: int = 0
    """Those that a scheduler stopped while they waited."""
    left: int = 0
    """Those that ended by themselves without a task: they were too old, or their scheduler was dead."""


_RECLAIMED = ("SpotInterruption", "TerminationNotice")


@dataclass(frozen=True)
class Observations:
    """All of it."""

    containers: Sequence[Container]
    journal: Sequence[Line]
    queueings: Queueings
    ends: Sequence[End]

    def containers_by_queueing(self) -> dict[Queueing | str, list[Container]]:
        """Group them by what they were started for; what nobody knows is grouped by its startedBy.

        A standby is there from the moment at which its workload was first sent to it, and only if it has got that.
        """
        sent = {line.container: line for line in self.journal if line.event == SENT}
        groups: dict[Queueing | str, list[Container]] = defaultdict(list)
        for each in map(self._since_it_was_served, self.containers):
            if each is not None:
                line = sent.get(each.client_token) or self._first_words(each)
                known = line and self.queueings.at(line.ti_id, each.created_at)
                groups[known or each.started_by].append(each)
        return groups

    def _since_it_was_served(self, container: Container) -> Container | None:
        if not container.is_standby:
            return container
        first = self._first_words(container)
        if first is None:
            return None
        handed = [
            line.at
            for line in self.journal
            if (line.event, line.ti_id) == (HANDED, first.ti_id) and line.at <= first.at
        ]
        return replace(container, created_at=max(handed, default=first.at))

    def _first_words(self, container: Container) -> Line | None:
        """Return what a container's task wrote first; None if it has had none."""
        return next((line for line in self.journal if line.container == container.id), None)

    def standbys(self) -> StandbyCounts:
        """Count the standbys, by what became of them."""
        standbys = [each for each in self.containers if each.is_standby]
        ids = {each.id for each in standbys}
        ran = [line.container for line in self.journal if line.event == "ran"]
        idle = [each for each in standbys if self._first_words(each) is None and each.started_at is not None]
        return StandbyCounts(
            warm=sum(container in ids for container in ran),
            all=len(ran),
            started=len(standbys),
            reclaimed=sum(each.stop_code in _RECLAIMED for each in idle),
            stopped=sum(each.was_told_to_stop for each in idle),
            left=sum(each.stop_code == "EssentialContainerExited" for each in idle),
        )

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
