"""What the ledger knows of one run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.messages import Build, RateShare, Recovery, Request


class State(Enum):
    """Where a run stands."""

    WAITING = "waiting to be sent"
    PREPARING = "looked for, or something is asked or put before it is sent"
    SENDING = "RunTask in flight"
    WATCHING = "launched"


class Phase(IntEnum):
    """How far a launched task was seen to be; it only goes forward."""

    STARTING = 0
    RUNNING = 1
    ENDING = 2
    """It is to stop (desiredStatus), or past RUNNING."""


@dataclass(slots=True, eq=False)
class Entry:
    """One run: everything the engine knows of it."""

    run_id: str
    label: str
    number: int
    state: State
    priority: int = 0
    lane: RateShare | None = None
    launch_timeout: float = 0.0
    """Seconds; 0: for ever."""
    build: Build | None = None
    request: Request | None = None
    """Built for the first send of this launch number, and from that send on frozen until the outcome is known."""
    built_at: float = 0.0
    sent: bool = False
    """This very request was sent by this engine, and may have started something: not a byte of it changes any more."""
    stored: str | None = None
    """The object in S3 that was put for its request, or that its task was seen to fetch: it goes when the run ends."""
    presumed: str | None = None
    """The object that somebody else may have put for it; None as soon as its task was seen."""
    puts: int = 0
    """PutObject calls for it that failed."""
    recovery: Recovery = Recovery.NONE
    sent_at: float = 0.0
    """When it was last sent with an outcome that is unknown; or, if others had it before, when it came."""
    unknown_sends: int = 0
    """Sends of this launch number whose outcome is unknown, those of others included: the task may exist."""
    faults: int = 0
    """Calls for this launch number in or around which code of this process failed."""
    fault: Failure | None = None
    """Set once there were too many: RunTask isn't sent again, the task is only looked for."""
    last_waiting_kind: Kind | None = None
    """The cause of waiting that was reported last."""
    arn: str = ""
    cluster: str = ""
    """Where its task is, or is looked for; as is `container`, the order's until its request is built."""
    container: str = ""
    launched_at: float = 0.0
    phase: Phase = Phase.STARTING
    phase_since: float = 0.0
    seen: bool = False
    """DescribeTasks has shown its task."""
    seen_running: bool = False
    due_at: float | None = None
    """When it is looked at next; None while it is not on the due list."""
    missing: int = 0
    """Sightings as MISSING in a row."""
    missing_since: float = 0.0
    listed: bool = True
    """ListTasks finds it by its `startedBy`."""
    stop_reason: str | None = None
    timed_out: bool = False
    """It is stopped because it has not run within the launch timeout."""

    @property
    def client_token(self) -> str:
        """Tie the launch to its number; at most 64 characters (RunTask)."""
        return f"{self.run_id}-{self.number}"
