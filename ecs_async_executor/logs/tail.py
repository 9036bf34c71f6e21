"""The end of one log stream, as GetLogEvents gives it. Sans-I/O: the caller makes the call, and passes in the time.

The first call gets the last lines; the next ones get what is new since, with `nextForwardToken`: one call a page. Source:
"GetLogEvents" of the CloudWatch Logs API reference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from ecs_async_executor.logs.lines import shown
from ecs_async_executor.logs.location import LogStream

MOST_LINES = 9_999
"""GetLogEvents returns at most 10,000 events; one of them shows that there are earlier ones."""
STALE = 60.0
"""Seconds after which the last lines are read anew: walking through all that came since may take many calls."""
MOST_CHARACTERS = 4_000_000
"""Characters of lines that are kept: an event may hold 1 MiB, and many streams are kept."""
_FULL = 900_000
"""Bytes. An answer holds at most 1 MiB, so one of this size is probably cut."""
_EMPTY_PAGES = 3
"""An answer may be empty although there are events behind its token."""


class Tail:
    """The last lines of a stream."""

    def __init__(self, where: LogStream, most: int) -> None:
        self.where = where
        self._most = most
        self.lines: deque[str] = deque(maxlen=most)
        self.left_out = False
        """Whether there are lines before these."""
        self._token: str | None = None
        self._backward: str | None = None
        self._read_at = 0.0

    def request(self, now: float) -> dict[str, Any]:
        """Return the parameters of the next call."""
        if self._token is not None and now - self._read_at > STALE:
            self.forget()
        stream = {"logGroupName": self.where.group, "logStreamName": self.where.stream}
        if self._token is not None:
            return {**stream, "startFromHead": True, "nextToken": self._token}
        back = {"nextToken": self._backward} if self._backward is not None else {}
        return {**stream, "startFromHead": False, "limit": self._most + 1, **back}

    def take(self, answer: Mapping[str, Any], now: float, pages: int = 1) -> bool:
        """Take in an answer, the `pages`-th of this read; return whether another call is needed now."""
        events = answer.get("events") or []
        is_first = self._token is None
        if is_first and not events and pages < _EMPTY_PAGES:
            backward = answer.get("nextBackwardToken")
            if backward is not None and backward != self._backward:
                self._backward = backward
                return True
        if not is_first and _is_full(events):
            self.forget()  # far behind: what matters is the end
            return pages < _EMPTY_PAGES
        if is_first and events:
            self.lines.clear()
            self.left_out = _is_full(events)
        self.left_out |= len(self.lines) + len(events) > self._most
        self.lines.extend(map(shown, events))
        self._shorten()
        self._token, self._backward, self._read_at = answer.get("nextForwardToken"), None, now
        return False

    def _shorten(self) -> None:
        """Drop the first lines while there are too many characters, but never the last line."""
        size = sum(map(len, self.lines))
        while size > MOST_CHARACTERS and len(self.lines) > 1:
            size -= len(self.lines.popleft())
            self.left_out = True

    def forget(self) -> None:
        """Begin with the last lines again; those at hand stay until then."""
        self._token = self._backward = None


def _is_full(events: Any) -> bool:
    return len(events) >= MOST_LINES or sum(_bytes_of(each) for each in events) >= _FULL


def _bytes_of(event: Mapping[str, Any]) -> int:
    """Return the bytes of an event's text, as CloudWatch counts them: in UTF-8."""
    return len(str(event.get("message", "")).encode(errors="surrogatepass"))
