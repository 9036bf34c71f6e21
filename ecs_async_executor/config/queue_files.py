"""Reads the option `queues`: an object in JSON, or a file of JSON or YAML that holds one. No message shows a value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ecs_async_executor.config.parsing import parse_json


def parse_queues(value: object) -> object:
    """Take the object, or the path of a file; raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        value = _inline(text) if text.startswith("{") else _in_file(Path(text).expanduser().absolute())
    if not isinstance(value, dict):
        raise ValueError("it is not an object that has an object for each queue")  # noqa: TRY004  pydantic takes ValueErrors
    for name, each in value.items():
        if not isinstance(each, dict | None):
            raise ValueError(f"the profile of the queue {str(name)[:40]!r} is not an object")  # noqa: TRY004  as above
    return {str(name): each or {} for name, each in value.items()}


def _inline(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (json.JSONDecodeError, RecursionError):
        return parse_json(text)  # what Python prints; or it says what is wrong


def _in_file(path: Path) -> object:
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506  it is a SafeLoader; JSON is YAML, too
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {path} can't be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"the file {path} is neither JSON nor YAML{where}") from None
    except RecursionError:
        raise ValueError(f"the file {path} is of more depth than can be read") from None
    except _TwiceError as error:
        raise ValueError(f"in the file {path} {error}") from None


class _TwiceError(ValueError):
    """A name stands twice in one object: without it, the first would be lost without a word."""


def _refuse_twins(names: Iterable[str], where: str = "") -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise _TwiceError(f"{name[:80]!r} is there twice{where}")
        seen.add(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twins(name for name, _ in pairs)
    return dict(pairs)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  PyYAML's
        names = (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
        _refuse_twins(names, f" in the object that begins in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)
