"""The log of a running task, for Airflow's log page. Its only callers are threads of the API server.

Airflow's file handler calls `get_task_log` for a RUNNING task each time the page is refreshed, and merges what it gets with the
remote and the local log (airflow/utils/log/file_task_handler.py, `_read`). An exception would turn the page into a 500.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from typing import NamedTuple

from ecs_async_executor.config.reading import read_options
from ecs_async_executor.config.sources import Conf, team_of
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.logs.aws import HookAws
from ecs_async_executor.logs.lines import NOTICE_LOGGER, notice
from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.logs.reader import Reader
from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

_NO_ARN_YET = "The executor has not written the ECS task's ARN to the database yet, so its log can't be found. Refresh in a few seconds."
_NO_TASK = "Airflow's database shows no ECS task for this try: external_executor_id is not the ARN of one."
_OFF = "Lines of running tasks are not read: the option task_log_lines is 0."
_FAILED = "The container's log can't be read: {error}. It is a fault of AsyncEcsExecutor; the API server's log has the traceback."
_LIVE_REMOTE_LOGS = frozenset({"CloudWatchRemoteLogIO"})
"""Remote logs that a worker writes while its task runs. Others (S3, GCS) are written at its end."""
_ALREADY_REMOTE = (
    "What the task logs is read from the remote log; this adds only what its container prints besides."
)


class Options(NamedTuple):
    """The options that reading a log needs."""

    conn_id: str | None
    region_name: str | None
    container_name: str
    task_definition: str | None
    task_log_lines: int


_readers: dict[tuple[str | None, str | None, str, int], Reader] = {}
_options: dict[str | None, Options] = {}
"""By team."""
_lock = threading.Lock()


def read_task_log(conf: Conf, external_id: str | None, try_number: int) -> tuple[list[str], list[str]]:  # noqa: ARG001  the ARN is the try's own
    """Return sources and lines, for `get_task_log` of an executor whose options are in `conf`. Never raises."""
    try:
        return _read(conf, external_id)
    except Exception as error:
        log.exception("Can't read a container's log.")
        text = _FAILED.format(error=type(error).__name__)
        return [text], [notice(text)]


def reader_for(conf: Conf) -> Reader:
    """Return this process's reader for the AWS connection that `conf` names, made at first use."""
    options = options_of(conf)
    key = (options.conn_id, options.region_name, options.container_name, options.task_log_lines)
    with _lock:
        if key not in _readers:
            _readers[key] = Reader(
                HookAws(options.conn_id, options.region_name),
                container=options.container_name,
                lines=max(1, options.task_log_lines),
                definition=options.task_definition,
            )
        return _readers[key]


def options_of(conf: Conf) -> Options:
    """Return the options, read once for each team: an API server doesn't see a change until it is started again.

    An option with a problem counts as its default or its example; the scheduler is who refuses it.
    """
    team = team_of(conf)
    if team not in _options:
        settings, _, _ = read_options(conf)
        _options[team] = Options(
            settings.conn_id,
            settings.region_name,
            settings.container_name,
            settings.task_definition,
            settings.task_log_lines,
        )
    return _options[team]


def _read(conf: Conf, external_id: str | None) -> tuple[list[str], list[str]]:
    arn = TaskArn.parse(external_id)
    if arn is None:
        text = _NO_ARN_YET if LaunchId.parse(external_id or "") else _NO_TASK
        return [text], [notice(text)]
    sources = [f"ECS task {arn}"]
    if options_of(conf).task_log_lines == 0:
        return [*sources, _OFF], [notice(_OFF)]
    page = reader_for(conf).read(arn)
    if isinstance(page.where, LogStream):
        sources.append(f"CloudWatch Logs: {page.where}")
    elif page.where is not None:
        sources.append(str(page.where))
    if _remote_log_is_live():
        return [*sources, _ALREADY_REMOTE], list(_unstructured(page.lines))
    return sources, list(page.lines)


def _remote_log_is_live() -> bool:
    """Return whether Airflow reads the lines that the task logs from a remote log, while the task runs."""
    from airflow.logging_config import get_remote_task_log  # noqa: PLC0415  Airflow has loaded it by now

    return type(get_remote_task_log()).__name__ in _LIVE_REMOTE_LOGS


def _unstructured(lines: Iterable[str]) -> Iterable[str]:
    """Yield what Airflow has not structured, which the remote log lacks (a crash at startup), and our own lines."""
    for line in lines:
        members = json.loads(line)
        if members.keys() == {"timestamp", "event"} or members.get("logger") == NOTICE_LOGGER:
            yield line
