"""The links on a task's page: its ECS task and its container's log, in the AWS console.

Airflow asks for each link of a page on its own, and again while the task runs. Both links need the same row, so they share
one query.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

KEEP = 3.0
"""Seconds for which an ARN is kept: for the other link of the page, not for the next page."""
_PAGES = 256
WAIT = 1.0
"""Seconds that a page may wait to learn a log stream's name. Else the link leads to the task's Logs tab."""


class EcsTaskLink:
    """The ECS task in the AWS console."""

    name = "ECS task"
    operators: tuple[type, ...] = ()

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL, for the try that the key names; empty, which shows no link, if it had no ECS task."""
        return _guarded(operator, ti_key, _task_link)


class ContainerLogLink:
    """The container's log in the AWS console."""

    name = "Container log"
    operators: tuple[type, ...] = ()

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL, as `EcsTaskLink` does."""
        return _guarded(operator, ti_key, _log_link)


LINKS = (EcsTaskLink(), ContainerLogLink())


def _guarded(operator: Any, ti_key: Any, link: Callable[[Any, TaskArn], str | None]) -> str:
    try:
        arn = TaskArn.parse(_arns.of(ti_key))
        return (arn is not None and link(operator, arn)) or ""
    except Exception as error:  # noqa: BLE001  a page without the link is better than none
        log.error("Can't make a link to the AWS console: %s", type(error).__name__)  # noqa: TRY400  its message may hold anything
        return ""


def _task_link(_operator: Any, arn: TaskArn) -> str | None:
    from ecs_async_executor.ui.console import configured_endpoint, is_aws_endpoint, task_url  # noqa: PLC0415  only API servers need it

    return task_url(arn) if is_aws_endpoint(configured_endpoint()) else None


def _log_link(operator: Any, arn: TaskArn) -> str | None:
    from ecs_async_executor.ui.console import is_aws_endpoint, log_url  # noqa: PLC0415  as above

    if not _task_link(operator, arn):
        return None
    where, endpoint = _stream_of(arn)
    return log_url(arn, where) if is_aws_endpoint(endpoint) else None


def _stream_of(arn: TaskArn) -> tuple[Any, str | None]:
    """Return the task's log stream, if it is known or quickly found, and the endpoint that was asked."""
    from airflow.configuration import conf  # noqa: PLC0415  as above

    from ecs_async_executor.logs.location import LogStream  # noqa: PLC0415  as above
    from ecs_async_executor.logs.task_log import reader_for  # noqa: PLC0415  as above

    reader = reader_for(conf)
    where = reader.where(arn, WAIT)
    return where if isinstance(where, LogStream) else None, reader.aws.endpoint_of("ecs", arn.region)


class _Arns:
    """What rows show as `external_executor_id`, kept for as long as a page takes. Safe for several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, tuple[float, str | None]] = OrderedDict()

    def of(self, ti_key: Any) -> str | None:
        """Return the id of one try: of the task's row, or of its history."""
        now = self._clock()
        with self._lock:
            read_at, found = self._known.get(ti_key, (float("-inf"), None))
        if now - read_at > KEEP:
            found = read_external_id(ti_key)
            with self._lock:
                self._known[ti_key] = (now, found)
                self._known.move_to_end(ti_key)
                while len(self._known) > _PAGES:
                    self._known.popitem(last=False)
        return found


_arns = _Arns()


def read_external_id(ti_key: Any) -> str | None:
    """Read it with one query, in a session of its own: the request's session stays as it is."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415  only API servers need it
    from airflow.models.taskinstancehistory import TaskInstanceHistory  # noqa: PLC0415  as above
    from airflow.utils.session import create_session  # noqa: PLC0415  as above
    from sqlalchemy import select, union_all  # noqa: PLC0415  as above

    def of(model: Any) -> Any:
        return select(model.external_executor_id).where(
            model.dag_id == ti_key.dag_id,
            model.task_id == ti_key.task_id,
            model.run_id == ti_key.run_id,
            model.map_index == ti_key.map_index,
            model.try_number == ti_key.try_number,
        )

    with create_session(scoped=False) as session:
        found = session.scalars(union_all(of(TaskInstance), of(TaskInstanceHistory))).all()
    return next((each for each in found if each), None)
