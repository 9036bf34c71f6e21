"""Whether every task was launched once, ran once and ended as it must: pure, a function of what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.expected_outcomes import EXPECTED, shares
from tests.chaos.observations import Container, End, Observations, Task


@dataclass(frozen=True)
class Violation:
    """Something that must never happen. ``containers`` are the ids of those that took part."""

    what: str
    task: Task | None = None
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The numbers that count: the first three must be 1, the others 0."""

    containers_per_queueing: int
    """Those whose start failed aside."""
    alive_at_once: int
    """Containers of one queueing, those whose start failed among them."""
    runs_per_try: int
    """Of user code; a try that asks to be run again later counts anew from there."""
    wrong_ends: int
    stopped_containers: int
    """By StopTask: nobody here gives a reason to. Standbys without a workload don't count."""
    live_containers: int
    violations: tuple[Violation, ...] = ()


GOOD = Verdict(
    containers_per_queueing=1,
    alive_at_once=1,
    runs_per_try=1,
    wrong_ends=0,
    stopped_containers=0,
    live_containers=0,
)


def judge(tasks: int, found: Observations) -> Verdict:
    """Compare what was found with what the authors of so many tasks expect."""
    groups = list(found.containers_by_queueing().values())
    started = [[each for each in same if not each.failed_to_start] for same in groups]
    runs = list(found.runs_by_queueing().values())
    served = {line.container for line in found.journal}
    told_to_stop = [
        each
        for each in found.containers
        if each.was_told_to_stop and (each.id in served or not each.is_standby)
    ]
    live = [each for each in found.containers if not each.stopped]
    wrong = list(_wrong_ends(tasks, found.ends))
    violations = [
        *(_of(found, f"{len(same)} containers in one queueing.", same) for same in started if len(same) > 1),
        *(_of(found, "Its containers were alive at once.", same) for same in groups if _at_once(same) > 1),
        *(
            Violation(
                f"Its user code ran {len(lines)} times in one queueing, try {lines[0].try_number}.",
                (lines[0].task_id, lines[0].map_index),
                tuple(line.container for line in lines),
            )
            for lines in runs
            if len(lines) > 1
        ),
        *wrong,
        *_small(found),
        *(_of(found, "Its container was stopped.", [each]) for each in told_to_stop),
        *(_of(found, "It still lives.", [each]) for each in live),
    ]
    return Verdict(
        containers_per_queueing=max(map(len, started), default=0),
        alive_at_once=max(map(_at_once, groups), default=0),
        runs_per_try=max(map(len, runs), default=0),
        wrong_ends=len(wrong),
        stopped_containers=len(told_to_stop),
        live_containers=len(live),
        violations=tuple(violations),
    )


def _small(found: Observations) -> Iterator[Violation]:
    """Yield the tasks that got less than before after they were killed, or never more.

    A try may get no more than the one before: Airflow queues it at once if heartbeats time out before anybody sees the
    container's end.
    """
    for task, memory in sorted(found.memory_of_tries().items()):
        sizes = [memory[number] for number in sorted(memory)]
        if EXPECTED[task[0]].grows and (sizes != sorted(sizes) or sizes[0] == sizes[-1]):
            yield Violation(f"Its tries had {', '.join(map(str, sizes))} MiB.", task)


def _at_once(same: Sequence[Container]) -> int:
    """Count how many of them were alive at one time."""
    moments = sorted(
        (time, change) for each in same for time, change in ((each.created_at, 1), (each.stopped_at, -1))
    )
    alive = most = 0
    for _, change in moments:
        alive += change
        most = max(most, alive)
    return most


def _of(found: Observations, what: str, same: Sequence[Container]) -> Violation:
    return Violation(what, found.task_of(same[0]), tuple(each.id for each in same))


def _wrong_ends(tasks: int, ends: Sequence[End]) -> Iterator[Violation]:
    expected = {(name, index) for name, count in shares(tasks).items() for index in range(count)}
    found = {(end.task_id, end.map_index): end for end in ends}
    yield from (Violation("It does not exist.", task) for task in sorted(expected - found.keys()))
    yield from (Violation("Nobody asked for it.", task) for task in sorted(found.keys() - expected))
    for task in sorted(expected & found.keys()):
        end, right = found[task], EXPECTED[task[0]]
        if (end.state, end.try_number) != (right.state, right.last_try):
            is_, should = (
                f"{end.state} in try {end.try_number}",
                f"{right.state} in try {right.last_try}",
            )
            yield Violation(f"It is {is_}, expected is {should}.", task)
