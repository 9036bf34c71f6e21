"""The engine: wires the ledger, the workers and the AWS clients together and runs them in one task group."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from queue import Empty, SimpleQueue
from random import random as system_random
from uuid import UUID, uuid4

import anyio
from anyio.abc import TaskGroup
from typing_extensions import assert_never

from ecs_async_executor.backoff import Random
from ecs_async_executor.engine.admission.calls import Calls, Emit
from ecs_async_executor.engine.admission.circuit_breaker import CircuitBreaker
from ecs_async_executor.engine.admission.rate_limits import RateLimits
from ecs_async_executor.engine.aws.client import Connect, silence_request_logs
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.diagnosis.origins import located
from ecs_async_executor.engine.measuring.census import take_stock
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.measuring.standbys import StandbyMeter
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.state.entry import State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.deleter import CALLS as DELETE_CALLS
from ecs_async_executor.engine.workers.deleter import Deleter
from ecs_async_executor.engine.workers.hand_over import CALLS as HAND_OVER_CALLS
from ecs_async_executor.engine.workers.hand_over import HandOver
from ecs_async_executor.engine.workers.launcher import SEARCHES, Launcher
from ecs_async_executor.engine.workers.recovery import TaskSearch
from ecs_async_executor.engine.workers.requests import Requests
from ecs_async_executor.engine.workers.standby_keeper import StandbyKeeper
from ecs_async_executor.engine.workers.steps import Steps
from ecs_async_executor.engine.workers.stopper import CALLS as STOP_CALLS
from ecs_async_executor.engine.workers.stopper import Stopper
from ecs_async_executor.engine.workers.uploader import CALLS as UPLOAD_CALLS
from ecs_async_executor.engine.workers.uploader import Uploader
from ecs_async_executor.engine.workers.wait_reporter import WaitReporter
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.engine.workers.watcher import CALLS as WATCH_CALLS
from ecs_async_executor.engine.workers.watcher import Watcher
from ecs_async_executor.history import describe_oldest
from ecs_async_executor.launch_id import started_by
from ecs_async_executor.log_digest import INTERVAL, LogDigest
from ecs_async_executor.measurements import Measurements
from ecs_async_executor.messages import (
    CheckHealth,
    Claimed,
    EngineStatus,
    Forget,
    HealthChecked,
    KeepStandbys,
    Launch,
    Order,
    Report,
    RunReport,
    Stop,
    Watch,
)

log = logging.getLogger(__name__)

DELETE_TIMEOUT = 2.0
"""Seconds that a closing engine waits for S3 deletions: the bucket's lifecycle rule removes what remains."""


class Engine:
    """Runs the workers. Create it inside a running loop, then `await run()`.

    Orders arrive through `inbox`; call `inbox_wakeup.notify()` after putting some there. Every report goes to
    `emit`, which must not block.
    """

    def __init__(  # noqa: PLR0913  what differs between a scheduler and a test
        self,
        connect: Connect,
        inbox: SimpleQueue[tuple[Order, ...]],
        emit: Emit,
        options: EngineOptions,
        *,
        random: Random = system_random,
        random_id: Callable[[], UUID] = uuid4,
        measurements: Measurements | None = None,
    ) -> None:
        self._measurements = measurements = measurements or Measurements()
        silence_request_logs()
        self.ledger = Ledger(options, random, random_id)
        self._digest = digest = LogDigest(log.log)
        self.inbox_wakeup = Wakeup()
        self._inbox = inbox
        self._emit_to_scheduler = emit
        emit = self._emit
        self._client = EcsClient(
            connect,
            pool_size=options.concurrency + SEARCHES + WATCH_CALLS + STOP_CALLS,
            call_timeout=options.call_timeout,
        )
        self._s3 = S3Client(
            connect,
            digest,
            pool_size=UPLOAD_CALLS + DELETE_CALLS + HAND_OVER_CALLS,
            call_timeout=options.call_timeout,
            measurements=measurements,
        )
        rate_limits = RateLimits(options, anyio.current_time())
        self._calls = calls = Calls(
            self._client,
            rate_limits,
            CircuitBreaker(random),
            emit,
            digest,
            backlog=self._backlog,
            measurements=measurements,
        )
        self._started_by = options.started_by
        requests, search = Requests(calls, options, random), TaskSearch(calls, options)
        self._requests = requests
        measured = Launches(measurements)
        steps = Steps(self.ledger, emit, digest, measured)
        self._launcher = Launcher(
            self.ledger,
            calls,
            requests,
            search,
            steps,
            concurrency=options.concurrency,
            on_change=self._notify_all,
        )
        self._uploader = Uploader(self.ledger, self._s3, requests, search, steps, on_change=self._notify_all)
        self._watcher = Watcher(
            self.ledger,
            calls,
            emit,
            search,
            poll_interval=options.poll_interval,
            on_change=self._notify_all,
        )
        self._stopper = Stopper(self.ledger, calls, random, on_change=self._notify_all)
        self._wait_reporter = WaitReporter(self.ledger, calls, emit)
        self._deleter = Deleter(self.ledger, self._s3, random, digest)
        self._hand_over = HandOver(
            self.ledger, self._s3, requests, emit, digest, measured, random=random, on_change=self._notify_all
        )
        self._standby_keeper = StandbyKeeper(self.ledger, self._s3, emit, digest, on_change=self._notify_all)
        self._standby_meter = StandbyMeter(measurements)
        self._on_change = Wakeup()
        self._closing = anyio.Event()
        self._grace = 0.0

    def __repr__(self) -> str:
        return f"<Engine {self.ledger!r}>"

    def debug_dump(self) -> None:
        """Log the state, with the history of the runs that have been in theirs for longest."""
        log.info("%r%s", self, describe_oldest(self.ledger.unsettled()))

    async def run(self) -> None:
        """Run until `close()` is called."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._receive, tasks)
                tasks.start_soon(self._launcher.run, tasks)
                tasks.start_soon(self._uploader.run, tasks)
                tasks.start_soon(self._watcher.run, tasks)
                tasks.start_soon(self._stopper.run, tasks)
                tasks.start_soon(self._deleter.run, tasks)
                tasks.start_soon(self._hand_over.run, tasks)
                tasks.start_soon(self._standby_keeper.run, tasks)
                tasks.start_soon(self._wait_reporter.run)
                tasks.start_soon(self._flush_log)
                await self._closing.wait()
                with anyio.move_on_after(self._grace):
                    while self.ledger.sending or self.ledger.handing_over:
                        await self._on_change.wait(None)
                    for last_calls in (self._standby_keeper.release, self._deleter.finish):
                        with anyio.move_on_after(DELETE_TIMEOUT):
                            await last_calls()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._client.aclose()
                await self._s3.aclose()

    def close(self, grace: float) -> None:
        """Stop launching, give in-flight calls (RunTask, PutObject, DeleteObject) `grace` seconds, then end `run()`.

        Containers keep running.
        """
        self._grace = grace
        self._launcher.stopping = self._uploader.stopping = self._hand_over.stopping = True
        self._closing.set()

    async def _receive(self, tasks: TaskGroup) -> None:
        while True:
            self._take_orders(tasks)
            await self.inbox_wakeup.wait(None)

    def _take_orders(self, tasks: TaskGroup) -> None:
        now = anyio.current_time()
        while True:
            try:
                orders = self._inbox.get_nowait()
            except Empty:
                break
            for order in orders:
                self._take_order(order, tasks, now)
        self._notify_all()

    def _backlog(self) -> int:
        """Return how many launches wait, but not for room."""
        return len(self.ledger.launches) - self.ledger.launches.held_back(anyio.current_time())

    def _take_order(self, order: Order, tasks: TaskGroup, now: float) -> None:
        match order:
            case Launch():
                self.ledger.launch(order, now)
            case Watch():
                self.ledger.watch(order, now)
            case Stop():
                for report in self.ledger.stop(order.run_id, order.reason, now):
                    self._emit(report)
            case Forget():
                self.ledger.forget(order.run_id, now)
            case KeepStandbys():
                self._standby_keeper.keep(order.pools)
            case Claimed():
                self._hand_over.claimed(order.run_id, order.arn, held=order.held)
            case CheckHealth():
                tasks.start_soon(self._check_health, order.cluster)
            case _:
                assert_never(order)

    def _emit(self, report: Report) -> None:
        """Report to the scheduler, unless the report is about a standby: the scheduler has no such run."""
        standbys = self.ledger.standbys
        if not isinstance(report, RunReport) or report.run_id not in standbys:
            self._emit_to_scheduler(report)
            return
        for news in standbys.note(report, anyio.current_time()):
            self._emit_to_scheduler(news)
        self._standby_keeper.wakeup.notify()

    async def _check_health(self, cluster: str) -> None:
        """Call ListTasks until the answer is about the cluster or permissions, not about reaching AWS."""
        while True:
            try:
                await self._calls.list_tasks(cluster, started_by(self._started_by, "health-check"))
            except CallError as error:
                if error.failure.kind in {Kind.CONFIGURATION, Kind.DENIED, Kind.FAULT, Kind.NOT_FOUND}:
                    failure = located(error.failure, cluster, self._client.region)
                    self._emit(HealthChecked(failure.diagnosis))
                    return
                await anyio.sleep(1)
            else:
                self._emit(HealthChecked(None))
                return

    async def _flush_log(self) -> None:
        while True:
            await anyio.sleep(INTERVAL / 4)
            self._digest.flush(anyio.current_time())

    def status(self, now: float) -> EngineStatus:
        """Sum up what the engine is doing; it costs the same whatever the number of runs."""
        rate, limit = self._calls.launch_rate()
        waiting = len(self.ledger.launches) + len(self.ledger.puts) + self._requests.waiting
        sending = self.ledger.sending
        standbys = Counter(self.ledger.state_of(each.run_id) for each in self.ledger.standbys)
        watched = len(self.ledger) - waiting - sending
        return EngineStatus(
            waiting=waiting - standbys[State.WAITING] - standbys[State.PREPARING],
            sending=sending - standbys[State.SENDING],
            watched=watched - standbys[State.WATCHING],
            rate=rate,
            limit=limit,
            launches=self._calls.launches.count(now),
            throttles=self._calls.throttles.count(now),
            unanswered=self._calls.unanswered_for(now),
            standbys=self.ledger.standbys.status(now),
        )

    async def measure(self) -> None:
        """Count what the engine has in hand; it takes a millisecond for a thousand runs, in slices."""
        gauges = await take_stock(self.ledger, self._calls)
        standbys = self._standby_meter.gauges(self.ledger.standbys, anyio.current_time())
        self._measurements.gauges = {**gauges, **standbys}

    def _notify_all(self) -> None:
        """Wake every worker that has work now, or sooner than it expects, because the ledger has changed."""
        self._hand_over.wake()  # first: what a standby serves needs no RunTask
        self._launcher.wake()
        self._uploader.wake()
        self._watcher.wakeup.notify_at(self.ledger.due.next_at())
        if self.ledger.stops:
            self._stopper.wakeup.notify()
        if self.ledger.deletions:
            self._deleter.wakeup.notify()
        self._on_change.notify()
