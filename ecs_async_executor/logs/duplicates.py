"""Leaves out lines that Airflow's log page gets from another log of the running task as well.

A worker writes what its task logs to its standard output, which is what we read, and to a log of Airflow: a file, or a remote log.
The page can have that log too, while the task runs, in two cases. The log handler drops a line that is equal to the line before
it, but two logs seldom meet line by line: it sorts lines of the same millisecond by their number in their log.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecs_async_executor.logs.lines import NOTICE_LOGGER

log = logging.getLogger(__name__)

_LIVE_REMOTE_LOGS = frozenset({"CloudWatchRemoteLogIO"})
"""Remote logs that a worker writes while its task runs. Others (S3, GCS) are written at its end."""
_TIME = re.compile(r'(?<=^\{)"timestamp":"[^"]*",')
_MOST_BYTES = 4_194_304
"""How much of a file's end is compared: more than the lines that a page shows."""


def without_duplicates(lines: Sequence[str], ti: Any, try_number: int) -> list[str]:
    """Return the lines that only the container's log has."""
    if remote_log_is_live():
        return [line for line in lines if not _is_airflows(line)]
    known = {_without_time(line) for line in _lines_of_file(ti, try_number)}
    return [line for line in lines if _without_time(line) not in known]


def remote_log_is_live() -> bool:
    """Return whether the page has what the task logs from a remote log: then it has every line that Airflow has structured."""
    from airflow.logging_config import get_remote_task_log  # noqa: PLC0415  Airflow has loaded it by now

    return type(get_remote_task_log()).__name__ in _LIVE_REMOTE_LOGS


def _without_time(line: str) -> str:
    """Return what is equal in both logs: what a task prints gets a time of its own in each, microseconds apart."""
    return _TIME.sub("", line)


def _is_airflows(line: str) -> bool:
    """Return whether Airflow has structured it; not a crash at startup, for example, nor our own line."""
    members = json.loads(line)
    return bool(members.keys() != {"timestamp", "event"} and members.get("logger") != NOTICE_LOGGER)


def _lines_of_file(ti: Any, try_number: int) -> frozenset[str]:
    """Return the last lines of the task's file, if the API server and the containers share the log folder."""
    try:
        path = _path_of_file(ti, try_number)
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES))
            return frozenset(file.read(_MOST_BYTES).decode(errors="replace").splitlines())
    except FileNotFoundError:
        return frozenset()
    except Exception:  # doubled lines are better than none
        log.debug("Can't compare a container's log with the task's file.", exc_info=True)
        return frozenset()


def _path_of_file(ti: Any, try_number: int) -> Path:
    """Return the path that the log handler reads."""
    from airflow.utils.log.log_reader import TaskLogReader  # noqa: PLC0415  Airflow has loaded it by now

    handler: Any = TaskLogReader().log_handler
    return Path(handler.local_base, handler._render_filename(ti, try_number))  # noqa: SLF001  there is no other way to learn it
