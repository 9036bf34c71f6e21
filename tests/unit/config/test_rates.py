from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine.options import Rate

REQUIRED = {"cluster": "my-cluster", "container_name": "airflow"}
FARGATE, MODIFY, READ = Rate(20, 20), Rate(40, 100), Rate(20, 100)


def run_task_rate(**options: Any) -> Rate:
    return Settings.model_validate({**REQUIRED, **options}).engine_options.run_task_rate


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"launch_type": "FARGATE"},
        {"capacity_provider_strategy": [{"capacityProvider": "FARGATE_SPOT"}]},
        {
            "capacity_provider_strategy": [
                {"capacityProvider": "FARGATE_SPOT", "weight": 1},
                {"capacityProvider": "FARGATE"},
            ]
        },
        {"launch_type": "EC2", "run_task_kwargs": {"launch_type": "FARGATE"}},
        {"run_task_kwargs": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}},
        {"run_task_kwargs": {"capacityProviderStrategy": "FARGATE_SPOT:3, FARGATE"}},
    ],
)
def test_on_fargate_launches_keep_to_its_rate(where: dict[str, Any]) -> None:
    assert run_task_rate(**where) == FARGATE


@pytest.mark.parametrize(
    "where",
    [
        {"launch_type": "EC2"},
        {"launch_type": "EXTERNAL"},
        {"launch_type": "MANAGED_INSTANCES"},
        {"capacity_provider_strategy": [{"capacityProvider": "mine"}]},
        {"run_task_kwargs": {"launchType": "EC2"}},
        {"run_task_kwargs": {"capacity_provider_strategy": [{"capacity_provider": "mine"}]}},
        {"run_task_kwargs": {"capacity_provider_strategy": "mine:1"}},
    ],
)
def test_elsewhere_launches_may_use_all_of_the_modifications(where: dict[str, Any]) -> None:
    assert run_task_rate(**where) == MODIFY


def test_a_rate_that_is_set_holds_everywhere() -> None:
    assert run_task_rate(run_task_rate=5) == Rate(5, 20)
    assert run_task_rate(run_task_burst=7, launch_type="EC2") == Rate(40, 7)
    assert run_task_rate(run_task_rate=0).per_second == 0


def test_a_share_is_of_every_rate_and_burst() -> None:
    options = Settings.model_validate({**REQUIRED, "rate_share": 0.25}).engine_options
    assert options.run_task_rate == Rate(5, 5)
    assert options.modify_rate == Rate(10, 25)
    assert options.read_rate == Rate(5, 25)
    assert options.describe_rate == Rate(2.5, 12.5)


def test_the_smallest_share_still_lets_single_calls_pass() -> None:
    options = Settings.model_validate({**REQUIRED, "rate_share": 0.001}).engine_options
    assert options.run_task_rate.burst == 1
    assert options.run_task_rate.per_second == 0.02


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_is_more_than_nothing_and_no_more_than_all(share: float) -> None:
    with pytest.raises(ValueError, match="rate_share"):
        Settings.model_validate({**REQUIRED, "rate_share": share})
