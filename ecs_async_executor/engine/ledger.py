"""The state of every ECS task the engine has in hand: a pure state machine.

It is told what happened (an order came, RunTask answered, DescribeTasks saw the task) and when, and it answers
with the reports to send. It makes no call and reads no clock. Only the engine's thread touches it.

    WAITING ──take──▶ SENDING ──launched──▶ WATCHING ──stopped──▶ gone (one terminal report)
       ▲                 │
       └──── failed ─────┘   (or gone: LaunchFailed, Cancelled)

What a container fetches from S3 is put before: `must_put` sends the run from SENDING to the queue of puts, and `has_put`
back to its old place among the launches.

A launch that has definitely started nothing is over: the next one is a new order, under the next launch number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.engine.entry import Entry, Phase, State
from ecs_async_executor.engine.failures import PAUSING, Failure, Kind
from ecs_async_executor.engine.looks import NOT_YET_RUNNING, next_look, phase_of
from ecs_async_executor.engine.messages import (
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
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by, url_of
from ecs_async_executor.engine.queues import DueList, LaunchQueue
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.stops import judge, without_workload

PUTS = 12
"""Failed PutObject calls after which a launch is given up for lack of S3: with the waits between them four minutes."""


class Ledger:
    """All runs in hand. Every method takes the time (seconds, any steady clock) from its caller."""

    def __init__(self, options: EngineOptions, random: Random) -> None:
        self._options = options
        self._looks_per_second = options.looks_per_second
        self._random = random
        self._entries: dict[str, Entry] = {}
        self.sending = 0
        """How many RunTask calls are in flight."""
        self.launches = LaunchQueue(options.run_task_rate)
        self.puts = LaunchQueue(Rate(0, 1))
        """Runs that need something in S3 before they can be sent."""
        self.due = DueList()
        self.stops: list[Entry] = []
        """Runs whose task is to be stopped; the stopper empties it."""
        self.spent: list[str] = []
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
            unclear=int(order.recovery is not Recovery.NONE),
            sent_at=now,
        )
        if order.recovery is Recovery.FIND:
            entry.presumed = self._presumed(entry)
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
            entry.presumed = self._presumed(entry)
        self._entries[entry.run_id] = entry
        self._watch(entry, order.arn, order.cluster, order.container, now)

    def _presumed(self, entry: Entry) -> str | None:
        """Name the object that the run's container fetches if it fetches one: whoever launched it knows."""
        return url_of(self._options.payloads, entry.client_token) if self._options.payloads else None

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
        elif entry.state is State.WAITING and not entry.unclear:
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
            self.sending -= entry.state is State.SENDING
            self._leave_queues(entry)

    def _leave_queues(self, entry: Entry) -> None:
        self.launches.discard(entry)
        self.puts.discard(entry)
        self.due.discard(entry)

    # --- launching ----------------------------------------------------------------------------------------

    def take(self, now: float) -> Entry | None:
        """Hand out the next run to send, if one is due."""
        entry = self.launches.pop(now)
        if entry is not None:
            entry.state = State.SENDING
            self.sending += 1
        return entry

    def must_put(self, entry: Entry, now: float) -> None:
        """Something must be put into S3 before the run can be sent."""
        if not self.holds(entry):
            return
        self._wait_again(entry)
        self.launches.give_back(entry)
        self.puts.add(entry, not_before=now)

    def take_put(self, now: float) -> Entry | None:
        """Hand out the next run to put something for, if one is due."""
        entry = self.puts.pop(now)
        if entry is not None:
            entry.state = State.PUTTING
        return entry

    def has_put(self, entry: Entry, request: Request, now: float) -> None:
        """All is in S3: this is the request to send, when it is the run's turn."""
        if not self.holds(entry):
            return
        self._wait_again(entry)
        entry.request = request
        self.launches.add(entry, not_before=now)

    def _wait_again(self, entry: Entry) -> None:
        self.sending -= entry.state is State.SENDING
        entry.state = State.WAITING

    def launched(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> list[Report]:
        """RunTask has started (or found) the task."""
        if not self.holds(entry):
            return []
        self.sending -= entry.state is State.SENDING
        self._leave_queues(entry)
        self._watch(entry, arn, cluster, container, now)
        if entry.stop_reason is not None:
            self.stops.append(entry)
        return [Launched(entry.run_id, entry.number, arn, cluster, container)]

    def failed(self, entry: Entry, failure: Failure, now: float) -> list[Report]:
        """RunTask, or what comes before it, failed: wait with the same launch, or end it."""
        if not self.holds(entry):
            return []
        self._wait_again(entry)
        kind = failure.kind
        if kind is Kind.UNKNOWN:
            if not entry.unclear:
                entry.sent_at = now
            entry.unclear += 1
            delay = backoff(entry.unclear, base=1.0, cap=30.0, random=self._random)
            return self._wait(entry, failure, now + delay)
        entry.puts += kind is Kind.PAYLOAD
        held = self._is_held(entry, kind, now)
        if entry.stop_reason is not None and not (held and entry.unclear):
            return self._end(entry, Cancelled(entry.run_id))
        if held:
            if not entry.unclear:
                # Nothing was started: let the next send have a token that is fresh then.
                entry.request, entry.sent = None, False
            is_put = kind is Kind.PAYLOAD
            delay = backoff(entry.puts, base=1.0, cap=30.0, random=self._random) if is_put else 0.0
            return self._wait(entry, failure, now + delay)
        # From here on this launch number has definitely started nothing.
        if entry.recovery is Recovery.FIND:
            return self._end(entry, self._gone(entry, failure.diagnosis))
        failed = LaunchFailed(
            entry.run_id,
            entry.number,
            failure.diagnosis,
            permanent=kind is Kind.CONFIGURATION,
            costs_attempt=kind not in {Kind.CAPACITY, Kind.EXISTS, Kind.PAYLOAD},
        )
        return self._end(entry, failed)

    def _is_held(self, entry: Entry, kind: Kind, now: float) -> bool:
        """Tell whether a run keeps its launch and its place."""
        if kind is Kind.PAYLOAD:
            # None found by ListTasks is none after the grace time only.
            is_open = entry.unclear > 0 and now - entry.sent_at < self._options.missing_grace
            return is_open or entry.puts < PUTS
        # Who slows down or pauses is the governor or the gate.
        return kind is Kind.THROTTLE or kind in PAUSING

    def _wait(self, entry: Entry, failure: Failure, not_before: float) -> list[Report]:
        self.launches.add(entry, not_before=not_before)
        # A pause is said once for the whole engine, a throttle is everyday life, and the rest once per cause. What
        # has started already does not wait for its launch.
        quiet = failure.kind is Kind.THROTTLE or failure.kind in PAUSING or failure.kind is entry.said
        quiet = quiet or entry.recovery is Recovery.FIND
        if quiet:
            return []
        entry.said = failure.kind
        return [Waiting(entry.run_id, failure.diagnosis)]

    # --- watching -----------------------------------------------------------------------------------------

    def _watch(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> None:
        entry.state = State.WATCHING
        entry.arn, entry.cluster, entry.container = arn, cluster, container
        entry.build = entry.request = None
        entry.launched_at = entry.phase_since = now
        self.due.add(entry, now + next_look(0.0, 1.0, self._options.poll_interval))

    def look_again(self, entry: Entry, now: float) -> None:
        """Put the task back on the due list, for its next look; a run that was let go of stays away."""
        if not self.holds(entry):
            return
        even = 2 * len(self.due) / self._looks_per_second
        delay = next_look(now - entry.phase_since, even, self._options.poll_interval)
        self.due.add(entry, now + delay)

    def told_to_stop(self, entry: Entry, now: float) -> None:
        """StopTask has been accepted: the task ends soon."""
        self._move_on(entry, Phase.ENDING, now)
        if entry in self.due:
            self.look_again(entry, now)

    def _move_on(self, entry: Entry, phase: Phase, now: float) -> None:
        if phase > entry.phase:
            entry.phase, entry.phase_since = phase, now

    def described(self, entry: Entry, task: Task, now: float) -> list[Report]:
        """DescribeTasks has seen the task."""
        if not self.holds(entry):
            return []
        entry.missing = 0
        if not entry.seen:
            self._see(entry, task)
        if task.last_status == "STOPPED":
            verdict = judge(task, entry.container)
            if verdict.exit_code == NOT_FETCHED and (entry.stored or fetched_by(task, entry.container)):
                verdict = without_workload(verdict)
            diagnosis = verdict.diagnosis
            if entry.timed_out and not verdict.ran:
                diagnosis = replace(
                    diagnosis,
                    summary=f"The task did not run within {entry.launch_timeout:.0f} s, so it was stopped.",
                    remedy="See in ECS what it waited for (capacity, network, image), or raise `launch_timeout`.",
                )
            stopped = Stopped(
                entry.run_id,
                entry.number,
                entry.arn,
                exit_code=verdict.exit_code,
                ran=verdict.ran,
                permanent=verdict.permanent,
                costs_attempt=not verdict.capacity,
                interrupted=verdict.interrupted,
                diagnosis=diagnosis,
            )
            return self._end(entry, stopped)
        self._move_on(entry, phase_of(task), now)
        self.look_again(entry, now)
        if task.last_status in NOT_YET_RUNNING:
            self._check_launch_timeout(entry, now)
        if task.last_status == "RUNNING" and not entry.seen_running:
            entry.seen_running = True
            return [Running(entry.run_id, entry.arn)]
        return []

    def _see(self, entry: Entry, task: Task) -> None:
        """Learn of the task itself, whoever has launched it, what it fetches from S3."""
        entry.seen, entry.presumed = True, None
        if entry.stored is None and self._options.payloads:
            fetched = fetched_by(task, entry.container)
            if fetched is not None and fetched.startswith(self._options.payloads):
                entry.stored = fetched

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
        self.look_again(entry, now)
        return False

    def not_listed(self, entry: Entry, now: float, *, asked: bool) -> list[Report]:
        """ListTasks does not know the task either, or could not be `asked`: then wait for as long as ECS remembers."""
        if not self.holds(entry):
            return []
        if not asked and now - entry.missing_since < self._options.list_timeout:
            self.look_again(entry, now)
            return []
        diagnosis = Diagnosis(
            "ECS has lost the task.",
            f"DescribeTasks says MISSING; {entry.arn}",
            "Stopped tasks are kept for an hour: was the scheduler away for longer, or the cluster deleted?",
        )
        return self._end(entry, self._gone(entry, diagnosis))

    def _gone(self, entry: Entry, diagnosis: Diagnosis) -> Stopped:
        return Stopped(
            entry.run_id,
            entry.number,
            entry.arn,
            exit_code=None,
            ran=True,
            permanent=False,
            diagnosis=diagnosis,
        )

    def _end(self, entry: Entry, report: LaunchFailed | Stopped | Cancelled) -> list[Report]:
        del self._entries[entry.run_id]
        self._leave_queues(entry)
        left = entry.stored or entry.presumed
        if left is not None:
            self.spent.append(left)
        return [report]
