from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.expected_outcomes import EXPECTED
from tests.chaos.journal import SENT, Line
from tests.chaos.observations import Container, End, Observations, Queueings
from tests.chaos.report import GOOD, Verdict, judge

TASKS = 7  # one of each expected outcome
ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/"


class World:
    """What is found after a run in which all went well; a test spoils a part of it."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.containers: list[Container] = []
        self.journal: list[Line] = []
        self.queued: list[tuple[str, float]] = []
        self.ends = [End(name, 0, expected.state, expected.last_try) for name, expected in EXPECTED.items()]
        for name, expected in EXPECTED.items():
            for number in range(1, expected.last_try + 1):
                for _ in range(expected.waits + 1):
                    self.queue(name, number)
                    self.launch(name, number)

    def queue(self, task_id: str, try_number: int) -> None:
        self.clock += 10
        self.queued.append((f"{task_id}-{try_number}", self.clock))

    def launch(self, task_id: str, try_number: int) -> Container:
        """Start a container, in which user code runs; two seconds later it ends."""
        self.clock += 3
        number = len(self.containers)
        container = Container(
            arn=f"{ARN}container-{number}",
            started_by=f"airflow/chaos/run-{number}",
            client_token=f"run-{number}-1",
            created_at=self.clock,
            started_at=self.clock + 1,
            stopped_at=self.clock + 2,
            stop_code="EssentialContainerExited",
            memory=1024 * try_number,
        )
        self.containers.append(container)
        for event, who, at in ((SENT, container.client_token, 0.0), ("ran", container.id, 1.0)):
            ti_id = f"{task_id}-{try_number}"
            self.journal.append(Line(event, task_id, 0, try_number, ti_id, who, self.clock + at))
        return container

    def launch_first(self, **changes: object) -> None:
        """Put a container before the first one of the first task; no user code runs in it."""
        first = self.containers[0]
        before = replace(
            first,
            arn=f"{ARN}before",
            client_token="before-1",
            created_at=first.created_at - 2,
            started_at=first.created_at - 1.5,
            stopped_at=first.created_at - 1,
        )
        self.containers.append(replace(before, **changes))  # type: ignore[arg-type]  # a test's own
        self.journal.append(replace(self.journal[0], container="before-1"))

    def verdict(self) -> Verdict:
        return judge(TASKS, Observations(self.containers, self.journal, Queueings(self.queued), self.ends))


def test_nothing_is_wrong_when_all_went_well():
    assert World().verdict() == GOOD


@pytest.mark.parametrize("sizes", [(1024, 1024, 1024), (1024, 2048, 1024)])
def test_a_task_that_gets_no_more_memory_is_found(sizes: tuple[int, ...]):
    world = World()
    ran = [line.container for line in world.journal if (line.event, line.task_id) == ("ran", "grows")]
    memory = dict(zip(ran, sizes, strict=True))
    world.containers = [replace(each, memory=memory.get(each.id, each.memory)) for each in world.containers]

    (violation,) = world.verdict().violations

    assert violation.what == f"Its tries had {', '.join(map(str, sizes))} MiB."
    assert violation.task == ("grows", 0)


def test_a_try_may_get_no_more_if_nobody_saw_the_one_before_end():
    world = World()
    ran = [line.container for line in world.journal if (line.event, line.task_id) == ("ran", "grows")]
    memory = dict(zip(ran, (1024, 1024, 2048), strict=True))
    world.containers = [replace(each, memory=memory.get(each.id, each.memory)) for each in world.containers]

    assert world.verdict() == GOOD


def test_a_second_container_of_a_queueing_is_found_though_it_ran_no_code():
    world = World()
    world.launch_first()

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.alive_at_once, verdict.runs_per_try) == (2, 1, 1)
    (violation,) = verdict.violations
    assert violation.task == ("succeeds", 0)
    assert violation.containers == ("container-0", "before")


def test_a_container_that_failed_to_start_is_no_second_one():
    world = World()
    world.launch_first(started_at=None, stop_code="TaskFailedToStart")

    assert world.verdict() == GOOD


def test_a_container_that_was_stopped_before_it_started_is_a_second_one():
    world = World()
    world.launch_first(started_at=None, stop_code="UserInitiated")

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.stopped_containers) == (2, 1)


def test_one_that_will_fail_to_start_may_not_be_alive_beside_another():
    world = World()
    end = world.containers[0].created_at + 0.5
    world.launch_first(started_at=None, stop_code="TaskFailedToStart", stopped_at=end)

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.alive_at_once) == (1, 2)
    assert [each.task for each in verdict.violations] == [("succeeds", 0)]


def test_a_container_that_nobody_has_sent_is_counted_by_its_started_by():
    world = World()
    for client_token in ("unknown-1", "unknown-2"):
        world.containers.append(
            replace(world.containers[0], arn=ARN + client_token, client_token=client_token, started_by="x")
        )

    verdict = world.verdict()

    assert verdict.containers_per_queueing == 2
    assert [each.task for each in verdict.violations] == [None, None]


def test_user_code_that_ran_twice_in_a_try_is_found():
    world = World()
    world.launch("fails", 1)  # long after the only time that it was queued

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.runs_per_try) == (2, 2)
    assert {each.task for each in verdict.violations} == {("fails", 0)}


def test_user_code_that_ran_again_in_the_same_container_is_found():
    world = World()
    world.journal.append(world.journal[1])

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.runs_per_try) == (1, 2)
    (violation,) = verdict.violations
    assert violation.containers == ("container-0", "container-0")


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
    world.containers[3] = replace(world.containers[3], stopped_at=float("inf"))

    verdict = world.verdict()

    assert verdict.live_containers == 1
    assert [each.containers for each in verdict.violations] == [(world.containers[3].id,)]


def test_a_container_that_was_stopped_is_found():
    world = World()
    world.containers[3] = replace(world.containers[3], stop_code="UserInitiated")

    verdict = world.verdict()

    assert (verdict.containers_per_queueing, verdict.stopped_containers) == (1, 1)
    assert [each.containers for each in verdict.violations] == [(world.containers[3].id,)]


def test_an_empty_world_is_not_a_good_one():
    verdict = judge(TASKS, Observations([], [], Queueings([]), []))

    assert verdict.containers_per_queueing == 0
    assert verdict.wrong_ends == TASKS


@pytest.mark.parametrize(("served", "stopped"), [(False, 0), (True, 1)])
def test_a_scheduler_may_stop_a_standby_only_while_it_waits(served: bool, stopped: int):
    world = World()
    standby = replace(
        world.containers[0],
        arn=ARN + "standby",
        started_by="airflow/chaos/standby",
        client_token="standby-1",
        stop_code="UserInitiated",
    )
    world.containers.append(standby)
    if served:
        world.queue("succeeds", 1)
        world.journal.append(Line("began", "succeeds", 0, 1, "succeeds-1", standby.id, world.clock))

    assert world.verdict().stopped_containers == stopped
