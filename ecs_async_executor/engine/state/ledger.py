"""The state of every ECS task the engine has in hand: a pure state machine.

It is told what happened (an order came, RunTask answered, DescribeTasks saw the task) and when, and it answers
with the reports to send. It makes no call and reads no clock. Only the engine's thread touches it.

    WAITING ──take──▶ SENDING ──launched──▶ WATCHING ──stopped──▶ gone (one terminal report)
       ▲                 │
       └──── failed ─────┘   (or gone: LaunchFailed, Cancelled)

What comes before a send, and takes time, is done in PREPARING, and then the run goes back to its old place among the
launches: something is asked (`asks` ... `has_asked`), or put into S3 (`must_put` ... `take_put` ... `has_put`).

A launch that has definitely started nothing is over: the next one is a new order, under the next launch number.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, Failure, Kind
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.state.entry import Entry, Phase, State
from ecs_async_executor.engine.state.launch_queue import LaunchQueue
from ecs_async_executor.engine.state.payload_objects import PayloadObjects
from ecs_async_executor.engine.state.poll_schedule import NOT_YET_RUNNING, DueList, next_poll, phase_of
from ecs_async_executor.engine.state.terminal_reports import NOT_SHOWN, given_up, gone, stopped
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launch,
    Launched,
    LaunchFailed,
    Recovery,
    Report,
    Request,
    Running,
    Stopped,
    Waiting,
    Watch,
)

PUTS = 12
"""Failed PutObject calls after which a launch is given up for lack of S3: with the waits between them four minutes."""
FAULTS = 5
"""Faults of our own process after which a launch isn't replayed any more; with the waits between them 15 seconds."""
PUTS_AHEAD = 40
"""Runs on their way through S3 whose turns cost nothing, since nothing was sent: enough for PutObject to keep ahead of
RunTask, and few enough for those requests to be neither many nor old when they are sent."""


class Ledger:
    """All runs in hand. Every method takes the time (seconds, any steady clock) from its caller."""

    def __init__(self, options: EngineOptions, random: Random) -> None:
        self._options = options
        self._polls_per_second = options.polls_per_second
        self._random = random
        self._entries: dict[str, Entry] = {}
        self.sending = 0
        """How many RunTask calls are in flight."""
        self.launches = LaunchQueue(options.run_task_rate)
        self.puts = LaunchQueue(Rate(0, 1))
        """Runs that need something in S3 before they can be sent."""
        self._putting: set[Entry] = set()
        """Those, and the ones whose turn to be sent has not come since."""
        self.due = DueList()
        self.stops: list[Entry] = []
        """Runs whose task is to be stopped; the stopper empties it."""
        self._payload_objects = PayloadObjects(options.payloads)
        self.spent = self._payload_objects.spent
        """Objects in S3 of runs that have ended; the cleaner empties it."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._entries

    def holds(self, entry: Entry) -> bool:
        """Tell whether a run is still in hand: it may have been forgotten while somebody waited."""
        return self._entries.get(entry.run_id) is entry

    def __repr__(self) -> str:
        counts = {state.name.lower(): 0 for state in State}
        for entry in self:
            counts[entry.state.name.lower()] += 1
        return f"<Ledger {counts}>"

    # --- orders -------------------------------------------------------------------------------------------

    def launch(self, order: Launch, now: float) -> None:
        """Take a launch order. One for a run already in hand changes nothing."""
        if order.run_id in self._entries:
            return
        entry = Entry(
            order.run_id,
            order.label,
            order.number,
            State.WAITING,
            priority=order.priority,
            lane=order.lane,
            launch_timeout=self._launch_timeout(order),
            build=order.build,
            recovery=order.recovery,
            unknown_sends=int(order.recovery is not Recovery.NONE),
            sent_at=now,
            cluster=order.cluster,
            container=order.container,
        )
        if order.recovery is not Recovery.NONE:
            self._payload_objects.presume(entry)
        self._entries[entry.run_id] = entry
        self.launches.add(entry, not_before=now)

    def watch(self, order: Watch, now: float) -> None:
        """Take over a task that runs already. One for a run already in hand changes nothing."""
        if order.run_id in self._entries:
            return
        entry = Entry(
            order.run_id,
            order.label,
            order.number,
            State.WATCHING,
            launch_timeout=self._launch_timeout(order),
            listed=order.listed,
        )
        if order.listed:  # else nothing is known of the launch but its ARN
            self._payload_objects.presume(entry)
        self._entries[entry.run_id] = entry
        self._watch(entry, order.arn, order.cluster, order.container, now)

    def _launch_timeout(self, order: Launch | Watch) -> float:
        return self._options.launch_timeout if order.launch_timeout is None else order.launch_timeout

    def stop(self, run_id: str, reason: str) -> list[Report]:
        """Stop a run: at once if nothing was sent, else as soon as its task is known."""
        entry = self._entries.get(run_id)
        if entry is None or entry.stop_reason is not None:
            return []
        entry.stop_reason = reason
        if entry.state is State.WATCHING:
            self.stops.append(entry)
        elif entry.state is State.WAITING and not entry.unknown_sends:
            return self._end(entry, Cancelled(run_id))
        if entry in self.puts:  # nothing is put for it any more: it is looked for
            self.puts.discard(entry)
            self.launches.add(entry, not_before=float("-inf"))
        self.launches.leave_lane(entry)
        return []

    def forget(self, run_id: str) -> None:
        """Let go of a run. The answer to a call in flight is not waited for."""
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            self._leave_queues(entry)

    def _leave_queues(self, entry: Entry) -> None:
        self._move(entry, State.WAITING)
        self._putting.discard(entry)
        self.launches.discard(entry)
        self.puts.discard(entry)
        self.due.discard(entry)

    # --- launching ----------------------------------------------------------------------------------------

    def take(self, now: float) -> Entry | None:
        """Hand out the next run to send, if one is due."""
        entry = self.launches.pop(now)
        if entry is not None:
            self._putting.discard(entry)
            self._move(entry, State.SENDING)
        return entry

    def asks(self, entry: Entry) -> None:
        """ECS is asked something before the run that was taken is sent, or instead."""
        if self.holds(entry) and entry.state is State.SENDING:
            self.launches.give_back(entry)
            self._move(entry, State.PREPARING)

    def has_asked(self, entry: Entry, now: float) -> None:
        """Nothing has kept the run from being sent, when it is its turn; what was looked for was not found."""
        if not self.holds(entry):
            return
        if entry.recovery is Recovery.LOOK:
            entry.recovery = Recovery.REPLAY
        self._move(entry, State.WAITING)
        self.launches.add(entry, not_before=now)

    def must_put(self, entry: Entry, now: float) -> bool:
        """Something must be put into S3 before the run that was taken can be sent.

        False: enough runs are on this way already. So its request is not kept, and its turn counts as used: all that
        need S3 are not built, and held, at once.
        """
        is_free = len(self._putting) < PUTS_AHEAD
        self._putting.add(entry)
        if is_free:
            self.launches.give_back(entry)
        else:
            entry.request = None
        self._move(entry, State.WAITING)
        self.puts.add(entry, not_before=now)
        return is_free

    def take_put(self, now: float) -> Entry | None:
        """Hand out the next run to put something for, if one is due."""
        entry = self.puts.pop(now)
        if entry is not None:
            self._move(entry, State.PREPARING)
        return entry

    def has_put(self, entry: Entry, request: Request, now: float) -> None:
        """All is in S3: this is the request to send, when it is the run's turn."""
        if not self.holds(entry):
            return
        entry.request, entry.puts = request, 0
        self._move(entry, State.WAITING)
        self.launches.add(entry, not_before=now)

    def _move(self, entry: Entry, state: State) -> None:
        self.sending += (state is State.SENDING) - (entry.state is State.SENDING)
        entry.state = state

    def launched(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> list[Report]:
        """RunTask has started (or found) the task."""
        if not self.holds(entry):
            return []
        self._leave_queues(entry)
        self._watch(entry, arn, cluster, container, now)
        if entry.stop_reason is not None:
            self.stops.append(entry)
        return [Launched(entry.run_id, entry.number, arn, cluster, container)]

    def failed(self, entry: Entry, failure: Failure, now: float) -> list[Report]:
        """RunTask, or what comes before it, failed: wait with the same launch, or end it."""
        if not self.holds(entry):
            return []
        self._move(entry, State.WAITING)
        kind = failure.kind
        if failure.is_unclear:
            entry.sent_at = entry.sent_at if entry.unknown_sends else now
            entry.unknown_sends += 1
        if kind is Kind.UNKNOWN or kind is Kind.FAULT:
            if kind is Kind.FAULT and self._gives_up(entry, failure, now):
                return self._end(entry, given_up(entry, (entry.fault or failure).diagnosis))
            delay = backoff(entry.unknown_sends, base=1.0, cap=30.0, random=self._random)
            return self._wait(entry, failure, now + delay)
        entry.puts += kind is Kind.PAYLOAD
        held = self._is_held(entry, kind, now)
        if kind is Kind.EXISTS:
            entry.stored = entry.presumed = None  # the container that exists may be about to fetch it
        if entry.stop_reason is not None and not (held and entry.unknown_sends):
            return self._end(entry, Cancelled(entry.run_id))
        if held:
            if not entry.sent:
                entry.request = None  # let the next send have a token that is fresh then
            is_put = kind is Kind.PAYLOAD
            delay = backoff(entry.puts, base=1.0, cap=30.0, random=self._random) if is_put else 0.0
            return self._wait(entry, failure, now + delay)
        # From here on this launch number has definitely started nothing.
        if entry.recovery is Recovery.FIND:
            return self._end(entry, gone(entry, failure.diagnosis))
        failed = LaunchFailed(
            entry.run_id,
            entry.number,
            failure.diagnosis,
            permanent=kind is Kind.CONFIGURATION,
            costs_attempt=kind not in {Kind.CAPACITY, Kind.EXISTS, Kind.PAYLOAD},
        )
        return self._end(entry, failed)

    def _gives_up(self, entry: Entry, failure: Failure, now: float) -> bool:
        """Count a fault. At first the launch is replayed, then its task is looked for, then the run is given up."""
        entry.faults += 1
        if entry.fault is None:
            if entry.faults >= FAULTS:
                entry.fault = failure
            return False
        # What may run, or is to be stopped, is looked for as long as ECS remembers.
        is_urgent = entry.recovery is not Recovery.FIND and entry.stop_reason is None
        patience = self._options.missing_grace if is_urgent else self._options.list_timeout
        return now - entry.sent_at >= patience

    def _is_held(self, entry: Entry, kind: Kind, now: float) -> bool:
        """Tell whether a run keeps its launch and its place."""
        if kind is Kind.PAYLOAD:
            # None found by ListTasks is none after the grace time only.
            is_open = entry.unknown_sends > 0 and now - entry.sent_at < self._options.missing_grace
            return is_open or entry.puts < PUTS
        # Who slows down or pauses is the governor or the gate.
        return kind is Kind.THROTTLE or kind in PAUSING

    def _wait(self, entry: Entry, failure: Failure, not_before: float) -> list[Report]:
        queue = self.puts if failure.kind is Kind.PAYLOAD else self.launches
        queue.add(entry, not_before=not_before)
        # A pause is said once for the whole engine, a throttle is everyday life, and the rest once per cause. What
        # has started already does not wait for its launch.
        quiet = (
            failure.kind is Kind.THROTTLE
            or failure.kind in PAUSING
            or failure.kind is entry.last_waiting_kind
        )
        quiet = quiet or entry.recovery is Recovery.FIND
        if quiet:
            return []
        entry.last_waiting_kind = failure.kind
        return [Waiting(entry.run_id, failure.diagnosis)]

    # --- watching -----------------------------------------------------------------------------------------

    def _watch(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> None:
        entry.state = State.WATCHING
        entry.arn, entry.cluster, entry.container = arn, cluster, container
        entry.build = entry.request = None
        entry.launched_at = entry.phase_since = now
        self.due.add(entry, now + next_poll(0.0, 1.0, self._options.poll_interval))

    def poll_again(self, entry: Entry, now: float) -> None:
        """Put the task back on the due list, for its next look; a run that was let go of stays away."""
        if not self.holds(entry):
            return
        even = 2 * len(self.due) / self._polls_per_second
        delay = next_poll(now - entry.phase_since, even, self._options.poll_interval)
        self.due.add(entry, now + delay)

    def stop_accepted(self, entry: Entry, now: float) -> None:
        """StopTask has been accepted: the task ends soon."""
        self._move_on(entry, Phase.ENDING, now)
        if entry in self.due:
            self.poll_again(entry, now)

    def _move_on(self, entry: Entry, phase: Phase, now: float) -> None:
        if phase > entry.phase:
            entry.phase, entry.phase_since = phase, now

    def described(self, entry: Entry, task: Task, now: float) -> list[Report]:
        """DescribeTasks has seen the task."""
        if not self.holds(entry):
            return []
        entry.missing = 0
        if not entry.seen:
            entry.seen = True
            self._payload_objects.see(entry, task)
        if task.last_status == "STOPPED":
            return self._end(entry, stopped(entry, task))
        self._move_on(entry, phase_of(task), now)
        self.poll_again(entry, now)
        if task.last_status in NOT_YET_RUNNING:
            self._check_launch_timeout(entry, now)
        if task.last_status == "RUNNING" and not entry.seen_running:
            entry.seen_running = True
            return [Running(entry.run_id, entry.arn)]
        return []

    def _check_launch_timeout(self, entry: Entry, now: float) -> None:
        timeout = entry.launch_timeout
        if timeout and entry.stop_reason is None and now - entry.launched_at >= timeout:
            entry.stop_reason = f"did not run within {timeout:.0f} s"
            entry.timed_out = True
            self.stops.append(entry)

    def not_seen(self, entry: Entry, now: float) -> bool:
        """DescribeTasks has not found the task: True if it is time to ask ListTasks whether it lives."""
        if not self.holds(entry):
            return False
        if not entry.missing:
            entry.missing_since = now
        entry.missing += 1
        grown_up = now - entry.launched_at >= self._options.missing_grace
        if grown_up and entry.missing >= self._options.missing_sightings:
            return True
        self.poll_again(entry, now)
        return False

    def not_listed(self, entry: Entry, now: float, *, asked: bool) -> list[Report]:
        """ListTasks does not know the task either, or could not be `asked`: then wait for as long as ECS remembers."""
        if not self.holds(entry):
            return []
        if not asked and now - entry.missing_since < self._options.list_timeout:
            self.poll_again(entry, now)
            return []
        diagnosis = Diagnosis(
            "ECS does not show the task.",
            f"DescribeTasks says MISSING{', ListTasks does not list it' * asked}; {entry.arn}",
            f"ECS describes a stopped task for an hour at least. {NOT_SHOWN}",
        )
        return self._end(entry, gone(entry, diagnosis))

    def _end(self, entry: Entry, report: LaunchFailed | Stopped | Cancelled) -> list[Report]:
        del self._entries[entry.run_id]
        self._leave_queues(entry)
        self._payload_objects.spend(entry)
        return [report]
