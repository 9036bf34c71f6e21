"""Turns snapshots into what the demo shows: renderables and lines. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ecs_async_executor.demo.expectations import EXPECTED, TASK_INSTANCES, Expected
from ecs_async_executor.demo.phases import Phase, durations, finished, phase, phase_began, starts, was_warm
from ecs_async_executor.demo.snapshot import Snapshot, TaskInstance

_STYLE = {
    Phase.WAITING: "dim",
    Phase.SCHEDULED: "bright_black",
    Phase.LAUNCHING: "yellow",
    Phase.PROVISIONING: "magenta",
    Phase.STARTING: "cyan",
    Phase.RUNNING: "bright_green",
    Phase.DEFERRED: "blue",
    Phase.RESCHEDULED: "blue",
    Phase.RETRYING: "bright_yellow",
    Phase.SUCCESS: "green",
    Phase.FAILED: "bold red",
    Phase.SKIPPED: "bright_magenta",
    Phase.OTHER: "red",
}
_OVERHEAD = 5  # lines of the live display that aren't tasks: title, components, column heads, progress
_WIDE = 100  # columns; from this width, a whole ECS task id (32 characters) fits


@dataclass(frozen=True)
class ComponentStatus:
    """A component, and the seconds it took to become ready; None while it starts."""

    name: str
    ready_after: float | None


@dataclass(frozen=True)
class View:
    """Everything the live display shows; `elapsed` is in seconds."""

    elapsed: float
    components: tuple[ComponentStatus, ...]
    snapshot: Snapshot
    address: str | None = None


def live(view: View, *, width: int, height: int) -> RenderableType:
    """Return the live display, folded to fit into `height` lines."""
    title = Text.assemble(
        ("ecs-async demo ", "bold"), f"{view.elapsed:4.0f} s", overflow="ellipsis", no_wrap=True
    )
    if view.address:
        title.append(f"   {view.address}", style="cyan")
    parts: list[RenderableType] = [title, _component_line(view.components)]
    if view.snapshot.tasks:
        parts += [_task_table(view.snapshot, width, height - _OVERHEAD), _progress(view.snapshot, width)]
    return Group(*parts)


def _component_line(components: Iterable[ComponentStatus]) -> Text:
    line = Text(overflow="ellipsis", no_wrap=True)
    for component in components:
        if component.ready_after is None:
            line.append(f"○ {component.name} ", style="yellow")
        else:
            line.append(f"● {component.name} ", style="green")
    return line


def _progress(snapshot: Snapshot, width: int) -> Table:
    ended = finished(snapshot)
    launched = [ecs_task for task in snapshot.tasks for ecs_task in task.ecs_tasks]
    alive = sum(ecs_task.stopped_at is None for ecs_task in launched)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        ProgressBar(total=TASK_INSTANCES, completed=ended, width=max(10, width - 46)),
        f"{ended}/{TASK_INSTANCES} tasks ended, {len(launched)} ECS tasks, {alive} alive",
    )
    return grid


@dataclass(frozen=True)
class Line:
    """A line of the task table: a Dag's name (no tasks), one task instance, or several folded into one."""

    title: str
    tasks: tuple[TaskInstance, ...] = ()


def fold(snapshot: Snapshot, height: int) -> list[Line]:
    """Return the lines of the task table. If they exceed `height`, mapped instances share a line."""
    unfolded: list[Line] = []
    folded: list[Line] = []
    for dag_id in dict.fromkeys(run.dag_id for run in snapshot.dag_runs):
        unfolded.append(Line(dag_id))
        folded.append(Line(dag_id))
        instances: dict[str, list[TaskInstance]] = {}
        for task in sorted(snapshot.tasks_of(dag_id), key=_by_expectation):
            unfolded.append(Line(task.name, (task,)))
            instances.setdefault(task.task_id, []).append(task)
        for tasks in instances.values():
            name = tasks[0].name if len(tasks) == 1 else f"{tasks[0].task_id}[0-{len(tasks) - 1}]"
            folded.append(Line(name, tuple(tasks)))
    return unfolded if len(unfolded) <= height else folded


def _by_expectation(task: TaskInstance) -> tuple[int, str, int]:
    """Sort key: the order of the expectations, in which the tasks run."""
    order = list(EXPECTED.get(task.dag_id, ()))
    place = order.index(task.task_id) if task.task_id in order else len(order)
    return (place, task.task_id, task.map_index)


def _task_table(snapshot: Snapshot, width: int, height: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("task", no_wrap=True, min_width=16)
    table.add_column("phase", no_wrap=True, min_width=12)
    table.add_column("since", no_wrap=True, justify="right", min_width=6)
    table.add_column("try", no_wrap=True, justify="right")
    table.add_column("tasks", no_wrap=True, justify="right")
    table.add_column("latest ECS task", no_wrap=True)
    for line in fold(snapshot, height):
        if not line.tasks:
            table.add_row(Text(line.title, style="bold"))
        elif len(line.tasks) == 1:
            table.add_row(Text(f"  {line.title}"), *_instance_cells(line.tasks[0], snapshot.at, width))
        else:
            table.add_row(Text(f"  {line.title}"), *_folded_cells(line.tasks))
    return table


def _instance_cells(task: TaskInstance, now: float, width: int) -> tuple[RenderableType, ...]:
    current, began = phase(task), phase_began(task)
    launched = task.ecs_tasks
    return (
        Text(current.value, style=_STYLE[current]),
        "" if began is None or current.is_final else f"{max(0.0, now - began):.1f} s",
        str(task.try_number) if launched else "",
        str(len(launched)) if launched else "",
        Text(launched[-1].short_id[: 32 if width >= _WIDE else 16] if launched else "", style="dim"),
    )


def _folded_cells(tasks: Sequence[TaskInstance]) -> tuple[RenderableType, ...]:
    phases = Counter(phase(task) for task in tasks)
    ended = sum(count for current, count in phases.items() if current.is_final)
    details = Text(" ").join(
        Text(f"{phases[current]} {current.value}", style=_STYLE[current])
        for current in Phase
        if phases[current] and current not in {Phase.WAITING, Phase.SUCCESS}
    )
    return (f"{ended}/{len(tasks)} ended", "", "", str(sum(len(task.ecs_tasks) for task in tasks)), details)


def summary(snapshot: Snapshot, expectations: Mapping[str, Mapping[str, Expected]] = EXPECTED) -> Table:
    """Return a table with each task instance's seconds per phase, and whether it ended as its author expects."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("task", no_wrap=True)
    for name in ("sched", "launch", "prov", "start", "run", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ECS tasks", justify="right", no_wrap=True)
    table.add_column("ended as", no_wrap=True)
    for line in fold(snapshot, height=len(snapshot.tasks) + len(snapshot.dag_runs)):
        if not line.tasks:
            table.add_row(Text(line.title, style="bold"))
            continue
        task = line.tasks[0]
        spent = durations(task)
        expected = expectations.get(task.dag_id, {}).get(task.task_id)
        fits = expected is not None and expected.fits(task)
        table.add_row(
            Text(f"  {line.title}"),
            *(
                f"{seconds:.1f}" if task.ecs_tasks else "-"
                for seconds in (
                    spent.scheduled,
                    spent.launching,
                    spent.provisioning,
                    spent.starting,
                    spent.running,
                    spent.total,
                )
            ),
            _launched(task),
            Text(f"✓ {task.state}", style="green") if fits else Text(f"✗ {task.state}", style="bold red"),
        )
    return table


def _launched(task: TaskInstance) -> str:
    """Return how many ECS tasks there were, and how many of them were standbys."""
    count, warm = len(task.ecs_tasks), sum(map(was_warm, task.queueings))
    if not warm:
        return str(count)
    return "warm" if count == warm == 1 else f"{count}, {warm} warm"


LEGEND = """\
Seconds, summed over all ECS tasks of a task:
  sched   waiting for one of the       prov    ECS: PROVISIONING and PENDING
          demo's slots (4 per core)    start   the container starts Airflow
  launch  Airflow: queued; RunTask     total   plus time in between: deferred,
  run     until the container stops            rescheduled, waiting for a retry"""


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """Return a line per task instance whose phase has changed: replaces the live display without a terminal."""
    earlier = {(task.dag_id, task.name): phase(task) for task in before.tasks}
    lines: list[str] = []
    for task in after.tasks:
        current = phase(task)
        if earlier.get((task.dag_id, task.name), Phase.WAITING) is not current:
            ecs_task = f" ({task.ecs_tasks[-1].short_id})" if task.ecs_tasks else ""
            lines.append(f"{task.dag_id}.{task.name}: {current.value}{ecs_task}")
    return lines


def warm_and_cold(snapshot: Snapshot) -> str:
    """Return a line that sets warm starts beside cold ones; empty if there were not both."""
    found = starts(snapshot)
    if not found.warm or not found.cold:
        return ""
    warm, cold = (f"{len(times)} {kind} in {median(times):.1f} s" for kind, times in vars(found).items())
    return f"From queued to running (median): {warm}, {cold}."


def verdict(snapshot: Snapshot) -> str:
    """Return the last line after a success."""
    launched = sum(len(task.ecs_tasks) for task in snapshot.tasks)
    return (
        f"✓ {len(snapshot.dag_runs)} Dag runs, {len(snapshot.tasks)} tasks, {launched} ECS tasks:"
        " every task ended as expected."
    )
