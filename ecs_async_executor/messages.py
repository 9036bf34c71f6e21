"""The seam: the only things that cross between the scheduler's thread and the engine's.

Orders go in, reports come out; both are frozen. A run is one queueing of one Airflow task (or anything
else that wants exactly one container). Every `Launch` or `Watch` is answered by exactly one terminal report:
`LaunchFailed`, `Stopped` or `Cancelled`; unless it is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened, in words a person can act on."""

    summary: str
    """One sentence: what happened."""
    detail: str = ""
    """The facts behind it, as AWS gave them."""
    remedy: str = ""
    """One sentence: what to do about it."""

    def __str__(self) -> str:
        """Give all three parts on one line."""
        return " ".join(
            part for part in (self.summary, self.detail and f"({self.detail})", self.remedy) if part
        )


@dataclass(frozen=True, slots=True)
class Payload:
    """What a request is too small for: an object in S3 that the container fetches."""

    url: str
    """As `s3://bucket/key`; of this launch only."""
    data: bytes

    def __repr__(self) -> str:
        """Leave the data out: it holds a token."""
        return f"Payload({self.url!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """A RunTask request, and which of its containers decides how the task ended."""

    body: Mapping[str, Any]
    """RunTask members in AWS's spelling; the engine adds `clientToken` and `startedBy`."""
    container: str
    settle: Callable[[Sequence[Mapping[str, Any]]], Request] | None = None
    """Set if neither a launch type nor capacity providers are: makes the request that can be sent, of the cluster's
    default capacity provider strategy (empty: it has none). Raises `InvalidRequestError`."""
    payload: Payload | None = None
    """The engine puts it before it sends the request, and deletes it when this launch is over."""
    origin: Callable[[str], str | None] | None = None
    """Says where a member is set, given as a path such as `overrides.cpu`; None if nobody has set it. Called, in the
    engine's thread, only when ECS refuses the request."""

    @property
    def cluster(self) -> str:
        """Where it goes."""
        return str(self.body.get("cluster", "default"))

    def __repr__(self) -> str:
        """Leave the body out: its command holds a token."""
        return f"Request(container={self.container!r})"


Build: TypeAlias = Callable[[], Request]
"""Makes the request of one launch, in the engine's thread, right before it is sent for the first time; never for
a run that is only looked for. Raises `InvalidRequestError` if this run can't be launched at all."""


# --- orders: scheduler thread -> engine -------------------------------------------------------------------


class Recovery(Enum):
    """What a launch must reckon with, if somebody else has had the run in hand before."""

    NONE = "nothing was sent"
    REPLAY = "an engine that died may have sent it: its clientToken tells"
    LOOK = "a scheduler that died may have sent it: ask ListTasks, then send it under its clientToken"
    FIND = "its code has started: ask ListTasks, never send it"


@dataclass(frozen=True, slots=True)
class RateShare:
    """Launches that together may use only a part of the rate."""

    name: str
    share: float
    """Of `run_task_rate` and its burst, more than 0 and at most 1."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Start one container for this run."""

    run_id: str
    label: str
    """Names the run in logs: which task of which Dag run."""
    build: Build
    cluster: str = "default"
    """Where its task is looked for before, or without, a request being built; as the request says."""
    container: str = ""
    """The one that decides how a task ended which is found so; as the request says."""
    number: int = 1
    """The launch number: 1, or one more than the last that definitely failed."""
    priority: int = 0
    """Higher goes first among the runs that wait."""
    recovery: Recovery = Recovery.NONE
    lane: RateShare | None = None
    launch_timeout: float | None = None
    """Seconds that its task may take to run; 0: for ever; None: what `EngineOptions` says."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Take over a task that is launched already."""

    run_id: str
    label: str
    arn: str
    cluster: str
    container: str
    number: int = 1
    listed: bool = True
    """False: its `startedBy` is not this run's, so ListTasks can't be asked for it."""
    launch_timeout: float | None = None
    """As of a launch."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this run's task; if it is not launched yet, don't launch it."""

    run_id: str
    reason: str
    """Shown in the ECS console as the stopped reason; at most 255 characters reach AWS."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Leave this run's task alone: somebody else has it in hand. Nothing more is reported of it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Ask ECS one harmless question about this cluster."""

    cluster: str


Order: TypeAlias = Launch | Watch | Stop | Forget | CheckHealth


# --- reports: engine -> scheduler thread ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run can't be launched just now; the engine goes on trying. Said once per cause."""

    run_id: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Launched:
    """ECS accepted the task."""

    run_id: str
    number: int
    arn: str
    cluster: str
    container: str


@dataclass(frozen=True, slots=True)
class Running:
    """The task was seen with lastStatus RUNNING. A short task may stop without ever being seen so."""

    run_id: str
    arn: str


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """Terminal: this launch has started nothing; or, if calls fail in this process, nobody can see what it has started."""

    run_id: str
    number: int
    diagnosis: Diagnosis
    permanent: bool
    """True: launching again can't help."""
    costs_attempt: bool = True
    """False: neither the task nor its request is to blame (no capacity, a clientToken that was used up)."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Terminal: the task reached STOPPED, or ECS shows no such task."""

    run_id: str
    number: int
    arn: str
    exit_code: int | None
    """Of the container that decides; None if it never ran or ECS can't tell."""
    ran: bool
    """False: for sure none of its code ran."""
    permanent: bool
    """True: launching the same request again can't help."""
    diagnosis: Diagnosis
    costs_attempt: bool = True
    """False: it never ran, for lack of capacity."""
    interrupted: bool = False
    """AWS took its Spot capacity back."""
    unexplained: bool = False
    """Nothing but the exit code tells why it ended, and that one can mean anything."""
    lost: bool = False
    """ECS shows no such task: that it has ended was not seen."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Terminal: a `Stop` came before the launch."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Paused:
    """AWS can't be used at all (credentials, network). All orders are kept; the engine goes on trying."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Resumed:
    """AWS answers again."""


@dataclass(frozen=True, slots=True)
class HealthChecked:
    """The answer to `CheckHealth`: None if all is well."""

    diagnosis: Diagnosis | None


@dataclass(frozen=True, slots=True)
class EngineDied:
    """The engine's loop ended by an error. Nothing more will come from it."""

    error: str


Terminal: TypeAlias = LaunchFailed | Stopped | Cancelled
Report: TypeAlias = Waiting | Launched | Running | Terminal | Paused | Resumed | HealthChecked | EngineDied
