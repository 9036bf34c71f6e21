"""ECS tasks joined with rows: who belongs to whom, what is shown, what is filtered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.argument_values import PHASES
from ecs_async_executor.fleet.live import Cause, LiveTask, Phase, TaskRow
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.operate.task_table import Filters, Line, as_json, as_text, choose, join
from tests.support.operation import DEPLOYMENT, NOW, OTHER_RUN, RUN, TOKEN, arn_of, container, standby

ROW = TaskRow("d", "r", "t", -1, 1, "running", "gpu", arn_of(), 7, NOW - 99, NOW - 60, NOW - 60)


def live(phase: Phase = Phase.RUNNING, cause: Cause | None = None, **changes: Any) -> LiveTask:
    return LiveTask(replace(ROW, **changes), phase, NOW - 60, cause)


WAITS = live(
    Phase.WAITING, Cause("No capacity.", "More."), dag_id="other", external_id=OTHER_RUN, state="queued"
)


def joined(rows: list[LiveTask], *tasks: EcsTask) -> list[tuple[str, str | None, str]]:
    return [(line.phase, line.arn, line.ecs_state) for line in join(rows, tasks, DEPLOYMENT)]


@pytest.mark.parametrize("shown", [arn_of(), RUN, str(LaunchId(RUN, 2))])
def test_a_task_and_a_row_belong_together_by_the_arn_or_the_run_id(shown: str) -> None:
    assert joined([live(external_id=shown)], container()) == [("running", arn_of(), "RUNNING")]


def test_a_row_that_waits_has_no_task() -> None:
    assert joined([WAITS]) == [("waiting", None, "")]


def test_a_task_that_ecs_does_not_show_is_missing() -> None:
    assert joined([live()]) == [("running", arn_of(), "MISSING")]


def test_a_task_that_ecs_does_not_tell_about_is_elsewhere_and_not_missing() -> None:
    lines = join([live(), WAITS], [], DEPLOYMENT, elsewhere={arn_of()})
    assert [(line.phase, line.ecs_state) for line in lines] == [("waiting", ""), ("running", "ELSEWHERE")]
    text = " ".join(" ".join(as_text(lines, 2, NOW, 200)).split())
    assert "ELSEWHERE: ECS does not tell over this connection" in text
    assert [each["ecs_state"] for each in as_json(lines, NOW)] == [None, "ELSEWHERE"]
    assert choose(lines, Filters(state="elsewhere")) == [lines[1]]


def test_a_task_that_ecs_tells_about_is_never_elsewhere() -> None:
    (line,) = join([live()], [container()], DEPLOYMENT, elsewhere={arn_of()})
    assert (line.ecs_state, line.elsewhere) == ("RUNNING", False)


def test_a_task_without_a_live_row_is_a_leftover_unless_it_is_stopping() -> None:
    stopping = container(arn_of("x"), desiredStatus="STOPPED")
    assert joined([], container(), stopping) == [("leftover", arn_of(), "RUNNING")]


def test_a_standby_without_a_task_has_its_own_phase_its_size_and_its_cost() -> None:
    (line,) = join([], [standby(cpu="256", memory="512")], DEPLOYMENT, cost=lambda _: 0.02469)
    assert (line.phase, line.name, line.since()) == ("standby", "", NOW - 7200)
    shown = " ".join(as_text([line], 1, NOW, 200))
    assert "0.25 vCPU, 0.5 GB, $0.0247 so far" in shown
    assert "1 task: 1 standby. A standby waits for a task" in shown
    (document,) = as_json([line], NOW)
    assert (document["phase"], document["dollars"], document["warm"]) == ("standby", 0.02469, False)
    assert (document["vcpus"], document["gb"]) == (0.25, 0.5)


def test_a_standby_of_unknown_size_and_price_is_shown_all_the_same() -> None:
    (line,) = join([], [standby()], DEPLOYMENT)
    assert (line.phase, line.extra) == ("standby", "")


def test_a_standby_that_serves_a_task_is_in_that_tasks_line_and_is_said_to_be_warm() -> None:
    (line,) = join([live(external_id=arn_of("57a4db"))], [standby()], DEPLOYMENT, cost=lambda _: 1.0)
    assert (line.phase, line.name, line.extra, line.dollars) == ("running", "d/r/t", "warm", None)
    assert as_json([line], NOW)[0]["warm"] is True


def test_two_standbys_are_not_taken_for_each_other() -> None:
    rows = [live(external_id=arn_of("57a4db"))]
    assert joined(rows, standby("other"), standby()) == [
        ("running", arn_of("57a4db"), "RUNNING"),
        ("standby", arn_of("other"), "RUNNING"),
    ]


def test_a_standby_whose_task_is_over_is_a_leftover() -> None:
    (line,) = join([], [standby()], DEPLOYMENT, served={arn_of("57a4db")})
    assert line.phase == "leftover"


def test_no_line_shows_where_a_standby_gets_its_task() -> None:
    (line,) = join([], [standby()], DEPLOYMENT)
    assert "a" * 32 not in repr(line) + str(as_json([line], NOW)) + " ".join(as_text([line], 1, NOW, 200))


def test_a_task_that_aws_ecs_executor_started_is_joined_by_its_arn() -> None:
    assert joined([live()], container(startedBy="")) == [("running", arn_of(), "RUNNING")]


def test_the_phases_come_in_their_order_and_are_the_fleet_pages() -> None:
    assert (*(phase.value for phase in Phase), "standby", "leftover") == PHASES
    rows = [live(), WAITS, live(Phase.STARTING, external_id=arn_of("s"))]
    assert [phase for phase, _, _ in joined(rows, container(arn_of("z"), startedBy=f"{DEPLOYMENT}/x"))] == [
        "waiting",
        "starting",
        "running",
        "leftover",
    ]


LINES = [Line(live(), container()), Line(WAITS, None), Line(None, container(arn_of("z")))]


@pytest.mark.parametrize(
    ("filters", "fitting"),
    [
        (Filters(), [0, 1, 2]),
        (Filters(dag="d"), [0]),
        (Filters(task="t"), [0, 1]),
        (Filters(queue="cpu"), []),
        (Filters(phase="waiting"), [1]),
        (Filters(phase="leftover"), [2]),
        (Filters(state="queued"), [1]),
        (Filters(state="Running"), [0, 2]),
        (Filters(dag="d", phase="waiting"), []),
    ],
)
def test_each_filter_leaves_out_what_does_not_fit(filters: Filters, fitting: list[int]) -> None:
    assert choose(LINES, filters) == [LINES[index] for index in fitting]


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits_the_screen_and_shows_ids_or_reasons(width: int) -> None:
    lines = as_text(LINES, 5, NOW, width)
    assert max(len(line) for line in lines) <= width
    text = "\n".join(lines)
    assert "other/r/t" in text
    assert "No capacity." in text
    assert "3 tasks: 1 waiting, 1 running, 1 leftover (2 others not shown)." in " ".join(text.split())
    assert "ecs-async sweep" in text
    assert TOKEN not in text


def test_without_tasks_it_says_so() -> None:
    assert as_text([], 0, NOW, 80) == ["No live tasks."]
    assert as_text([], 1, NOW, 80) == ["No live task fits (1 other not shown)."]


def test_json_has_every_line_with_ages_in_seconds() -> None:
    first, second, third = as_json(LINES, NOW)
    assert (first["name"], first["age"], first["arn"], first["ecs_state"]) == (
        "d/r/t",
        60.0,
        arn_of(),
        "RUNNING",
    )
    assert (second["reason"], second["detail"], second["arn"]) == ("No capacity.", "More.", None)
    assert (third["phase"], third["dag"], third["name"]) == ("leftover", None, "d/r/t")
