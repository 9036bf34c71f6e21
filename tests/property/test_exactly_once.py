"""Simulates the whole executor in virtual time, with schedulers that die and an AWS that fails: exactly once, always.

All of our code is real except the threads and the database driver; `simulation` holds Airflow's, ECS's and S3's rules.
Hypothesis supplies all randomness, and time is virtual, so a failure can be reproduced.
"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.property.simulation.ecs import NEVER, Conditions
from tests.property.simulation.invariants import violations
from tests.property.simulation.play import play
from tests.property.simulation.world import CALM_AFTER, SHORT_FAULT, Circumstances

chances = st.sampled_from([0.0, 0.0, 0.05, 0.3])
windows = st.sampled_from([NEVER, NEVER, NEVER, (0.0, 100.0), (300.0, 420.0)])
"""From when until when something fails for all."""
conditions_of_aws = st.builds(
    Conditions,
    lost=chances,
    broken=chances,
    blocked=st.sampled_from([0.0, 0.0, 0.05]),
    throttled=chances,
    unreachable=chances,
    full=chances,
    room=st.sampled_from([inf, inf, 1.0, 3.0]),
    start_failure=chances,
    interrupted=chances,
    hidden=chances,
    lag=st.sampled_from([0.0, 3.0, 30.0]),
    latency=st.sampled_from([0.01, 0.3, 3.0]),
    faulty=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    faulty_until=st.sampled_from([SHORT_FAULT, CALM_AFTER, inf]),
    deployed=st.sampled_from([0.0, 0.0, 0.1]),
    late=st.sampled_from([0.0, 0.0, 0.3]),
    s3_down=windows,
    s3_denied=windows,
    s3_forbidden=windows,
    broken_image=st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0]),
    killed=st.sampled_from([0.0, 0.0, 0.3]),
    stuck=st.sampled_from([0.0, 0.0, 0.3]),
)
circumstances_of_all = st.builds(
    Circumstances,
    schedulers=st.sampled_from([1, 1, 2, 3]),
    deadly=st.sampled_from([0.0, 0.0, 0.004, 0.02, 0.1]),
    blocked=st.sampled_from([0.0, 0.0, 0.02, 0.1]),
    accidents=st.sampled_from([0.0, 0.1, 0.5]),
    locked=st.sampled_from([0.0, 0.1, 0.5]),
    users_interfere=st.booleans(),
    has_celery_tasks=st.booleans(),
    standby=st.sampled_from([0, 1, 1, 2]),
)


@pytest.mark.timeout(10 * settings().max_examples)  # a nightly run takes longer
@given(seed=st.integers(0, 2**32), conditions=conditions_of_aws, circumstances=circumstances_of_all)
def test_each_queueing_has_one_container_and_each_task_ends_right_whatever_fails(
    seed: int, conditions: Conditions, circumstances: Circumstances
) -> None:
    world = play(seed, conditions, circumstances)
    served = sum(task.served_at < inf for task in world.ecs.tasks)
    note(
        f"{world.kills} kills, {len(world.ecs.tasks)} containers, {served} warm, {world.airflow.resets} resets"
    )
    assert not dict(violations(world))


@pytest.mark.parametrize("standby", [1, 3])
@pytest.mark.parametrize("schedulers", [1, 2])
def test_standbys_serve_where_nothing_fails(standby: int, schedulers: int) -> None:
    for seed in range(3):
        world = play(seed, Conditions(), Circumstances(schedulers=schedulers, standby=standby))
        assert not dict(violations(world))
        assert any(task.served_at < inf for task in world.ecs.tasks)
