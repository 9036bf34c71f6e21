from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from ecs_async_executor.demo.expectations import EXPECTED, LONG_RUN, TASK_INSTANCES, Expected, complaints
from ecs_async_executor.demo.home import example_dags
from ecs_async_executor.demo.snapshot import DagRun, EcsTask, Queueing, Snapshot, TaskInstance

EXPECT = {"dag": {"task": Expected()}}
STOPPED = EcsTask("arn/one", "run", "STOPPED", 1.0, 2.0, 3.0, exit_code=137, stopped_reason="OutOfMemory")


def task_instance(state: str | None, *ecs_tasks: EcsTask, task_id: str = "task") -> TaskInstance:
    queueings = (Queueing("run", 1, 0.0, 0.5, 2.5, ecs_tasks),)
    return TaskInstance("dag", task_id, -1, state, 1, current="run", queueings=queueings)


def snapshot(*tasks: TaskInstance, state: str = "success") -> Snapshot:
    return Snapshot(at=0.0, dag_runs=(DagRun("dag", state),), tasks=tasks)


def test_a_task_that_ended_as_expected_gives_no_complaint() -> None:
    assert complaints(snapshot(task_instance("success", STOPPED)), EXPECT) == ()


def test_another_end_state_is_named_with_how_its_ecs_task_stopped() -> None:
    [complaint] = complaints(snapshot(task_instance("failed", STOPPED)), EXPECT)
    assert complaint.text == (
        "dag.task: failed after 1 ECS task, expected success after 1 ECS task"
        " (one STOPPED, exit code 137, OutOfMemory)"
    )
    assert complaint.ecs_tasks == (STOPPED,)


def test_two_ecs_tasks_for_one_queueing_are_one_too_many() -> None:
    [complaint] = complaints(
        snapshot(task_instance("success", STOPPED, replace(STOPPED, arn="arn/two"))), EXPECT
    )
    assert complaint.text.startswith("dag.task: success after 2 ECS tasks, expected success after 1 ECS task")


def test_a_skipped_task_must_not_have_launched_anything() -> None:
    skipped = {"dag": {"task": Expected("skipped", ecs_tasks=0)}}
    assert complaints(snapshot(task_instance("skipped")), skipped) == ()
    assert len(complaints(snapshot(task_instance("skipped", STOPPED)), skipped)) == 1


def test_a_dag_run_that_failed_or_is_missing_is_named() -> None:
    task = task_instance("success", STOPPED)
    [failed] = complaints(snapshot(task, state="failed"), EXPECT)
    [missing] = complaints(Snapshot(at=0.0, tasks=(task,)), EXPECT)
    assert failed.text == "dag: the Dag run is failed, expected success"
    assert missing.text == "dag: the Dag run is missing, expected success"


def test_missing_instances_and_unknown_tasks_are_named() -> None:
    found = complaints(snapshot(task_instance("success", STOPPED, task_id="other")), EXPECT)
    assert found[0].text.startswith("dag.other: success after 1 ECS task, expected no such task")
    assert found[1].text == "dag.task: 0 instances, expected 1"


def test_the_number_of_task_instances_counts_the_mapped_ones() -> None:
    assert sum(expected.instances for expected in EXPECTED["fan_out"].values()) == 14
    assert TASK_INSTANCES == 25


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_each_dag_with_expectations_is_an_example_of_that_name(dag_id: str) -> None:
    source = (example_dags() / f"{dag_id}.py").read_text(encoding="utf-8")
    functions = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    for task_id in EXPECTED[dag_id]:
        assert task_id in functions or f'task_id="{task_id}"' in source


def test_every_example_has_expectations() -> None:
    assert {Path(file).stem for file in example_dags().glob("*.py")} == {*EXPECTED, LONG_RUN}
