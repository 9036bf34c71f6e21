"""How many standbys of each pool are kept, which are ready, and which must go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from ecs_async_executor.engine.standby.pool import (
    LAST_MINUTE,
    READY_AFTER,
    REPLACED_AHEAD,
    Stage,
    Standby,
)
from ecs_async_executor.engine.standby.standbys import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PATIENCE,
    REST,
    SETTLED_AFTER,
    Plan,
    Standbys,
)
from ecs_async_executor.engine.state.entry import Entry, LaunchRecord, State
from ecs_async_executor.messages import (
    Diagnosis,
    Launched,
    LaunchFailed,
    Request,
    Running,
    StandbyPool,
    StandbysOff,
    Stopped,
)
from ecs_async_executor.standby.command import is_standby

WHY = Diagnosis("It is broken.")
MAX_AGE = 600.0


def pool(name: str = "p", standbys: int = 2, cluster: str = "c") -> StandbyPool:
    def build(url: str, lease: str) -> Request:
        return Request({"cluster": cluster, "lease": lease, "url": url}, "airflow")

    return StandbyPool(name, standbys, MAX_AGE, build, cluster, "airflow", "s3://bucket/x/")


class Pools:
    """Standbys, and who tells them what becomes of them."""

    def __init__(self, *pools: StandbyPool) -> None:
        numbers: Iterator[int] = count(1)
        self.standbys = Standbys(lambda: UUID(int=next(numbers)))
        self.standbys.keep(pools or (pool(),))

    def plan(self, now: float, **waiting: int) -> Plan:
        return self.standbys.plan(now, waiting)

    def launch(self, now: float = 0.0) -> list[str]:
        return [each.run_id for each in self.plan(now).launches]

    def run(self, run_id: str, now: float) -> None:
        self.standbys.note(Launched(run_id, 1, f"arn:{run_id}", "c", "airflow"), now)
        self.standbys.note(Running(run_id, f"arn:{run_id}"), now)

    def stop(self, run_id: str, now: float, **more: Any) -> Any:
        given = {"exit_code": 70, "ran": True, "permanent": False, "diagnosis": WHY, **more}
        return self.standbys.note(Stopped(run_id, 1, f"arn:{run_id}", **given), now)

    def ready(self, now: float) -> Standby:
        """Give a standby that has just become ready."""
        (run_id, *_) = self.launch(now)
        self.run(run_id, now)
        return next(each for each in self.standbys if each.run_id == run_id)


@pytest.fixture
def pools() -> Pools:
    return Pools()


def test_a_pool_is_filled_once(pools: Pools):
    assert len(pools.launch()) == 2
    assert pools.plan(1.0) == Plan([], [])


def test_a_standby_is_launched_after_all_runs_under_the_request_of_its_pool(pools: Pools):
    launch, other = pools.plan(0.0).launches
    assert launch.priority < -(2**31)
    built, second = launch.build(), other.build()
    assert is_standby(built.body["url"])
    assert built.body["url"] != second.body["url"]
    assert built.body["lease"] == second.body["lease"]
    assert built.body["lease"] in pools.standbys.leases
    assert launch.run_id not in built.body["url"], "who sees its token doesn't know its object"


def test_one_that_is_assigned_is_replaced_at_once(pools: Pools):
    pools.ready(0.0)
    pools.standbys.take("p", READY_AFTER)
    assert len(pools.launch(READY_AFTER)) == 1


def test_one_that_will_soon_be_too_old_serves_until_its_replacement_is_ready(pools: Pools):
    for run_id in pools.launch():
        pools.run(run_id, 0.0)
    assert not pools.launch(MAX_AGE - REPLACED_AHEAD - 1)
    replacements = pools.launch(MAX_AGE - REPLACED_AHEAD)
    assert len(replacements) == 2
    fargate_takes = 60.0
    for run_id in replacements:
        pools.run(run_id, MAX_AGE - REPLACED_AHEAD + fargate_takes)
    for now in range(int(MAX_AGE - REPLACED_AHEAD), int(MAX_AGE)):
        assert not pools.launch(float(now)), "each is replaced once"
        (status,) = pools.standbys.status(float(now))
        assert status.ready >= 2, f"after {now} s nobody would start warm"
    old = pools.standbys.take("p", MAX_AGE - LAST_MINUTE - 1)
    assert old is not None
    assert old.run_id not in replacements, "those that end soon serve first"


@pytest.mark.parametrize(
    ("age", "is_ready"),
    [
        (0.0, False),
        (READY_AFTER - 0.1, False),
        (READY_AFTER, True),
        (MAX_AGE - LAST_MINUTE - 1, True),
        (MAX_AGE - LAST_MINUTE, False),
    ],
)
def test_a_standby_is_ready_from_a_few_seconds_of_age_to_its_last_minute(
    pools: Pools, age: float, *, is_ready: bool
):
    pools.ready(0.0)
    assert (pools.standbys.take("p", age) is not None) == is_ready


def test_the_oldest_ready_one_serves_first_and_none_serves_twice(pools: Pools):
    first, second = pools.launch()
    pools.run(second, 1.0)
    pools.run(first, 2.0)
    taken = [pools.standbys.take("p", 40.0) for _ in range(3)]
    assert [each and each.run_id for each in taken] == [second, first, None]


def test_one_that_is_given_back_is_ready_again(pools: Pools):
    pools.ready(0.0)
    standby = pools.standbys.take("p", 30.0)
    assert standby is not None
    pools.standbys.give_back(standby)
    assert pools.standbys.take("p", 30.0) is standby


def test_one_that_has_ended_meanwhile_is_not_given_back(pools: Pools):
    pools.ready(0.0)
    standby = pools.standbys.take("p", 30.0)
    assert standby is not None
    pools.stop(standby.run_id, 31.0)
    pools.standbys.give_back(standby)
    assert not pools.standbys.is_usable(standby)
    assert pools.standbys.take("p", 32.0) is None
    assert pools.standbys.spoil(standby) is None


def test_one_that_may_be_named_by_a_row_serves_nobody_else(pools: Pools):
    pools.ready(0.0)
    standby = pools.standbys.take("p", 30.0)
    assert standby is not None
    assert pools.standbys.spoil(standby) == (standby.run_id, "standby: it can't be given a workload")
    assert standby.stage is Stage.LEAVING
    assert pools.standbys.take("p", 30.0) is None


def test_one_that_serves_a_run_is_forgotten_and_counted(pools: Pools):
    standby = pools.ready(0.0)
    pools.standbys.served(standby, 1.0)
    assert standby.run_id not in pools.standbys
    assert pools.standbys.status(1.0)[0].warm == 1


def test_those_of_an_older_revision_are_stopped_when_runtask_starts_a_newer_one(pools: Pools):
    standby = pools.ready(0.0)
    pools.standbys.note_definition("p", standby.run_id, "t:1")
    assert pools.standbys.status(30.0)[0].ready == 1
    pools.standbys.note_definition("p", "a run", "t:2")
    assert pools.standbys.take("p", 30.0) is None
    plan = pools.plan(30.0)
    assert [run_id for run_id, _ in plan.stops] == [standby.run_id]
    assert len(plan.launches) == 1


def test_no_pool_is_filled_in_a_cluster_where_runs_wait_for_room_and_it_gives_way_to_them():
    pools = Pools(pool("p", 3), pool("elsewhere", 1, "d"))
    assert len(pools.launch()) == 4
    plan = pools.plan(1.0, c=2)
    assert len(plan.stops) == 2
    assert not plan.launches
    assert len(pools.plan(2.0, c=5).stops) == 1
    assert len(pools.plan(3.0).launches) == 3, "there is room again"


def test_one_gives_way_for_each_run_however_often_it_is_planned_until_it_has_ended():
    pools = Pools(pool("p", 3))
    for run_id in pools.launch():
        pools.run(run_id, 0.0)

    ((first, _),) = pools.plan(30.0, c=1).stops
    assert not pools.plan(30.0, c=1).stops
    assert len(pools.plan(31.0, c=2).stops) == 1

    pools.stop(first, 32.0)
    assert len(pools.plan(32.0, c=2).stops) == 1, "its room was not enough"


def test_one_that_ends_soon_gives_way_before_its_replacement():
    pools = Pools(pool(standbys=1))
    old = pools.ready(0.0)
    (replacement,) = pools.launch(MAX_AGE - REPLACED_AHEAD)
    pools.run(replacement, MAX_AGE - REPLACED_AHEAD + 60)
    plan = pools.plan(MAX_AGE - REPLACED_AHEAD + 90, c=1)
    assert [run_id for run_id, _ in plan.stops] == [old.run_id]
    assert not plan.launches


def test_those_give_way_first_that_could_serve_nobody_yet():
    pools = Pools(pool("p", 2))
    running, starting = pools.launch()
    pools.run(running, 0.0)

    assert [run_id for run_id, _ in pools.plan(30.0, c=1).stops] == [starting]


def test_no_more_give_way_than_runs_wait_in_all_pools_of_a_cluster_together():
    pools = Pools(pool("p", 3), pool("q", 3))
    assert len(pools.launch()) == 6
    assert len(pools.plan(1.0, c=4).stops) == 4
    assert not pools.plan(2.0, c=4).stops


def test_an_assigned_one_does_not_give_way(pools: Pools):
    pools.ready(0.0)
    pools.standbys.take("p", 30.0)
    assert len(pools.plan(30.0, c=5).stops) == 1


def test_without_s3_nobody_is_served_and_none_is_launched(pools: Pools):
    pools.ready(0.0)
    pools.standbys.s3_failure = WHY
    assert pools.standbys.take("p", 30.0) is None
    assert not pools.launch(30.0)
    assert pools.standbys.status(30.0)[0].off == str(WHY)


# --- failures -------------------------------------------------------------------------------------------


def test_standbys_that_end_at_once_make_their_pool_rest_which_is_said_each_time():
    pools = Pools(pool(standbys=1))
    now, said = 0.0, []
    for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE, REST, REST):
        (run_id,) = pools.launch(now)
        said += pools.stop(run_id, now)
        assert not pools.launch(now + pause - 0.1)
        now += pause
    assert said == [StandbysOff("p", WHY)] * 2


@pytest.mark.parametrize("more", [{}, {"interrupted": True}, {"costs_attempt": False, "ran": False}])
def test_one_that_ends_while_its_pool_rests_changes_nothing_and_nothing_is_said_again(more: Any):
    pools = Pools(pool("p", PATIENCE + 1))
    *failing, late = pools.launch(0.0)
    said = [report for run_id in failing for report in pools.stop(run_id, 1.0)]
    assert said == [StandbysOff("p", WHY)]

    assert not pools.stop(late, 2.0, **more)
    assert not pools.launch(1.0 + REST - 0.1)
    assert pools.launch(1.0 + REST)


@pytest.mark.parametrize("more", [{"interrupted": True}, {"costs_attempt": False, "ran": False}])
def test_lack_of_room_and_spot_are_no_failures(more: Any):
    pools = Pools(pool(standbys=1))
    now = 0.0
    for _ in range(PATIENCE + 1):
        (run_id,) = pools.launch(now)
        assert not pools.stop(run_id, now, **more)
        assert not pools.launch(now + LONGEST_PAUSE - 1)
        now += LONGEST_PAUSE


def test_one_that_has_lived_for_a_while_has_not_failed():
    pools = Pools(pool(standbys=1))
    (run_id,) = pools.launch()
    pools.run(run_id, 0.0)
    assert not pools.stop(run_id, SETTLED_AFTER)
    assert len(pools.launch(SETTLED_AFTER)) == 1


@pytest.mark.parametrize("life", [5.0, 30.0], ids=["they end at once", "they end later"])
def test_an_old_standby_that_works_says_nothing_about_new_ones_that_fail(life: float):
    pools = Pools(pool(standbys=2))
    for run_id in pools.launch():
        pools.run(run_id, 0.0)
    assert pools.standbys.take("p", READY_AFTER) is not None, (
        "one of the two serves a run, the other one stays"
    )
    now, launches, rests = SETTLED_AFTER, 0, list[Any]()
    ends: dict[str, float] = {}
    while now < MAX_AGE - REPLACED_AHEAD - 1 and not rests:
        for run_id in pools.launch(now):
            launches += 1
            pools.run(run_id, now)
            ends[run_id] = now + life
        for run_id in [run_id for run_id, at in ends.items() if at <= now]:
            del ends[run_id]
            rests += pools.stop(run_id, now)
        now += 1
    assert (launches, len(rests)) == (PATIENCE, 1)


def test_a_standby_that_works_makes_up_for_those_that_failed_before_it():
    pools, now = Pools(pool(standbys=1)), 0.0
    for _ in range(2):
        for pause in (FIRST_PAUSE, 2 * FIRST_PAUSE):
            (failing,) = pools.launch(now)
            pools.run(failing, now)
            assert not pools.stop(failing, now)
            now += pause
        (working,) = pools.launch(now)
        pools.run(working, now)
        now += SETTLED_AFTER
        pools.plan(now)
        assert not pools.stop(working, now)


def test_a_request_that_can_never_work_makes_the_pool_rest_at_once():
    pools = Pools(pool(standbys=1))
    (run_id,) = pools.launch()
    report = LaunchFailed(run_id, 1, WHY, permanent=True)
    assert pools.standbys.note(report, 0.0) == [StandbysOff("p", WHY)]
    assert not pools.launch(REST - 1)
    assert len(pools.launch(REST)) == 1


def test_one_that_was_told_to_leave_has_not_failed(pools: Pools):
    (run_id, _) = pools.launch()
    pools.plan(0.0, c=1)
    assert not pools.stop(run_id, 1.0)
    assert len(pools.launch(1.0)) == 1


def test_the_repr_of_a_standby_hides_its_object(pools: Pools):
    standby = pools.ready(0.0)
    assert standby.url not in repr(standby)


def test_the_reprs_of_a_launch_and_of_what_the_ledger_knows_about_it_hide_its_object(pools: Pools):
    (launch, _) = pools.plan(0.0).launches
    url = launch.build().body["url"]
    entry = Entry("run", "run", 1, State.WAITING, stored=url, launch=LaunchRecord(launch.build))
    assert url in repr(launch.build)
    assert url not in f"{launch!r} {entry!r}"
