"""The log of a try whose container died before Airflow could write one. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap
from typing import Any

from ecs_async_executor.logs.lines import notice
from ecs_async_executor.logs.location import Elsewhere
from ecs_async_executor.logs.reader import Page
from ecs_async_executor.messages import Diagnosis

WIDTH = 110
"""Characters of a line of the diagnosis: what the log page shows on a laptop without scrolling."""
MOST_CHARACTERS = 8_000
"""Characters of container lines in an Audit Log row, at most: the page shows each row whole."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a task that the executor has reported to Airflow, because its worker hadn't."""

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


def attempt_log(ending: Ending, page: Page) -> list[str]:
    """Return the lines of the try's log: what its container printed, and after that why it ended."""
    first = [line for part in _introduction(page) for line in _wrapped("info", part)] if ending.ran else []
    why = ending.diagnosis
    last = [
        ("error", why.summary),
        ("error", f"What to do: {why.remedy}" if why.remedy else ""),
        ("info", f"Facts: {why.detail}" if why.detail else ""),
        ("info", f"ECS task: {ending.arn}" if ending.arn and ending.arn not in why.detail else ""),
    ]
    return [*first, *page.lines, *(line for level, text in last for line in _wrapped(level, text, ending.at))]


def audit_text(page: Page) -> str:
    """Return the container's last lines for the Audit Log, as many as fit."""
    kept: list[str] = []
    room = MOST_CHARACTERS
    for text in map(_text_of, reversed(page.lines)):
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return "\n".join([f"The container's last lines ({page.where}):", *reversed(kept)])


def _introduction(page: Page) -> Iterator[str]:
    """Say whose lines follow, or why there are none."""
    yield "The task's container ended before Airflow could write this log."
    if page.lines:
        yield f"These are the last {len(page.lines)} lines that it printed ({page.where})."
    elif page.problem is None and isinstance(page.where, Elsewhere):
        yield str(page.where)
    elif page.problem is None or page.problem.nothing_printed:
        yield f"It printed nothing ({page.where})." if page.where is not None else "It printed nothing."
    else:
        yield f"What it printed could not be read: {page.problem}"


def _wrapped(level: str, text: str, at: datetime | None = None) -> Iterator[str]:
    """Yield a long text as lines that fit: the page doesn't wrap them."""
    for part in wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False):
        yield notice(part, at, level)


def _text_of(line: str) -> str:
    """Return a line as people read it; `lines.shown` has made it JSON."""
    members = json.loads(line)
    return f"{members.get('timestamp', '')} {members.get('event', line)}".strip()
