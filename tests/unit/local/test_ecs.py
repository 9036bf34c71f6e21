from __future__ import annotations

import json

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local import calls
from ecs_async_executor.local.ecs import Clock

from .conftest import NETWORK, Lab, definition


def test_an_error_fault_strikes_before_any_work(lab: Lab) -> None:
    lab.ecs.conditions.update(
        {"faults": [{"kind": "server_error", "action": "RunTask", "times": 1}]}, lab.now
    )
    error = lab.error("RunTask", taskDefinition="airflow-task")
    assert (error.code, error.status) == ("ServerException", 500)
    assert not list(lab.ecs.store.all_tasks())


def test_a_lost_response_comes_after_the_work(lab: Lab) -> None:
    lab.ecs.conditions.update({"faults": [{"kind": "lost_response"}]}, lab.now)
    _, fault = calls.answer(
        lab.ecs,
        "RunTask",
        json.dumps({"taskDefinition": "airflow-task", "networkConfiguration": NETWORK}).encode(),
    )
    assert fault is not None
    assert fault.kind == "lost_response"
    assert len(list(lab.ecs.store.all_tasks())) == 1


def test_throttling_follows_awss_buckets() -> None:
    lab = Lab(conditions={"throttling": True})
    for _ in range(100):
        lab.run()
    assert lab.error("StopTask", task="any").code == "ThrottlingException"
    lab.now += 1
    for _ in range(40):
        lab.run()
    assert lab.error("RunTask", taskDefinition="airflow-task").code == "ThrottlingException"
    assert lab.call("ListTasks")["taskArns"]


def test_fargate_launches_have_their_own_throttle() -> None:
    lab = Lab(conditions={"throttling": True})
    network = {"awsvpcConfiguration": {"subnets": ["s"]}}
    for _ in range(20):
        lab.run(launchType="FARGATE", networkConfiguration=network)
    error = lab.error(
        "RunTask", taskDefinition="airflow-task", launchType="FARGATE", networkConfiguration=network
    )
    assert error.code == "ThrottlingException"
    assert lab.run()


def test_options_make_clusters_and_definitions() -> None:
    mine = definition("a", family="mine", networkMode="awsvpc")
    lab = Lab(clusters=["mine"], task_definitions=[mine])
    assert lab.run(cluster="mine", taskDefinition="mine")


def test_a_wrong_task_definition_among_the_options_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="task definition mine: containerDefinitions"):
        Lab(task_definitions=[{"family": "mine"}])


def test_a_wrong_plan_among_the_options_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="duratoin"):
        Lab(plan={"defaults": {"duratoin": 1}})


def test_the_clock_runs_with_the_loops() -> None:
    loop_time = [5.0]
    clock = Clock(lambda: loop_time[0])
    before = clock()
    loop_time[0] += 3600
    assert clock() - before == pytest.approx(3600)
