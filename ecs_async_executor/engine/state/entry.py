"""What the ledger knows about one run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from ecs_async_executor.engine.diagnosis.call_failures import Failure, Kind
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import Build, RateShare, Recovery, Request


class State(Enum):
    """What the engine is doing for a run."""

    WAITING = "waiting in a queue"
    PREPARING = "searching for its task, asking ECS, or uploading its payload, before RunTask is called"
    SENDING = "RunTask in flight"
    WATCHING = "launched"


class Phase(IntEnum):
    """How far DescribeTasks has seen a launched task get. It never moves back."""

    STARTING = 0
    RUNNING = 1
    ENDING = 2
    """Its desiredStatus is STOPPED, or its lastStatus is past RUNNING."""


@dataclass(slots=True, eq=False)
class Entry:
    """Everything the engine knows about one run."""

    run_id: str
    label: str
    number: int
    state: State
    priority: int = 0
    lane: RateShare | None = None
    launch_timeout: float = 0.0
    """Seconds; 0 means no limit."""
    build: Build | None = None
    request: Request | None = None
    """Built for this launch number's first send, and frozen from that send until its outcome is known."""
    built_at: float = 0.0
    sent: bool = False
    """This engine sent exactly this request, which may have started a task: none of its bytes may change now."""
    stored: str | None = None
    """The S3 object this engine uploaded for it, or its task is known to fetch; deleted when the run ends."""
    maybe_stored: str | None = None
    """The S3 object another engine may have uploaded for it; None once DescribeTasks has shown its task."""
    puts: int = 0
    """Failed PutObject calls."""
    recovery: Recovery = Recovery.NONE
    sent_at: float = 0.0
    """Time of the last send with an unknown outcome. If another engine had the run before, the time it arrived here."""
    unknown_sends: int = 0
    """Sends of this launch number with an unknown outcome, by any engine. If there are any, its task may exist."""
    faults: int = 0
    """Calls for this launch number that failed because code in this process raised."""
    fault: Failure | None = None
    """Set after too many faults: from then on the engine searches for the task, and calls RunTask no more."""
    last_waiting_kind: Kind | None = None
    """The reason for waiting that was last reported."""
    arn: str = ""
    cluster: str = ""
    """Where its task runs, or is searched for. Until its request is built, the order's; so is `container`."""
    container: str = ""
    launched_at: float = 0.0
    phase: Phase = Phase.STARTING
    phase_since: float = 0.0
    seen: bool = False
    """DescribeTasks has shown its task."""
    seen_running: bool = False
    due_at: float | None = None
    """The time of its next poll; None while it isn't in the poll schedule."""
    missing: int = 0
    """How many polls in a row reported it as MISSING."""
    missing_since: float = 0.0
    listed: bool = True
    """ListTasks can find it by its `startedBy`."""
    stop_reason: str | None = None
    timed_out: bool = False
    """The engine is stopping it because it wasn't running within the launch timeout."""

    @property
    def launch_id(self) -> LaunchId:
        """The id of its launch."""
        return LaunchId(self.run_id, self.number)
