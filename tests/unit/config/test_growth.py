"""Which sizes a profile has, and what is said about wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.growth import grows, sets_memory
from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import OptionsError

EC2 = {"launchType": "EC2"}


def profiles(profile: dict[str, Any], **options: Any) -> Profiles:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    queues = {"q": profile, "other": {}}
    return make_profiles(Settings.model_validate({**required, **options, "queues": queues}))


def sizes(profile: dict[str, Any], **options: Any) -> list[tuple[Any, ...]]:
    """What is sent with each size: the ECS task's CPU units and memory, and the Airflow container's."""
    found = []
    for size in profiles(profile, **options).of("q").sizes:
        overrides = size.template.request(["airflow"], None).body["overrides"]
        (container,) = overrides["containerOverrides"]
        members = (
            overrides.get("cpu"),
            overrides.get("memory"),
            container.get("cpu"),
            container.get("memory"),
        )
        found.append((size.memory, *members))
    return found


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(
            {"cpu": 1024, "memory": [2048, 4096, 8192]},
            [(m, "1024", str(m), None, None) for m in (2048, 4096, 8192)],
            id="Fargate: the task",
        ),
        pytest.param(
            {"cpu": [256, "0.5 vCPU", 1024], "memory": ["2 GB", 4096, "8 GB"]},
            [
                (2048, "256", "2048", None, None),
                (4096, "0.5 vCPU", "4096", None, None),
                (8192, "1024", "8192", None, None),
            ],
            id="Fargate: cpu grows, too",
        ),
        pytest.param(
            {"capacityProviderStrategy": "FARGATE_SPOT:1", "CPU": 256, "Memory": [512, 1024]},
            [(512, "256", "512", None, None), (1024, "256", "1024", None, None)],
            id="Fargate Spot, in other spellings",
        ),
        pytest.param(
            {"cpu": 128, "memory": 900, "overrides": {"cpu": 512, "memory": [1024, 2048]}},
            [(1024, "512", "1024", 128, 900), (2048, "512", "2048", 128, 900)],
            id="in overrides, beside the container's own",
        ),
        pytest.param(
            {**EC2, "memory": [1000, 3000]},
            [(1000, None, None, None, 1000), (3000, None, None, None, 3000)],
            id="EC2: the container",
        ),
        pytest.param(
            {**EC2, "cpu": [10, 20], "memory": [1000, 3000], "overrides": {"memory": 4096}},
            [(1000, None, "4096", 10, 1000), (3000, None, "4096", 20, 3000)],
            id="EC2: the container's cpu, too",
        ),
        pytest.param(
            {**EC2, "overrides": {"memory": [1000, 3000]}},
            [(1000, None, "1000", None, None), (3000, None, "3000", None, None)],
            id="EC2: the task",
        ),
        pytest.param(
            {"memory": 2048}, [(None, None, None, None, 2048)], id="a single size is the container's"
        ),
    ],
)
def test_each_size_is_sent_where_it_counts(profile: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert sizes(profile) == expected


def test_the_cpu_may_stand_in_a_lower_layer() -> None:
    found = sizes({"memory": [2048, 4096]}, run_task_kwargs={"overrides": {"cpu": "1024"}})
    assert found == [(2048, "1024", "2048", None, None), (4096, "1024", "4096", None, None)]


def test_the_other_members_are_the_same_with_each_size() -> None:
    profile = {
        "cpu": 1024,
        "memory": [2048, 4096],
        "tags": {"a": "b"},
        "capacity_timeout": 5,
        "rate_share": 0.5,
    }
    for size in profiles(profile, max_run_task_attempts=7).of("q").sizes:
        assert size.template.request(["airflow"], None).body["tags"] == [{"key": "a", "value": "b"}]
        assert (size.name, size.capacity_timeout, size.max_starts, size.lane) == ("q", 5, 7, size.lane)
        assert size.lane is not None


@pytest.mark.parametrize(
    ("outgrown", "memory"),
    [(0, 2048), (1024, 2048), (2048, 4096), (4000, 4096), (4096, 8192), (8192, 8192), (10**9, 8192)],
)
def test_a_task_gets_the_first_size_above_the_one_that_was_too_little(outgrown: int, memory: int) -> None:
    assert profiles({"cpu": 1024, "memory": [2048, 4096, 8192]}).of("q", 0, outgrown).memory == memory


def test_sizes_outlast_a_fallback() -> None:
    grown = make_profiles(
        Settings(
            cluster="c",
            container_name="airflow",
            task_definition="t",
            subnets=("s",),
            queues={
                "spot": {"cpu": 512, "memory": [1024, 2048], "fallback": "on-demand"},
                "on-demand": {"cpu": 1024, "memory": [2048, 4096]},
            },
        )
    )
    assert [grown.of("spot", 1, outgrown).memory for outgrown in (0, 1024, 2048)] == [2048, 2048, 4096]


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"cpu": 512, "memory": [2048]}, "memory: a list needs two sizes or more"),
        ({"cpu": 512, "memory": []}, "memory: a list needs two sizes or more"),
        ({"cpu": 1024, "memory": [4096, 2048]}, "memory: each size must be larger than the one before."),
        ({"cpu": 1024, "memory": [4096, 4096]}, "memory: each size must be larger than the one before."),
        ({"cpu": 1024, "memory": [2048, "their-secret"]}, "memory: item 2 is not a size: write MiB"),
        ({"cpu": 1024, "memory": [True, 4096]}, "memory: item 1 is not a size"),
        ({"cpu": 1024, "memory": [2048, 4096.0]}, "memory: item 2 is not a size"),
        ({"cpu": 1024, "memory": [-1, None]}, "memory: item 1 is not a size"),
        ({**EC2, "memory": [2048, 2**31]}, "memory: item 2 is not a size"),
        ({"cpu": [256, 512]}, "cpu: it can be a list only if `memory` is one too."),
        ({"cpu": [256, 512], "memory": 2048}, "cpu: it can be a list only if `memory` is one too."),
        ({"cpu": [256, 512], "memory": [512, 1024, 2048]}, "cpu: the list has a different length (2) from that of memory (3): write one"),
        ({"memory": [512, 1024], "overrides": {"cpu": 256}}, "memory: write the sizes in one place"),
        ({**EC2, "memory": [512, 1024], "overrides": {"cpu": [1, 2]}}, "memory: write the sizes in one place"),
        ({**EC2, "memory": [512, 1024], "overrides": {"memory": [1, 2]}}, "memory: write the sizes in one place"),
        ({"memory": [2048, 4096]}, "memory: Fargate knows sizes only as pairs, so write `cpu` beside it. Its CPU units for 2048 MiB: 256, 512, 1024."),
        ({"cpu": 512, "memory": [4096, 8192]}, "memory: Fargate has no 8192 MiB with this cpu. Its CPU units for 8192 MiB: 1024, 2048, 4096."),
        ({"cpu": 1024, "memory": [2048, 3000]}, "memory: Fargate has no 3000 MiB; nearest are 2048 and 3072."),
        ({"cpu": 1024, "memory": [100, 2048]}, "memory: Fargate has no 100 MiB; nearest are 512."),
        ({"cpu": [256, "their-secret"], "memory": [512, 1024]}, "overrides.cpu is not a size that ECS understands"),
        ({**EC2, "cpu": ["x", "y"], "memory": [512, 1024]}, "cpu"),
        ({"cpu": 1024, "memory": [2048, 4096], "lunchType": "EC2"}, "Did you mean launchType?"),
        ({"cpu": 1024, "memory": [2048, 4096], "fallback_on_out_of_memory": True}, "fallback_on_out_of_memory has no effect without fallback."),
        ({"overrides": {"containerOverrides": [{"memory": [1, 2]}]}}, "memory is a list; ECS takes a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_size_is_said_once_and_without_its_value(profile: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionsError) as caught:
        profiles(profile)
    text = str(caught.value)
    assert says in text
    assert "queues: q: " in text
    assert "1 option to correct" in text
    assert "their-secret" not in text


@pytest.mark.parametrize(
    ("profile", "looks_back"),
    [
        ({}, False),
        ({"memory": 2048}, False),
        ({"fallback": "other"}, False),
        ({"cpu": 1024, "memory": [2048, 4096]}, True),
        ({"fallback": "other", "fallback_after": 1}, True),
        ({"fallback": "other", "fallback_on_out_of_memory": True}, True),
        ({"fallback": "other", "fallback_on_out_of_memory": False}, False),
    ],
)
def test_only_profiles_that_depend_on_earlier_launches_look_back(
    profile: dict[str, Any], looks_back: bool
) -> None:
    assert profiles(profile).of("q").looks_back is looks_back


def test_a_profile_looks_back_for_its_fallback() -> None:
    queues = {"q": {"fallback": "r"}, "r": {"cpu": 256, "memory": [512, 1024]}}
    settings = Settings(
        cluster="c", container_name="airflow", task_definition="t", subnets=("s",), queues=queues
    )
    assert make_profiles(settings).of("q").looks_back


@pytest.mark.parametrize(
    ("executor_config", "expected"),
    [
        (None, False),
        ("memory", False),
        ({}, False),
        ({"cpu": 256, "overrides": {"cpu": 256}}, False),
        ({"memory": 1}, True),
        ({"Memory": 1}, True),
        ({"overrides": {"memory": "1"}}, True),
        ({"overrides": {"containerOverrides": [{"name": "airflow", "memory": 1}]}}, True),
        ({"overrides": {"container_overrides": [{"name": "airflow"}, 3]}}, False),
        ({"overrides": {"containerOverrides": "wrong"}}, False),
        ({"overrides": "wrong"}, False),
    ],
)
def test_whether_an_executor_config_sets_memory(executor_config: Any, expected: bool) -> None:
    assert sets_memory(executor_config) is expected


@pytest.mark.parametrize(
    "profile", [{}, {"memory": 1}, {"overrides": None}, {"overrides": [1]}, {"tags": []}]
)
def test_without_a_list_nothing_grows(profile: dict[str, Any]) -> None:
    assert not grows(profile)
