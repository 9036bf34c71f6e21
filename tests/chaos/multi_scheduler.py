"""What the tests with several schedulers have in common: start one, wait for something, see how it all ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.chaos.airflow import Airflow
from tests.chaos.departures import SignalLostError
from tests.chaos.observations import Container, Observations
from tests.chaos.processes import Child
from tests.chaos.report import Verdict, judge

Story = TypeVar("Story")


@dataclass
class Scheduler:
    """A scheduler process and the id of its job."""

    process: Child
    job: int


def start(world: Airflow, name: str, **environment: str) -> Scheduler:
    """Start a scheduler and wait until its job is there."""
    known = world.database.scheduler_jobs()
    process = world.scheduler(name, **environment)
    (job,) = until(lambda: world.database.scheduler_jobs() - known)
    return Scheduler(process, job)


def until(look: Callable[[], Any], enough: Callable[[Any], Any] = bool, seconds: float = 120) -> Any:
    """Look again and again until it is enough, and give what was seen."""
    deadline = time.monotonic() + seconds
    while not ((seen := look()) and enough(seen)):
        assert time.monotonic() < deadline, f"still waiting; last seen was {seen}"
        time.sleep(0.1)
    return seen


def tell_again_if_lost(tell: Callable[[], Story]) -> Story:
    """Tell a story, and tell it anew if core has lost the signal that it is about."""
    for _ in range(3):
        with suppress(SignalLostError):
            return tell()
    raise SignalLostError("three times in a row")


def conclude(world: Airflow, tasks: int) -> Verdict:
    """Wait until all is over, and judge it."""
    until(lambda: not world.database.unfinished(), seconds=300)
    containers = until(
        lambda: [Container.of(task) for task in world.ecs.tasks()],
        lambda found: all(container.stopped for container in found),
    )
    database = world.database
    return judge(tasks, Observations(containers, world.journal, database.queueings(), database.ends()))
