"""The log of a running task, for Airflow's log page. Its only callers are threads of the API server.

Airflow's file handler calls `get_task_log` for a RUNNING task each time the page is refreshed, and merges what it gets with the
remote and the local log (airflow/utils/log/file_task_handler.py, `_read`). An exception would turn the page into a 500.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, NamedTuple

from ecs_async_executor.config.reading import read_options
from ecs_async_executor.config.sources import Conf, team_of
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.logs.aws import HookAws
from ecs_async_executor.logs.duplicates import remote_log_is_live, without_duplicates
from ecs_async_executor.logs.lines import notice
from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.logs.reader import Reader
from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

_NO_ARN_YET = "The executor has not written the ECS task's ARN to the database yet, so its log can't be found. Refresh in a few seconds."
_NO_TASK = "Airflow's database shows no ECS task for this try: external_executor_id is not the ARN of one."
_OFF = "Lines of running tasks are not read: the option task_log_lines is 0."
_FAILED = "The container's log can't be read: {error}. It is a fault of AsyncEcsExecutor; the API server's log has the traceback."
_ALREADY_REMOTE = (
    "What the task logs is read from the remote log; this adds only what its container prints besides."
)


class Options(NamedTuple):
    """The options that reading a log needs."""

    conn_id: str | None
    container_name: str
    task_definition: str | None
    task_log_lines: int


_readers: dict[Options, Reader] = {}
_options: dict[str | None, Options] = {}
"""By team."""
_lock = threading.Lock()


def read_task_log(conf: Conf, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
    """Return sources and lines, for `get_task_log` of an executor whose options are in `conf`. Never raises.

    `ti` is a row, of a task instance or of its history.
    """
    try:
        return _read(conf, ti, try_number)
    except Exception as error:  # noqa: BLE001  it is logged, without its message, which may hold anything
        log.error("Can't read a container's log: %s\n%s", type(error).__name__, stack_of(error))  # noqa: TRY400  as above
        text = _FAILED.format(error=type(error).__name__)
        return [text], [notice(text)]


def reader_for(conf: Conf) -> Reader:
    """Return this process's reader for the AWS connection that `conf` names, made at first use."""
    options = options_of(conf)
    with _lock:
        if options not in _readers:
            _readers[options] = Reader(
                HookAws(options.conn_id),
                container=options.container_name,
                lines=max(1, options.task_log_lines),
                definition=options.task_definition,
            )
        return _readers[options]


def options_of(conf: Conf) -> Options:
    """Return the options, read once for each team: an API server doesn't see a change until it is started again.

    An option with a problem counts as its default or its example; the scheduler is who refuses it.
    """
    team = team_of(conf)
    if team not in _options:
        settings, _, _ = read_options(conf)
        _options[team] = Options(
            settings.conn_id,
            settings.container_name,
            settings.task_definition,
            settings.task_log_lines,
        )
    return _options[team]


def _read(conf: Conf, ti: Any, try_number: int) -> tuple[list[str], list[str]]:
    external_id = ti.external_executor_id
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
    if remote_log_is_live():
        sources.append(_ALREADY_REMOTE)
    return sources, without_duplicates(page.shown, ti, try_number)
