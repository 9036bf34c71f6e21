"""Parses lists, JSON and capacity providers as people write them in options. No message shows a value."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable

from ecs_async_executor.config.folding import fold

_WRITE = "write name:weight:base, separated by commas, such as FARGATE_SPOT:3,FARGATE:1"


def parse_list(value: object) -> object:
    """Parse `a, b` or a JSON list."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return parse_json(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_json(value: object) -> object:
    """Parse JSON or a Python literal; raises ValueError, also if an object has the same name twice."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, object_pairs_hook=_object)
    except TwiceError:
        raise
    except json.JSONDecodeError as error:
        problem = f"it is not JSON: {error.msg} at character {error.pos + 1}"
    except (RecursionError, ValueError):
        raise ValueError("its JSON is nested too deeply or has too long a number") from None
    try:
        return _literal(value.strip())
    except TwiceError:
        raise
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(problem) from None


class TwiceError(ValueError):
    """An object has the same name twice; parsing would silently drop the first."""


def refuse_twins(names: Iterable[str], where: str = "") -> None:
    """Raise `TwiceError` if a name occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TwiceError(f"{name[:80]!r} appears twice{where}")
        seen.add(name)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    refuse_twins(name for name, _ in pairs)
    return dict(pairs)


def _literal(text: str) -> object:
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            refuse_twins(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
    return ast.literal_eval(tree)


def leftover(text: str) -> str | None:
    """Describe quotes or a comment that a file's or a shell's syntax left around a value; None if there are none."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "the value is in quotes, and Airflow takes them as part of it: remove the quotes"
    is_json = text.startswith(("{", "["))
    comment = r"[}\]]\s*[#;][^}\]]*" if is_json else r"(|.*\s)[#;].*"
    if (re.search(rf"{comment}\Z", text) if is_json else re.fullmatch(comment, text, re.DOTALL)) is not None:
        return "a comment follows the value, and Airflow takes it as part of the value: remove the comment"
    return None


def parse_strategy(value: object) -> object:
    """Parse `name:weight:base, ...` (default weight 1, base 0) or a JSON list; raises ValueError."""
    if isinstance(value, str):
        text = value.strip()
        value = (
            parse_json(text)
            if text.startswith(("[", "{"))
            else [*map(_provider, filter(None, text.split(",")))]
        )
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or not items:
        raise ValueError(f"it is not a list of capacity providers; {_WRITE}")
    return [_item(item) for item in items]


def _provider(text: str) -> object:
    """Parse name:weight:base."""
    name, *numbers = (part.strip() for part in text.split(":"))
    if len(numbers) > 2 or not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
        raise ValueError(_WRITE)
    given = dict(zip(("weight", "base"), map(int, numbers), strict=False))
    return {"capacityProvider": name, "weight": 1, **given}


def _item(item: object) -> dict[str, object]:
    """Normalise one capacity provider to AWS's spelling."""
    if not isinstance(item, dict):
        raise ValueError(f"each capacity provider is an object; {_WRITE}")  # noqa: TRY004  pydantic handles ValueError
    known = {"capacityprovider": "capacityProvider", "weight": "weight", "base": "base"}
    folded = {fold(key): each for key, each in item.items()}
    if "capacityprovider" not in folded or not folded.keys() <= known.keys():
        raise ValueError(f"each capacity provider has capacityProvider, weight and base; {_WRITE}")
    name, *numbers = (folded.get(key) for key in known)
    if (
        type(name) is not str
        or not name
        or not all(n is None or (type(n) is int and n >= 0) for n in numbers)
    ):
        raise ValueError(f"a capacity provider is a name, its weight and base are whole numbers; {_WRITE}")
    return {known[key]: each for key, each in folded.items() if each is not None}


def parse_bucket(value: object) -> object:
    """Parse `bucket` or `s3://bucket/prefix` into `s3://bucket/prefix/`; raises ValueError."""
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(
        r"(?:s3://)?(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/+[\w!.*'()=-]+)*)/*",
        value.strip(),
        re.ASCII,
    )
    if parts is None:
        raise ValueError("it is neither a bucket nor s3://bucket/prefix")
    return f"s3://{parts['bucket']}{re.sub('/+', '/', parts['prefix'])}/"


def parse_launch_type(value: object) -> object:
    """Convert a launch type to upper case."""
    return value.strip().upper() if isinstance(value, str) else value
