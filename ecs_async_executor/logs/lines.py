"""What the log page shows for CloudWatch's events. Pure.

Airflow's log handler reads each line as a `StructuredLogMessage`: JSON with an `event`, else text, without a time unless the
text begins with one (airflow/utils/log/file_task_handler.py, `_log_stream_to_parsed_log_stream`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ecs_async_executor.tokens import without_tokens

NOTICE_LOGGER = "ecs_async_executor"
"""Tells our own lines from the container's."""


def shown(event: Mapping[str, Any]) -> str:
    """Return an event of GetLogEvents as a line for the log page.

    A line that Airflow has structured stays as it is, byte by byte: the handler drops a line that another log has too, and
    recognizes it by that. Any other line, a traceback at startup or what a library prints, gets CloudWatch's time.
    """
    message = without_tokens(str(event.get("message", "")).rstrip("\r\n"))
    if _is_structured(message):
        return message
    return json.dumps({"timestamp": _time_of(event), "event": message})


def notice(text: str, at: datetime | None = None, level: str = "warning") -> str:
    """Return a line of ours. Without a time it comes first, because the handler sorts by time."""
    line = {"level": level, "event": text, "logger": NOTICE_LOGGER}
    return json.dumps({"timestamp": at.isoformat(), **line} if at else line)


def time_of(line: str) -> datetime | None:
    """Return the time of a line that `shown` or `notice` has made; None if it has none."""
    found = json.loads(line).get("timestamp")
    if not _is_time(found):
        return None
    at = datetime.fromisoformat(found.replace("Z", "+00:00"))
    return at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)


def _is_structured(message: str) -> bool:
    """Return whether the handler will read the message as JSON with its own time."""
    if not message.startswith("{"):
        return False
    try:
        parsed = json.loads(message)
    except (ValueError, RecursionError):  # nested too deep
        return False
    return isinstance(parsed.get("event"), str) and _is_time(parsed.get("timestamp"))


def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _time_of(event: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(event.get("timestamp", 0) / 1000, timezone.utc).isoformat()
