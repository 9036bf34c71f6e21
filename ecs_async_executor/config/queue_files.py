"""Reads the option `queues`: a JSON object, or a JSON or YAML file that contains one. No message shows a value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ecs_async_executor.config.parsing import TwiceError, parse_json, refuse_twins

_PATH = re.compile(r"[\w ./~@+-]{1,300}")
"""Anything else may be broken JSON that contains secrets, so messages don't show it."""


def parse_queues(value: object) -> object:
    """Parse the object, or read the file at this path; raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        value = _in_file(text) if _PATH.fullmatch(text) else parse_json(text)
    if not isinstance(value, dict):
        problem = "it is neither an object with a profile for each queue nor the path of a file with one"
        raise ValueError(problem)  # noqa: TRY004  pydantic handles ValueError
    if wrong := [problem for name, each in value.items() if (problem := _wrong(name, each))]:
        raise ValueError("; ".join(wrong))
    return {name: each or {} for name, each in value.items()}


def _wrong(name: object, profile: object) -> str:
    if not isinstance(name, str):
        return f"a queue's name must be text, not {str(name)[:40]}: put it in quotes"
    if not name.strip():
        return "a queue's name is empty"
    return (
        "" if isinstance(profile, dict | None) else f"the profile of the queue {name[:40]!r} is not an object"
    )


def _in_file(text: str) -> object:
    path = Path(text)
    try:
        path = path.expanduser().absolute()
        return yaml.load(path.read_text("utf-8-sig"), _Loader)  # noqa: S506  it is a SafeLoader; JSON is also YAML
    except yaml.YAMLError as error:
        raise ValueError(f"the file {path} is neither JSON nor YAML{_of(error)}") from None
    except RecursionError:
        raise ValueError(f"the file {path} is nested too deeply") from None
    except TwiceError as error:
        raise ValueError(f"in the file {path} {error}") from None
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {path} can't be read: {type(error).__name__}") from None
    except ValueError:
        raise ValueError(f"the file {path} has an invalid date: put it in quotes") from None


def _of(error: yaml.YAMLError) -> str:
    mark, problem = (getattr(error, name, None) for name in ("problem_mark", "problem"))
    said = f": {problem}" if isinstance(error, (yaml.scanner.ScannerError, yaml.parser.ParserError)) else ""
    return f" in line {mark.line + 1}{said}" if mark else ""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  PyYAML's
        names = (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
        refuse_twins(names, f" in the object that begins in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)
