"""Which object in S3 a task's command fetches: seen in the task itself, whoever has launched it. Pure."""

from __future__ import annotations

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from ecs_async_executor.engine.responses import Task

NOT_FETCHED = 69
"""Exit code of a container that could not fetch its workload (EX_UNAVAILABLE of sysexits.h). Airflow's own process,
whose exit code this would else be, ends with 0 or 1, or by a signal."""
SCHEME = "s3://"


class _Container(Struct):
    name: str = ""
    command: tuple[str, ...] = ()


class _Overrides(Struct, rename="camel"):
    container_overrides: tuple[_Container, ...] = ()


_OVERRIDES = Decoder(_Overrides)


def fetched_by(task: Task, container: str) -> str | None:
    """Give the URL of the object, as `s3://bucket/key`; None if the command holds the workload itself."""
    try:
        overrides = _OVERRIDES.decode(task.overrides)
    except (MsgspecError, ValueError):  # absent, cut off, or none of ours
        return None
    for each in overrides.container_overrides:
        if each.name == container and each.command[1:2] == ("-c",) and each.command[-1].startswith(SCHEME):
            return each.command[-1]
    return None


def split(url: str) -> tuple[str, str]:
    """Give bucket and key of `s3://bucket/key`."""
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    return bucket, key
