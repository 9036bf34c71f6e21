from __future__ import annotations

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.ecs import Clock

from .conftest import Lab, definition


def test_options_make_clusters_and_definitions() -> None:
    mine = definition("a", family="mine", networkMode="awsvpc")
    lab = Lab(clusters=["mine"], task_definitions=[mine])
    assert lab.run(cluster="mine", taskDefinition="mine")


def test_a_wrong_task_definition_among_the_options_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="task definition mine: containerDefinitions"):
        Lab(task_definitions=[{"family": "mine"}])


def test_a_wrong_plan_among_the_options_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="duratoin"):
        Lab(plan={"defaults": {"duratoin": 1}})


def test_the_clock_runs_with_the_loops() -> None:
    loop_time = [5.0]
    clock = Clock(lambda: loop_time[0])
    before = clock()
    loop_time[0] += 3600
    assert clock() - before == pytest.approx(3600)
