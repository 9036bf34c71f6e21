"""When a task is looked at next, by what was seen of it. Pure."""

from __future__ import annotations

from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Phase

NOT_YET_RUNNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


def phase_of(task: Task) -> Phase:
    """Tell how far a task is that has not stopped."""
    if task.desired_status == "STOPPED":
        return Phase.ENDING
    if task.last_status in NOT_YET_RUNNING:
        return Phase.STARTING
    return Phase.RUNNING if task.last_status == "RUNNING" else Phase.ENDING


def next_poll(phase_age: float, even: float, poll_interval: float) -> float:
    """Seconds until the next look at a task whose phase was first seen `phase_age` seconds ago.

    Soon after it was launched, began to run or to end, and then less and less often: what is seen comes late by a
    tenth of how long it took, up to `poll_interval`. `even` is the interval at which looking at all tasks alike takes
    half of what the watcher may: with many tasks, none is looked at more often, and old ones not even that often.
    """
    shortest, longest = sorted((even, poll_interval))
    return min(max(1.0, shortest, phase_age / 10), longest)
