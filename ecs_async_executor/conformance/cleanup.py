"""Stops what a run has started: a generator of calls, as the probes are. No I/O, no clock."""

from __future__ import annotations

from ecs_async_executor.conformance.answers import Call, Probe, Record, Wait
from ecs_async_executor.conformance.limits import Limits
from ecs_async_executor.conformance.probes import ID_LIMIT

REASON = "ecs-async conformance: the run is over"
ROUNDS = 60
PAUSE = 2.0
"""Seconds between two rounds."""
QUIET_ROUNDS = 15
"""Rounds that must find nothing alive if a RunTask's outcome is unknown: its task may not be listed at first."""


def clean_up(cluster: str, record: Record, limits: Limits, alive: set[str]) -> Probe:
    """Stop every task of the run; afterwards `alive` has the ARNs of those that may still run.

    A task is found by its ARN if an answer named it, and by its `startedBy` in any case.
    """
    quiet = 0
    for _ in range(ROUNDS):
        for label in [*limits.labels]:
            yield Call("cleanup-list", "ListTasks", {"cluster": cluster, "startedBy": label})
            limits.arns |= dict.fromkeys(record.all("cleanup-list")[-1].arns)
        arns = [*limits.arns]
        alive.clear()
        alive.update(arns)
        for start in range(0, len(arns), ID_LIMIT):
            chunk = arns[start : start + ID_LIMIT]
            yield Call("cleanup-describe", "DescribeTasks", {"cluster": cluster, "tasks": chunk})
            for task in record.all("cleanup-describe")[-1].tasks:
                if "STOPPED" in {task.get("lastStatus"), task.get("desiredStatus")}:
                    alive.discard(task["taskArn"])
        quiet = 0 if alive else quiet + 1
        if quiet >= (QUIET_ROUNDS if limits.unresolved else 1):
            return
        for arn in sorted(alive):
            yield Call("cleanup-stop", "StopTask", {"cluster": cluster, "task": arn, "reason": REASON})
        yield Wait(PAUSE)
