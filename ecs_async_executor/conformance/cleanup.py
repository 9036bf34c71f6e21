"""Stops what a run has started: a generator of calls, as the probes are. No I/O, no clock."""

from __future__ import annotations

from ecs_async_executor.conformance.answers import Call, Probe, Record, Wait
from ecs_async_executor.conformance.limits import Limits

REASON = "ecs-async conformance: the run is over"
SECONDS = 180.0
"""After this time no new round begins."""
ROUNDS = 90
PAUSE = 2.0
"""Seconds between two rounds."""
QUIET_ROUNDS = 15
"""Rounds that must find nothing alive if a RunTask's outcome is unknown: its task may not be listed at first."""


def clean_up(cluster: str, record: Record, limits: Limits, alive: set[str]) -> Probe:
    """Stop every task of the run; afterwards `alive` has the ARNs of those that may still run.

    A task is found by its ARN if an answer named it, and by its `startedBy` in any case.
    """
    stopped: set[str] = set()
    quiet = 0
    for _ in range(ROUNDS):
        answered = True
        for label in [*limits.labels]:
            yield Call("cleanup-list", "ListTasks", {"cluster": cluster, "startedBy": label})
            listed = record.answers[-1]
            limits.arns |= dict.fromkeys(listed.arns)
            answered &= listed.ok or listed.is_denial
        alive |= {*limits.arns} - stopped
        if alive:
            # A run starts no more tasks than one call describes.
            yield Call("cleanup-describe", "DescribeTasks", {"cluster": cluster, "tasks": sorted(alive)})
            for task in record.answers[-1].tasks:
                if "STOPPED" in {task.get("lastStatus"), task.get("desiredStatus")}:
                    stopped.add(task["taskArn"])
            alive -= stopped
        quiet = quiet + 1 if answered and not alive else 0
        if quiet >= (QUIET_ROUNDS if limits.unresolved else 1):
            return
        for arn in sorted(alive):
            yield Call("cleanup-stop", "StopTask", {"cluster": cluster, "task": arn, "reason": REASON})
        if record.answers and record.answers[-1].at - record.answers[0].asked_at > SECONDS:
            return
        yield Wait(PAUSE)
