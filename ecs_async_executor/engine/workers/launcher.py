"""Launches runs: at most `concurrency` RunTask calls are in flight; a free slot takes the best queued run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ecs_async_executor.engine.admission.calls import Calls, Permit
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import (
    CallError,
    Failure,
    Kind,
    classify_run_task_failure,
)
from ecs_async_executor.engine.diagnosis.origins import located
from ecs_async_executor.engine.measuring.launches import Launches
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.terminal_reports import LOST_REMEDY
from ecs_async_executor.engine.workers.recovery import TaskSearch, is_refused_replay
from ecs_async_executor.engine.workers.requests import STOPPED, Requests, raise_if_stopped
from ecs_async_executor.engine.workers.steps import (
    AnswerNeeded,
    Outcome,
    Prepared,
    Started,
    Step,
    Steps,
    UploadNeeded,
)
from ecs_async_executor.engine.workers.wakeup import Wakeup
from ecs_async_executor.messages import Diagnosis, Recovery, Request

SEARCHES = 10
"""The most ListTasks calls in flight for runs that are only searched for; these take no launch slot."""

_EMPTY_ANSWER = Failure(
    Kind.UNKNOWN,
    Diagnosis(
        "RunTask answered with neither a task nor a failure.", remedy="Nothing to do: it is asked again."
    ),
)
_NOT_FOUND = Failure(
    Kind.NOT_FOUND,
    Diagnosis(
        "ECS shows no running task of this run.",
        "ListTasks lists none, or can't be asked",
        LOST_REMEDY,
    ),
)


class Launcher:
    """The only caller of RunTask."""

    def __init__(  # noqa: PLR0913  a launch needs these parts of the engine
        self,
        ledger: Ledger,
        calls: Calls,
        requests: Requests,
        search: TaskSearch,
        steps: Steps,
        *,
        concurrency: int,
        on_change: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._calls = calls
        self._requests = requests
        self._task_search = search
        self._steps = steps
        self._measured = Launches(calls.measurements)
        self._slots = anyio.Semaphore(concurrency)
        self._searches = anyio.Semaphore(SEARCHES)
        self.wakeup = Wakeup()
        """Notified when a run enters the queue."""
        self.stopping = False
        """True: start no more launches."""
        self._on_change = on_change

    def wake(self) -> None:
        """Wake the loop if the queue now has an earlier due time."""
        self.wakeup.notify_at(self._next_at())

    def _next_at(self) -> float | None:
        return None if self.stopping else self._ledger.launches.next_at(anyio.current_time())

    async def run(self, tasks: TaskGroup) -> None:
        """Launch until cancelled. A run is chosen only when its call can be made at once: priorities hold."""
        while True:
            await self.wakeup.wait_until_due(self._next_at)
            await self._slots.acquire()
            permit = await self._calls.permit(Action.RUN_TASK)
            entry = None if self.stopping else self._ledger.take(anyio.current_time())
            if entry is None:
                permit.give_back()
                self._slots.release()
            else:
                tasks.start_soon(self._launch, entry, permit)

    async def _launch(self, entry: Entry, permit: Permit) -> None:
        """Run the next step of a launch: send it, or search for what an earlier send has started."""
        with permit:
            if self.stopping:
                self._ledger.forget(
                    entry.run_id, anyio.current_time()
                )  # so that a closing engine doesn't wait for it
            only_searched = entry.is_searched
            if only_searched:
                self._ledger.prepare(entry, anyio.current_time())
            elif self._ledger.holds(entry):
                await self._steps.run(entry, partial(self._send, permit))
        self._slots.release()
        self._on_change()
        # A search, and the wait for an answer that many runs share, take no launch slot.
        if only_searched:
            async with self._searches:
                await self._step_aside(entry, self._find)
        elif entry.state is State.PREPARING:
            await self._step_aside(entry, self._wait)

    def _leave_sending(self, entry: Entry, failure: Failure) -> None:
        """Stop counting this run as an in-flight RunTask: ECS has answered."""
        now = anyio.current_time()
        if failure.kind is Kind.CAPACITY:
            self._ledger.refused(entry, failure, now)
        self._ledger.prepare(entry, now)
        self._on_change()

    async def _step_aside(self, entry: Entry, step: Step) -> None:
        """Run a step of a launch that is held outside of the queue."""
        if self.stopping:
            self._ledger.forget(entry.run_id, anyio.current_time())
        if self._ledger.holds(entry):
            await self._steps.run(entry, step)
        self._on_change()

    async def _wait(self, entry: Entry) -> Outcome:
        """Wait for what the request lacks; raises `CallError`."""
        try:
            await self._requests.wait(entry)
            raise_if_stopped(entry)
        except CallError as error:
            if is_refused_replay(entry, error.failure):
                return Started(await self._task_search.find(error.failure, entry))
            raise
        return Prepared()

    async def _find(self, entry: Entry) -> Outcome:
        """Return the task found, or that the run must be sent after all; raises `CallError`."""
        if entry.stop_reason is not None:
            # Sending it again just to be able to stop it could run its code.
            return Started(await self._task_search.find(STOPPED, entry))
        if entry.launch.recovery is Recovery.SEARCH_ONLY:
            return Started(await self._task_search.find(_NOT_FOUND, entry))
        if entry.launch.fault is not None:
            return Started(await self._task_search.find(entry.launch.fault, entry))
        arns = await self._task_search.search(entry)
        return Started(arns[0]) if arns else Prepared()

    async def _send(self, permit: Permit, entry: Entry) -> Outcome:
        """Return the task that this clientToken has started, now or earlier, or what must happen before the send.

        Raises `CallError`.
        """
        try:
            # A request that is ready is sent without waiting, so nothing can happen to the run in between.
            request = self._requests.request(entry)
            if request.is_open:
                return AnswerNeeded()
            if request.payload is not None:
                if not self._ledger.has_room_for_upload:
                    permit.spend()
                return UploadNeeded()
            task = await self._call(permit, entry, request)
            self._measured.accepted(entry, anyio.current_time())
            self._ledger.note_definition(entry, task)
            return Started(task.task_arn, task.capacity, task.created_at)
        except CallError as error:
            if error.failure.kind is Kind.EXISTS or is_refused_replay(entry, error.failure):
                permit.give_back()
                self._leave_sending(entry, error.failure)
                return Started(await self._task_search.find(error.failure, entry))
            raise

    async def _call(self, permit: Permit, entry: Entry, request: Request) -> Task:
        before, entry.launch.sent = entry.launch.sent, True
        entry.launch.first_sent_at = entry.launch.first_sent_at or anyio.current_time()
        try:
            return await self._run_task(permit, self._requests.body(entry, request))
        except CallError as error:
            if error.failure.is_unknown_outcome:
                entry.launch.maybe_sent_at = anyio.current_time()
            elif error.failure.kind is not Kind.EXISTS:  # it has definitely started nothing
                entry.launch.sent = before
            failure = self._requests.forget(request, error.failure)
            raise CallError(located(failure, request.cluster, self._calls.client.region, request)) from error

    async def _run_task(self, permit: Permit, body: Mapping[str, Any]) -> Task:
        answer = await self._calls.make(permit, lambda: self._calls.client.run_task(body))
        if answer.tasks:
            self._calls.launches.note(anyio.current_time())
            return answer.tasks[0]
        failure = classify_run_task_failure(answer.failures[0]) if answer.failures else _EMPTY_ANSWER
        self._calls.count_failure(permit.action, failure)
        raise CallError(failure)
