"""What `ecs-async tasks --cost` shows: sums by Dag, and what they leave out."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ecs_async_executor.operate.cost_table import (
    CALLBACKS,
    STANDBYS,
    UNKNOWN,
    CostTable,
    Served,
    as_json,
    as_text,
    make_table,
)
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.task_cost import Prices, Sum
from tests.support.operation import NOW, TOKEN, arn_of, container, waiting, workload

SIZE = {
    "cpu": "1024",
    "memory": "2048",
    "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
}


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, timezone.utc)


def task(name: str, pulled: float | None = -3600.0, ended: float | None = None, **changes: Any) -> EcsTask:
    times = {"pullStartedAt": None if pulled is None else at(pulled), "stoppedAt": ended and at(ended)}
    return container(arn_of(name), **SIZE, **times, **changes)


def of_dag(dag_id: str) -> list[str]:
    command = workload()
    document = json.loads(command[-1])
    document["ti"]["dag_id"] = dag_id
    return [*command[:-1], json.dumps(document)]


def table(*tasks: EcsTask, dag: str | None = None, prices: Prices | None = None, **dags: str) -> CostTable:
    named = {arn_of(name): Served(dag_id) for name, dag_id in dags.items()}
    return make_table(tasks, named, prices or Prices(), NOW, dag)


def test_live_tasks_count_until_now_and_ended_ones_until_their_end() -> None:
    found = table(task("live"), task("ended", pulled=-7200.0, ended=-5400.0))
    assert found.by_dag == {"d": Sum(2, 0, 1.5, 3.0, found.total.dollars)}
    assert found.total.dollars == pytest.approx(1.5 * (0.04048 + 2 * 0.004445))
    assert (found.live, found.unmeasured) == (1, 0)


def test_what_is_not_billed_yet_or_has_no_size_is_counted_apart() -> None:
    nothing = {"cpu": None, "memory": None}
    unsized = container(arn_of("unsized"), **{**SIZE, **nothing}, pullStartedAt=at(-60))
    found = table(task("pending", pulled=None), unsized)
    assert found == CostTable({}, 0, 2, has_own_prices=False)
    assert as_text(found, 200)[0].startswith("No ECS task to count.")


def test_a_tasks_dag_is_that_of_its_command_or_of_the_row_that_shows_it() -> None:
    callback = task("c", command=workload(None, "ExecuteCallback"))
    found = table(
        task("a", command=of_dag("etl")),
        task("b", command=["x"]),
        task("z", command=["x"]),
        callback,
        b="of row",
    )
    assert {*found.by_dag} == {"etl", "of row", UNKNOWN, CALLBACKS}
    assert {*table(task("a", command=of_dag("etl")), callback, dag="etl").by_dag} == {"etl"}


def test_the_dearest_comes_first_and_unknown_prices_are_said() -> None:
    spot = task("spot", command=of_dag("spot"), capacityProviderName="FARGATE_SPOT")
    found = table(task("a", pulled=-60.0, command=of_dag("small")), task("b", command=of_dag("big")), spot)
    assert [*found.by_dag] == ["big", "small", "spot"]
    lines = as_text(found, 100)
    assert [line.split() for line in lines[:5]] == [
        ["DAG", "ECS", "TASKS", "VCPU-HOURS", "GB-HOURS", "US", "DOLLARS"],
        ["big", "1", "1.0000", "2.0000", "0.0494"],
        ["small", "1", "0.0167", "0.0333", "0.0008"],
        ["spot", "1", "1.0000", "2.0000", "not", "known"],
        ["all", "3", "2.0167", "4.0333", "0.0502"],
    ]
    said = " ".join(" ".join(lines[5:]).split())
    assert "3 ECS tasks, 3 of them live." in said
    assert "about an hour after its end" in said
    assert "Prices: AWS's public on-demand prices of us-east-1, June 2026." in said
    assert "The price of 1 task is not known: set task_prices, or --prices." in said


def test_own_prices_go_before_the_public_ones() -> None:
    spot = task("spot", capacityProviderName="FARGATE_SPOT")
    found = table(spot, prices=Prices({"FARGATE_SPOT": (1.0, 0.5)}))
    assert found.total.price == pytest.approx(2.0)
    said = " ".join(" ".join(as_text(found, 100)).split())
    assert (
        "Prices: the option task_prices or --prices, else AWS's public on-demand prices of us-east-1" in said
    )
    assert "not known" not in said


@pytest.mark.parametrize("width", [60, 200])
def test_the_table_fits_the_screen(width: int) -> None:
    lines = as_text(table(task("a", command=of_dag("d" * 200)), task("b", pulled=None)), width)
    assert max(map(len, lines)) <= max(width, 12 + 4 * 12)
    assert "1 task is not counted" in " ".join(" ".join(lines).split())
    assert TOKEN not in "".join(lines)


def test_json_has_the_same_sums() -> None:
    shown = as_json(table(task("a"), task("b", capacityProviderName="FARGATE_SPOT")))
    assert shown == {
        "dags": [
            {
                "dag": "d",
                "tasks": 2,
                "unpriced": 1,
                "vcpu_hours": 2.0,
                "gb_hours": 4.0,
                "dollars": 0.04937,
            }
        ],
        "total": {"tasks": 2, "unpriced": 1, "vcpu_hours": 2.0, "gb_hours": 4.0, "dollars": 0.04937},
        "live": 2,
        "unmeasured": 0,
    }
    json.dumps(shown)


def waited(name: str, pulled: float, ended: float | None = None) -> EcsTask:
    return task(name, pulled, ended, startedBy="airflow/prod/standby", command=waiting())


def test_a_standby_without_a_task_is_no_dags() -> None:
    found = table(waited("a", -3600.0), waited("b", -7200.0, -5400.0))
    assert found.by_dag == {STANDBYS: Sum(2, 0, 1.5, 3.0, found.total.dollars)}


def test_a_standby_is_its_pools_until_its_task_was_queued_and_then_its_dags() -> None:
    served = {arn_of("a"): Served("etl", NOW - 900), arn_of("b"): Served("etl", NOW - 9000)}
    tasks = [waited("a", -3600.0), waited("b", -3600.0)]
    found = make_table(tasks, served, Prices(), NOW)
    assert found.by_dag["etl"].vcpu_hours == pytest.approx(1.25)
    assert found.by_dag[STANDBYS].vcpu_hours == pytest.approx(0.75)
    assert "A standby is counted there until its task was queued" in " ".join(as_text(found, 200))
    only = make_table(tasks, served, Prices(), NOW, "etl")
    assert (list(only.by_dag), only.live) == (["etl"], 2)


def test_neither_part_of_a_standby_is_billed_a_minute_of_its_own() -> None:
    served = {arn_of("a"): Served("etl", NOW - 30)}
    found = make_table([waited("a", -40.0)], served, Prices(), NOW)
    seconds = {name: each.vcpu_hours * 3600 for name, each in found.by_dag.items()}
    assert seconds == pytest.approx({STANDBYS: 10.0, "etl": 50.0})


def test_without_its_rows_time_a_standby_is_its_dags_whole() -> None:
    found = make_table([waited("a", -3600.0)], {arn_of("a"): Served("etl")}, Prices(), NOW)
    assert list(found.by_dag) == ["etl"]
