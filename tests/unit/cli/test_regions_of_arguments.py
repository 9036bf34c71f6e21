"""Every command that takes a Region refuses one that does not exist, and suggests the one that may be meant."""

from __future__ import annotations

import argparse

import pytest

from ecs_async_executor import argument_values
from ecs_async_executor.cli import main
from ecs_async_executor.commands import COMMANDS, STACK
from ecs_async_executor.conformance.edge import BotocoreEdge
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.stack.cloud import Cloud

TAKERS = [
    (each, argument)
    for each in (*COMMANDS, *STACK.commands)
    for argument in each.arguments
    if "--region" in argument.flags
]


def test_conformance_and_the_commands_of_the_stack_take_a_region() -> None:
    assert [each.name for each, _ in TAKERS] == ["conformance", "up", "env", "down"]
    assert {argument.options["type"] for _, argument in TAKERS} == {argument_values.region}


@pytest.mark.parametrize(
    "arguments",
    [
        ["stack", "up", "--dry-run", "--region", "eu-central1"],
        ["stack", "env", "--region", "eu-central1"],
        ["stack", "down", "--region", "eu-central1"],
        ["conformance", "--cluster", "a", "--task-definition", "b", "--region", "eu-central1"],
    ],
)
def test_a_region_that_does_not_exist_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "there is no AWS Region 'eu-central1'. Did you mean eu-central-1?" in said


@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-gov-west-1", "cn-north-1", "eu-isoe-west-1", "xx-west-9"]
)
def test_regions_of_all_partitions_and_new_ones_of_their_form_are_taken(region: str) -> None:
    assert argument_values.region(region) == region


@pytest.mark.parametrize("region", ["", "eu central 1", "frankfurt", "eu-central-1a"])
def test_what_has_no_regions_form_is_refused(region: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no AWS Region"):
        argument_values.region(region)


def test_a_region_of_the_environment_is_looked_at_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central1")
    assert main(["stack", "up", "--dry-run"]) == 1
    assert "Did you mean eu-central-1? Correct --region, AWS_DEFAULT_REGION" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="there is no AWS Region 'eu-central1'"):
        Cloud.connect()
    with pytest.raises(ConfigurationError, match="there is no AWS Region 'eu-central1'"):
        BotocoreEdge(None, None)


def test_an_ecs_that_is_not_awss_may_have_any_region() -> None:
    assert BotocoreEdge("here", "http://127.0.0.1:1").region == "here"
