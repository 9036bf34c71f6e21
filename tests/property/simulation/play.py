"""Plays a world to its end."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.property.simulation.ecs import Conditions
from tests.property.simulation.world import Circumstances, World
from tests.support.virtual_time import VirtualTimeLoop


def play(seed: int, conditions: Conditions, circumstances: Circumstances) -> World:
    """Play a world in virtual time: the same one for the same arguments."""
    with closing(VirtualTimeLoop()) as loop, pytest.MonkeyPatch.context() as patch:

        async def live() -> World:
            world = World(seed, conditions, circumstances)
            world.take_the_place_of_the_real_one(patch)
            await world.run()
            for error in world.containers.errors:
                raise error
            return world

        return loop.run_until_complete(live())
