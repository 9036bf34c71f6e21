"""What the scheduler's thread needs of the interpreter that it shares with a busy engine. It concerns the process."""

from __future__ import annotations

import gc
import sys
from types import TracebackType

SWITCH_INTERVAL = 0.002
"""Seconds that a busy engine may keep the GIL while the scheduler's thread waits for it; Python's default is 0.005.
Shorter waits for database drivers that let go of the GIL for every row, and longer than a heartbeat takes, so that
none is interrupted."""

_users = 0
_switch_interval = 0.0


def tune() -> None:
    """Let threads take turns faster, and spare what is loaded now from garbage collection.

    A full collection walks all of Airflow (150-260 ms), again and again, and can fall into any heartbeat. What is
    garbage already stays until the end. (LocalExecutor, beside this one, thaws everything whenever it forks.)
    """
    global _users, _switch_interval  # noqa: PLW0603  they concern the process, as what they count does
    if _users == 0:
        _switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(_switch_interval, SWITCH_INTERVAL))
        gc.freeze()
    _users += 1


def restore() -> None:
    """Put back what was changed, when the last executor of the process ends."""
    global _users  # noqa: PLW0603  as above
    _users -= 1
    if _users == 0:
        sys.setswitchinterval(_switch_interval)
        gc.unfreeze()


def show_plainly(error: Exception) -> None:
    """If `error` ends the process, print its message and no traceback, which would bury what is to be corrected."""
    before = sys.excepthook

    def publish(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if value is error:
            sys.stderr.write(f"\n{value}\n")
        else:
            before(kind, value, traceback)

    sys.excepthook = publish
