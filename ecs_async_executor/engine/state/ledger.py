"""The state of every ECS task the engine holds: a sans-I/O state machine.

The workers tell it what happened (an order arrived, RunTask answered, DescribeTasks showed the task) and when, and it
returns the reports to send. It makes no call and reads no clock. Only the engine's thread touches it.

    WAITING ──take──▶ SENDING ──launched──▶ WATCHING ──stopped──▶ removed (one terminal report)
       ▲                 │
       └──── failed ─────┘   (or removed: LaunchFailed, Cancelled)

Slow work before a send happens in PREPARING; then the run returns to its old position in the launch queue. Either the
launcher asks ECS something (`prepare` ... `prepared`), or the uploader puts the run's payload into S3
(`must_put` ... `take_put` ... `has_put`).

A launch that definitely started nothing has ended. The next one is a new order, with the next launch number.
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
from ecs_async_executor.engine.state.poll_schedule import NOT_YET_RUNNING, PollSchedule, next_poll, phase_of
from ecs_async_executor.engine.state.terminal_reports import LOST_REMEDY, given_up, lost, stopped
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
"""Failed PutObject calls after which the ledger fails a launch; with the waits between them, that takes four minutes."""
FAULTS = 5
"""Faults in this process after which the ledger stops replaying a launch; with the waits between them, 15 seconds."""
PUTS_AHEAD = 40
"""Runs that may have an upload ahead of them without paying for the turn that found it necessary.

Enough for PutObject to keep ahead of RunTask, and few enough that the requests kept for them are neither many nor old
when they are sent."""


class Ledger:
    """All runs the engine holds. The caller passes the time (in seconds, on any steady clock) to every method."""

    def __init__(self, options: EngineOptions, random: Random) -> None:
        self._options = options
        self._polls_per_second = options.polls_per_second
        self._random = random
        self._entries: dict[str, Entry] = {}
        self.sending = 0
        """RunTask calls in flight."""
        self.launches = LaunchQueue(options.run_task_rate)
        self.puts = LaunchQueue(Rate(0, 1))
        """Runs whose payload must be uploaded to S3 before they can be sent."""
        self._putting: set[Entry] = set()
        """Those runs, and the ones that have been uploaded but not taken for sending again."""
        self.due = PollSchedule()
        self.stops: list[Entry] = []
        """Runs whose task must be stopped; the stopper empties this list."""
        self._payload_objects = PayloadObjects(options.payloads)
        self.deletions = self._payload_objects.deletions
        """S3 objects of runs that have ended; the deleter empties this list."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._entries

    def holds(self, entry: Entry) -> bool:
        """Return whether the ledger still holds a run: it may have been forgotten while a worker was waiting."""
        return self._entries.get(entry.run_id) is entry

    def __repr__(self) -> str:
        counts = {state.name.lower(): 0 for state in State}
        for entry in self:
            counts[entry.state.name.lower()] += 1
        return f"<Ledger {counts}>"

    # --- orders -------------------------------------------------------------------------------------------

    def launch(self, order: Launch, now: float) -> None:
        """Accept a launch order. An order for a run the ledger already holds changes nothing."""
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
            self._payload_objects.assume_stored(entry)
        self._entries[entry.run_id] = entry
        self.launches.add(entry, not_before=now)

    def watch(self, order: Watch, now: float) -> None:
        """Take over a running task. An order for a run the ledger already holds changes nothing."""
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
        if order.listed:  # otherwise only the ARN of the launch is known
            self._payload_objects.assume_stored(entry)
        self._entries[entry.run_id] = entry
        self._watch(entry, order.arn, order.cluster, order.container, now)

    def _launch_timeout(self, order: Launch | Watch) -> float:
        return self._options.launch_timeout if order.launch_timeout is None else order.launch_timeout

    def stop(self, run_id: str, reason: str) -> list[Report]:
        """Stop a run: at once if nothing was sent, otherwise as soon as its task is known."""
        entry = self._entries.get(run_id)
        if entry is None or entry.stop_reason is not None:
            return []
        entry.stop_reason = reason
        if entry.state is State.WATCHING:
            self.stops.append(entry)
        elif entry.state is State.WAITING and not entry.unknown_sends:
            return self._end(entry, Cancelled(run_id))
        if entry in self.puts:  # skip the upload: the launcher only searches for its task now
            self.puts.discard(entry)
            self.launches.add(entry, not_before=float("-inf"))
        self.launches.leave_lane(entry)
        return []

    def forget(self, run_id: str) -> None:
        """Drop a run. If a call for it is in flight, its answer will be ignored."""
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
        """Return the next run to send, if one is due."""
        entry = self.launches.pop(now)
        if entry is not None:
            self._putting.discard(entry)
            self._move(entry, State.SENDING)
        return entry

    def prepare(self, entry: Entry) -> None:
        """Hold a taken run while the launcher asks ECS something, before it sends the run or instead of sending it."""
        if self.holds(entry) and entry.state is State.SENDING:
            self.launches.give_back(entry)
            self._move(entry, State.PREPARING)

    def prepared(self, entry: Entry, now: float) -> None:
        """Queue the run again: ECS has answered, and if the launcher searched for a task, it found none."""
        if not self.holds(entry):
            return
        if entry.recovery is Recovery.SEARCH:
            entry.recovery = Recovery.REPLAY
        self._move(entry, State.WAITING)
        self.launches.add(entry, not_before=now)

    def must_put(self, entry: Entry, now: float) -> bool:
        """Queue a taken run for the uploader: its payload must be in S3 before it can be sent.

        Return whether the turn was free. If enough runs have an upload ahead of them already, it wasn't: the turn
        counts as used, and the request is dropped, so that a long queue isn't built and kept all at once.
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
        """Return the next run whose payload must be uploaded, if one is due."""
        entry = self.puts.pop(now)
        if entry is not None:
            self._move(entry, State.PREPARING)
        return entry

    def has_put(self, entry: Entry, request: Request, now: float) -> None:
        """Queue the run again with the request to send: its payload is in S3."""
        if not self.holds(entry):
            return
        entry.request, entry.puts = request, 0
        self._move(entry, State.WAITING)
        self.launches.add(entry, not_before=now)

    def _move(self, entry: Entry, state: State) -> None:
        self.sending += (state is State.SENDING) - (entry.state is State.SENDING)
        entry.state = state

    def launched(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> list[Report]:
        """Note that RunTask has started the task, or that it was found."""
        if not self.holds(entry):
            return []
        self._leave_queues(entry)
        self._watch(entry, arn, cluster, container, now)
        if entry.stop_reason is not None:
            self.stops.append(entry)
        return [Launched(entry.run_id, entry.number, arn, cluster, container)]

    def failed(self, entry: Entry, failure: Failure, now: float) -> list[Report]:
        """Retry the launch later, or end it: RunTask, or a step before it, failed."""
        if not self.holds(entry):
            return []
        self._move(entry, State.WAITING)
        kind = failure.kind
        if failure.is_unknown_outcome:
            entry.sent_at = entry.sent_at if entry.unknown_sends else now
            entry.unknown_sends += 1
        if kind is Kind.UNKNOWN or kind is Kind.FAULT:
            if kind is Kind.FAULT and self._fault_ends_run(entry, failure, now):
                return self._end(entry, given_up(entry, (entry.fault or failure).diagnosis))
            delay = backoff(entry.unknown_sends, base=1.0, cap=30.0, random=self._random)
            return self._wait(entry, failure, now + delay)
        entry.puts += kind is Kind.PAYLOAD
        held = self._keeps_launch(entry, kind, now)
        if kind is Kind.EXISTS:
            entry.stored = entry.maybe_stored = None  # another engine's container may be about to fetch it
        if entry.stop_reason is not None and not (held and entry.unknown_sends):
            return self._end(entry, Cancelled(entry.run_id))
        if held:
            if not entry.sent:
                entry.request = None  # the next send gets a fresh token
            is_put = kind is Kind.PAYLOAD
            delay = backoff(entry.puts, base=1.0, cap=30.0, random=self._random) if is_put else 0.0
            return self._wait(entry, failure, now + delay)
        # From here on, this launch number has definitely started nothing.
        if entry.recovery is Recovery.SEARCH_ONLY:
            return self._end(entry, lost(entry, failure.diagnosis))
        failed = LaunchFailed(
            entry.run_id,
            entry.number,
            failure.diagnosis,
            permanent=kind is Kind.CONFIGURATION,
            costs_attempt=kind not in {Kind.CAPACITY, Kind.EXISTS, Kind.PAYLOAD},
        )
        return self._end(entry, failed)

    def _fault_ends_run(self, entry: Entry, failure: Failure, now: float) -> bool:
        """Count a fault, and return whether to give the run up.

        The launcher first replays the launch, then only searches for its task; then the ledger gives the run up.
        """
        entry.faults += 1
        if entry.fault is None:
            if entry.faults >= FAULTS:
                entry.fault = failure
            return False
        # If the task may be running, or must be stopped, the launcher searches for as long as ECS remembers tasks.
        is_urgent = entry.recovery is not Recovery.SEARCH_ONLY and entry.stop_reason is None
        patience = self._options.missing_grace if is_urgent else self._options.list_timeout
        return now - entry.sent_at >= patience

    def _keeps_launch(self, entry: Entry, kind: Kind, now: float) -> bool:
        """Return whether a run keeps its launch number and its position in the queue."""
        if kind is Kind.PAYLOAD:
            # Until the grace time is over, ListTasks may miss a task that exists.
            is_open = entry.unknown_sends > 0 and now - entry.sent_at < self._options.missing_grace
            return is_open or entry.puts < PUTS
        # The rate limits slow the launches down, and the circuit breaker pauses them.
        return kind is Kind.THROTTLE or kind in PAUSING

    def _wait(self, entry: Entry, failure: Failure, not_before: float) -> list[Report]:
        queue = self.puts if failure.kind is Kind.PAYLOAD else self.launches
        queue.add(entry, not_before=not_before)
        # The engine reports a pause once for all runs, and a throttle isn't worth a report. Anything else is reported
        # once per cause. A run whose code has started isn't waiting for a launch.
        quiet = (
            failure.kind is Kind.THROTTLE
            or failure.kind in PAUSING
            or failure.kind is entry.last_waiting_kind
        )
        quiet = quiet or entry.recovery is Recovery.SEARCH_ONLY
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
        """Schedule the task's next poll, unless its run was dropped."""
        if not self.holds(entry):
            return
        uniform_interval = 2 * len(self.due) / self._polls_per_second
        delay = next_poll(now - entry.phase_since, uniform_interval, self._options.poll_interval)
        self.due.add(entry, now + delay)

    def stop_accepted(self, entry: Entry, now: float) -> None:
        """Note that ECS accepted StopTask: the task will end soon."""
        self._move_on(entry, Phase.ENDING, now)
        if entry in self.due:
            self.poll_again(entry, now)

    def _move_on(self, entry: Entry, phase: Phase, now: float) -> None:
        if phase > entry.phase:
            entry.phase, entry.phase_since = phase, now

    def described(self, entry: Entry, task: Task, now: float) -> list[Report]:
        """Take in what DescribeTasks returned for the task."""
        if not self.holds(entry):
            return []
        entry.missing = 0
        if not entry.seen:
            entry.seen = True
            self._payload_objects.observe(entry, task)
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
        """Note that DescribeTasks reported the task MISSING; return whether it is time to ask ListTasks about it."""
        if not self.holds(entry):
            return False
        if not entry.missing:
            entry.missing_since = now
        entry.missing += 1
        is_past_grace = now - entry.launched_at >= self._options.missing_grace
        if is_past_grace and entry.missing >= self._options.missing_sightings:
            return True
        self.poll_again(entry, now)
        return False

    def not_listed(self, entry: Entry, now: float, *, asked: bool) -> list[Report]:
        """End the run: ListTasks doesn't list the task either.

        If ListTasks couldn't be `asked`, the run ends only once ECS may have forgotten a stopped task.
        """
        if not self.holds(entry):
            return []
        if not asked and now - entry.missing_since < self._options.list_timeout:
            self.poll_again(entry, now)
            return []
        diagnosis = Diagnosis(
            "ECS does not show the task.",
            f"DescribeTasks says MISSING{', ListTasks does not list it' * asked}; {entry.arn}",
            f"ECS describes a stopped task for an hour at least. {LOST_REMEDY}",
        )
        return self._end(entry, lost(entry, diagnosis))

    def _end(self, entry: Entry, report: LaunchFailed | Stopped | Cancelled) -> list[Report]:
        del self._entries[entry.run_id]
        self._leave_queues(entry)
        self._payload_objects.run_ended(entry)
        return [report]
