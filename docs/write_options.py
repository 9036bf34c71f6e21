"""Writes the option table into the README, from the table of options itself. Run by `make format`."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from ecs_async_executor.settings import Settings, is_drop_in

README = Path(__file__).parents[1] / "README.md"
_BETWEEN = re.compile(r"(<!-- options:.*?-->\n).*?(<!-- /options -->)", re.DOTALL)


def option_table() -> str:
    """Give the Markdown table of all options."""
    parts = []
    for title, drop_in in (("[aws_ecs_executor]", True), ("[ecs_async_executor]", False)):
        rows = [
            f"| `{name}` | {_default(field.default)} | {field.description} |"
            for name, field in Settings.model_fields.items()
            if is_drop_in(field) is drop_in
        ]
        parts.append("\n".join([f"\n| `{title}` | default | |", "|---|---|---|", *rows]))
    return "\n".join(parts) + "\n\n"


def with_option_table(text: str) -> str:
    """Give the README's text with the current table in it."""
    return _BETWEEN.sub(lambda match: match[1] + option_table() + match[2], text)


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    return "" if value is None or value in ((), {}) else f"`{value}`"


if __name__ == "__main__":
    README.write_text(with_option_table(README.read_text("utf-8")), "utf-8")
