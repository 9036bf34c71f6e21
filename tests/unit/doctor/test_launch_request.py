"""The request of the doctor's launch: what the probe looks at, as far as it has room."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.config.profiles import Profile, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.doctor.launch.launch import request_of
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Request

INPUTS: dict[str, Any] = {
    "token": "t" * 600,
    "ti": "u" * 36,
    "region": [],
    "standby": ["s3://b/standby/lease-1.json", "s3://b/standby/1.json"],
}


def profile(characters: int) -> Profile:
    """A profile with a variable of that length."""
    settings = Settings(cluster="c", container_name="airflow", task_definition="t", subnets=("s",))
    queues = {"q": {"environment": {"A": "x" * characters}}}
    return make_profiles(settings.model_copy(update={"queues": queues})).of("q")


def looked_at(request: Request) -> set[str]:
    """The names of the probe's inputs."""
    assert request.settle is not None
    (container,) = request.settle([]).body["overrides"]["containerOverrides"]
    return {*json.loads(container["command"][-1])}


@pytest.mark.parametrize(("characters", "tried"), [(10, True), (2900, False)])
def test_standbys_are_tried_unless_that_has_no_room(characters: int, tried: bool) -> None:
    said: list[str] = []
    request = request_of(profile(characters), INPUTS, said.append)
    assert ("standby" in looked_at(request)) is tried
    assert [each.startswith("What a standby does is not tried") for each in said] == [True] * (not tried)


def test_a_profile_without_room_for_the_probe_is_refused() -> None:
    said: list[str] = []
    with pytest.raises(InvalidRequestError):
        request_of(profile(7000), INPUTS, said.append)
    assert said == []
