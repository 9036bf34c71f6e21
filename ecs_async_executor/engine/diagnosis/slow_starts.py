"""What a task that is slow to start waits for. Pure.

Source: "Task lifecycle" of the ECS developer guide.
"""

from __future__ import annotations

from collections.abc import Mapping

from ecs_async_executor.engine.responses import Task
from ecs_async_executor.messages import Diagnosis

_PULLING = "pulling its image"
_REMEDIES: Mapping[str, tuple[str, str]] = {
    "PROVISIONING": (
        "waiting for capacity or its network interface",
        "Check the cluster's capacity and the free addresses of the subnets.",
    ),
    "PENDING": (
        "being prepared on its host (network, image, secrets, volumes)",
        "If it stays there, check the route from its subnets to the registry and to AWS (NAT gateway or VPC endpoints).",
    ),
    "ACTIVATING": (
        "waiting for steps that come after its containers' start (load balancer, service discovery)",
        "Check what the task definition and the cluster register the task with.",
    ),
    _PULLING: (
        _PULLING,
        "Make the image smaller, or keep it in ECR in the same Region, where Fargate can load it lazily (SOCI index).",
    ),
}


def describe_slow_start(task: Task, waited: float, usual: float | None) -> Diagnosis:
    """Describe a task that hasn't started after `waited` seconds, although its family `usual`ly has by then."""
    pulls = task.pull_started_at is not None and task.pull_stopped_at is None
    doing, remedy = _REMEDIES.get(_PULLING if pulls else task.last_status, (f"in {task.last_status}", ""))
    than = f"; {task.family} usually starts within {usual:.0f} s" if usual is not None else ""
    return Diagnosis(
        f"The task has not started after {waited:.0f} s: it is {doing}{than}.",
        f"lastStatus {task.last_status}",
        remedy,
    )
