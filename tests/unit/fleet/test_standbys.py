"""The pools of standbys on the fleet page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.fleet.live import Fleet, Job
from ecs_async_executor.fleet.view import Filters, make_view
from ecs_async_executor.messages import EngineStatus, PoolStatus, Usage
from ecs_async_executor.scheduler_status import SchedulerStatus

NOW = 10_000.0
POOL = PoolStatus(
    "small",
    3,
    1,
    2,
    90.44,
    1200,
    5,
    "",
    (("no standby was free", 4), ("it has an executor_config", 1)),
    Usage(0.25, 0.5, 7200.0, "FARGATE"),
    "us-east-1",
)
ENGINE = EngineStatus(0, 0, 0, 10.0, 10.0, 0, 0, standbys=(POOL,))
STATUS = SchedulerStatus(7, NOW - 4, "1", 0, 0, 64, 0, ENGINE, standby_prices={"small": 0.0123425})


def rows(*statuses: SchedulerStatus, jobs: dict[int, Job] | None = None) -> list[dict[str, Any]]:
    fleet = Fleet(NOW, statuses=statuses, jobs=jobs or {})
    shown = make_view(fleet, frozenset(), NOW, Filters(), [], events=False)
    json.dumps(shown)
    found: list[dict[str, Any]] = shown["standbys"]
    return found


def test_a_pool_is_shown_with_what_it_has_and_does_and_costs():
    assert rows(STATUS) == [
        {
            "scheduler": 7,
            "team": None,
            "silent": False,
            "pool": "small",
            "wanted": 3,
            "starting": 1,
            "ready": 2,
            "oldest": 90.4,
            "warm": 1200,
            "cold": 5,
            "why_cold": [
                {"reason": "no standby was free", "tasks": 4},
                {"reason": "it has an executor_config", "tasks": 1},
            ],
            "rests": None,
            "vcpus": 0.25,
            "gb": 0.5,
            "capacity": "FARGATE",
            "idle_seconds": 7200.0,
            "dollars": 0.0247,
            "dollars_a_month": 27.03,
        }
    ]


def test_without_a_price_hours_are_shown_and_no_money():
    (row,) = rows(replace(STATUS, standby_prices={}))
    assert (row["idle_seconds"], row["dollars"], row["dollars_a_month"]) == (7200.0, None, None)


def test_before_a_standby_has_started_there_is_no_size_and_no_cost():
    (row,) = rows(
        replace(STATUS, engine=replace(ENGINE, standbys=(replace(POOL, idle=None),)), standby_prices={})
    )
    assert [row[name] for name in ("vcpus", "gb", "capacity", "idle_seconds", "dollars")] == [None] * 5


def test_a_pool_that_rests_says_why():
    resting = replace(ENGINE, standbys=(replace(POOL, off="The image is broken."),))
    assert rows(replace(STATUS, engine=resting))[0]["rests"] == "The image is broken."


@pytest.mark.parametrize(
    ("status", "jobs", "expected"),
    [
        (replace(STATUS, engine=None), {}, []),
        (replace(STATUS, engine=replace(ENGINE, standbys=())), {}, []),
        (STATUS, {7: Job("host", ended=True)}, []),
        (replace(STATUS, at=NOW - 100), {}, [("small", True)]),
        (replace(STATUS, at=NOW - 249), {}, [("small", True)]),
        (replace(STATUS, at=NOW - 250), {}, []),
    ],
)
def test_whose_scheduler_has_ended_or_is_long_silent_has_no_row_and_whose_is_silent_says_so(
    status: SchedulerStatus, jobs: dict[int, Job], expected: list[tuple[str, bool]]
):
    assert [(row["pool"], row["silent"]) for row in rows(status, jobs=jobs)] == expected


def test_two_schedulers_have_a_row_each_for_the_same_pool():
    other = replace(STATUS, job_id=8)
    assert [(row["scheduler"], row["pool"]) for row in rows(other, STATUS)] == [(7, "small"), (8, "small")]
