from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.fates import FATES, outcome, shares
from tests.chaos.journal import Line
from tests.chaos.report import Container, End, Verdict, judge

TASKS = 5  # one of each fate


class World:
    """What is found after a run in which all went well; a test spoils a part of it."""

    def __init__(self) -> None:
        self.containers: list[Container] = []
        self.journal: list[Line] = []
        self.ends = [End(name, 0, fate.state, fate.last_try) for name, fate in FATES.items()]
        for name, fate in FATES.items():
            for number in range(1, fate.last_try + 1):
                self.run(name, number)

    def run(self, task_id: str, try_number: int, *, container: str = "") -> None:
        run_id = f"{task_id}-{try_number}"
        container = container or f"container-of-{run_id}"
        self.containers.append(
            Container(
                arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{container}",
                started_by=f"airflow/chaos/{run_id}",
                client_token=f"{run_id}-1",
                created_at=0.0,
                stopped=True,
            )
        )
        for event in ("began", "ran"):
            self.journal.append(Line(event, task_id, 0, try_number, "id", container, 0.0))

    def verdict(self) -> Verdict:
        return judge(TASKS, self.containers, self.journal, self.ends)


def test_nothing_is_wrong_when_all_went_well():
    verdict = World().verdict()

    assert verdict == Verdict(
        containers_per_queueing=1, runs_per_try=1, wrong_ends=0, live_containers=0, violations=()
    )


def test_a_second_container_of_a_queueing_is_found_though_it_ran_no_code():
    world = World()
    world.containers.append(replace(world.containers[0], arn="arn:.../second"))

    verdict = world.verdict()

    assert verdict.containers_per_queueing == 2
    assert verdict.runs_per_try == 1
    (violation,) = verdict.violations
    assert violation.task == ("succeeds", 0)
    assert violation.containers == ("container-of-succeeds-1", "second")


def test_a_second_launch_number_is_no_excuse_since_no_start_fails():
    world = World()
    first = world.containers[0]
    world.containers.append(replace(first, arn="arn:.../second", client_token="succeeds-1-2"))

    assert world.verdict().containers_per_queueing == 2


def test_user_code_that_ran_twice_in_a_try_is_found():
    world = World()
    world.run("recovers", 2, container="another")
    world.containers[-1] = replace(world.containers[-1], started_by="airflow/chaos/another-queueing")

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.runs_per_try) == (1, 2)
    (violation,) = verdict.violations
    assert violation.task == ("recovers", 0)
    assert violation.containers == ("container-of-recovers-2", "another")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda end: replace(end, state="failed"), "It is failed in try 1, expected is success in try 1."),
        (lambda end: replace(end, try_number=2), "It is success in try 2, expected is success in try 1."),
        (lambda end: replace(end, state="running"), "It is running in try 1, expected is success in try 1."),
        (lambda end: replace(end, state=None), "It is None in try 1, expected is success in try 1."),
    ],
)
def test_a_wrong_end_is_found(spoil: Callable[[End], End], words: str):
    world = World()
    world.ends[0] = spoil(world.ends[0])

    verdict = world.verdict()

    assert verdict.wrong_ends == 1
    assert [(each.task, each.what) for each in verdict.violations] == [(("succeeds", 0), words)]


def test_a_missing_and_a_surplus_task_instance_are_found():
    world = World()
    world.ends[0] = replace(world.ends[0], map_index=7)

    verdict = world.verdict()

    assert verdict.wrong_ends == 2
    assert {each.task for each in verdict.violations} == {("succeeds", 0), ("succeeds", 7)}


def test_a_container_that_still_lives_is_found():
    world = World()
    world.containers[3] = replace(world.containers[3], stopped=False)

    verdict = world.verdict()

    assert verdict.live_containers == 1
    assert [each.containers for each in verdict.violations] == [(world.containers[3].id,)]


def test_an_empty_world_is_not_a_good_one():
    verdict = judge(TASKS, [], [], [])

    assert verdict.containers_per_queueing == 0
    assert verdict.wrong_ends == TASKS


def test_a_container_is_read_from_what_the_local_ecs_shows():
    shown = {
        "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/default/abc",
        "startedBy": "airflow/chaos/run",
        "clientToken": "run-1",
        "createdAt": 12.5,
        "lastStatus": "DEPROVISIONING",
    }

    container = Container.of(shown)

    assert (container.id, container.started_by, container.stopped) == ("abc", "airflow/chaos/run", False)


@pytest.mark.parametrize("tasks", [5, 25, 300])
def test_the_shares_of_all_fates_add_up(tasks: int):
    counts = shares(tasks)

    assert sum(counts.values()) == tasks
    assert counts.keys() == FATES.keys()
    assert min(counts.values()) >= 1


def test_an_unexpected_try_ends_as_the_last_expected_one():
    assert [outcome("revives", number) for number in (1, 2, 3)] == ["die", "succeed", "succeed"]
