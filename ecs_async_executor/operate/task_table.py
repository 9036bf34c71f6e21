"""Live ECS tasks joined with Airflow's live rows: what `ecs-async tasks` shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.argument_values import ELSEWHERE, PHASES
from ecs_async_executor.fleet.live import LiveTask, TaskRow
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.operate.text import Column, age, count, screen_width, table, table_width, wrapped

STANDBY, LEFTOVER = PHASES[-2:]
"""The phases of ECS tasks that no live row shows. A standby waits for a task; a leftover's task instance is over, or it is a
callback's."""
WIDE = 120
"""Characters from which on the table has room for whole ECS task ids."""
SHORT_ID = 8
_LEFTOVER = (
    "A leftover is a callback, or about to end, or for `ecs-async sweep`: no live task instance shows it."
)
_ELSEWHERE = "ELSEWHERE: ECS does not tell over this connection; the task may be of another team's account, Region or cluster."
_STANDBY = "A standby waits for a task; one that has got its task is in the line of that task."
_ORDER = {phase: index for index, phase in enumerate(PHASES)}


@dataclass(frozen=True, slots=True)
class Line:
    """A live row, an ECS task, or both."""

    live: LiveTask | None
    task: EcsTask | None
    served: bool = False
    """It is a standby that a row shows, although no live one does."""
    dollars: float | None = None
    """What a standby without a task has cost so far; None: it isn't one, or its price isn't known."""
    elsewhere: bool = False
    """ECS doesn't tell over this connection about the ARN that the row shows."""

    @property
    def phase(self) -> str:
        """The fleet page's phase, or `STANDBY`, or `LEFTOVER`."""
        if self.live is not None:
            return self.live.phase.value
        return STANDBY if self.task is not None and self.task.standby and not self.served else LEFTOVER

    @property
    def arn(self) -> str | None:
        """The ECS task's ARN, by ECS or, if ECS doesn't show it, by the row."""
        if self.task is not None:
            return self.task.arn
        shown = self.live.row.external_id if self.live is not None else None
        return shown if (shown or "").startswith("arn:") else None

    @property
    def ecs_state(self) -> str:
        """The task's `lastStatus`; `MISSING` if ECS doesn't know the ARN that the row shows, `ELSEWHERE` if it doesn't tell."""
        if self.task is not None:
            return self.task.last_status
        if self.elsewhere:
            return ELSEWHERE
        return "MISSING" if self.arn else ""

    @property
    def reason(self) -> str:
        """Why it waits; empty if it doesn't, or no reason is known."""
        return self.live.cause.title if self.live is not None and self.live.cause is not None else ""

    @property
    def extra(self) -> str:
        """What is special about its ECS task, for people to read."""
        if self.task is None or self.task.standby is None:
            return ""
        if self.phase != STANDBY:
            return "warm"
        cost = None if self.dollars is None else f"${self.dollars:.4f} so far"
        return ", ".join(part for part in (_size(self.task), cost) if part)

    @property
    def name(self) -> str:
        """`dag/run/task` of its row, else of its command: what `ecs-async stop` takes."""
        if self.live is not None:
            return label(self.live.row)
        return self.task.ti_name if self.task is not None else ""

    def since(self) -> float | None:
        """Return when its phase began: seconds since 1970."""
        if self.live is not None:
            return self.live.since
        return self.task.created_at if self.task is not None else None


@dataclass(frozen=True, slots=True)
class Filters:
    """What to show; None: all."""

    dag: str | None = None
    task: str | None = None
    queue: str | None = None
    phase: str | None = None
    state: str | None = None
    """Of Airflow or of ECS, in any case."""


def join(  # noqa: PLR0913  what ECS and rows tell, apart
    live: Iterable[LiveTask],
    tasks: Iterable[EcsTask],
    deployment: str,
    *,
    served: Container[str] = frozenset(),
    elsewhere: Container[str] = frozenset(),
    cost: Callable[[EcsTask], float | None] = lambda _: None,
) -> list[Line]:
    """Join by the ARN or the run id that a row shows; in order of phases, the longest in its phase first.

    `served` has the ARNs of standbys that a row shows which isn't live, `elsewhere` those that this connection can't
    ask ECS about; `cost` returns US dollars.
    """
    by_id: dict[str, EcsTask] = {}
    rest: dict[str, EcsTask] = {}
    for task in tasks:
        rest[task.arn] = by_id[task.arn] = task
        if (run_id := task.run_id(deployment)) is not None:
            by_id[run_id] = task
    lines = []
    for each in live:
        found = _find(each.row, by_id)
        if found is not None:
            rest.pop(found.arn, None)
        lines.append(Line(each, found, elsewhere=found is None and each.row.external_id in elsewhere))
    lines += [
        Line(None, task, task.arn in served, cost(task) if task.standby is not None else None)
        for task in rest.values()
        if not task.is_stopping
    ]
    return sorted(lines, key=lambda line: (_ORDER[line.phase], line.since() or float("inf")))


def _find(row: TaskRow, by_id: Mapping[str, EcsTask]) -> EcsTask | None:
    shown = row.external_id or ""
    launch = LaunchId.parse(shown)
    return by_id.get(launch.run_id if launch is not None else shown)


def choose(lines: Iterable[Line], filters: Filters) -> list[Line]:
    """Return the lines that all filters let through; what has no row fits no filter of rows."""
    return [line for line in lines if _fits(line, filters)]


def _fits(line: Line, filters: Filters) -> bool:
    row = line.live.row if line.live is not None else None
    wanted = (
        (filters.dag, row and row.dag_id),
        (filters.task, row and row.task_id),
        (filters.queue, row and row.queue),
        (filters.phase, line.phase),
    )
    if any(want is not None and want != has for want, has in wanted):
        return False
    states = {line.ecs_state.casefold(), row.state.casefold() if row is not None else ""}
    return filters.state is None or filters.state.casefold() in states


def as_text(lines: Sequence[Line], total: int, now: float, width: int | None = None) -> list[str]:
    """Return the table and its summary."""
    columns = width or table_width()
    shown = [_cells(line, now, wide=columns >= WIDE) for line in lines]
    counts = Counter(line.phase for line in lines)
    parts = [f"{counts[phase]} {phase}" for phase in PHASES if counts[phase]]
    hidden = f" ({count(total - len(lines), 'other')} not shown)" if total > len(lines) else ""
    if not shown:
        return [f"No live task{' fits' if hidden else 's'}{hidden}."]
    summary = f"{count(len(lines), 'task')}: {', '.join(parts)}{hidden}."
    titles = [
        Column("PHASE"),
        Column("FOR", right=True),
        Column("ECS STATE"),
        Column("TASK", shrinks_to=20, in_the_middle=True),
        *([Column("TRY", right=True), Column("QUEUE", shrinks_to=8)] if columns >= WIDE else []),
        Column("ECS TASK, OR WHY IT WAITS", shrinks_to=16),
    ]
    notes = [note for phase, note in ((STANDBY, _STANDBY), (LEFTOVER, _LEFTOVER)) if counts[phase]]
    notes += [_ELSEWHERE] if any(line.elsewhere for line in lines) else []
    return [
        *table(titles, shown, columns),
        "",
        *wrapped(" ".join((summary, *notes)), width or screen_width()),
    ]


def _cells(line: Line, now: float, *, wide: bool) -> list[str]:
    since = line.since()
    row = line.live.row if line.live is not None else None
    last = line.arn.rpartition("/")[2] if line.arn else ""
    last = last if wide else last[:SHORT_ID]
    text = "  ".join(part for part in (last, line.extra, line.reason) if part)
    return [
        line.phase,
        age(None if since is None else now - since),
        line.ecs_state or "-",
        line.name or "-",
        *([str(row.try_number) if row else "-", row.queue if row else "-"] if wide else []),
        text,
    ]


def _size(task: EcsTask) -> str:
    vcpus, gb = _units(task.cpu), _units(task.memory)
    return "" if vcpus is None or gb is None else f"{vcpus:g} vCPU, {gb:g} GB"


def _units(given: str | None) -> float | None:
    """Return vCPUs of CPU units, or GB of MiB."""
    return None if given is None else float(given) / 1024


def label(row: TaskRow) -> str:
    """Return `dag/run/task`, with the map index if it has one: what `ecs-async stop` takes."""
    name = f"{row.dag_id}/{row.run_id}/{row.task_id}"
    return f"{name}/{row.map_index}" if row.map_index >= 0 else name


def as_json(lines: Iterable[Line], now: float) -> list[dict[str, Any]]:
    """Return one object for each line; ages are in seconds."""
    return [_json(line, now) for line in lines]


def _json(line: Line, now: float) -> dict[str, Any]:
    row = line.live.row if line.live is not None else None
    since = line.since()
    cause = line.live.cause if line.live is not None else None
    return {
        "phase": line.phase,
        "age": None if since is None else round(max(0.0, now - since), 1),
        "name": line.name or None,
        "dag": row and row.dag_id,
        "run": row and row.run_id,
        "task": row and row.task_id,
        "map_index": row.map_index if row is not None and row.map_index >= 0 else None,
        "try": row and row.try_number,
        "state": row and row.state,
        "queue": row and row.queue,
        "arn": line.arn,
        "ecs_state": line.ecs_state or None,
        "capacity": (line.task.capacity or None) if line.task is not None else None,
        "vcpus": _units(line.task.cpu) if line.task is not None else None,
        "gb": _units(line.task.memory) if line.task is not None else None,
        "warm": line.task is not None and line.task.standby is not None and line.phase != STANDBY,
        "dollars": None if line.dollars is None else round(line.dollars, 6),
        "reason": line.reason or None,
        "detail": (cause.detail or None) if cause is not None else None,
    }
