"""Whether every task was launched once, ran once and ended as it must: pure, a function of what was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.fates import FATES, shares
from tests.chaos.journal import Line


@dataclass(frozen=True)
class End:
    """Where a task instance is at the end."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int


@dataclass(frozen=True)
class Container:
    """An ECS task at the end."""

    arn: str
    started_by: str
    client_token: str
    created_at: float
    stopped: bool

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> Container:
        """Read one from the local ECS's answer, in DescribeTasks' shape."""
        return cls(
            arn=task["taskArn"],
            started_by=task["startedBy"],
            client_token=task["clientToken"],
            created_at=task["createdAt"],
            stopped=task["lastStatus"] == "STOPPED",
        )

    @property
    def id(self) -> str:
        """The last part of its ARN: what it calls itself in the journal."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True)
class Violation:
    """Something that must never happen. ``containers`` are the ids of those that took part."""

    what: str
    task: tuple[str, int] | None = None
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The numbers that count: the first two must be 1, the others 0."""

    containers_per_queueing: int
    runs_per_try: int
    wrong_ends: int
    live_containers: int
    violations: tuple[Violation, ...]


def judge(
    tasks: int, containers: Sequence[Container], journal: Sequence[Line], ends: Sequence[End]
) -> Verdict:
    """Compare what was found with what the authors of so many tasks expect."""
    by_queueing = _group(containers, lambda container: container.started_by)
    by_try = _group(
        (line for line in journal if line.event == "ran"),
        lambda line: (line.task_id, line.map_index, line.try_number),
    )
    live = [container for container in containers if not container.stopped]
    doubled = [_doubled(same, journal) for same in by_queueing.values() if len(same) > 1]
    run_again = [
        Violation(
            f"Its user code ran {len(lines)} times in try {number}.",
            (task_id, map_index),
            tuple(line.container for line in lines),
        )
        for (task_id, map_index, number), lines in by_try.items()
        if len(lines) > 1
    ]
    wrong = _wrong_ends(tasks, ends)
    left = [Violation("It still lives.", _task_of(each, journal), (each.id,)) for each in live]
    return Verdict(
        containers_per_queueing=max(map(len, by_queueing.values()), default=0),
        runs_per_try=max(map(len, by_try.values()), default=0),
        wrong_ends=len(wrong),
        live_containers=len(live),
        violations=(*doubled, *run_again, *wrong, *left),
    )


def _doubled(same: list[Container], journal: Sequence[Line]) -> Violation:
    return Violation(
        f"{len(same)} containers for {same[0].started_by}.",
        next((task for each in same if (task := _task_of(each, journal))), None),
        tuple(each.id for each in same),
    )


def _task_of(container: Container, journal: Sequence[Line]) -> tuple[str, int] | None:
    return next(((line.task_id, line.map_index) for line in journal if line.container == container.id), None)


def _wrong_ends(tasks: int, ends: Sequence[End]) -> list[Violation]:
    expected = {(name, index) for name, count in shares(tasks).items() for index in range(count)}
    found = {(end.task_id, end.map_index): end for end in ends}
    wrong = [Violation("It does not exist.", task) for task in sorted(expected - found.keys())]
    wrong += [Violation("Nobody asked for it.", task) for task in sorted(found.keys() - expected)]
    for task in sorted(expected & found.keys()):
        end, fate = found[task], FATES[task[0]]
        if (end.state, end.try_number) != (fate.state, fate.last_try):
            is_, should = f"{end.state} in try {end.try_number}", f"{fate.state} in try {fate.last_try}"
            wrong.append(Violation(f"It is {is_}, expected is {should}.", task))
    return wrong


def _group(items: Iterable[Any], key: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
