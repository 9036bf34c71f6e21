"""Drives the probes: sends their calls at a gentle rate, within the limits, and cleans up whatever happens."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ecs_async_executor.conformance.answers import Answer, Burst, Call, Probe, Record, Wait
from ecs_async_executor.conformance.cleanup import clean_up
from ecs_async_executor.conformance.limits import LimitError, Limits
from ecs_async_executor.conformance.probes import Probing
from ecs_async_executor.conformance.target import Target

CALLS_A_SECOND = 4.0
"""A fifth of the slowest bucket that the calls draw on (20 a second, "Request throttling for the Amazon ECS API")."""
ATTEMPTS = 5
"""Sends of a call that was throttled or whose answer didn't come; each is idempotent, RunTask by its clientToken."""


class Edge(Protocol):
    """Sends calls. It raises nothing: what goes wrong is in the answer."""

    def send(self, call: Call) -> Answer:
        """Send one call."""

    def send_at_once(self, call: Call, times: int) -> Sequence[Answer]:
        """Send the same call many times in parallel."""


@dataclass(slots=True)
class Outcome:
    """What a run has seen, and what it may have left behind."""

    record: Record = field(default_factory=Record)
    left: set[str] = field(default_factory=set)
    """The ARNs of tasks that may still run, because the clean-up didn't get through."""
    interrupted: bool = False


class Runner:
    """Sends the steps of probes. `pace` scales every wait; 1.0 for AWS, less for a server on this machine."""

    def __init__(  # noqa: PLR0913  everything that comes from outside
        self,
        edge: Edge,
        limits: Limits,
        record: Record,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        pace: float = 1.0,
    ) -> None:
        self._edge, self._limits, self._record = edge, limits, record
        self._clock, self._sleep, self._pace = clock, sleep, pace

    def drive(self, probe: Probe, *, limited: bool = True) -> None:
        """Send a probe's steps to its end.

        Raises:
            LimitError: A limit is reached; the probe is closed.
        """
        with contextlib.closing(probe):
            for step in probe:
                if isinstance(step, Wait):
                    self._sleep(step.seconds * self._pace)
                elif isinstance(step, Burst):
                    for answer in self._edge.send_at_once(step.call, step.times):
                        self._record.add(answer)
                else:
                    self._record.add(self._send(step, limited=limited))

    def _send(self, call: Call, *, limited: bool) -> Answer:
        for attempt in range(ATTEMPTS):
            if limited:
                self._limits.admit(call, self._clock())
            self._sleep(self._pace / CALLS_A_SECOND)
            answer = self._edge.send(call)
            self._limits.take_in(answer)
            if not (answer.is_throttle or answer.is_unknown):
                break
            self._sleep(2.0**attempt * self._pace)
        return answer


def run(  # noqa: PLR0913  everything that comes from outside
    target: Target,
    edge: Edge,
    limits: Limits,
    probes: Sequence[Probing],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    pace: float = 1.0,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run the probes and clean up, also after Ctrl-C, SIGTERM, SIGHUP or an error; `say` gets a line a step."""
    outcome = Outcome()
    record = outcome.record
    runner = Runner(edge, limits, record, clock=clock, sleep=sleep, pace=pace)
    try:
        with _ends_as_ctrl_c():
            for probe in probes:
                say(_first_line(probe))
                runner.drive(probe(target, record))
    except LimitError as error:
        record.cut_short = str(error)
    except KeyboardInterrupt:
        record.cut_short, outcome.interrupted = "the run was interrupted", True
    finally:
        with _undisturbed():
            with contextlib.suppress(OSError):  # nobody may be there any more to read it
                say("Cleaning up; this takes up to three minutes.")
            # What the clean-up does and sees is not what the judges asked for: it has a record of its own.
            cleaning = Record()
            cleaner = Runner(edge, limits, cleaning, clock=clock, sleep=sleep, pace=pace)
            cleaner.drive(clean_up(target.cluster, cleaning, limits, outcome.left), limited=False)
    return outcome


def _first_line(probe: Probing) -> str:
    return (probe.__doc__ or "Be throttled.").splitlines()[0]


_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end a process, besides Ctrl-C's: the last one comes when a terminal or a connection is closed."""


@contextlib.contextmanager
def _ends_as_ctrl_c() -> Iterator[None]:
    with _handling(dict.fromkeys(_ENDS, signal.default_int_handler)):
        yield


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore what would end the process: the containers end by themselves, but later."""
    with _handling(dict.fromkeys((signal.SIGINT, *_ENDS), signal.SIG_IGN)):
        yield


@contextlib.contextmanager
def _handling(handlers: dict[signal.Signals, object]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers, and only it gets KeyboardInterrupt
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}  # type: ignore[arg-type]  # handlers
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
