"""What this Airflow's ECS tasks have used, summed by Dag: what `ecs-async tasks --cost` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ecs_async_executor.fargate_prices import DATE, REGION
from ecs_async_executor.messages import Usage
from ecs_async_executor.operate.ecs_task import EcsTask, WorkloadKind
from ecs_async_executor.operate.text import Column, count, screen_width, table, table_width, wrapped
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.task_cost import MINIMUM, Prices, Sum, sum_by

CALLBACKS = "(callbacks)"
STANDBYS = "(standbys)"
"""What standbys have used without a task: those that have none, and the others until they got theirs."""
UNKNOWN = "(unknown)"
"""The Dag of a task whose workload is in S3, and that no row shows."""
MEASURED = (
    "Counted from the start of the image's pull to the task's end, or to now; on Fargate in whole seconds, and a minute at "
    "least. ECS describes a task for about an hour after its end: what ended earlier isn't here. The option log_cost keeps it."
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a row says of the ECS task that it shows."""

    dag: str
    queued_at: float | None = None
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class CostTable:
    """The sums, and what they leave out."""

    by_dag: Mapping[str, Sum]
    """The dearest first."""
    live: int
    """Tasks among them that haven't ended."""
    unmeasured: int
    """Tasks that have pulled no image yet, or whose size ECS doesn't show."""
    has_own_prices: bool

    @property
    def total(self) -> Sum:
        """The sum of all."""
        found = Sum()
        for each in self.by_dag.values():
            found.merge(each)
        return found


def make_table(
    tasks: Iterable[EcsTask],
    dags: Mapping[str, Served],
    prices: Prices,
    now: float,
    dag: str | None = None,
) -> CostTable:
    """Sum tasks by Dag; `dags` has, by ARN, what rows say of tasks whose command names no Dag. `dag`: only that one."""
    costs, live, unmeasured = [], 0, 0
    for task in tasks:
        served = dags.get(task.arn)
        name = dag_of(task) or (served.dag if served is not None else UNKNOWN)
        usage = task.usage(now)
        if usage is None:
            unmeasured += dag is None or name == dag
            continue
        arn = TaskArn.parse(task.arn)
        parts = _divided(task, usage, name, served)
        wanted = [part for part in parts if dag is None or part[0] == dag]
        live += task.stopped_at is None and bool(wanted)
        costs += [(each, prices.cost(part, arn.region if arn is not None else "")) for each, part in wanted]
    return CostTable(sum_by(costs), live, unmeasured, bool(prices.own))


def _divided(task: EcsTask, usage: Usage, name: str, served: Served | None) -> Sequence[tuple[str, Usage]]:
    """Divide what a standby has used between its pool, until its task was queued, and its task's Dag."""
    if task.standby is None:
        return [(name, usage)]
    if served is None:
        return [(STANDBYS, usage)]
    if served.queued_at is None:
        return [(name, usage)]
    before = min(usage.seconds, max(0.0, served.queued_at - (task.pull_started_at or 0.0)))
    wait = replace(usage, seconds=before, standby=float(MINIMUM))  # no minimum of its own
    return [(STANDBYS, wait), (name, replace(usage, seconds=usage.seconds - before, standby=before))]


def dag_of(task: EcsTask) -> str:
    """Return the Dag that a task's command names; empty if it is in S3."""
    if task.workload is WorkloadKind.CALLBACK:
        return CALLBACKS
    return task.ti_name.partition("/")[0]


def as_text(costs: CostTable, width: int | None = None) -> list[str]:
    """Return the table and its notes."""
    total = costs.total
    screen = width or screen_width()
    if not total.tasks:
        return wrapped(f"No ECS task to count. {MEASURED}", screen)
    titles = [
        Column("DAG", shrinks_to=12, in_the_middle=True),
        Column("ECS TASKS", right=True),
        Column("VCPU-HOURS", right=True),
        Column("GB-HOURS", right=True),
        Column("US DOLLARS", right=True),
    ]
    rows = [_cells(name, each) for name, each in costs.by_dag.items()]
    if len(rows) > 1:
        rows.append(_cells("all", total))
    return [
        *table(titles, rows, width or table_width()),
        "",
        *wrapped(" ".join(_notes(costs, total)), screen),
    ]


def as_json(costs: CostTable) -> dict[str, Any]:
    """Return the sums as JSON."""
    return {
        "dags": [{"dag": name, **each.as_json()} for name, each in costs.by_dag.items()],
        "total": costs.total.as_json(),
        "live": costs.live,
        "unmeasured": costs.unmeasured,
    }


def _notes(costs: CostTable, total: Sum) -> Sequence[str]:
    prices = "Prices: the option task_prices or --prices" if costs.has_own_prices else "Prices"
    notes = [
        f"{count(total.tasks, 'ECS task')}, {costs.live} of them live.",
        MEASURED,
        f"{prices}{', else' if costs.has_own_prices else ':'} AWS's public on-demand prices of {REGION}, {DATE}.",
    ]
    if STANDBYS in costs.by_dag:
        notes.append(
            "A standby is counted there until its task was queued, and from then on as an ECS task of its Dag."
        )
    if total.unpriced:
        notes.append(
            f"The price of {count(total.unpriced, 'task')} is not known: set task_prices, or --prices."
        )
    if costs.unmeasured:
        what = count(costs.unmeasured, "task is", "tasks are")
        notes.append(f"{what} not counted: no image pulled yet, or no size known.")
    return notes


def _cells(name: str, each: Sum) -> list[str]:
    price = "not known" if each.price is None else f"{each.price:.4f}"
    return [name, f"{each.tasks:,}", f"{each.vcpu_hours:.4f}", f"{each.gb_hours:.4f}", price]
