"""What Airflow learns of this package: its executor and its options. Imported by every `airflow` command: keep it cheap."""

from __future__ import annotations

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ecs_async_executor.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in

_TYPES = {bool: "boolean", int: "integer", float: "float"}


def get_provider_info() -> dict[str, Any]:
    """Describe the package (schema: `provider_info.schema.json` of apache-airflow-core)."""
    return {
        "package-name": "ecs-async-executor",
        "name": "ECS async executor",
        "description": "Runs every task on Amazon ECS and never blocks the scheduler.",
        "executors": ["ecs_async_executor.AsyncEcsExecutor"],
        "cli": ["ecs_async_executor.provider.get_cli_commands"],
        # Only our own section: a second declaration of [aws_ecs_executor] would replace the Amazon provider's.
        "config": {
            SECTION: {
                "description": (
                    f"Options of ``AsyncEcsExecutor``. Those of ``[{DROP_IN_SECTION}]`` work as they are; "
                    "set here, they win."
                ),
                "options": {name: _option(field) for name, field in Settings.model_fields.items()},
            }
        },
    }


def get_cli_commands() -> list[Any]:
    """No `airflow` subcommands yet; without this key Airflow warns at every command."""
    return []


def _option(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    # A default here would hide what stands in [aws_ecs_executor].
    unset = is_drop_in(field) or field.default in (None, PydanticUndefined)
    return {
        "description": field.description,
        "version_added": "0.1.0",
        "type": _TYPES.get(field.annotation, "string"),  # type: ignore[arg-type]  # other annotations are strings here
        "example": extra.get("example"),
        "default": None if unset else str(field.default),
    }
