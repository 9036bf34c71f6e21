"""How schedulers leave on SIGTERM, and what Airflow core itself gets wrong there, about once in a hundred times."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

from tests.chaos.processes import Child

LEAVE = 20.0
"""Seconds in which a scheduler must leave when it is told to; [ecs_async_executor] shutdown_timeout is 10."""
_STUMBLES = "RuntimeError: UNEXPECTED COMMIT - THIS WILL BREAK HA LOCKS!"
_HEARD = "Exiting gracefully upon receiving signal"
_SWALLOWED = "Exception ignored in"
_ENDED = "AsyncEcsExecutor has ended; its ECS tasks were not stopped."
_TAIL = 3000  # characters


class SignalLostError(Exception):
    """Core never acted on the signal, so nothing can be said about how the executor leaves."""


@dataclass(frozen=True)
class Departure:
    """How a scheduler left."""

    seconds: float
    is_orderly: bool
    """The executor has ended, and the exit code is 0, or what core makes of its own mistake."""
    log: str
    """The end of its log."""


def leave(scheduler: Child) -> Departure:
    """Tell a scheduler to leave, and wait for it; raises `SignalLostError`, with the scheduler killed."""
    scheduler.kill(signal.SIGTERM)
    told = time.monotonic()
    if not scheduler.ended.wait(LEAVE):
        scheduler.kill()
        scheduler.ended.wait(5)
        if lost_its_signal(scheduler):
            raise SignalLostError
    log = _log(scheduler)
    is_good = scheduler.exit_code == 0 or stumbled(scheduler)
    return Departure(time.monotonic() - told, is_good and _ENDED in log, log[-_TAIL:])


def stumbled(scheduler: Child) -> bool:
    """Return whether core, told to leave between two of its steps, could not save its own job's end: exit code 1."""
    return scheduler.exit_code == 1 and _STUMBLES in _log(scheduler)


def lost_its_signal(scheduler: Child) -> bool:
    """Return whether core lost the signal.

    Its handler logs first, and waits for ever if the signal came while a line was being logged: structlog's lock isn't
    reentrant. Then it raises SystemExit wherever the main thread is, which Python swallows in a finalizer.
    """
    before, heard, after = _log(scheduler).partition(_HEARD)
    return bool(before) and (not heard or _SWALLOWED in after)


def _log(scheduler: Child) -> str:
    return scheduler.log.read_text(errors="replace")
