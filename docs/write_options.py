"""Writes the tables of options into docs/configuration.md, from the table of options itself. Run by `make format`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option

PAGE = Path(__file__).with_name("configuration.md")
_BETWEEN = re.compile(r"(<!-- options:.*?-->\n).*?(<!-- /options -->)", re.DOTALL)
_TYPES = {bool: "true or false", int: "whole number", float: "number"}


def option_table() -> str:
    """Return the Markdown tables of all options."""
    parts = []
    for title, drop_in in ((DROP_IN_SECTION, True), (SECTION, False)):
        rows = [
            _row(name, field) for name, field in Settings.model_fields.items() if is_drop_in(field) is drop_in
        ]
        heading = f"\n### `[{title}]`\n"
        parts.append(
            "\n".join([heading, "| option | form | default | example | |", "|---|---|---|---|---|", *rows])
        )
    return "\n".join(parts) + "\n\n"


def with_option_table(text: str) -> str:
    """Return the page's text with the current tables in it."""
    return _BETWEEN.sub(lambda match: match[1] + option_table() + match[2], text)


def _row(name: str, field: FieldInfo) -> str:
    cells = (
        f"`{name}`",
        _form(field),
        _default(field),
        f"`{of_option(field, 'example')}`",
        field.description,
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _form(field: FieldInfo) -> str:
    limits = "".join(filter(None, map(_limit, field.metadata)))
    return f"{_type(field.annotation)}{limits}"


def _type(annotation: Any) -> str:
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    if annotation in _TYPES:
        return _TYPES[annotation]
    if any(kind in _TYPES for kind in kinds):
        return next(_TYPES[kind] for kind in kinds if kind in _TYPES)
    text = str(annotation)
    if "list[" in text or text.startswith("tuple"):
        return "list"
    return "JSON" if "dict" in text else "text"


def _limit(rule: Any) -> str:
    signs: dict[type, tuple[str, str]] = {
        Ge: ("≥", "ge"),
        Gt: (">", "gt"),
        Le: ("≤", "le"),
    }
    for kind, (sign, member) in signs.items():
        if isinstance(rule, kind):
            return f", {sign} {getattr(rule, member)}"
    return ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if elsewhere := of_option(field, "required_unless_in"):
        return f"required, here or in `{elsewhere}`"
    return "" if value is None or value in ((), {}) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(with_option_table(PAGE.read_text("utf-8")), "utf-8")
