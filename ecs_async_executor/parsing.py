"""The forms in which people write lists, JSON and capacity providers into options. No message shows a value."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from ecs_async_executor.limits import strategy_problems

_WRITE = "write name:weight:base, separated by commas, such as FARGATE_SPOT:3,FARGATE:1"


def parse_list(value: object) -> object:
    """Take `a, b`, or a JSON list."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return parse_json(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_json(value: object) -> object:
    """Take JSON, or what Python prints; raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        problem = f"it is not JSON: {error.msg} at character {error.pos + 1}"
    except (RecursionError, ValueError):
        raise ValueError("it is JSON of more depth or size than can be read") from None
    try:
        return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(problem) from None


def parse_queues(value: object) -> object:
    """Take a JSON object, or the path of a JSON or YAML file that holds one; raises ValueError."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        value = _read(Path(value.strip()).expanduser().absolute())
    queues = parse_json(value)
    if not isinstance(queues, dict):
        raise ValueError("it is not an object that has an object for each queue")  # noqa: TRY004  pydantic takes ValueErrors
    for name, each in queues.items():
        if not isinstance(each, dict | None):
            raise ValueError(f"the profile of the queue {str(name)[:40]!r} is not an object")  # noqa: TRY004  as above
    return {str(name): each or {} for name, each in queues.items()}


def _read(path: Path) -> object:
    import yaml  # noqa: PLC0415  `airflow` imports this module, and few need it

    try:
        return yaml.safe_load(path.read_text("utf-8"))  # JSON is YAML, too
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file {path} can't be read: {type(error).__name__}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"the file {path} is neither JSON nor YAML{where}") from None


def parse_strategy(value: object) -> object:
    """Take `name:weight:base, ...` (left out: weight 1, base 0), or a JSON list; raises ValueError."""
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
    strategy = [_item(item) for item in items]
    for problem in strategy_problems(strategy):
        raise ValueError(problem.removesuffix("."))
    return strategy


def _provider(text: str) -> object:
    """Read name:weight:base."""
    name, *numbers = (part.strip() for part in text.split(":"))
    if len(numbers) > 2 or not all(re.fullmatch("[0-9]{1,9}", number) for number in numbers):
        raise ValueError(_WRITE)
    given = dict(zip(("weight", "base"), map(int, numbers), strict=False))
    return {"capacityProvider": name, "weight": 1, **given}


def _item(item: object) -> dict[str, object]:
    """Bring one capacity provider into AWS's spelling."""
    if not isinstance(item, dict):
        raise ValueError(f"each capacity provider is an object; {_WRITE}")  # noqa: TRY004  pydantic takes ValueErrors
    known = {"capacityprovider": "capacityProvider", "weight": "weight", "base": "base"}
    folded = {str(key).replace("_", "").lower(): each for key, each in item.items()}
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
    """Take `bucket` or `s3://bucket/prefix`, and give `s3://bucket/prefix/`; raises ValueError."""
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
    """Take it in any case."""
    return value.strip().upper() if isinstance(value, str) else value
