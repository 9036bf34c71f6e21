"""The log of a try whose container died before Airflow could write one. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from ecs_async_executor.logs.lines import NOTICE_LOGGER
from ecs_async_executor.logs.location import Location
from ecs_async_executor.messages import Diagnosis

WIDTH = 120
"""Characters of a line of the diagnosis: what the log page shows on a laptop without scrolling."""
MOST_CHARACTERS = 8_000
"""Characters of container lines in an Audit Log row, at most: the page shows each row whole."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a task that Airflow was told of by the executor, because its worker hadn't."""

    key: Any
    """Airflow's `TaskInstanceKey`."""
    label: str
    arn: str | None
    """None if nothing was launched."""
    ran: bool
    """Its container may have run."""
    diagnosis: Diagnosis
    at: datetime
    rescheduled: bool = False
    """Airflow has rescheduled the task: nothing died."""


def attempt_log(ending: Ending, lines: Sequence[str], where: Location | None) -> list[str]:
    """Return the lines of the try's log: what its container printed, and after that why it ended."""
    first = [_line("info", _introduction(len(lines), where))] if ending.ran else []
    why = ending.diagnosis
    last = [
        ("error", why.summary),
        ("error", f"What to do: {why.remedy}" if why.remedy else ""),
        ("info", f"Facts: {why.detail}" if why.detail else ""),
        ("info", f"ECS task: {ending.arn}" if ending.arn else ""),
    ]
    return [*first, *lines, *(line for level, text in last for line in _wrapped(level, text, ending.at))]


def audit_text(lines: Sequence[str], where: Location | None) -> str:
    """Return the container's last lines for the Audit Log, as many as fit."""
    kept: list[str] = []
    room = MOST_CHARACTERS
    for text in map(_text_of, reversed(lines)):
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return "\n".join([f"The container's last lines ({where}):", *reversed(kept)])


def _introduction(count: int, where: Location | None) -> str:
    printed = f"These are the last {count} lines that it printed" if count else "It printed nothing"
    place = f" ({where})" if where is not None else ""
    return f"The task's container ended before Airflow could write this log. {printed}{place}."


def _wrapped(level: str, text: str, at: datetime) -> Iterator[str]:
    """Yield a long text as lines that fit: the page doesn't wrap them."""
    for part in wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False):
        yield _line(level, part, at)


def _line(level: str, text: str, at: datetime | None = None) -> str:
    """Return a line of ours. Without a time it comes first, because the page sorts by time."""
    line = {"level": level, "event": text, "logger": NOTICE_LOGGER}
    return json.dumps({"timestamp": at.isoformat(), **line} if at else line)


def _text_of(line: str) -> str:
    """Return a line as people read it; `lines.shown` has made it JSON."""
    members = json.loads(line)
    return f"{members.get('timestamp', '')} {members.get('event', line)}".strip()
