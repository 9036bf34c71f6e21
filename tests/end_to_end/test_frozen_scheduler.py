"""A scheduler that is taken for dead and is not: frozen until another one has adopted its tasks, then thawed."""

from __future__ import annotations

import signal
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

# User code outlasts the freeze: 3 s of [scheduler] health_check_threshold, a check every 1.5 s, and a look at the end.
SETTING = Setting(tasks=14, parallelism=6, seconds=(20.0, 22.0))


@dataclass(frozen=True)
class Story:
    """What happened: of two schedulers the first is frozen, the second adopts its tasks, the first is thawed."""

    frozen: set[Task]
    """Running under the first one when it was frozen."""
    adopted: set[Task]
    states: tuple[str, str]
    """What Airflow took the first one for: while it was frozen, and after it was thawed."""
    launched_after: set[Task]
    """Running under the first one at some time after it was thawed."""
    departure: Departure
    """Of the first one, at the end."""
    stops: int
    """Calls of StopTask."""
    verdict: Verdict


@pytest.fixture(scope="module")
def story() -> Story:
    return tell_again_if_lost(tell_in_a_new_world)


def tell_in_a_new_world() -> Story:
    with (
        TemporaryDirectory(prefix="ecs-async-frozen-") as folder,
        airflow(Path(folder).resolve(), SETTING) as world,
    ):
        return tell(world)


def tell(world: Airflow) -> Story:
    running, state = world.database.running_by_job, world.database.job_state
    first, second = start(world, "first"), start(world, "second")
    until(running, lambda rows: all(len(rows.get(each.job, ())) > 1 for each in (first, second)))

    first.process.kill(signal.SIGSTOP)
    frozen = running()[first.job]
    adopted = until(lambda: frozen & running().get(second.job, set()))
    state_frozen = state(first.job)
    first.process.kill(signal.SIGCONT)
    until(lambda: state(first.job) == "running")
    launched_after = until(lambda: running().get(first.job, set()) - frozen)

    verdict = conclude(world, SETTING.tasks)
    state_thawed = state(first.job)
    departure = leave(first.process)
    return Story(
        frozen=frozen,
        adopted=adopted,
        states=(state_frozen, state_thawed),
        launched_after=launched_after,
        departure=departure,
        stops=sum(world.ecs.calls().get("StopTask", {}).values()),
        verdict=verdict,
    )


def test_the_tasks_of_a_frozen_scheduler_are_adopted_by_the_other(story: Story):
    assert story.adopted
    assert story.adopted <= story.frozen


def test_airflow_takes_a_thawed_scheduler_back_and_it_works_on(story: Story):
    assert story.states == ("failed", "running")
    assert story.launched_after
    assert story.departure.is_orderly, story.departure.log


def test_no_container_is_stopped_by_either_of_two_schedulers_that_knew_it(story: Story):
    assert story.stops == 0


def test_no_container_is_started_twice_and_every_task_ends_as_its_author_expects(story: Story):
    assert story.verdict == GOOD
