"""The Session Manager plugin gets what the AWS CLI gives it, and no token in `ps` if it can be helped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.operate.shell import VARIABLE, run_plugin, takes_variable, target_of
from tests.support.operation import container
from tests.support.plugin import fake_plugin

SESSION = {"sessionId": "s-1", "streamUrl": "wss://ssm", "tokenValue": "a-secret"}
OPENED = {"SessionId": "s-1", "TokenValue": "a-secret", "StreamUrl": "wss://ssm"}


def run(plugin: Path) -> int:
    task = container()
    return run_plugin(str(plugin), SESSION, target_of(task, task.containers[0]), "us-east-1", "https://ecs")


def test_a_new_plugin_reads_the_session_from_its_environment(tmp_path: Path) -> None:
    plugin = fake_plugin(tmp_path, "1.2.650.0", exit_code=3)
    assert run(plugin.path) == 3
    name, region, operation, profile, request, endpoint = plugin.arguments()
    assert (name, region, operation, profile, endpoint) == (
        VARIABLE,
        "us-east-1",
        "StartSession",
        "",
        "https://ecs",
    )
    assert json.loads(request) == {"Target": "ecs:default_0a1b2c_abc-123"}
    assert json.loads(plugin.session()) == OPENED


@pytest.mark.parametrize("version", ["1.2.497.0", ""])
def test_an_old_plugin_gets_it_as_its_first_argument(tmp_path: Path, version: str) -> None:
    plugin = fake_plugin(tmp_path, version)
    assert run(plugin.path) == 0
    assert json.loads(plugin.arguments()[0]) == OPENED


@pytest.mark.parametrize(
    ("version", "takes"),
    [
        ("1.2.497.0", False),
        ("1.2.498.0", True),
        ("1.3.0.0", True),
        ("1.2.30.0", False),
        ("", False),
        ("x", False),
    ],
)
def test_the_version_decides(version: str, takes: bool) -> None:
    assert takes_variable(version) is takes


def test_a_plugin_that_can_not_be_run_is_named_without_the_token(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="can't be run") as caught:
        run(tmp_path / "nowhere")
    assert "a-secret" not in str(caught.value)
