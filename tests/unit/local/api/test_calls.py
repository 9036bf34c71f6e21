from __future__ import annotations

import json

from ecs_async_executor.local.api import calls
from tests.unit.local.conftest import NETWORK, Lab


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
