"""Every run that the engine has, and its state: a sans-I/O state machine.

The workers tell it what happened (an order arrived, RunTask answered, DescribeTasks showed the task) and when, and it
returns the reports to send. It makes no call and reads no clock. Only the engine's thread touches it.

    WAITING ──take──▶ SENDING ──launched──▶ WATCHING ──described, not_listed──▶ ENDED (one terminal report)
       ▲                 │
       └──── failed ─────┘   (or ENDED: LaunchFailed, Cancelled)

Slow work before a send happens in states of its own; then the run returns to its old position in the launch queue.
Either the launcher asks ECS something (`prepare`, PREPARING, `prepared`), or the uploader puts the run's payload into
S3 (`must_put`, UPLOAD_WAITING, `take_put`, UPLOADING, `has_put`).

A run that a standby serves takes another way, in `warm_starts.py`. The standby itself is in the ledger like a run, until
the run's entry takes over its ECS task. `entry.py` has all states and transitions.

A launch that definitely started nothing has ended. The next one is a new order, with the next launch number.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from sys import intern
from uuid import UUID, uuid4

from ecs_async_executor.backoff import Random
from ecs_async_executor.engine.capacity.gates import Gates
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.engine.diagnosis.slow_starts import describe_slow_start
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.responses import Task
from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.engine.state.entry import Entry, LaunchRecord, Phase, State, TaskRecord
from ecs_async_executor.engine.state.failure_rules import FAILURE_RULES, Reaction, delay_after
from ecs_async_executor.engine.state.launch_queue import LaunchQueue
from ecs_async_executor.engine.state.payload_objects import PayloadObjects
from ecs_async_executor.engine.state.poll_schedule import NOT_YET_RUNNING, PollSchedule, next_poll, phase_of
from ecs_async_executor.engine.state.start_times import StartTimes
from ecs_async_executor.engine.state.terminal_reports import (
    LOST_REMEDY,
    lost,
    not_launched,
    stopped,
    usage_of,
)
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    HandedOver,
    Launch,
    Launched,
    Recovery,
    Report,
    Request,
    Running,
    SlowStart,
    Stopped,
    Terminal,
    Waiting,
    Watch,
)
from ecs_async_executor.standby.command import is_standby
from ecs_async_executor.task_arn import TaskArn

PUTS_AHEAD = 40
"""Runs that may have an upload ahead of them without paying for the turn that found it necessary.

Enough for PutObject to keep ahead of RunTask, and few enough that the requests kept for them are neither many nor old
when they are sent."""


class Ledger:
    """All runs the engine holds. The caller passes the time (in seconds, on any steady clock) to every method."""

    def __init__(self, options: EngineOptions, random: Random, random_id: Callable[[], UUID] = uuid4) -> None:
        self._options = options
        self._polls_per_second = options.polls_per_second
        self._random = random
        self._entries: dict[str, Entry] = {}
        self.sending = 0
        """RunTask calls in flight."""
        self.gates = Gates()
        """Which launches ECS has room for."""
        self.launches = LaunchQueue(options.run_task_rate, self.gates)
        self.puts = LaunchQueue(Rate(0, 1))
        """Runs whose payload must be uploaded to S3 before they can be sent."""
        self.standbys = Standbys(random_id)
        """Which standbys are kept, and whom they may serve."""
        self.handing_over = 0
        """Workloads on their way to standbys."""
        self.unsettled_standbys: deque[Entry] = deque()
        """Runs whose standby may have no workload, and must get none any more; the hand-over empties this list."""
        self.uploads_ahead: set[Entry] = set()
        """The runs in `puts`, and those that have been uploaded but not taken for sending again."""
        self.due = PollSchedule()
        self._start_times = StartTimes()
        self.stops: deque[Entry] = deque()
        """Runs whose task must be stopped; the stopper empties this list."""
        self.payload_objects = PayloadObjects(options.payloads)
        self.deletions = self.payload_objects.deletions
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
        counts = Counter(entry.state for entry in self)
        parts = [f"{counts[state]} {state.name.lower()}" for state in State if counts[state]]
        return f"<Ledger: {', '.join(parts) or 'empty'}>"

    def entry(self, run_id: str) -> Entry | None:
        """Return the entry of a run or a standby; None if the ledger doesn't hold it."""
        return self._entries.get(run_id)

    def state_of(self, run_id: str) -> State | None:
        """Return the state of a run or a standby; None if the ledger doesn't hold it."""
        entry = self._entries.get(run_id)
        return entry.state if entry is not None else None

    def unsettled(self) -> Iterator[Entry]:
        """Yield the runs whose task isn't known, or is to be stopped."""
        return (each for each in self if each.state is not State.WATCHING or each.stop_reason is not None)

    # --- orders -------------------------------------------------------------------------------------------

    def launch(self, order: Launch, now: float) -> None:
        """Accept a launch order. An order for a run the ledger already holds changes nothing."""
        if order.run_id in self._entries:
            return
        maybe_sent = order.recovery is not Recovery.NONE
        entry = self._entries[order.run_id] = Entry(
            order.run_id,
            order.label,
            order.number,
            State.WAITING,
            priority=order.priority,
            lane=order.lane,
            room=order.room,
            launch_timeout=self._launch_timeout(order),
            queue=order.queue,
            is_standby=order.run_id in self.standbys,
            listed=order.run_id not in self.standbys,
            trace=order.trace,
            cluster=order.cluster,
            container=order.container,
            launch=LaunchRecord(
                order.build,
                ordered_at=now,
                capacity_timeout=order.capacity_timeout,
                recovery=order.recovery,
                unknown_sends=int(maybe_sent),
                maybe_sent_at=now,
                pool=order.standby,
                claim=order.claim,
                cold_because=order.cold_because,
            ),
        )
        why = intern(
            f"launch {order.number} ordered, recovery {order.recovery.name}"
        )  # ten thousand share it
        entry.history.note(now, entry.state.name, why)
        if maybe_sent:
            self.payload_objects.assume_stored(entry)
        self.launches.add(entry, not_before=now)

    def watch(self, order: Watch, now: float) -> None:
        """Take over a running task. An order for a run the ledger already holds changes nothing."""
        if order.run_id in self._entries:
            return
        entry = self._entries[order.run_id] = Entry(
            order.run_id,
            order.label,
            order.number,
            State.WATCHING,
            launch_timeout=self._launch_timeout(order),
            queue=order.queue,
            room=order.room,
            listed=order.listed,
        )
        entry.history.note(now, entry.state.name, "watch ordered")
        if order.listed:  # otherwise only the ARN of the launch is known
            self.payload_objects.assume_stored(entry)
        self._watch(entry, order.arn, order.cluster, order.container, now)

    def _launch_timeout(self, order: Launch | Watch) -> float:
        return self._options.launch_timeout if order.launch_timeout is None else order.launch_timeout

    def stop(self, run_id: str, reason: str, now: float) -> list[Report]:
        """Stop a run: at once if nothing was sent, otherwise as soon as its task is known."""
        entry = self._entries.get(run_id)
        if entry is None or entry.stop_reason is not None:
            return []
        entry.stop_reason = reason
        waits = entry.state in {State.WAITING, State.UPLOAD_WAITING}
        if entry.state is State.WATCHING:
            self.stops.append(entry)
        elif waits and not entry.launch.unknown_sends:
            return self.end(entry, Cancelled(run_id), now)
        if (
            entry.state is State.UPLOAD_WAITING
        ):  # skip the upload: the launcher only searches for its task now
            self.puts.discard(entry)
            self.queue(entry, "stop ordered", now)
        self.launches.make_ready(entry)
        return []

    def forget(self, run_id: str, now: float) -> None:
        """Drop a run. If a call for it is in flight, its answer will be ignored."""
        entry = self._entries.get(run_id)
        if entry is not None:
            self.remove(entry, "forgotten", now)

    # --- launching ----------------------------------------------------------------------------------------

    def take(self, now: float) -> Entry | None:
        """Return the next run to send, if one is due."""
        entry = self.launches.pop(now)
        if entry is not None:
            self.uploads_ahead.discard(entry)
            self.move(entry, State.SENDING, "its turn", now)
        return entry

    def prepare(self, entry: Entry, now: float) -> None:
        """Hold a taken run while the launcher asks ECS something, before it sends the run or instead of sending it."""
        if self.holds(entry) and entry.state is State.SENDING:
            self._give_back(entry, now)
            self.move(entry, State.PREPARING, "ECS is asked first", now)

    def prepared(self, entry: Entry, now: float) -> None:
        """Queue the run again, for its next turn; if the launcher searched for a task, it found none."""
        if not self.holds(entry):
            return
        if entry.launch.recovery is Recovery.SEARCH:
            entry.launch.recovery = Recovery.REPLAY
        self.queue(entry, "nothing to wait for until its turn", now)

    @property
    def has_room_for_upload(self) -> bool:
        """Whether the turn of a run that must be uploaded first is free.

        If enough runs have an upload ahead of them already, it isn't, so that a long queue isn't built and kept all
        at once.
        """
        return len(self.uploads_ahead) < PUTS_AHEAD

    def must_put(self, entry: Entry, now: float) -> None:
        """Queue a taken run for the uploader: its payload must be in S3 before it can be sent."""
        if not self.holds(entry):
            return
        if self.has_room_for_upload:
            self._give_back(entry, now)
        else:
            self._withdraw(entry, now)
            entry.launch.request = None
        self.uploads_ahead.add(entry)
        self.move(entry, State.UPLOAD_WAITING, "its payload goes through S3", now)
        self.puts.add(entry, not_before=now)

    def take_put(self, now: float) -> Entry | None:
        """Return the next run whose payload must be uploaded, if one is due."""
        entry = self.puts.pop(now)
        if entry is not None:
            self.move(entry, State.UPLOADING, "its turn", now)
        return entry

    def has_put(self, entry: Entry, request: Request, now: float) -> None:
        """Queue the run again with the request to send: its payload is in S3."""
        if not self.holds(entry):
            return
        entry.launch.request, entry.launch.failed_puts = request, 0
        self.queue(entry, "uploaded", now)

    def launched(  # noqa: PLR0913  what is known about a task
        self,
        entry: Entry,
        arn: str,
        cluster: str,
        container: str,
        now: float,
        *,
        capacity: str = "",
        created_at: float | None = None,
    ) -> list[Report]:
        """Note that RunTask has started the task, with this `capacity`, and when (epoch seconds); or that it was found."""
        if not self.holds(entry):
            return []
        waited = self._waited_for_room(entry, now) if entry.passes else 0.0
        self.gates.accept(entry.passes, now, created_at)
        entry.passes = ()
        start = self._started_cold(entry) if entry.launch.sent else ""
        self.start_watching(entry, arn, cluster, container, now)
        return [Launched(entry.run_id, entry.number, arn, cluster, container, capacity, waited, start)]

    def start_watching(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> None:
        """Watch a run's task, which is known from now on."""
        self._leave_queues(entry)
        self.move(entry, State.WATCHING, "its task is known", now)
        self._watch(entry, arn, cluster, container, now)
        if entry.stop_reason is not None:
            self.stops.append(entry)

    def _started_cold(self, entry: Entry) -> str:
        """Count a cold start of a run whose profile has standbys, and explain it."""
        pool = entry.launch.pool
        if pool is None:
            return ""
        entry.launch.cold_because = why = self.standbys.started_cold(pool, entry.launch.cold_because)
        return f"cold start: {why}"

    def refused(self, entry: Entry, failure: Failure, now: float) -> None:
        """Tell the gates that ECS had no room for a call, whatever that turns out to mean for the launch."""
        if self.holds(entry) and entry.state is State.SENDING:
            self.gates.refuse(entry.room, entry.passes, failure.shortage, failure.diagnosis, now)
            entry.passes = ()

    def failed(self, entry: Entry, failure: Failure, now: float) -> list[Report]:
        """Retry the launch later, or end it: RunTask, or a step before it, failed."""
        if not self.holds(entry):
            return []
        entry.launch.note(failure, now)
        waited = self._waited_for_room(entry, now)
        if failure.kind is Kind.CAPACITY:
            self.refused(entry, failure, now)
            self.launches.keep_position(entry, now)
            if not entry.is_standby:
                self.launches.expect(entry.run_id, entry.room, now)
        self._withdraw(entry, now)
        if failure.kind is Kind.EXISTS:
            entry.stored = entry.maybe_stored = None  # another engine's container may be about to fetch it
        delay = delay_after(entry, failure, now, self._options, self._random)
        if delay is None:
            return self.end(entry, not_launched(entry, failure, waited), now)
        if not entry.launch.sent and FAILURE_RULES[failure.kind].reaction is not Reaction.REPEAT:
            entry.launch.request = None  # the next send gets a fresh token
        if failure.kind is Kind.PAYLOAD:
            self.move(entry, State.UPLOAD_WAITING, failure.kind.value, now)
            self.puts.add(entry, not_before=now + delay)
        else:
            self.queue(entry, failure.kind.value, now, delay)
        return self._waiting(entry, failure)

    def _waiting(self, entry: Entry, failure: Failure) -> list[Report]:
        """Report that a run waits, once per cause.

        The engine reports a pause once for all runs, and a throttle isn't worth a report. A run whose code has started
        isn't waiting for a launch.
        """
        launch = entry.launch
        is_common = FAILURE_RULES[failure.kind].reaction is Reaction.KEEP
        if is_common or failure.kind is launch.last_waiting_kind or launch.recovery is Recovery.SEARCH_ONLY:
            return []
        launch.last_waiting_kind = failure.kind
        return [Waiting(entry.run_id, failure.diagnosis)]

    # --- standbys -----------------------------------------------------------------------------------------

    def note_definition(self, entry: Entry, task: Task) -> None:
        """Note which revision of its task definition RunTask has started: standbys of older ones aren't used any more."""
        pool = self.standbys.pool_of(entry.run_id) if entry.is_standby else entry.launch.pool
        if pool is not None and not entry.launch.cold_because:
            self.standbys.note_definition(pool, entry.run_id, task.task_definition_arn)
        if pool is not None and entry.is_standby and (size := usage_of(task, 0.0, 0.0)) is not None:
            arn = TaskArn.parse(task.task_arn)
            self.standbys.note_size(pool, size, arn.region if arn is not None else "")

    def short_of_room(self, now: float) -> Counter[str]:
        """Count the runs that wait for room, by cluster."""
        found = Counter[str]()
        for room, entries in self.launches.by_room(now).items():
            if self.gates.shut(room, now) is not None:
                found[room.cluster] += sum(not each.is_standby for each in entries)
        # Each refusal takes a run back to its row for some heartbeats: it waits all the same.
        found.update(
            room.cluster for room in self.launches.expected(now) if self.gates.shut(room, now) is not None
        )
        return found

    # --- watching -----------------------------------------------------------------------------------------

    def _watch(self, entry: Entry, arn: str, cluster: str, container: str, now: float) -> None:
        entry.arn, entry.cluster, entry.container = arn, cluster, container
        entry.launch.build = entry.launch.request = None
        entry.task = TaskRecord(launched_at=now, phase_since=now)
        self.due.add(entry, now + next_poll(0.0, 1.0, self._options.poll_interval))

    def poll_again(self, entry: Entry, now: float) -> None:
        """Schedule the task's next poll, unless its run was dropped."""
        if not self.holds(entry):
            return
        uniform_interval = 2 * len(self.due) / self._polls_per_second
        delay = next_poll(now - entry.task.phase_since, uniform_interval, self._options.poll_interval)
        self.due.add(entry, now + delay)

    def stop_accepted(self, entry: Entry, now: float) -> None:
        """Note that ECS accepted StopTask: the task will end soon."""
        entry.task.reach(Phase.ENDING, now)
        if entry in self.due:
            self.poll_again(entry, now)

    def described(self, entry: Entry, task: Task, now: float) -> list[Report]:
        """Take in what DescribeTasks returned for the task."""
        if not self.holds(entry):
            return []
        entry.task.missing = 0
        reports = [] if entry.task.seen else self._see(entry, task)
        if not entry.task.provisioned and task.last_status != "PROVISIONING":
            entry.task.provisioned = True
            self.gates.leave_provisioning(entry.room, now)
        if task.last_status == "STOPPED":
            report = stopped(entry, task)
            self._settle_room(entry, report, now, task.stopped_at)
            return self.end(entry, report, now)
        entry.task.reach(phase_of(task), now)
        self.poll_again(entry, now)
        if task.last_status in NOT_YET_RUNNING:
            self._check_launch_timeout(entry, now)
            return reports + self._check_slow_start(entry, task, now)
        if task.last_status == "RUNNING" and not entry.task.seen_running:
            entry.task.seen_running = True
            self._start_times.note(task)
            self.gates.start(entry.room, entry.task.launched_at, now)
            if entry.is_standby and task.started_at and task.pull_started_at:
                self.standbys.note_start(entry.run_id, task.started_at - task.pull_started_at)
            reports.append(Running(entry.run_id, entry.arn))
        return reports

    def _see(self, entry: Entry, task: Task) -> list[Report]:
        """Note what only the first description of a task can tell."""
        entry.task.seen = True
        fetched = self.payload_objects.observe(entry, task)
        if entry.is_standby or not is_standby(fetched):
            return []
        # Another scheduler has taken a standby for this run, and may not have lived to hand over the workload.
        entry.standby_url = fetched
        entry.is_warm, entry.task.standby_age = True, None
        self.unsettled_standbys.append(entry)
        return [HandedOver(entry.run_id)]

    def _check_slow_start(self, entry: Entry, task: Task, now: float) -> list[Report]:
        waited = now - entry.task.launched_at
        if entry.task.slow or waited < self._start_times.slow_after(task.family):
            return []
        entry.task.slow = True
        usual = self._start_times.usual(task.family)
        return [SlowStart(entry.run_id, describe_slow_start(task, waited, usual))]

    def _check_launch_timeout(self, entry: Entry, now: float) -> None:
        timeout = entry.launch_timeout
        if timeout and entry.stop_reason is None and now - entry.task.launched_at >= timeout:
            entry.stop_reason = f"did not run within {timeout:.0f} s"
            entry.task.timed_out = True
            self.stops.append(entry)

    def not_seen(self, entry: Entry, now: float) -> bool:
        """Note that DescribeTasks reported the task MISSING, or refused to show it.

        Return whether it is time to ask ListTasks about it.
        """
        if not self.holds(entry):
            return False
        task = entry.task
        if not task.missing:
            task.missing_since = now
        task.missing += 1
        is_past_grace = now - task.launched_at >= self._options.missing_grace
        if is_past_grace and task.missing >= self._options.missing_sightings:
            return True
        self.poll_again(entry, now)
        return False

    def not_listed(
        self, entry: Entry, now: float, *, asked: bool, refusal: Failure | None = None
    ) -> list[Report]:
        """End the run: ListTasks doesn't list the task either.

        If ListTasks couldn't be `asked`, the run ends only once ECS may have forgotten a stopped task. A `refusal` is what
        DescribeTasks answered instead of MISSING: then the task may live, and the run isn't launched again.
        """
        if not self.holds(entry):
            return []
        is_urgent = entry.is_standby  # nothing is lost with it
        if not asked and not is_urgent and now - entry.task.missing_since < self._options.list_timeout:
            self.poll_again(entry, now)
            return []
        says = (
            f"DescribeTasks was refused: {refusal.diagnosis.detail}"
            if refusal
            else "DescribeTasks says MISSING"
        )
        diagnosis = Diagnosis(
            "ECS does not show the task.",
            f"{says}{', ListTasks does not list it' * asked}; {entry.arn}",
            f"ECS describes a stopped task for an hour at least. {LOST_REMEDY}",
        )
        self.gates.end(entry.room, now)
        return self.end(entry, lost(entry, diagnosis, permanent=refusal is not None), now)

    def is_missing_for_long(self, entry: Entry, now: float) -> bool:
        """Return whether polls haven't shown the task for longer than ECS takes to show a new one."""
        return entry.task.missing > 0 and now - entry.task.missing_since > self._options.missing_grace

    def _settle_room(self, entry: Entry, report: Stopped, now: float, stopped_at: float | None) -> None:
        """Tell the gates what a task's end means for others."""
        if report.ran:
            self.gates.start(entry.room, entry.task.launched_at, now)
        elif not report.costs_attempt:
            self.gates.come_to_nothing(entry.room, report.diagnosis, now)
            return
        if not report.interrupted:  # otherwise AWS has taken its place away
            self.gates.end(entry.room, now, stopped_at)

    # --- states: for the modules of this package only ----------------------------------------------------

    def move(self, entry: Entry, state: State, why: str, now: float) -> None:
        """Change a run's state; raises `ImpossibleTransitionError`. Which queues it is in is the caller's business."""
        self.sending += (state is State.SENDING) - (entry.state is State.SENDING)
        self.handing_over += (state is State.HANDING_OVER) - (entry.state is State.HANDING_OVER)
        entry.move(state, why, now)

    def _give_back(self, entry: Entry, now: float) -> None:
        """Return what a taken run has used up: it isn't launched now."""
        self.launches.give_back(entry)
        self._withdraw(entry, now)

    def _waited_for_room(self, entry: Entry, now: float) -> float:
        """Return the seconds for which a launch that asks for room has waited for it."""
        why = self.gates.shut(entry.room, now)
        return 0.0 if why is None else now - max(entry.launch.ordered_at, why.since)

    def _withdraw(self, entry: Entry, now: float) -> None:
        """Tell the gates that a taken run's call says nothing about room."""
        self.gates.withdraw(entry.passes, now)
        entry.passes = ()

    def queue(self, entry: Entry, why: str, now: float, delay: float = 0.0) -> None:
        """Let a run wait for RunTask, in the launch queue."""
        self.move(entry, State.WAITING, why, now)
        self.launches.add(entry, not_before=now + delay)

    def end(self, entry: Entry, report: Terminal, now: float) -> list[Report]:
        """End a run with its only terminal report. The caller makes sure that no container can start from it any more."""
        self.remove(entry, type(report).__name__, now)
        self.payload_objects.delete(entry)
        return [report]

    def remove(self, entry: Entry, why: str, now: float) -> None:
        """Drop a run without a report."""
        self.move(entry, State.ENDED, why, now)
        self._withdraw(entry, now)
        del self._entries[entry.run_id]
        self._leave_queues(entry)

    def _leave_queues(self, entry: Entry) -> None:
        self.uploads_ahead.discard(entry)
        self.launches.discard(entry)
        self.puts.discard(entry)
        self.due.discard(entry)
