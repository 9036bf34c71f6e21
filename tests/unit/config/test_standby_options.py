"""Whose standbys the options `standby` and `standby_max_age` count."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import OptionsError

REQUIRED = {"cluster": "c", "container_name": "airflow", "task_definition": "t", "subnets": ("s",)}


def profiles(queues: dict[str, Any], **options: Any) -> Profiles:
    return make_profiles(Settings.model_validate({**REQUIRED, **options, "queues": queues}))


def test_nobody_keeps_standbys_unasked() -> None:
    assert [each.standby for each in profiles({"gpu": {}})] == [0, 0]


def test_the_general_number_is_not_multiplied_by_the_profiles_and_the_general_age_is_theirs() -> None:
    found = profiles({"gpu": {}, "small": {"standby": 1}}, standby=5, standby_max_age=600)
    assert {each.name: each.standby for each in found} == {"": 5, "gpu": 0, "small": 1}
    assert {each.standby_max_age for each in found} == {600}


def test_a_profile_has_an_age_of_its_own() -> None:
    found = profiles({"small": {"standby": 1, "standbyMaxAge": 360}}, standby_max_age=600)
    assert found.of("small").standby_max_age == 360
    assert found.of("other").standby_max_age == 600


def test_an_age_without_a_number_is_probably_a_mistake_and_with_none_for_now_it_is_not() -> None:
    with pytest.raises(OptionsError, match="small: standby_max_age has no effect without standby"):
        profiles({"small": {"standby_max_age": 600}})
    assert profiles({"small": {"standby": 0, "standby_max_age": 600}}).of("small").standby == 0


def test_only_the_first_size_of_a_profile_that_grows_has_standbys() -> None:
    found = profiles({"growing": {"cpu": 1024, "memory": [2048, 4096], "standby": 2}})
    assert [(size.memory, size.standby) for size in found.of("growing").sizes] == [(2048, 2), (4096, 0)]


def test_a_refused_queue_has_none_of_the_default_s() -> None:
    found = profiles({"gpu": {}}, standby=3, unknown_queue="refuse")
    assert (found.of("default").standby, found.of("gqu").standby) == (3, 0)


@pytest.mark.parametrize(
    ("option", "value"),
    [("standby", -1), ("standby", "some"), ("standby_max_age", 359), ("standby_max_age", float("inf"))],
)
def test_numbers_that_make_no_sense_are_refused_in_both_places(option: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=option):
        profiles({}, **{option: value})
    with pytest.raises(OptionsError, match=f"small: {option}: "):
        profiles({"small": {"standby": 1, option: value}})
