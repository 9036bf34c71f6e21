"""Which S3 object a task's command fetches, read from the task itself no matter who launched it. Pure."""

from __future__ import annotations

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from ecs_async_executor.engine.responses import Task

NOT_FETCHED = 69
"""Exit code of a container that could not fetch its workload (EX_UNAVAILABLE of sysexits.h). The process that
runs the fetched workload must not exit with this code."""
SCHEME = "s3://"


class _Container(Struct):
    name: str = ""
    command: tuple[str, ...] = ()


class _Overrides(Struct, rename="camel"):
    container_overrides: tuple[_Container, ...] = ()


_OVERRIDES = Decoder(_Overrides)


def fetched_by(task: Task, container: str) -> str | None:
    """Return the object's URL (`s3://bucket/key`): empty if the command fetches none, None if unreadable."""
    try:
        overrides = _OVERRIDES.decode(task.overrides)
    except (MsgspecError, ValueError):  # absent, truncated, or not in the executor's form
        return None
    for each in overrides.container_overrides:
        if each.name == container and each.command[1:2] == ("-c",) and each.command[-1].startswith(SCHEME):
            return each.command[-1]
    return ""


def url_of(location: str, launch: str) -> str:
    """Return the URL of a launch's object at a location (`s3://bucket/prefix/`).

    The object is named after the launch's clientToken, so no launch finds or deletes another's object.
    """
    return f"{location}{launch}.json"


def split(url: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key."""
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    return bucket, key
