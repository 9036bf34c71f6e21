"""What Dags have used, as the fleet page shows it."""

from __future__ import annotations

import json

from ecs_async_executor.fleet.costs import DAGS_SHOWN, Costs, sum_texts, view
from ecs_async_executor.fleet.live import Fleet
from ecs_async_executor.fleet.view import Filters, make_view
from ecs_async_executor.messages import Usage
from ecs_async_executor.task_cost import Cost, Sum, describe

USAGE = Usage(1.0, 2.0, 3600.0, "FARGATE")


def text(vcpu_hours: float, dollars: float | None = None, task_id: str = "a1") -> str:
    return describe(USAGE, Cost(vcpu_hours, 2 * vcpu_hours, dollars), task_id)


def test_rows_are_summed_by_dag_and_other_texts_left_out() -> None:
    rows = [("a", text(1, 0.5)), ("b", text(9)), ("a", text(2, 0.25, "a2")), ("c", "something else")]
    assert sum_texts(rows) == {"a": Sum(2, 0, 3.0, 6.0, 0.75), "b": Sum(1, 1, 9.0, 18.0, 0.0)}


def test_an_ecs_task_whose_end_two_schedulers_have_reported_counts_once() -> None:
    rows = [("a", text(1, 0.5)), ("a", text(1, 0.5)), ("a", text(1, 0.5, "a2"))]
    assert sum_texts(rows)["a"].tasks == 2


def test_of_two_rows_about_one_ecs_task_the_first_to_be_written_counts() -> None:
    """A scheduler that died had handed the task over to a standby; its successor doesn't know when."""
    newest_first = [("a", text(9, 4.5)), ("b", text(7, 7)), ("a", text(1, 0.5))]
    assert sum_texts(newest_first) == {"a": Sum(1, 0, 1.0, 2.0, 0.5), "b": Sum(1, 0, 7.0, 14.0, 7.0)}


def test_nothing_is_complete_too() -> None:
    nothing = {"tasks": 0, "unpriced": 0, "vcpu_hours": 0.0, "gb_hours": 0.0, "dollars": None}
    assert view(Costs(), frozenset({"a"})) == {
        "hours": 24,
        "complete": True,
        "dags": [],
        "others": None,
        "total": nothing,
    }


def test_a_user_sees_the_dags_that_they_may_read_the_dearest_first_and_the_rest_as_one_line() -> None:
    rows = [(f"dag{number}", text(1, number)) for number in range(DAGS_SHOWN + 5)]
    costs = Costs(sum_texts([*rows, ("secret", text(1, 1e6))]))
    mine = frozenset(dag_id for dag_id, _ in rows)
    shown = view(costs, mine)
    assert "secret" not in json.dumps(shown)
    assert [each["dag"] for each in shown["dags"]] == [f"dag{n}" for n in range(DAGS_SHOWN + 4, 4, -1)]
    assert (shown["others"]["dags"], shown["others"]["dollars"]) == (5, sum(range(5)))
    assert shown["total"]["tasks"] == DAGS_SHOWN + 5


def test_who_may_not_read_the_audit_log_sees_no_costs() -> None:
    costs = Costs(sum_texts([("a", text(1))]))
    may = make_view(Fleet(0.0), frozenset({"a"}), 0.0, Filters(), [], costs=costs)
    assert may["costs"]["total"]["tasks"] == 1
    may_not = make_view(Fleet(0.0), frozenset({"a"}), 0.0, Filters(), [], events=False, costs=costs)
    assert may_not["costs"] is None
