"""How schedulers leave on SIGTERM, and what Airflow core itself gets wrong there, a few times in a hundred."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass

from tests.chaos.processes import Child

LEAVE = 20.0
"""Seconds in which a scheduler must leave when it is told to; [ecs_async_executor] shutdown_timeout is 10."""
_OURS = re.compile(r"/ecs_async_executor/(?:(?:config|engine|executor)/|\w+\.py)")
_HEARD = "Exiting gracefully upon receiving signal"
_SWALLOWED = re.compile(r"Exception ignored in: .*\n(?:(?!\d{4}-).*\n){1,20}?SystemExit: 0")
_STUCK_IN_LOGGING = re.compile(
    r"(?:Current thread|Stack) .*\n(?:  File .*\n){0,6}?  File \".*/(?:structlog|logging)/"
)
"""The main thread's stack, as faulthandler writes it: innermost first."""
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
    told, swallowed = 0.0, -1
    while not scheduler.ended.wait(0.2):
        if (
            now_swallowed := len(_SWALLOWED.findall(_log(scheduler)))
        ) > swallowed:  # at first, and each time again
            scheduler.kill(signal.SIGTERM)
            told, swallowed = time.monotonic(), now_swallowed
        elif time.monotonic() - told > LEAVE and kill_if_it_lost_its_signal(scheduler):
            raise SignalLostError
    log = _log(scheduler)
    is_good = scheduler.exit_code == 0 or stumbled(scheduler)
    return Departure(time.monotonic() - told, is_good and _ENDED in log, log[-_TAIL:])


def stumbled(scheduler: Child) -> bool:
    """Return whether core, told to leave between two of its steps, failed to save its own job's end: exit code 1."""
    return scheduler.exit_code == 1 and is_cores_mistake(_log(scheduler))


def is_cores_mistake(log: str) -> bool:
    """Return whether the exception that ended the process, the last one in its log, was raised in code of others.

    Mostly it is core's "UNEXPECTED COMMIT", because its SystemExit came in the middle of a transaction.
    """
    *_, after = log.partition(_HEARD)
    *_, last = after.rpartition("Traceback (most recent call last):")
    return "Traceback" in after and not _OURS.search(last)


def kill_if_it_lost_its_signal(scheduler: Child) -> bool:
    """Kill a scheduler that doesn't leave, and return whether that is core's fault."""
    scheduler.kill(signal.SIGUSR1)  # the fork server's children write their main thread's stack
    time.sleep(1)
    scheduler.kill()
    scheduler.ended.wait(5)
    return lost_its_signal(_log(scheduler))


def lost_its_signal(log: str) -> bool:
    """Return whether core lost the signal, as the log of a scheduler that didn't leave tells.

    Core's handler logs first, and waits for ever if the signal came while a line was being logged: structlog's lock
    isn't reentrant. Then it raises SystemExit wherever the main thread is, and Python swallows that in a finalizer.
    """
    _, heard, after = log.partition(_HEARD)
    return bool((_SWALLOWED if heard else _STUCK_IN_LOGGING).search(after or log))


def _log(scheduler: Child) -> str:
    return scheduler.log.read_text(errors="replace")
