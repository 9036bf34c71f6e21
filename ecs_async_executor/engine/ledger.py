"""The state of every ECS task the engine has in hand: a pure state machine.

It is told what happened (an order came, RunTask answered, DescribeTasks saw the task) and when, and it answers
with the reports to send. It makes no call and reads no clock. Only the engine's thread touches it.

    WAITING ──take──▶ SENDING ──launched──▶ WATCHING ──stopped──▶ gone (one terminal report)
       ▲                 │
       └──── failed ─────┘   (or gone: LaunchFailed, Cancelled)

A launch that has definitely started nothing is over: the next one is a new order, under the next launch number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ecs_async_executor.engine.backoff import Random, backoff
from ecs_async_executor.engine.entry import Entry, Phase, State
from ecs_async_executor.engine.failures import PAUSING, Failure, Kind
from ecs_async_executor.engine.messages import (
    Cancelled,
    Diagnosis,
    Launch,
    Launched,
    LaunchFailed,
    Recovery,
    Report,
    Running,
    Stopped,
    Waiting,
    Watch,
)
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.engine.payloads import NOT_FETCHED, fetched_by
from ecs_async_executor.engine.queues import DueList, LaunchQueue
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.stops import judge, without_workload

_NOT_YET_RUNNING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})


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
        elif entry.state is State.WAITING and not entry.unclear:
            return self._end(entry, Cancelled(run_id))
        self.launches.leave_lane(entry)
        return []

    def forget(self, run_id: str) -> None:
        """Let go of a run. The answer to a call in flight is not waited for."""
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            self.sending -= entry.state is State.SENDING
            self.launches.discard(entry)
            self.due.discard(entry)

    # --- launching ----------------------------------------------------------------------------------------

    def take(self, now: float) -> Entry | None:
        """Hand out the next run to send, if one is due."""
        entry = self.launches.pop(now)
        if entry is not None:
            entry.state = State.SENDING
            self.sending += 1
        return entry

    def launched(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> list[Report]:
        """RunTask has started (or found) the task."""
        if self._entries.get(entry.run_id) is not entry:
            return []
        self.sending -= 1
        self.launches.discard(entry)
        self._watch(entry, arn, cluster, container, now)
        if entry.stop_reason is not None:
            self.stops.append(entry)
        return [Launched(entry.run_id, entry.number, arn, cluster, container)]

    def failed(self, entry: Entry, failure: Failure, now: float) -> list[Report]:
        """RunTask failed: wait with the same launch, or end it."""
        if self._entries.get(entry.run_id) is not entry:
            return []
        self.sending -= 1
        kind = failure.kind
        if kind is Kind.UNKNOWN:
            if not entry.unclear:
                entry.sent_at = now
            entry.unclear += 1
            delay = backoff(entry.unclear, base=1.0, cap=30.0, random=self._random)
            return self._wait(entry, failure, now + delay)
        # Who slows down or pauses is the governor or the gate; the run keeps its launch and its place.
        held = kind in {Kind.THROTTLE, Kind.PAYLOAD} or kind in PAUSING
        if entry.stop_reason is not None and not (held and entry.unclear):
            return self._end(entry, Cancelled(entry.run_id))
        if held:
            if not entry.unclear:
                entry.request = None  # nothing was started: let the next send have a token that is fresh then
            return self._wait(entry, failure, now + self._put_again_after(entry, kind))
        # From here on this launch number has definitely started nothing.
        if entry.recovery is Recovery.FIND:
            return self._end(entry, self._gone(entry, failure.diagnosis))
        failed = LaunchFailed(
            entry.run_id,
            entry.number,
            failure.diagnosis,
            permanent=kind is Kind.CONFIGURATION,
            costs_attempt=kind not in {Kind.CAPACITY, Kind.EXISTS},
        )
        return self._end(entry, failed)

    def _put_again_after(self, entry: Entry, kind: Kind) -> float:
        if kind is not Kind.PAYLOAD:
            return 0.0
        entry.puts += 1
        return backoff(entry.puts, base=1.0, cap=30.0, random=self._random)

    def _wait(self, entry: Entry, failure: Failure, not_before: float) -> list[Report]:
        entry.state = State.WAITING
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
        if self._entries.get(entry.run_id) is not entry:
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
        if self._entries.get(entry.run_id) is not entry:
            return []
        entry.missing = 0
        if task.last_status == "STOPPED":
            fetched = entry.stored or fetched_by(task, entry.container)
            verdict = judge(task, entry.container)
            if fetched is not None and verdict.exit_code == NOT_FETCHED:
                verdict = without_workload(verdict)
            if fetched is not None and self._options.payloads and fetched.startswith(self._options.payloads):
                entry.stored = fetched
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
        self._move_on(entry, _phase_of(task), now)
        self.look_again(entry, now)
        if task.last_status in _NOT_YET_RUNNING:
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
        if self._entries.get(entry.run_id) is not entry:
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
        if self._entries.get(entry.run_id) is not entry:
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
        self.launches.discard(entry)
        self.due.discard(entry)
        if entry.stored is not None:
            self.spent.append(entry.stored)
        return [report]


def _phase_of(task: Task) -> Phase:
    if task.desired_status == "STOPPED":
        return Phase.ENDING
    if task.last_status in _NOT_YET_RUNNING:
        return Phase.STARTING
    return Phase.RUNNING if task.last_status == "RUNNING" else Phase.ENDING


def next_look(phase_age: float, even: float, poll_interval: float) -> float:
    """Seconds until the next look at a task whose phase was first seen `phase_age` seconds ago.

    Soon after it was launched, began to run or to end, and then less and less often: what is seen comes late by a
    tenth of how long it took, up to `poll_interval`. `even` is the interval at which looking at all tasks alike takes
    half of what the watcher may: with many tasks, none is looked at more often, and old ones not even that often.
    """
    shortest, longest = sorted((even, poll_interval))
    return min(max(1.0, shortest, phase_age / 10), longest)
