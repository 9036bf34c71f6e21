from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from ecs_async_executor.demo.display import (
    LEGEND,
    ComponentStatus,
    View,
    changes,
    fold,
    live,
    summary,
    verdict,
    warm_and_cold,
)
from ecs_async_executor.demo.expectations import Expected
from ecs_async_executor.demo.snapshot import DagRun, EcsTask, Queueing, Snapshot, TaskInstance

EXPECT = {"dag": {"task": Expected(instances=12), "total": Expected()}}
ECS_ID = "0123456789abcdef0123456789abcdef"


def stopped(created: float = 12.0) -> EcsTask:
    return EcsTask(f"arn:aws:ecs:us-east-1:1:task/demo/{ECS_ID}", "run", "STOPPED", created, 15.0, 20.0)


def task_instance(
    state: str | None, *ecs_tasks: EcsTask, task_id: str = "task", index: int = -1
) -> TaskInstance:
    queueings = (Queueing("run", 1, 10.0, 11.0, 17.0, ecs_tasks),)
    return TaskInstance("dag", task_id, index, state, 1, 10.0, 11.0, "run", queueings)


def snapshot(*tasks: TaskInstance) -> Snapshot:
    return Snapshot(at=20.0, dag_runs=(DagRun("dag", "running"),), tasks=tasks)


def mapped(*states: str | None) -> Snapshot:
    instances = [task_instance(state, index=index) for index, state in enumerate(states)]
    return snapshot(*instances, task_instance(None, task_id="total"))


def text(renderable: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def view(shown: Snapshot) -> View:
    components = (ComponentStatus("database", 5.0), ComponentStatus("scheduler", None))
    return View(elapsed=42.0, components=components, snapshot=shown, address="http://127.0.0.1:8080")


def test_the_live_display_tells_which_components_are_ready() -> None:
    lines = text(live(view(Snapshot(at=0.0)), width=80, height=24))
    assert lines == ["ecs-async demo   42 s   http://127.0.0.1:8080", "● database ○ scheduler"]


def test_a_task_instance_shows_its_phase_how_long_and_its_ecs_task() -> None:
    starting = EcsTask(stopped().arn, "run", "RUNNING", 12.0, started_at=15.0)
    lines = text(live(view(snapshot(task_instance("queued", starting))), width=120, height=24), width=120)
    [line] = [line for line in lines if line.startswith("  task")]
    assert line.split() == ["task", "starting", "5.0", "s", "1", "1", ECS_ID]


def test_a_narrow_terminal_shows_the_beginning_of_the_ecs_task_id() -> None:
    lines = text(live(view(snapshot(task_instance("success", stopped()))), width=80, height=24))
    [line] = [line for line in lines if line.startswith("  task")]
    assert line.split() == ["task", "success", "1", "1", ECS_ID[:16]]


def test_mapped_instances_have_a_line_each_where_they_fit() -> None:
    assert [line.title for line in fold(mapped("success", "running"), height=4)] == [
        "dag",
        "task[0]",
        "task[1]",
        "total",
    ]


def test_mapped_instances_share_a_line_where_they_do_not_fit() -> None:
    folded = fold(mapped("success", "running", None), height=4)
    assert [(line.title, len(line.tasks)) for line in folded] == [("dag", 0), ("task[0-2]", 3), ("total", 1)]


def test_a_folded_line_counts_its_instances_by_phase() -> None:
    lines = text(live(view(mapped("success", "running", "running", None)), width=80, height=8))
    [line] = [line for line in lines if "task[0-3]" in line]
    assert line.split(maxsplit=4) == ["task[0-3]", "1/4", "ended", "0", "2 running"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("height", [12, 24, 50])
def test_the_live_display_fits_the_terminal(width: int, height: int) -> None:
    lines = text(live(view(mapped(*["running"] * 12)), width=width, height=height), width=width)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_summary_has_the_seconds_of_each_phase_and_the_outcome() -> None:
    lines = text(summary(snapshot(task_instance("success", stopped())), EXPECT))
    assert lines[0].split() == [
        "task",
        "sched",
        "launch",
        "prov",
        "start",
        "run",
        "total",
        "ECS",
        "tasks",
        "ended",
        "as",
    ]
    assert lines[2].split() == ["task", "1.0", "1.0", "3.0", "2.0", "3.0", "10.0", "1", "✓", "success"]


def test_the_summary_marks_what_is_not_as_expected() -> None:
    lines = text(summary(snapshot(task_instance("failed", stopped())), EXPECT))
    assert lines[2].endswith("✗ failed")


def test_the_summary_has_no_seconds_for_what_was_never_launched() -> None:
    skipped = {"dag": {"task": Expected("skipped", ecs_tasks=0)}}
    lines = text(summary(snapshot(task_instance("skipped")), skipped))
    assert lines[2].split() == ["task", "-", "-", "-", "-", "-", "-", "0", "✓", "skipped"]


@pytest.mark.parametrize(
    ("created", "launched"),
    [((12.0,), "1"), ((1.0,), "warm"), ((1.0, 12.0), "2, 1 warm"), ((12.0, 13.0), "2")],
)
def test_the_summary_says_which_tasks_started_warm(created: tuple[float, ...], launched: str) -> None:
    shown = text(summary(snapshot(task_instance("success", *map(stopped, created))), EXPECT))[2]
    assert shown[: -len("✓ success")].rstrip().endswith(f" {launched}")


def test_the_summary_of_every_example_fits_80_columns() -> None:
    longest = task_instance("upstream_failed", stopped(1.0), stopped(), task_id="rescheduled")
    assert max(map(len, text(summary(snapshot(longest))) + LEGEND.splitlines())) <= 80


def test_changes_name_only_what_is_in_another_phase_than_before() -> None:
    before = snapshot(task_instance("success", stopped()), task_instance("queued", task_id="total"))
    after = snapshot(
        task_instance("success", stopped()), task_instance("running", stopped(), task_id="total")
    )
    assert changes(before, after) == [f"dag.total: running ({ECS_ID})"]


def test_a_task_that_waits_for_others_is_no_change() -> None:
    assert changes(
        Snapshot(at=0.0), snapshot(task_instance(None), task_instance("scheduled", task_id="total"))
    ) == ["dag.total: scheduled"]


def test_the_verdict_counts_runs_tasks_and_ecs_tasks() -> None:
    shown = snapshot(
        task_instance("success", stopped(), stopped()), task_instance("skipped", task_id="total")
    )
    assert verdict(shown).startswith("✓ 1 Dag runs, 2 tasks, 2 ECS tasks")


def test_warm_starts_are_set_beside_cold_ones() -> None:
    warm = [
        task_instance("success", stopped(created), index=index) for index, created in enumerate((1.0, 10.9))
    ]
    cold = task_instance("success", stopped(11.0), task_id="total")
    assert warm_and_cold(snapshot(*warm, cold)) == (
        "From queued to running (median): 2 warm in 6.0 s, 1 cold in 6.0 s."
    )


@pytest.mark.parametrize("created", [[], [1.0], [12.0]])
def test_without_both_nothing_is_compared(created: list[float]) -> None:
    tasks = [task_instance("success", stopped(each)) for each in created]
    assert warm_and_cold(snapshot(*tasks)) == ""
