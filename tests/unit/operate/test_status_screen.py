"""The fleet page's numbers on one screen."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files

import pytest

from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.metrics.summary import summary
from ecs_async_executor.fleet.live import Event, Fleet, Job, TaskRow
from ecs_async_executor.measurements import Series
from ecs_async_executor.messages import EngineStatus, PoolStatus, Usage
from ecs_async_executor.metrics import PAUSED, RATE, RATE_LIMIT
from ecs_async_executor.operate.status_screen import as_text, make_status
from ecs_async_executor.scheduler_status import SchedulerStatus
from tests.support.operation import NOW, RUN, TOKEN
from tests.unit.docs.pages import ROOT

ENGINE = EngineStatus(3, 1, 9, 12.5, 20.0, 120, 0)
STATUS = SchedulerStatus(7, NOW - 4, "1", 12, 12, 64, 0, ENGINE)
ROW = TaskRow("d", "r", "t", -1, 1, "queued", "default", RUN, 7, NOW - 130, None, NOW - 130)
FAILED = Event("d", "r", "t", 2, 1, EventName.ENDED.value, NOW - 300, "Out of memory. Raise it.")


def fleet(status: SchedulerStatus | None = STATUS, *rows: TaskRow) -> Fleet:
    statuses = (status,) if status is not None else ()
    return Fleet(NOW, rows, statuses=statuses, jobs={7: Job("host-a", ended=False)})


def screen(found: Fleet, *failures: Event, width: int = 80) -> str:
    lines = as_text(make_status(found, failures, NOW), width)
    assert max(len(line) for line in lines) <= width
    return "\n".join(lines)


def test_it_shows_the_launches_of_the_last_minute_the_rate_and_how_often_aws_throttled() -> None:
    shown = screen(fleet())
    assert "#7 host-a" in shown
    (line,) = [line for line in shown.splitlines() if line.startswith("#7")]
    assert line.split()[2:] == ["120", "12.5", "of", "20", "0", "3", "9", "12/64", "4s"]
    throttled = replace(STATUS, engine=replace(ENGINE, throttles=8))
    (line,) = [line for line in screen(fleet(throttled)).splitlines() if line.startswith("#7")]
    assert line.split()[6] == "8"


def test_the_fleet_page_calls_the_numbers_of_a_scheduler_the_same() -> None:
    page = (files("ecs_async_executor.ui") / "page" / "fleet.js").read_text("utf-8")
    table = page.partition("function drawSchedulers")[2].partition("];")[0]
    _, _, *words = re.findall(r'\["(\w+)"', table)
    (titles,) = [line for line in screen(fleet()).splitlines() if line.startswith("SCHEDULER")]
    assert titles.split()[1:] == [word.upper() for word in words]
    explained = (ROOT / "docs" / "fleet.md").read_text("utf-8").partition("### The numbers of a scheduler")[2]
    assert re.findall(r"^\| (\w+) \|", explained.partition("###")[0], re.MULTILINE)[1:] == words


def test_a_reason_is_said_once_and_what_to_do_about_it_below() -> None:
    waits = make_status(fleet(), [], NOW) | {
        "waits": [
            {
                "cause": "No room.",
                "detail": "No room. Add subnets.",
                "count": 1,
                "oldest": 2.0,
                "example": {"dag": "d", "run": "r", "task": "t", "map_index": None},
            }
        ]
    }
    lines = as_text(waits, 80)
    assert [line.strip() for line in lines if "room" in line or "Add" in line] == [
        "1x No room.",
        "Add subnets.",
    ]


POOL = PoolStatus(
    "small", 3, 1, 2, 190.0, 1200, 4, "", (("no standby was free", 4),), Usage(0.25, 0.5, 7200.0, "FARGATE")
)


def with_pool(pool: PoolStatus, **prices: float) -> Fleet:
    return fleet(replace(STATUS, engine=replace(ENGINE, standbys=(pool,)), standby_prices=prices))


def test_each_pool_of_standbys_has_a_line_with_its_cost_and_why_tasks_started_cold() -> None:
    shown = screen(with_pool(POOL, small=0.0123425))
    (line,) = [line for line in shown.splitlines() if line.startswith("small")]
    assert line.split() == ["small", "(#7)", "2/3", "1", "3m", "10s", "1,200", "4", "0.02", "27.03"]
    assert "small (#7): cold starts: 4 because no standby was free." in shown
    unpriced = screen(with_pool(POOL))
    assert next(line for line in unpriced.splitlines() if line.startswith("small")).split()[-2:] == ["-", "-"]


def test_a_pool_that_rests_says_so_and_why() -> None:
    shown = " ".join(screen(with_pool(replace(POOL, off="S3 says no."))).split())
    assert "small (#7): its tasks start cold. S3 says no." in shown


def test_a_silent_schedulers_standbys_are_said_to_end() -> None:
    silent = replace(STATUS, at=NOW - 100, engine=replace(ENGINE, standbys=(POOL,)))
    words = "small (#7): its scheduler is silent; without it, they end within four minutes."
    assert words in " ".join(screen(fleet(silent)).split())
    assert words not in " ".join(screen(with_pool(POOL)).split())


def test_without_pools_nothing_is_said_of_standbys() -> None:
    assert "STANDBYS" not in screen(fleet())


def test_without_a_limit_no_rate_is_made_up() -> None:
    assert "no limit" in screen(fleet(replace(STATUS, engine=replace(ENGINE, rate=None, limit=None))))


def test_throttles_without_a_limit_show_the_rate_that_they_leave_as_the_line_a_minute_does() -> None:
    engine = replace(ENGINE, rate=4.2, limit=None, throttles=31)
    (line,) = [line for line in screen(fleet(replace(STATUS, engine=engine))).splitlines() if "#7" in line]
    assert line.split()[3] == "4.2"
    gauges: dict[Series, float] = {(PAUSED, ()): 0.0, (RATE, ()): 4.2, (RATE_LIMIT, ()): 0.0}
    assert "RunTask: 4.2 calls/s;" in summary(gauges, 120, 31)


def test_without_schedulers_it_fits_a_narrow_terminal() -> None:
    assert "12,345 waiting, 0" in screen(fleet(None, *[ROW] * 12_345), FAILED, width=40)


def test_it_groups_what_waits_with_the_oldest() -> None:
    shown = screen(fleet(STATUS, ROW, replace(ROW, task_id="u", queued_at=NOW - 10)))
    assert "2x More launches wait than RunTask's rate allows at once." in shown
    assert "oldest 2m 10s: d/r/t" in shown
    assert "2 waiting, 0 launching" in shown


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            replace(STATUS, paused="The credentials have expired. Renew.", paused_since=NOW - 60),
            "has paused for 1m 00s: The credentials",
        ),
        (replace(STATUS, engine=None), "its engine doesn't answer"),
        (replace(STATUS, at=NOW - 100), "gives no sign of life"),
        (replace(STATUS, waiting_for_slot=5), "5 tasks wait for a free slot"),
        (None, "No scheduler has reported in the last 15 minutes."),
    ],
)
def test_what_is_wrong_with_a_scheduler_is_said_in_a_sentence(
    status: SchedulerStatus | None, words: str
) -> None:
    assert words in " ".join(screen(fleet(status)).split())


def test_the_last_failures_are_grouped() -> None:
    shown = screen(fleet(), FAILED, replace(FAILED, at=NOW - 20, map_index=-1))
    assert "2x Out of memory." in shown
    assert "20s ago: d/r/t, try 1" in shown


def test_more_groups_than_fit_are_counted() -> None:
    failures = [replace(FAILED, text=f"Reason {index}. More.") for index in range(8)]
    assert "and 3 more kinds: --json shows all." in screen(fleet(), *failures)


def test_no_token_is_shown() -> None:
    shown = screen(fleet(), replace(FAILED, text=f"exec {TOKEN}: not found."))
    assert TOKEN not in shown
    assert "exec ***" in shown


def test_json_has_what_the_page_has_but_for_its_table() -> None:
    status = make_status(fleet(STATUS, ROW), [FAILED], NOW)
    assert list(status) == [
        "at",
        "total",
        "left_out",
        "phases",
        "queues",
        "schedulers",
        "standbys",
        "waits",
        "failures",
    ]
    assert (status["total"], status["schedulers"][0]["engine"]["limit"]) == (1, 20.0)
