"""How well gates and launch queues use scarce room: the numbers of whole worlds in virtual time, with a margin."""

from __future__ import annotations

import pytest

from benchmarks.limits import LAUNCH_BURST, LAUNCH_RATE
from tests.support.capacity_world import OtherClient, Scheduler, World

SEEDS = (1, 2, 3)

pytestmark = pytest.mark.parametrize("seed", SEEDS)


def test_a_small_room_is_kept_full_with_few_refused_calls(seed: int):
    world = World(seed)
    Scheduler(world).order(1000)
    world.run(until_ended=1000)
    assert world.ratio <= 1.1
    assert world.refused_share <= 0.05


def test_a_room_is_used_though_another_client_takes_and_frees_half_of_it(seed: int):
    world = World(seed)
    OtherClient(world, 25, 30.0)
    Scheduler(world).order(1000)
    world.run(until_ended=1000)
    assert world.ratio <= 1.3
    assert world.refused_share <= 0.35


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_launches_go_on_where_ecs_refuses_many_calls_at_random(share: float, seed: int):
    world = World(seed, refused_at_random=share)
    Scheduler(world).order(1000)
    world.run(until_ended=1000)
    assert world.ratio <= 1.3
    assert world.refused_share <= share / (1 - share) + 0.8


@pytest.mark.parametrize("fits", [50, 500])
def test_room_that_is_back_after_ten_minutes_is_filled_within_fifteen_seconds_and_awss_rate(
    fits: int, seed: int
):
    world = World(seed, room=lambda now: fits if now >= 600.0 else 0, runs_for=3600.0)
    Scheduler(world).order(2 * fits)
    world.run(until=700.0)
    assert sum(at < 600.0 for at in world.refused) <= 80
    filled = world.launched[fits - 1].at - 600.0
    assert filled - (fits - LAUNCH_BURST) / LAUNCH_RATE <= 15.0


@pytest.mark.parametrize("joins", [0.0, 60.0], ids=["from the start", "later"])
def test_of_two_schedulers_that_share_a_room_neither_starves(joins: float, seed: int):
    world = World(seed)
    Scheduler(world, 0).order(1000)
    Scheduler(world, 1, since=joins).order(1000)
    world.run(until=joins + 200.0)
    since = [each.scheduler for each in world.launched if each.at >= joins]
    assert min(since.count(0), since.count(1)) >= 0.25 * len(since)
    assert world.refused_share <= 0.6


def test_the_highest_priority_goes_first_whatever_is_refused(seed: int):
    world = World(seed, refused_at_random=0.2)
    Scheduler(world).order(500, priorities=5)
    world.run(until_ended=500)
    assert len(world.launched) == 500
    assert not any(each.overtakes for each in world.launched)
