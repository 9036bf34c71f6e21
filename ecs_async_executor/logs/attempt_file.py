"""One try's log where Airflow's log page looks for it: in the remote log, else in the log folder.

For a thread that may wait: it reads the database, and calls the remote log's store.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.logging_config import get_remote_task_log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.log.log_reader import TaskLogReader
from airflow.utils.session import create_session
from sqlalchemy import select

from ecs_async_executor.errors import RemoteLogError
from ecs_async_executor.logs.lines import time_of

_CLOUDWATCH = "CloudWatchRemoteLogIO"
_BY_ROW = ("Elasticsearch", "Opensearch", "OpenSearch")
"""Remote logs that store a log under the row's current try, whatever its file is called."""


class Written(Enum):
    """What became of a log."""

    REMOTE = "it is in the remote log"
    FOLDER = "it is in this host's log folder, which only an API server on this host reads"
    HAS_LOG = "the try has a log already, which is left as it is: an earlier container's, if the task was deferred or rescheduled"
    GONE = "its task is gone"


def write_attempt_log(key: Any, lines: Sequence[str]) -> Written:
    """Write the log of the try that `key` (`TaskInstanceKey`) names, unless it has one; raises what its store raises."""
    with create_session(scoped=False) as session:
        ti = session.scalar(_row_of(key))
        if ti is None:
            return Written.GONE
        handler: Any = TaskLogReader().log_handler
        relative = handler._render_filename(ti, key.try_number, session=session)  # noqa: SLF001  there is no other way to learn it
        has_moved_on = ti.try_number != key.try_number
        session.expunge_all()
    remote: Any = get_remote_task_log()
    if type(remote).__name__ == _CLOUDWATCH:
        return _write_to_cloudwatch(remote, relative, lines)
    if has_moved_on and type(remote).__name__.startswith(_BY_ROW):
        raise RemoteLogError(f"{type(remote).__name__} would store it as the log of a later try.")
    path = Path(handler.local_base, relative)
    if path.exists() or (remote is not None and _has(remote, relative, ti)):
        return Written.HAS_LOG
    _write_file(path, lines)
    if remote is None:
        return Written.FOLDER
    try:
        remote.upload(relative, ti)
    finally:
        path.unlink(missing_ok=True)  # only this host would see it
    if not _has(remote, relative, ti):  # stores log that an upload failed, and don't raise
        raise RemoteLogError(f"{type(remote).__name__} has not stored the log {relative}.")
    return Written.REMOTE


def _write_file(path: Path, lines: Sequence[str]) -> None:
    """Write a file and its folders with the permissions of Airflow's: the next try's worker may be another user."""
    folder_mode, file_mode = (
        int(conf.get("logging", f"file_task_handler_new_{what}_permissions", fallback=fallback), 8)
        for what, fallback in (("folder", "0o775"), ("file", "0o664"))
    )
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(folder_mode)
    with path.open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    path.chmod(file_mode)


def is_sensor(key: Any) -> bool:
    """Return whether a task's operator is a sensor, by its name: one that pokes by being rescheduled, perhaps."""
    with create_session(scoped=False) as session:
        ti = session.scalar(_row_of(key))
        return ti is not None and "sensor" in (ti.operator or "").lower()


def _row_of(key: Any) -> Any:
    return select(TaskInstance).where(
        TaskInstance.dag_id == key.dag_id,
        TaskInstance.run_id == key.run_id,
        TaskInstance.task_id == key.task_id,
        TaskInstance.map_index == key.map_index,
    )


def _has(remote: Any, relative: str, ti: Any) -> bool:
    """Return whether the remote log has this file.

    Stores answer differently for a file that they have (its address, or their own name and its lines) and for one that they
    don't (nothing, or a sentence in place of either).
    """
    sources, logs = remote.read(relative, ti)
    return any(relative in str(source) for source in sources or ()) or (bool(sources) and any(logs or ()))


def _write_to_cloudwatch(remote: Any, relative: str, lines: Sequence[str]) -> Written:
    """Write a log stream: this remote log sends each line when it is logged, and has no upload."""
    client, group, stream = remote.hook.conn, remote.log_group, relative.replace(":", "_")
    found = client.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
    if any(each["logStreamName"] == stream for each in found):
        return Written.HAS_LOG
    calls = list(batches(lines, datetime.now(timezone.utc)))
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    for events in calls:
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return Written.REMOTE


def batches(lines: Sequence[str], now: datetime) -> Iterator[list[dict[str, Any]]]:
    """Make of the lines the events of PutLogEvents calls, in the order of their times.

    A call takes 10,000 events of 24 hours, and 1 MiB, each event counted with 26 bytes more; events older than 14 days are
    refused (CloudWatch Logs API reference, PutLogEvents). So a line's time is at most 13 days ago here; a line without one
    has that of the first.
    """
    times = [time_of(line) for line in lines]
    first = min((at for at in times if at is not None), default=now)
    oldest = now - timedelta(days=13)
    events: list[dict[str, Any]] = [
        {"timestamp": int(max(at or first, oldest).timestamp() * 1000), "message": line}
        for at, line in zip(times, lines, strict=True)
    ]
    events.sort(key=lambda event: event["timestamp"])
    batch: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(event["message"].encode()) + 26
        is_full = len(batch) == 10_000 or size + length > 1_048_576
        if batch and (is_full or event["timestamp"] - batch[0]["timestamp"] >= 86_400_000):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch
