"""Tells Airflow about this package: its executor, its options, its commands.

Every `airflow` command imports this module: keep it cheap.
"""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ecs_async_executor.commands import COMMANDS, STACK, Command, Group
from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option

_TYPES = {bool: "boolean", int: "integer", float: "float"}


def get_provider_info() -> dict[str, Any]:
    """Describe the package (schema: `provider_info.schema.json` of apache-airflow-core)."""
    return {
        "package-name": "ecs-async-executor",
        "name": "ECS async executor",
        "description": "Runs every task on Amazon ECS and never blocks the scheduler.",
        "executors": ["ecs_async_executor.AsyncEcsExecutor"],
        "cli": ["ecs_async_executor.provider.get_cli_commands"],
        # Only our own section: declaring [aws_ecs_executor] again would replace the Amazon provider's.
        "config": {
            SECTION: {
                "description": (
                    f"Options of ``AsyncEcsExecutor``. Those of ``[{DROP_IN_SECTION}]`` work as they are; "
                    "set here, they win."
                ),
                "options": {name: _option(name, field) for name, field in Settings.model_fields.items()},
            }
        },
    }


def get_cli_commands() -> list[Any]:
    """Return the commands `airflow ecs-async ...`."""
    from airflow.cli import cli_config  # noqa: PLC0415  Airflow has loaded it by the time it calls this

    return [
        cli_config.GroupCommand(
            name="ecs-async",
            help="Tools of AsyncEcsExecutor",
            subcommands=(
                *(_airflow_command(cli_config, command) for command in COMMANDS),
                _airflow_group(cli_config, STACK),
            ),
        )
    ]


def _airflow_group(cli_config: Any, group: Group) -> Any:
    return cli_config.GroupCommand(
        name=group.name,
        help=group.help[0].upper() + group.help[1:],
        description=group.description,
        subcommands=tuple(_airflow_command(cli_config, each, group.name) for each in group.commands),
    )


def _airflow_command(cli_config: Any, command: Command, module: str = "") -> Any:
    arguments = tuple(cli_config.Arg(each.flags, **each.options) for each in command.arguments)
    return cli_config.ActionCommand(
        name=command.name,
        help=command.help[0].upper() + command.help[1:],
        description=command.description,
        func=cli_config.lazy_load_command(f"ecs_async_executor.cli.{module or command.name}.run_in_airflow"),
        args=arguments,
    )


def _option(name: str, field: FieldInfo) -> dict[str, Any]:
    # A drop-in option gets no default here: it would hide the value in [aws_ecs_executor].
    default = None if field.default in (None, PydanticUndefined, {}, ()) else str(field.default)
    inherited = f" Unset in this section: [{DROP_IN_SECTION}] {name}" + (
        f", else {default}." if default else "."
    )
    return {
        "description": f"{field.description}{inherited if is_drop_in(field) else ''}",
        "version_added": "1.0.0",
        "type": _TYPES.get(field.annotation, "string"),  # type: ignore[arg-type]  # all others are strings
        "example": of_option(field, "example"),
        "default": None if is_drop_in(field) else default,
        "sensitive": of_option(field, "sensitive"),
    }
