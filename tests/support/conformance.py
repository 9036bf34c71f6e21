"""The conformance suite on a local ECS without network, process or time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ecs_async_executor.conformance.answers import Answer, Call
from ecs_async_executor.conformance.limits import SECONDS, Limits
from ecs_async_executor.conformance.probes import PROBES, Probing
from ecs_async_executor.conformance.run import Outcome, run
from ecs_async_executor.conformance.target import MARK, SIGTERM_EXIT, Target, read_target
from ecs_async_executor.local.api import calls
from ecs_async_executor.local.rules.protocol import AwsError
from tests.unit.local.conftest import Lab

RUN_ID = "0123456789abcdef0123456789abcdef"
TAG = {"key": "team", "value": "data"}
PLAN: dict[str, Any] = {
    "defaults": {
        "provisioning": 5,
        "pending": 1,
        "pull": 5,
        "activating": 1,
        "duration": 1,
        "deprovisioning": 3,
    },
    "rules": [
        {"environment": {MARK: "first"}, "duration": 300},
        {"environment": {MARK: "exit-1"}, "exit_code": 1},
        {"environment": {MARK: "exit-137"}, "exit_code": 137},
        {
            "environment": {MARK: "cannot-start"},
            "start_failure": "CannotStartContainerError: Error response from daemon: no such file or directory",
        },
        {
            "family": "broken",
            "start_failure": "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
        },
    ],
}
"""What the simulated tasks of the suite do, as real ones would."""
SIMULATED_SIGTERM = 143
"""Simulated containers can't answer SIGTERM; the exit code of those that it ends."""


def plan_without_start_delays() -> dict[str, Any]:
    """Return `PLAN` for a server in real time."""
    return {"defaults": {"duration": 0.05}, "rules": PLAN["rules"]}


class LabEdge:
    """Sends calls to a `Lab`, as if a simulated container answered SIGTERM; `bend` may change every answer."""

    def __init__(self, lab: Lab, bend: Callable[[Answer], Answer] = lambda answer: answer) -> None:
        self.lab, self.bend = lab, bend
        self.sent: list[Call] = []

    def send(self, call: Call) -> Answer:
        """Answer a call at once."""
        self.sent.append(call)
        now = self.lab.now
        if call.service == "service-quotas":
            quota = {"QuotaName": f"quota {call.params['QuotaCode']}", "Value": 6.0, **call.params}
            return self.bend(Answer(call, now, now, {"Quota": quota}))
        try:
            answer, fault = calls.answer(self.lab.ecs, call.action, json.dumps(call.params).encode())
        except AwsError as error:
            return self.bend(Answer(call, now, now, error.extra, error.code, error.message, error.status))
        if fault is not None:
            return self.bend(Answer(call, now, now, {}, "-", f"ReadTimeoutError: {fault.kind}"))
        body = json.loads(answer.body)
        for task in body.get("tasks", ()):
            for container in task.get("containers", ()):
                if container.get("exitCode") == SIMULATED_SIGTERM:
                    container["exitCode"] = SIGTERM_EXIT
        return self.bend(Answer(call, now, now, body))

    def send_at_once(self, call: Call, times: int) -> Sequence[Answer]:
        """Answer the same call many times at one instant."""
        return [self.send(call) for _ in range(times)]


def make_lab(**options: Any) -> Lab:
    """Return a lab that has what the suite needs: a tagged task definition, and one whose image doesn't exist."""
    lab = Lab(plan=PLAN, **options)
    document = {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{"name": "airflow", "image": "i"}],
    }
    lab.call("RegisterTaskDefinition", family="whole", tags=[TAG], **document)
    lab.call("RegisterTaskDefinition", family="broken", **document)
    return lab


def target_of(lab: Lab, family: str = "whole", **given: Any) -> Target:
    """Return the target for a lab's task definition."""
    answer = lab.call("DescribeTaskDefinition", taskDefinition=family, include=["TAGS"])
    values = {
        "cluster": "default",
        "task_definition": family,
        "run_id": RUN_ID,
        "subnets": ("subnet-1",),
        "broken_task_definition": "broken",
    }
    return read_target(answer["taskDefinition"], answer["tags"], {**values, **given})


def run_on(
    edge: LabEdge,
    target: Target | None = None,
    probes: Sequence[Probing] = PROBES,
    say: Callable[[str], None] = lambda _: None,
    **limits: Any,
) -> tuple[Outcome, Limits]:
    """Run the suite in virtual time."""
    lab = edge.lab

    def sleep(seconds: float) -> None:
        lab.now += seconds

    bounds = Limits(**{"deadline": lab.now + SECONDS, **limits})
    outcome = run(target or target_of(lab), edge, bounds, probes, clock=lambda: lab.now, sleep=sleep, say=say)
    return outcome, bounds


def alive(lab: Lab) -> list[str]:
    """Return the ARNs of tasks that nobody has told to stop."""
    tasks = lab.ecs.store.all_tasks()
    return [task.arn for task in tasks if task.timeline.desired_status(lab.now) == "RUNNING"]
