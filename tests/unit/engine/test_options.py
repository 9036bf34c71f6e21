from __future__ import annotations

from ecs_async_executor.engine.options import EngineOptions, Rate


def test_the_rates_are_those_that_aws_publishes():
    options = EngineOptions()
    assert options.run_task_rate == Rate(per_second=20, burst=20)
    assert options.modify_rate == Rate(per_second=40, burst=100)
    assert options.read_rate == Rate(per_second=20, burst=100)
