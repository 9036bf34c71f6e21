from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local import Options


def test_options_survive_the_way_into_a_subprocess() -> None:
    options = Options(
        runtime="simulated", clusters=["a"], plan={"defaults": {"duration": 3}}, logs="http://x", seed=4
    )
    again = Options.from_json(options.to_json())
    assert again.to_json() == options.to_json()
    assert (again.plan, again.seed) == (options.plan, 4)


def test_an_unknown_runtime_is_a_configuration_error() -> None:
    runtime: Any = "docker"
    with pytest.raises(ConfigurationError, match="docker"):
        Options(runtime=runtime)


def test_buckets_without_an_s3_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="bucket 'mine': S3 is off"):
        Options(buckets=["mine"])
