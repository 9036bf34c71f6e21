"""Which object in S3 a task's command fetches: seen in the task itself, whoever has launched it. Pure."""

from __future__ import annotations

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from ecs_async_executor.engine.responses import Task

NOT_FETCHED = 69
"""Exit code of a container that could not fetch its workload (EX_UNAVAILABLE of sysexits.h). What it becomes once it has
fetched it must not end with this code."""
SCHEME = "s3://"


class _Container(Struct):
    name: str = ""
    command: tuple[str, ...] = ()


class _Overrides(Struct, rename="camel"):
    container_overrides: tuple[_Container, ...] = ()


_OVERRIDES = Decoder(_Overrides)


def fetched_by(task: Task, container: str) -> str | None:
    """Give the URL of the object, as `s3://bucket/key`; empty: the command fetches none; None: it can't be told."""
    try:
        overrides = _OVERRIDES.decode(task.overrides)
    except (MsgspecError, ValueError):  # absent, cut off, or none of ours
        return None
    for each in overrides.container_overrides:
        if each.name == container and each.command[1:2] == ("-c",) and each.command[-1].startswith(SCHEME):
            return each.command[-1]
    return ""


def url_of(location: str, launch: str) -> str:
    """Give the URL of a launch's object at a location (`s3://bucket/prefix/`).

    Its name is the launch's clientToken: no launch finds, or deletes, what another one has put.
    """
    return f"{location}{launch}.json"


def split(url: str) -> tuple[str, str]:
    """Give bucket and key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    return bucket, key
