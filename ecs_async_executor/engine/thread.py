"""The engine's thread: runs its event loop, and is reached through two queues.

Orders come in from the scheduler's thread and from the claims' thread; reports go out to the scheduler's thread.
"""

from __future__ import annotations

import logging
import threading
import time
from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from queue import Empty, SimpleQueue

import anyio

from ecs_async_executor.engine.aws.client import Connect
from ecs_async_executor.engine.engine import Engine
from ecs_async_executor.engine.measuring.loop_lag import LoopLag
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.errors import EngineStartError
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import EngineDied, Order, Report

log = logging.getLogger(__name__)


INBOX_INTERVAL = 0.1
"""Seconds between two checks of the inbox. Waking the loop instead would cost the scheduler's thread a system
call, and with it the GIL, which a busy engine has taken up to 10 ms to give back."""
STATUS_INTERVAL = 5.0
"""Seconds between two `EngineStatus` reports."""


class EngineThread:
    """Runs an `Engine` in its own thread. All methods except `answer` are for the owner's thread; none waits for AWS.

    It can be started once. After it dies (`EngineDied` is among the reports), create a new one and resubmit
    the orders for all live runs: launching with the same run id and launch number finds the existing task.
    """

    def __init__(
        self, connect: Connect, options: EngineOptions, measurements: Measurements | None = None
    ) -> None:
        """Take where it notes what it measures; by default, nobody reads that."""
        self._connect = connect
        self._options = options
        self._measurements = measurements or Measurements()
        self._inbox: SimpleQueue[tuple[Order, ...]] = SimpleQueue()
        self._outbox: SimpleQueue[Report] = SimpleQueue()
        self._ready: Future[tuple[AbstractEventLoop, Engine]] = Future()
        # A daemon thread: an executor whose `end()` was never called must not keep the process alive.
        self._thread = threading.Thread(target=self._main, name="ecs-engine", daemon=True)

    def __repr__(self) -> str:
        return f"<EngineThread {'alive' if self.is_alive else 'not alive'}>"

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def start(self, timeout: float = 30.0) -> None:
        """Start, and return once the loop is ready, without calling AWS; raises `EngineStartError`."""
        self.begin()
        try:
            self._ready.result(timeout)
        except Exception as error:
            raise _start_error(error) from error

    def begin(self) -> None:
        """Start without waiting for the loop; raises `EngineStartError` if there can be no more threads.

        Orders may follow at once. If the engine can't be made, `EngineDied` is among the reports.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise _start_error(error) from error

    def submit(self, orders: Iterable[Order]) -> None:
        """Hand over orders. A dead engine drops them: see the class docstring."""
        self._inbox.put(tuple(orders))  # as one batch, so that even the first DescribeTasks calls are full

    def answer(self, orders: Iterable[Order]) -> None:
        """Hand over what the engine waits for, and wake it: for threads that hold up nobody. A dead engine drops them."""
        self._inbox.put(tuple(orders))
        self._call(lambda engine: engine.inbox_wakeup.notify())

    def drain(self, limit: int | None = None) -> Iterator[Report]:
        """Yield the reports that have arrived, at most `limit`."""
        while limit is None or (limit := limit - 1) >= 0:
            try:
                yield self._outbox.get_nowait()
            except Empty:
                return

    def close(self, timeout: float) -> None:
        """End the loop within `timeout` seconds: start no launches, but let in-flight RunTask calls finish.

        Containers keep running. The reports of calls that finished can still be drained.
        """
        until = time.monotonic() + timeout
        if self.is_alive:
            wait([self._ready], timeout)
        left = max(0.0, until - time.monotonic())
        self._call(lambda engine: engine.close(max(0.0, left - 1.0)))
        if self.is_alive:
            self._thread.join(left)
        if self.is_alive:
            log.warning("The engine did not end within %.0f s; it is left behind.", timeout)

    def debug_dump(self) -> None:
        """Have the engine log its state, in its own thread."""
        self._call(Engine.debug_dump)

    def _call(self, call: Callable[[Engine], None]) -> None:
        if not self._ready.done() or self._ready.exception() is not None:
            return
        loop, engine = self._ready.result()
        try:
            loop.call_soon_threadsafe(call, engine)
        except RuntimeError:  # the loop is closed
            log.debug("The engine has ended already.")

    def _main(self) -> None:
        try:
            anyio.run(self._run)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            log.exception("The engine died.")
            cause = _first_cause(error)
            self._outbox.put(EngineDied(f"{type(cause).__name__}: {cause}"))

    async def _run(self) -> None:
        engine = Engine(
            self._connect,
            self._inbox,
            self._outbox.put,
            self._options,
            measurements=self._measurements,
        )
        self._ready.set_result((get_running_loop(), engine))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_inbox, engine)
            tasks.start_soon(self._report_status, engine)
            await engine.run()
            tasks.cancel_scope.cancel()

    async def _watch_inbox(self, engine: Engine) -> None:
        lag = LoopLag(self._measurements)
        while True:
            if not self._inbox.empty():
                engine.inbox_wakeup.notify()
            due = anyio.current_time() + INBOX_INTERVAL
            await anyio.sleep(INBOX_INTERVAL)
            lag.note(due, anyio.current_time())

    async def _report_status(self, engine: Engine) -> None:
        while True:
            await anyio.sleep(STATUS_INTERVAL)
            await engine.measure()
            self._outbox.put(engine.status(anyio.current_time()))


def _start_error(error: Exception) -> EngineStartError:
    return EngineStartError(
        f"The engine's thread did not start: {type(error).__name__}: {error}. See the log above."
    )


def _first_cause(error: BaseException) -> BaseException:
    """Unwrap the first exception from the groups that task groups raise."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return error
