"""What the scheduler's thread needs of the interpreter that it shares with a busy engine. It concerns the process."""

from __future__ import annotations

import gc
import sys

SWITCH_INTERVAL = 0.002
"""Seconds that a busy engine may keep the GIL while the scheduler's thread waits for it. Python's default is ten times
that, and a database driver lets go of the GIL for every row: a query of 40 rows took 200 ms, and takes 20 ms so."""


class Tuning:
    """On from `start` to `end`."""

    def __init__(self) -> None:
        self._switch_interval = sys.getswitchinterval()

    def start(self) -> None:
        """Let threads take turns faster, and spare what is loaded now from garbage collection.

        A full collection walks all of Airflow (150-260 ms), again and again, and can fall into any heartbeat.
        """
        sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL))
        gc.freeze()

    def end(self) -> None:
        """Put back what was changed."""
        sys.setswitchinterval(self._switch_interval)
        gc.unfreeze()
