"""Tunes the Python interpreter, which the scheduler shares with a busy engine. Affects the whole process."""

from __future__ import annotations

import gc
import sys

SWITCH_INTERVAL = 0.002
"""Seconds a busy engine may hold the GIL while the scheduler's thread waits; Python's default is 0.005.

Low, because some database drivers release the GIL for every row; yet longer than a heartbeat takes, so that
none is interrupted."""

_users = 0
_switch_interval = 0.0


def tune() -> None:
    """Make threads switch sooner, and exempt the objects loaded so far from garbage collection.

    A full collection walks all of Airflow (150-260 ms), again and again, and can hit any heartbeat. Objects
    that are garbage already stay until the end. (LocalExecutor in the same scheduler unfreezes all at each
    fork.)
    """
    global _users, _switch_interval  # noqa: PLW0603  these settings are per process, too
    if _users == 0:
        _switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(_switch_interval, SWITCH_INTERVAL))
        gc.freeze()
    _users += 1


def restore() -> None:
    """Undo `tune` when the last executor of the process ends."""
    global _users  # noqa: PLW0603  as above
    _users -= 1
    if _users == 0:
        sys.setswitchinterval(_switch_interval)
        gc.unfreeze()
