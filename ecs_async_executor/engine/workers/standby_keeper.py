"""Keeps standbys: launches and stops them, and tells those that wait that their scheduler lives."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import Emit
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import StandbyPool
from ecs_async_executor.standby.command import LEASE_RENEWAL_SECONDS

INTERVAL = 1.0
"""Seconds between two looks at the pools: a standby that was assigned is replaced so soon."""
RENEW_AGAIN_AFTER = 5.0
"""Seconds until a lease that could not be written is written again."""
LAST_WRITE = 1.0
"""Seconds that a lease that is being written may take while the engine closes."""


class StandbyKeeper:
    """Carries out the plans of `Standbys`, and is the only writer of leases."""

    def __init__(
        self, ledger: Ledger, s3: S3Client, emit: Emit, digest: LogDigest, *, on_change: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._s3 = s3
        self._emit = emit
        self._digest = digest
        self._on_change = on_change
        self._started = Wakeup()
        self._leased = anyio.Event()
        self._writing = anyio.Lock()
        self._renewal = anyio.CancelScope()
        self.wakeup = Wakeup()
        """Notified when ECS has news of a standby."""

    def keep(self, pools: tuple[StandbyPool, ...]) -> None:
        """Keep these pools."""
        self._ledger.standbys.keep(pools)
        if pools:
            self._started.notify()

    async def run(self, tasks: TaskGroup) -> None:
        """Keep standbys until cancelled."""
        while not self._ledger.standbys.leases:
            await self._started.wait(None)
        tasks.start_soon(self._keep_lease)
        await self._leased.wait()  # no standby starts before there is a lease to read
        while True:
            self._carry_out(anyio.current_time())
            await self.wakeup.wait(anyio.current_time() + INTERVAL)

    def _carry_out(self, now: float) -> None:
        plan = self._ledger.standbys.plan(now, self._ledger.short_of_room(now))
        for order in plan.launches:
            self._ledger.launch(order, now)
        for run_id, reason in plan.stops:
            for report in self._ledger.stop(run_id, reason, now):
                self._emit(report)
        self._on_change()  # standbys become ready by the passing of time alone

    async def _keep_lease(self) -> None:
        with self._renewal:
            await self._renew()

    async def _renew(self) -> None:
        """Write the leases again and again. If S3 refuses that, or can't take it twice in a row, tasks start cold."""
        standbys, failures, said = self._ledger.standbys, 0, set[Hashable]()
        while True:
            try:
                await self._write()
            except CallError as error:
                failures += 1
                why = error.failure.diagnosis
                if failures > 1 or error.failure.kind is not Kind.PAYLOAD:
                    standbys.s3_failure, cause = why, (StandbyKeeper, why.summary)
                    text = f"Standbys need S3: tasks start cold meanwhile. {why}"
                    self._digest.note(cause, text, anyio.current_time())
                    said.add(cause)
                await anyio.sleep(RENEW_AGAIN_AFTER)
            else:
                if said:
                    self._say_again(said)
                standbys.s3_failure, failures = None, 0
                self._leased.set()
                await anyio.sleep(LEASE_RENEWAL_SECONDS)

    def _say_again(self, said: set[Hashable]) -> None:
        """Log that the leases can be written again, and forget the causes that were logged before."""
        while said:
            self._digest.forget(said.pop())
        text = "S3 takes the standbys' leases again."
        self._digest.note((StandbyKeeper, "again"), text, anyio.current_time(), level=logging.INFO)

    async def _write(self) -> None:
        async with self._writing:
            for url in self._ledger.standbys.leases:
                await self._s3.put(url, b"{}")

    async def release(self) -> None:
        """Delete the leases: standbys without a workload leave within half a minute."""
        with anyio.move_on_after(LAST_WRITE):
            await self._writing.acquire()  # or what is being written now would come after the deletion
        self._renewal.cancel()
        for url in self._ledger.standbys.leases:
            try:
                await self._s3.delete(url)
            except CallError:
                return  # the leases run out by themselves
