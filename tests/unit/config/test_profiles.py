"""Which profile a queue gets, and what a wrong one says."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import ConfigurationError, InvalidRequestError
from ecs_async_executor.messages import RateShare


def profiles(queues: dict[str, Any], **options: Any) -> Profiles:
    required = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}
    return make_profiles(Settings.model_validate({**required, **options, "queues": queues}))


def body_of(profiles: Profiles, queue: str, executor_config: Any = None) -> dict[str, Any]:
    request = profiles.of(queue).template.request(["airflow"], executor_config)
    return dict(request.settle([]).body if request.settle else request.body)


def test_a_profile_is_laid_over_run_task_kwargs_and_under_the_executor_config() -> None:
    found = profiles(
        {"gpu": {"taskDefinition": "gpu", "tags": {"team": "ml", "cost": "high"}}},
        run_task_kwargs={"tags": {"team": "data", "env": "prod"}},
    )
    body = body_of(found, "gpu", {"tags": {"cost": "low"}})
    assert body["taskDefinition"] == "gpu"
    assert {tag["key"]: tag["value"] for tag in body["tags"]} == {"team": "ml", "env": "prod", "cost": "low"}
    assert body_of(found, "other")["taskDefinition"] == "t"


def test_a_profile_has_a_cluster_a_container_and_limits_of_its_own() -> None:
    found = profiles(
        {
            "gpu": {
                "cluster": "gpus",
                "container_name": "worker",
                "launch_type": "EC2",
                "maxRunTaskAttempts": 5,
                "launch_timeout": 60,
                "capacity_timeout": 0,
                "rate_share": 0.5,
            }
        }
    )
    gpu = found.of("gpu")
    assert (gpu.template.cluster, gpu.template.container) == ("gpus", "worker")
    assert (gpu.max_starts, gpu.launch_timeout, gpu.capacity_timeout) == (5, 60, 0)
    assert gpu.lane == RateShare("gpu", 0.5)
    (container,) = body_of(found, "gpu")["overrides"]["containerOverrides"]
    assert container["name"] == "worker"


def test_what_a_profile_leaves_out_is_as_for_all() -> None:
    found = profiles({"small": {"cpu": 256}}, max_run_task_attempts=7, launch_timeout=8, capacity_timeout=9)
    small = found.of("small")
    assert (small.max_starts, small.launch_timeout, small.capacity_timeout) == (7, 8, 9)
    assert (small.template.cluster, small.template.container, small.lane) == ("c", "airflow", None)


@pytest.mark.parametrize(
    ("queue", "profile"),
    [
        ("gpu-big", "gpu-big"),
        ("gpu-1", "gpu-*"),
        ("gpu-", "gpu-*"),
        ("GPU-1", ""),
        ("team-a", "team-[ab]"),
        ("team-c", "team-?"),
        ("default", ""),
        ("", ""),
    ],
)
def test_a_name_goes_before_the_patterns_and_those_go_in_their_order(queue: str, profile: str) -> None:
    names = ("gpu-*", "team-[ab]", "team-?", "gpu-big")
    found = profiles({name: {"cpu": 256} for name in names})
    for _ in range(2):
        assert found.of(queue).name == profile


def test_an_unknown_queue_is_named_once_and_the_default_one_never(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    found = profiles({"gpu": {"cpu": 256}})
    for queue in ("", "default", "gpu", "typo", "typo"):
        found.of(queue)
    assert [record.getMessage() for record in caplog.records] == [
        "The queue 'typo' has no profile in the option queues. Its tasks run as if there were no profiles."
    ]


def test_a_task_of_an_unknown_queue_has_a_warning_that_says_what_becomes_of_it() -> None:
    found = profiles({"gpu": {"cpu": 256}})
    assert [found.warning_for(queue) for queue in ("", "default", "gpu")] == [None] * 3
    said = "The queue 'gqu' has no profile in the option queues. Did you mean gpu? Its tasks run as if"
    assert str(found.warning_for("gqu")).startswith(said)
    assert str(found.warning_for("gqu")).startswith(said)


def test_tasks_of_unknown_queues_can_be_refused_and_those_of_the_default_queue_never_are() -> None:
    found = profiles({"gpu-*": {"cpu": 256}}, unknown_queue="refuse")
    for queue in ("", "default", "gpu-1"):
        assert found.of(queue).request(["airflow"], None).container == "airflow"
    with pytest.raises(
        InvalidRequestError, match=r"The queue 'gqu-1' has no profile .* Correct the task's `queue`"
    ):
        found.of("gqu-1").request(["airflow"], None)
    assert found.of("gqu-1").template is found.default.template, "a former scheduler's task can't be watched"
    assert found.warning_for("gqu-1") is None


def test_a_refusal_keeps_no_task_s_command() -> None:
    """An exception keeps the frames that it has passed; a command holds a token."""
    profile = profiles({"gpu": {"cpu": 256}}, unknown_queue="refuse").of("gqu")
    for _ in range(2):
        with pytest.raises(InvalidRequestError):
            profile.request(["airflow", "token"], None)
    assert profile.refusal is not None
    assert profile.refusal.__traceback__ is None


def test_without_profiles_no_queue_is_refused() -> None:
    one = profiles({}, unknown_queue="refuse").of("any")
    assert one.request(["airflow"], None).container == "airflow"


def test_without_profiles_no_queue_is_unknown(caplog: pytest.LogCaptureFixture) -> None:
    profiles({}).of("any")
    assert caplog.records == []


def test_fallbacks_follow_one_another_and_the_last_is_kept() -> None:
    found = profiles({"a": {"fallback": "b"}, "b": {"fallback": "c"}, "c": {}})
    assert [found.of("a", n).name for n in range(4)] == ["a", "b", "c", "c"]


@pytest.mark.parametrize(
    ("queues", "seconds"),
    [
        ({"a": {}}, 3600 + 1800),
        ({"a": {"capacity_timeout": 600, "launch_timeout": 60}}, 660),
        ({"a": {"capacity_timeout": 600, "fallback": "b"}, "b": {}}, 600 + 3600 + 1800),
        ({"a": {"fallback": "b"}, "b": {"fallback": "c"}, "c": {"launch_timeout": 60}}, 3 * 3600 + 60),
        ({"a": {"launch_timeout": 9000, "fallback": "b"}, "b": {}}, 3600 + 9000),
        ({"a": {"launch_timeout": 0}}, 3600),
    ],
    ids=[
        "defaults",
        "its own",
        "a fallback",
        "two fallbacks",
        "a slow start before the fallback",
        "no limit",
    ],
)
def test_a_task_may_be_queued_for_its_waits_for_capacity_and_a_slow_start(
    queues: dict[str, Any], seconds: float
) -> None:
    assert profiles(queues).of("a").longest_queued == seconds


def test_all_that_is_wrong_is_said_at_once_and_no_value_is_shown() -> None:
    queues = {
        "one": {"launch_timeout": "never", "rate_share": 2},
        "two": {"taskDefinitoin": "t"},
        "three": {"fallback": "nowhere"},
        "four": {"fallback_after": 2},
        "five": {"fallback": "six"},
        "six": {"fallback": "five"},
        "seven": {"environment": {"TOKEN": "their-secret"}, "command": ["x"]},
        "eight": {"cpu": "their-secret", "count": 3},
        "nine": {"rate_share": True, "launch_timeout": float("inf"), "max_run_task_attempts": True},
        "ten": {"launch_timeout": 1, "launchTimeout": 2},
        "eleven": {"cluster": "other", "fallback": "twelve"},
        "twelve": {"container_name": "other"},
    }
    with pytest.raises(ConfigurationError) as caught:
        profiles(queues)
    text = str(caught.value)
    for name in queues:
        assert f"queues: {name}:" in text or name in {"five", "six", "twelve"}
    assert "five -> six -> five is a circle" in text
    assert "Did you mean taskDefinition?" in text
    assert "there is no profile 'nowhere'" in text
    for name in ("rate_share", "launch_timeout", "max_run_task_attempts"):
        assert f"queues: nine: {name}: " in text
    assert "ten: launch_timeout appears twice" in text
    assert "eleven: fallback: 'twelve' has another cluster" in text
    assert "eleven: fallback: 'twelve' has another container" in text
    assert "their-secret" not in text


def test_all_that_is_wrong_in_one_profile_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        profiles({"gpu": {"lunchType": "EC2", "fallback": "nowhere", "rate_share": 4, "cluster": "c"}})
    text = str(caught.value)
    assert "gpu: rate_share: " in text
    assert "gpu: lunchType is not a member of ECS's RunTask request. Did you mean launchType?" in text
    assert "gpu: fallback: there is no profile 'nowhere'." in text
    assert "3 options to correct" in text


@pytest.mark.parametrize(
    ("queues", "options"),
    [
        ({"a": {"cluster": "gpu", "fallback": "b"}, "b": {"cluster": "gpu", "wrong": 1}}, {}),
        ({"a": {"cluster": "gpu", "fallback": "b", "wrong": 1}, "b": {"cluster": "gpu"}}, {}),
        ({"a": {"fallback": "b"}, "b": {"cluster": "x"}}, {"run_task_kwargs": {"cluster": "x", "wrong": 1}}),
    ],
)
def test_a_fallback_is_compared_only_when_both_profiles_are_right(
    queues: dict[str, Any], options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profiles(queues, **options)
    assert "1 option to correct" in str(caught.value)
    assert "wrong is not a member" in str(caught.value)


def test_a_misspelt_fallback_is_reported_with_what_was_meant() -> None:
    with pytest.raises(
        ConfigurationError, match=r"there is no profile 'ondemand'\. Did you mean on-demand\?"
    ):
        profiles({"spot": {"fallback": "ondemand"}, "on-demand": {}})


def test_a_profile_shows_no_values() -> None:
    found = profiles({"a": {"environment": {"TOKEN": "their-secret"}}})
    assert "their-secret" not in repr(found.of("a"))
