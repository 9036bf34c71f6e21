"""A standby serves a launch only if their requests are the same, apart from the command."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.engine.standby.matching import differences
from ecs_async_executor.messages import Request


def request(command: str = "wait", container: str = "airflow", image: str = "", **more: Any) -> Request:
    named = {"name": "airflow", "command": [command], **more.pop("named", {})}
    others = more.pop("others", [])
    overrides = {"containerOverrides": [named, *others], **more.pop("overrides", {})}
    return Request({"cluster": "c", "overrides": overrides, **more}, container, image=image)


def test_requests_that_differ_only_in_the_command_match():
    assert differences(request("run"), request("wait")) == ()


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"cluster": "other"}, ("cluster",)),
        ({"tags": [{"key": "dag", "value": "a"}]}, ("tags",)),
        ({"taskDefinition": "t", "launchType": "EC2"}, ("launchType", "taskDefinition")),
        ({"overrides": {"cpu": "4096"}}, ("overrides.cpu",)),
        ({"named": {"environment": [{"name": "A", "value": "1"}]}}, ("overrides.containerOverrides",)),
        ({"others": [{"name": "sidecar", "command": ["x"]}]}, ("overrides.containerOverrides",)),
        ({"image": "other"}, ("image",)),
        ({"container": "other"}, ("container_name",)),
    ],
)
def test_whatever_else_differs_is_named(changed: Any, names: tuple[str, ...]):
    assert differences(request(**changed), request()) == names
    assert differences(request(), request(**changed)) == names


def test_the_command_of_another_container_counts():
    mine, its = (request(others=[{"name": "sidecar", "command": [each]}]) for each in ("a", "b"))
    assert differences(mine, its) == ("overrides.containerOverrides",)


def test_a_request_that_still_lacks_its_strategy_matches_none_that_has_it():
    lacking = Request(request().body, "airflow", settle=lambda _: request())
    assert differences(lacking, request()) == ("capacityProviderStrategy",)
    assert differences(lacking, lacking) == ()


def test_requests_without_overrides_match():
    assert differences(Request({"cluster": "c"}, "a"), Request({"cluster": "c"}, "a")) == ()
