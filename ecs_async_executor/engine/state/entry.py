"""What the ledger knows about one run: its state, and records about its launch and about its task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TypeAlias

from ecs_async_executor.engine.capacity.gates import Pass
from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.history import History, move
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import Build, Claim, RateShare, Recovery, Request, Room

FAULTS = 5
"""Faults in this process after which a launch is no longer replayed; with the waits between them, 15 seconds."""


Place: TypeAlias = tuple[str, str]
"""Where a task is: the cluster that is asked about it, and its ARN but for its id: Region, account, cluster (not in old ARNs)."""
_SEARCHED = frozenset({Recovery.SEARCH_ONLY, Recovery.SEARCH})


class State(Enum):
    """What the engine is doing for a run."""

    WAITING = "waiting for its turn to be sent"
    PREPARING = "the launcher searches for its task, or asks for its cluster's default or its image's revision, before it is sent"
    UPLOAD_WAITING = "waiting for the upload of its payload"
    UPLOADING = "its payload is on its way to S3"
    SENDING = "RunTask is in flight"
    ASSIGNED = "a standby is to serve it, once its row names that standby"
    HANDING_OVER = "its workload is on its way to its standby"
    WATCHING = "its task is known, and is polled until it has stopped"
    ENDED = "its terminal report was sent, or the run was forgotten"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.WAITING: frozenset({State.SENDING, State.ASSIGNED, State.ENDED}),
    State.PREPARING: frozenset({State.WAITING, State.WATCHING, State.ENDED}),
    State.UPLOAD_WAITING: frozenset({State.UPLOADING, State.WAITING, State.ENDED}),
    State.UPLOADING: frozenset({State.WAITING, State.UPLOAD_WAITING, State.WATCHING, State.ENDED}),
    State.SENDING: frozenset(
        {State.WAITING, State.PREPARING, State.UPLOAD_WAITING, State.WATCHING, State.ENDED}
    ),
    State.ASSIGNED: frozenset({State.WAITING, State.HANDING_OVER, State.ENDED}),
    State.HANDING_OVER: frozenset({State.WATCHING, State.ENDED}),
    State.WATCHING: frozenset({State.ENDED}),
    State.ENDED: frozenset(),
}
"""The states that may follow each state."""


class Phase(IntEnum):
    """How far DescribeTasks has seen a launched task get. It never moves back."""

    STARTING = 0
    RUNNING = 1
    ENDING = 2
    """Its desiredStatus is STOPPED, or its lastStatus is past RUNNING."""


@dataclass(slots=True, eq=False)
class LaunchRecord:
    """What matters until the run's task is known."""

    build: Build | None = field(default=None, repr=False)
    """None for a run that is only watched, and once the task is known."""
    ordered_at: float = 0.0
    capacity_timeout: float = math.inf
    """Seconds it may wait for room."""
    first_sent_at: float | None = None
    """When this engine first called RunTask for it."""
    request: Request | None = None
    """Built for this launch number's first send, and frozen from that send until its outcome is known."""
    built_at: float = 0.0
    sent: bool = False
    """This engine sent exactly this request, which may have started a task: none of its bytes may change now."""
    recovery: Recovery = Recovery.NONE
    maybe_sent_at: float = 0.0
    """Time of the last send with an unknown outcome. If another engine had the run before, the time it arrived here."""
    needs_answer: bool = False
    """Another engine may have sent it long ago: ECS is asked by its clientToken now, whether there is room or not."""
    unknown_sends: int = 0
    """Sends of this launch number with an unknown outcome, by any engine. If there are any, its task may exist."""
    failed_puts: int = 0
    """PutObject calls that failed."""
    faults: int = 0
    """Calls for this launch number that failed because code in this process raised."""
    fault: Failure | None = None
    """Set after too many faults: from then on the engine searches for the task, and calls RunTask no more."""
    last_waiting_kind: Kind | None = None
    """The run's own reason for waiting that was last reported."""
    awaited_image: str = ""
    """The image whose revision it waits for just now."""
    held_up_by: tuple[str, ...] = ()
    """The reasons for waiting, shared with other launches, that were reported."""
    pool: str | None = None
    """The pool of its profile's standbys."""
    claim: Claim | None = None
    cold_because: str = ""
    """Why none of them may serve it."""

    def note(self, failure: Failure, now: float) -> None:
        """Count a failed step."""
        if failure.is_unknown_outcome:
            if not self.unknown_sends:
                self.maybe_sent_at = now
            self.unknown_sends += 1
        if failure.kind is Kind.PAYLOAD:
            self.failed_puts += 1
        if failure.kind is Kind.FAULT:
            self.faults += 1
            if self.faults == FAULTS:
                self.fault = failure


@dataclass(slots=True, eq=False)
class TaskRecord:
    """What matters once the run's task is known. Times are 0.0 before that."""

    launched_at: float = 0.0
    phase: Phase = Phase.STARTING
    phase_since: float = 0.0
    seen: bool = False
    """DescribeTasks has shown the task."""
    seen_running: bool = False
    missing: int = 0
    """How many polls in a row reported it as MISSING, or were refused for good: it is elsewhere, or was adopted and is denied."""
    missing_since: float = 0.0
    slow: bool = False
    """Its slow start was reported."""
    provisioned: bool = False
    """It isn't in PROVISIONING any more."""
    standby_age: float | None = 0.0
    """Seconds that it had been running as a standby when its run got it; None: it was one, and nobody knows for how long."""
    timed_out: bool = False
    """The engine is stopping it because it wasn't running within the launch timeout."""

    def reach(self, phase: Phase, now: float) -> None:
        """Note that the task has got this far."""
        if phase > self.phase:
            self.phase, self.phase_since = phase, now


@dataclass(slots=True, eq=False)
class Entry:
    """Everything the engine knows about one run."""

    run_id: str
    label: str
    number: int
    state: State
    """Only `move` changes it."""
    priority: int = 0
    lane: RateShare | None = None
    room: Room = field(default_factory=Room)
    passes: tuple[Pass, ...] = ()
    """The gates that have let its launch through, while they don't know yet what came of it."""
    launch_timeout: float = 0.0
    """Seconds; 0 means no limit."""
    queue: str = ""
    """By which it is counted."""
    is_standby: bool = False
    """It is no run of the scheduler's: its task waits for one's workload."""
    trace: Mapping[str, str] | None = None
    """The trace context of its span; None once that was handed over, and if nobody wants it."""
    listed: bool = True
    """ListTasks can find its task by its `startedBy`."""
    cluster: str = ""
    """Where its task runs, or is searched for. Until its request is built, the order's; so is `container`."""
    container: str = ""
    arn: str = ""
    stored: str | None = field(default=None, repr=False)
    """The S3 object this engine uploaded for it, or its task is known to fetch; deleted when the run ends."""
    maybe_stored: str | None = None
    """The S3 object another engine may have uploaded for it; None once DescribeTasks has shown its task."""
    standby_url: str = field(default="", repr=False)
    """The S3 object in which its standby finds its workload, or an order to leave; empty if its task is no standby's."""
    is_warm: bool = False
    """Its task is a standby that has got its workload, or was about to."""
    stop_reason: str | None = None
    """Set if someone wants its task stopped, or no task started."""
    due_at: float | None = None
    """The time of its next poll; None while it isn't in the poll schedule."""
    launch: LaunchRecord = field(default_factory=LaunchRecord)
    task: TaskRecord = field(default_factory=TaskRecord)
    history: History = field(default_factory=History)

    @property
    def place(self) -> Place:
        """Where its task is."""
        return self.cluster, self.arn.rpartition("/")[0]

    @property
    def is_searched(self) -> bool:
        """Whether the launcher searches for its task first, or does nothing else any more."""
        launch = self.launch
        return launch.recovery in _SEARCHED or self.stop_reason is not None or launch.fault is not None

    @property
    def asks_for_room(self) -> bool:
        """Whether its next call may wait for room: it may start a task, and need not tell what an earlier one has started."""
        return not (self.launch.sent or self.launch.needs_answer or self.is_searched)

    @property
    def pool(self) -> str | None:
        """The pool whose standbys may serve it now: only a launch that nobody can have sent starts warm."""
        launch = self.launch
        if launch.claim is None or launch.cold_because or self.number > 1 or self.stop_reason is not None:
            return None
        may_be_sent = launch.sent or launch.unknown_sends or launch.recovery is not Recovery.NONE
        return None if may_be_sent or launch.fault is not None else launch.pool

    @property
    def launch_id(self) -> LaunchId:
        """The id of its launch."""
        return LaunchId(self.run_id, self.number)

    def move(self, state: State, why: str, now: float) -> None:
        """Change the state; raises `ImpossibleTransitionError`."""
        move(self, state, TRANSITIONS, why, now)
