from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from airflow.cli import cli_parser

from ecs_async_executor.commands import COMMANDS, STACK, Command
from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option
from ecs_async_executor.provider import get_cli_commands, get_provider_info


@pytest.fixture(scope="module")
def config_list() -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "airflow",
        "config",
        "list",
        "--defaults",
        "--show-values",
        "--section",
        SECTION,
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ, timeout=150)


def test_the_info_fits_airflows_schema() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_airflow_finds_the_info_under_the_packages_name() -> None:
    found = [entry.load()()["package-name"] for entry in entry_points(group="apache_airflow_provider")]
    assert "ecs-async-executor" in found


def test_the_amazon_providers_section_is_not_declared_again() -> None:
    assert list(get_provider_info()["config"]) == [SECTION]


def test_an_option_of_both_sections_has_no_default_here_that_would_hide_the_other() -> None:
    declared = get_provider_info()["config"][SECTION]["options"]
    for name, field in Settings.model_fields.items():
        if is_drop_in(field):
            assert declared[name]["default"] is None
        else:
            assert declared[name]["default"] == (
                None if field.default in (None, {}, ()) else str(field.default)
            )


def test_types_are_airflows() -> None:
    declared = get_provider_info()["config"][SECTION]["options"]
    types = {
        name: declared[name]["type"] for name in ("assign_public_ip", "concurrency", "read_rate", "subnets")
    }
    assert types == {
        "assign_public_ip": "boolean",
        "concurrency": "integer",
        "read_rate": "float",
        "subnets": "string",
    }


def test_airflow_config_list_shows_every_option(config_list: subprocess.CompletedProcess[str]) -> None:
    assert config_list.returncode == 0
    assert f"[{SECTION}]" in config_list.stdout
    for name in Settings.model_fields:
        assert f"{name} = " in config_list.stdout


def test_no_airflow_command_warns_about_the_provider(config_list: subprocess.CompletedProcess[str]) -> None:
    said = config_list.stdout + config_list.stderr
    assert "WARNING" not in said
    assert "warning" not in config_list.stderr.lower()


def test_airflow_gets_the_commands_that_need_airflow() -> None:
    (group,) = get_cli_commands()
    names = [command.name for command in group.subcommands]
    assert (group.name, names) == (
        "ecs-async",
        ["config", "doctor", "conformance", "status", "tasks", "sweep", "stop", "exec", "stack"],
    )


def test_airflow_parses_each_command_as_ecs_async_does() -> None:
    (group,) = get_cli_commands()
    *alone, stack = group.subcommands
    ours_and_theirs = [
        (command, command.name, airflows) for command, airflows in zip(COMMANDS, alone, strict=True)
    ]
    of_the_stack = zip(STACK.commands, stack.subcommands, strict=True)
    ours_and_theirs += [(command, STACK.name, airflows) for command, airflows in of_the_stack]
    for command, module, airflows in ours_and_theirs:
        ours, theirs = argparse.ArgumentParser(), argparse.ArgumentParser()
        for argument in command.arguments:
            ours.add_argument(*argument.flags, **argument.options)
        for argument in airflows.args:
            argument.add_to_parser(theirs)
        assert theirs.format_help() == ours.format_help()
        assert callable(airflows.func)
        assert callable(import_module(f"ecs_async_executor.cli.{module}").run_in_airflow)


@pytest.mark.parametrize("command", STACK.commands, ids=lambda each: each.name)
def test_airflow_tells_the_commands_of_a_stack_which_one_is_meant(command: Command) -> None:
    args = cli_parser.get_parser().parse_args(["ecs-async", "stack", command.name])
    assert args.subcommand == command.name


def test_every_option_is_shown_with_its_description_an_example_and_its_default(
    config_list: subprocess.CompletedProcess[str],
) -> None:
    for name, field in Settings.model_fields.items():
        option = get_provider_info()["config"][SECTION]["options"][name]
        assert f"# Example: {name} = {of_option(field, 'example')}\n" in config_list.stdout
        assert str(option["description"]).splitlines()[0] in config_list.stdout
        if option["default"] is not None:
            assert f"# {name} = {option['default']}\n" in config_list.stdout


def test_what_an_option_of_both_sections_is_if_unset_is_said_in_words() -> None:
    declared = get_provider_info()["config"][SECTION]["options"]
    assert declared["conn_id"]["description"].endswith(
        " Unset in this section: [aws_ecs_executor] conn_id, else aws_default."
    )
    assert declared["cluster"]["description"].endswith(" Unset in this section: [aws_ecs_executor] cluster.")


def test_only_what_may_hold_secrets_is_declared_as_sensitive() -> None:
    declared = get_provider_info()["config"][SECTION]["options"]
    assert [name for name, option in declared.items() if option["sensitive"]] == ["run_task_kwargs", "queues"]


def test_the_defaults_of_the_amazon_provider_stay_in_place() -> None:
    from airflow.configuration import conf  # noqa: PLC0415  it reads all providers

    assert conf.get(DROP_IN_SECTION, "max_run_task_attempts") == "3"
    assert conf.get(SECTION, "max_run_task_attempts", fallback=None) is None
