"""Hands runs over to standbys: first the run's row names the standby, then its S3 object gets the workload.

The order of these two is what keeps it to one container. A scheduler that dies in between leaves a row that names the
standby, and so the next one knows whom to ask. The object is written only if there is none (`If-None-Match: *`), so of
all who want to decide what a standby does, exactly one does: the scheduler that hands it a workload, or another one that
has adopted the run and tells the standby to leave, with an empty object.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from enum import Enum, auto

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.cold_starts import DIFFERS
from ecs_async_executor.engine.admission.calls import Emit
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.standby.matching import differences
from ecs_async_executor.engine.standby.pool import Standby
from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.warm_starts import WarmStarts
from ecs_async_executor.engine.workers.requests import Requests
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Diagnosis, Report

CALLS = 50
"""The most conditional PutObject calls in flight at once."""
CLAIM_TIMEOUT = 60.0
"""Seconds to wait until a run's row names its standby. If the row's answer comes later, nobody acts on it."""
CLAIM_AGAIN_AFTER = 300.0
"""Seconds until runs are assigned again after a claim got no answer, unless one comes before: the thread may hang."""
PUT_TIMEOUT = 5.0
"""Seconds that one PutObject may take: S3 answers in a tenth of a second, and a run waits for it."""
SETTLED_LATER_AFTER = 20.0
"""Seconds for which a PutObject without a usable answer is repeated before the run's end is left to its ECS task."""

LEAVE = b""
"""What an object holds that tells its standby to leave."""
_NOT_CLAIMED = Diagnosis(
    "The standby that was to serve the task could not be assigned.",
    "the task's row could not be changed in time, or the standby has ended",
    "Nothing to do: the task starts cold.",
)
_NO_ANSWER = Diagnosis(
    "S3 does not answer.",
    f"no answer to PutObject within {PUT_TIMEOUT:.0f} s",
    "Nothing to do: it is tried again.",
)


class _Written(Enum):
    YES = auto()
    NO = auto()
    UNKNOWN = auto()


class HandOver:
    """The only caller of conditional PutObject."""

    def __init__(  # noqa: PLR0913, PLR0917  a hand-over needs these parts of the engine
        self,
        ledger: Ledger,
        s3: S3Client,
        requests: Requests,
        emit: Emit,
        digest: LogDigest,
        measured: Launches,
        *,
        random: Random,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._warm_starts = WarmStarts(ledger)
        self._s3 = s3
        self._requests = requests
        self._emit = emit
        self._digest = digest
        self._measured = measured
        self._random = random
        self._on_change = on_change
        self._slots = anyio.Semaphore(CALLS)
        self._pairs: deque[tuple[Entry, Standby]] = deque()
        """Assigned runs, each with its standby."""
        self._answers: dict[str, _Answer] = {}
        """Who waits for the answer about its row, by run id."""
        self._resumes_at = float("-inf")
        """When standbys are assigned again: a claim got no answer in time, so whoever is assigned would wait as long."""
        self._wakeup = Wakeup()
        self.stopping = False
        """True: assign no more standbys."""

    @property
    def _standbys(self) -> Standbys:
        return self._ledger.standbys

    def wake(self) -> None:
        """Assign the standbys that are ready to the runs that wait; it costs next to nothing if none waits."""
        now = anyio.current_time()
        if len(self._standbys) and now >= self._resumes_at and not self.stopping:
            for pool in self._ledger.launches.pools(now):
                self._assign(pool, now)
        if self._pairs or self._ledger.unsettled_standbys:
            self._wakeup.notify()

    def _assign(self, pool: str, now: float) -> None:
        while (standby := self._standbys.take(pool, now)) is not None:
            if not self._warm_starts.is_waiting(standby):
                self._stop(standby, now)  # it is ending, or ECS doesn't show it
                continue
            entry = self._warm_starts.take(standby, now)
            if entry is None:
                self._standbys.give_back(standby)
                return
            self._pairs.append((entry, standby))

    def claimed(self, run_id: str, arn: str, *, held: bool | None) -> None:
        """Take in whether a run's row names its standby."""
        self._resumes_at = float("-inf")
        answer = self._answers.get(run_id)
        if answer is not None and answer.arn == arn:
            answer.held = held
            answer.arrived.set()

    async def run(self, tasks: TaskGroup) -> None:
        """Hand over until cancelled."""
        while True:
            while not self._pairs and not self._ledger.unsettled_standbys:
                await self._wakeup.wait(None)
            while self._pairs:
                tasks.start_soon(self._serve, *self._pairs.popleft())
            while self._ledger.unsettled_standbys:
                tasks.start_soon(self._settle, self._ledger.unsettled_standbys.popleft())

    # --- one hand-over ------------------------------------------------------------------------------------

    async def _serve(self, entry: Entry, standby: Standby) -> None:
        try:
            reports = await self._hand_over(entry, standby)
        except Exception as error:  # noqa: BLE001  a fault of ours fails this hand-over, not the whole engine
            reports = self._fail(entry, standby, error)
        now = anyio.current_time()
        self._measured.handed_over(entry, standby.pool, standby.age(now), reports, now)
        for report in reports:
            self._emit(report)
        self._on_change()

    async def _hand_over(self, entry: Entry, standby: Standby) -> list[Report]:
        try:
            request = self._requests.as_built(entry)
            unlike = differences(request, self._standbys.request(standby.pool))
        except (CallError, InvalidRequestError):  # RunTask's turn reports it
            unlike = ("what it lacks",)
        if unlike:
            self._standbys.give_back(standby)
            why = f"{DIFFERS} {', '.join(unlike)}"
            self._warm_starts.start_cold(entry, why, anyio.current_time())
            return []
        held = await self._claim(entry, standby.arn)
        is_wanted = self._ledger.holds(entry) and entry.stop_reason is None
        if held is False:
            self._standbys.give_back(standby)  # no row names it
        if not held or not is_wanted or not self._warm_starts.is_waiting(standby):
            return self._give_up(entry, standby, _NOT_CLAIMED, spoiled=held is not False)
        self._warm_starts.hand_over(entry, standby, anyio.current_time())
        written, why_not = await self._put(standby.url, request.workload)
        self._standbys.s3_failure = None if written is _Written.YES else why_not
        if written is _Written.NO:
            return self._give_up(entry, standby, why_not, spoiled=True)
        return self._warm_starts.handed_over(
            entry, standby, anyio.current_time(), surely=written is _Written.YES
        )

    async def _claim(self, entry: Entry, arn: str) -> bool | None:
        """Have the run's row name its standby; return whether it does, or None if it may do so later."""
        assert entry.launch.claim is not None  # noqa: S101  only runs with one are assigned
        answer = self._answers[entry.run_id] = _Answer(arn)
        try:
            entry.launch.claim(arn)
            with anyio.move_on_after(CLAIM_TIMEOUT):
                await answer.arrived.wait()
        finally:
            del self._answers[entry.run_id]
        if not answer.arrived.is_set():
            self._resumes_at = anyio.current_time() + CLAIM_AGAIN_AFTER
            text = "The database does not answer for which tasks standbys were assigned: tasks start cold meanwhile."
            self._digest.note((HandOver, "claims"), text, anyio.current_time())
        return answer.held

    async def _put(self, url: str, data: bytes) -> tuple[_Written, Diagnosis]:
        """Write a workload for a standby, unless there is an object: that is what an earlier try has written, then."""
        why, until, attempt = _NO_ANSWER, anyio.current_time() + SETTLED_LATER_AFTER, 0
        while not attempt or anyio.current_time() < until:
            attempt += 1
            try:
                async with self._slots:
                    with anyio.fail_after(PUT_TIMEOUT):
                        await self._s3.put_once(url, data)
            except TimeoutError:
                pass
            except CallError as error:
                if error.failure.kind is not Kind.PAYLOAD:
                    # S3 has refused this one; but an earlier one may have been carried out.
                    return (_Written.NO if attempt == 1 else _Written.UNKNOWN), error.failure.diagnosis
                why = error.failure.diagnosis
            else:
                return _Written.YES, why
            if attempt > 1:  # one may happen
                self._standbys.s3_failure = why  # others start cold, until S3 takes a workload or a lease
            await anyio.sleep(backoff(attempt, base=0.5, cap=2.0, random=self._random))
        return _Written.UNKNOWN, why

    def _give_up(self, entry: Entry, standby: Standby, why: Diagnosis, *, spoiled: bool) -> list[Report]:
        """End the launch of a run whose standby gets no workload from here, and stop a standby that a row may name."""
        now = anyio.current_time()
        if spoiled:
            self._stop(standby, now)
        return self._warm_starts.not_handed_over(entry, why, now)

    def _stop(self, standby: Standby, now: float) -> None:
        if (stop := self._standbys.spoil(standby)) is not None:
            for report in self._ledger.stop(*stop, now):
                self._emit(report)

    def _fail(self, entry: Entry, standby: Standby, error: Exception) -> list[Report]:
        now = anyio.current_time()
        text = f"Handing {entry.label} over to a standby failed: {type(error).__name__}."
        cause = (HandOver, type(error))
        self._digest.note(cause, text, now, level=logging.ERROR, detail=stack_of(error))
        if entry.state is State.HANDING_OVER:
            return self._warm_starts.handed_over(entry, standby, now, surely=False)
        return self._give_up(entry, standby, _NOT_CLAIMED, spoiled=True)

    # --- what a hand-over leaves open ---------------------------------------------------------------------

    async def _settle(self, entry: Entry) -> None:
        """Tell a run's standby to leave, unless it has its workload: then S3 refuses this."""
        attempt = 0
        while self._ledger.holds(entry):
            attempt += 1
            try:
                async with self._slots:
                    with anyio.fail_after(PUT_TIMEOUT):
                        await self._s3.put_once(entry.standby_url, LEAVE)
            except TimeoutError:
                pass
            except CallError as error:
                if error.failure.kind is not Kind.PAYLOAD:
                    text = f"It is unknown whether a standby has its workload. {error.failure.diagnosis}"
                    cause = (HandOver, error.failure.diagnosis.summary)
                    self._digest.note(cause, text, anyio.current_time())
                    return
            else:
                return
            await anyio.sleep(backoff(attempt, base=1.0, cap=30.0, random=self._random))


class _Answer:
    """The answer about one run's row."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.arrived = anyio.Event()
        self.held: bool | None = None
        """None: it hasn't come, or says that the row may still change."""
