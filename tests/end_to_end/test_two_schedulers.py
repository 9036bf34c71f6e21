"""Two real schedulers on one database, one of which leaves, and another one of which is killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.airflow import Airflow, Setting, airflow
from tests.chaos.departures import Departure, leave
from tests.chaos.multi_scheduler import conclude, start, tell_again_if_lost, until
from tests.chaos.observations import Task
from tests.chaos.report import GOOD, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# User code outlasts the time until a killed scheduler is missed: 3 s of [scheduler] health_check_threshold, and a check
# every 1.5 s.
SETTING = Setting(tasks=16, parallelism=5, seconds=(7.0, 9.0))


@dataclass(frozen=True)
class Story:
    """What happened: two schedulers share the work, one is told to leave, a third one comes, the second is killed."""

    launched: list[set[Task]]
    """The tasks that the first and the second were running before anybody left."""
    departure: Departure
    """Of the first."""
    left: set[Task]
    """Running when the first one was told to leave."""
    stops: int
    """Calls of StopTask until it had left."""
    adopted_from_left: set[Task]
    lost: set[Task]
    """Running when the second one was killed."""
    adopted_from_lost: set[Task]
    verdict: Verdict


@pytest.fixture(scope="module")
def story() -> Story:
    return tell_again_if_lost(tell_in_a_new_world)


def tell_in_a_new_world() -> Story:
    with (
        TemporaryDirectory(prefix="ecs-async-two-") as folder,
        airflow(Path(folder).resolve(), SETTING) as world,
    ):
        return tell(world)


def tell(world: Airflow) -> Story:
    running = world.database.running_by_job
    first, second = start(world, "first"), start(world, "second")
    launched = until(
        lambda: (rows := running()) and [rows.get(job, set()) for job in (first.job, second.job)],
        lambda found: all(len(tasks) > 1 for tasks in found),
    )

    left = running()[first.job]
    departure = leave(first.process)
    stops = sum(world.ecs.calls().get("StopTask", {}).values())
    adopted_from_left = until(lambda: left & running().get(second.job, set()))

    third = start(world, "third")
    lost = until(lambda: running().get(second.job, set()), lambda tasks: len(tasks - left) > 2)
    second.process.kill()
    adopted_from_lost = until(lambda: lost & running().get(third.job, set()))

    verdict = conclude(world, SETTING.tasks)
    return Story(
        launched=launched,
        departure=departure,
        left=left,
        stops=stops,
        adopted_from_left=adopted_from_left,
        lost=lost,
        adopted_from_lost=adopted_from_lost,
        verdict=verdict,
    )


def test_each_scheduler_owns_what_it_launches(story: Story):
    first, second = story.launched

    assert len(first) > 1
    assert len(second) > 1
    assert not first & second


def test_a_scheduler_that_is_told_to_leave_is_gone_in_seconds(story: Story):
    assert story.departure.is_orderly, story.departure.log
    assert story.departure.seconds < 15  # [ecs_async_executor] shutdown_timeout is 10 s


def test_the_containers_of_a_scheduler_that_leaves_live_on_and_the_other_adopts_them(story: Story):
    assert story.left
    assert story.stops == 0
    assert story.adopted_from_left


def test_the_tasks_of_a_killed_scheduler_are_adopted_by_the_other(story: Story):
    assert story.adopted_from_lost
    assert story.adopted_from_lost <= story.lost


def test_no_container_is_started_twice_and_every_task_ends_as_its_author_expects(story: Story):
    assert story.verdict == GOOD
