"""What Dags' ECS tasks have used, summed from the rows of the Audit Log that `log_cost` writes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_async_executor.task_cost import Sum, read, sum_by, task_id_in

DAGS_SHOWN = 10
"""Dags on the page; all others are one line."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The sums of the last hours, for all users."""

    by_dag: Mapping[str, Sum] = field(default_factory=dict)
    """The dearest first."""
    hours: int = 24
    complete: bool = True
    """False: there are more rows than one read takes; these are the last ones."""


def sum_texts(rows: Iterable[tuple[str, str]]) -> dict[str, Sum]:
    """Return the sums of rows: a Dag and the text of its event. Other texts are left out.

    Two rows about one ECS task count once: a scheduler that died wrote the first, which knows best, and the next one again.
    `rows`: the newest first.
    """
    texts = {(dag_id, task_id_in(text)): text for dag_id, text in rows}
    return sum_by((dag_id, cost) for (dag_id, _), text in texts.items() if (cost := read(text)) is not None)


def view(costs: Costs, readable: frozenset[str]) -> dict[str, Any]:
    """Return what the page shows to a user who may read these Dags."""
    mine = [(dag_id, each) for dag_id, each in costs.by_dag.items() if dag_id in readable]
    others, total = Sum(), Sum()
    for _, each in mine[DAGS_SHOWN:]:
        others.merge(each)
    for _, each in mine:
        total.merge(each)
    return {
        "hours": costs.hours,
        "complete": costs.complete,
        "dags": [{"dag": dag_id, **each.as_json()} for dag_id, each in mine[:DAGS_SHOWN]],
        "others": {"dags": len(mine) - DAGS_SHOWN, **others.as_json()} if len(mine) > DAGS_SHOWN else None,
        "total": total.as_json(),
    }
