"""The seam: the frozen messages between the scheduler's half and the engine's.

The scheduler's thread sends orders, and so does the claims' thread (`Claimed`); the engine sends reports. Some orders carry
functions of the scheduler's half (`Build`, `Claim`, `StandbyPool.build`), which the engine calls in its own thread.

A run is one queueing of one Airflow task (or of anything else that needs exactly one container). The engine answers every
`Launch` or `Watch` with exactly one terminal report (`LaunchFailed`, `Stopped` or `Cancelled`), unless a `Forget` comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What happened, in words that people can act on."""

    summary: str
    """What happened, in one sentence."""
    detail: str = ""
    """The facts: codes, ids and AWS's words, unless the summary has them."""
    remedy: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        """Return all three parts on one line: the reason, what to do, the facts."""
        return " ".join(
            part for part in (self.summary, self.remedy, self.detail and f"({self.detail})") if part
        )


@dataclass(frozen=True, slots=True)
class Payload:
    """A workload too long for its request, stored as an S3 object that the container fetches."""

    url: str
    """`s3://bucket/key`; each launch has its own."""
    data: bytes

    def __repr__(self) -> str:
        """Omit the data: it contains a token."""
        return f"Payload({self.url!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """A RunTask request and the name of the container whose exit code counts."""

    body: Mapping[str, Any]
    """RunTask members in AWS's spelling; the engine adds `clientToken` and `startedBy`."""
    container: str
    settle: Callable[[Sequence[Mapping[str, Any]]], Request] | None = None
    """Set if the body names neither a launch type nor capacity providers: takes the cluster's default
    capacity provider strategy (empty if it has none) and returns the request to send. Raises
    `InvalidRequestError`."""
    payload: Payload | None = None
    """The engine uploads it before it sends the request and deletes it when this launch is over."""
    origin: Callable[[str], str | None] | None = None
    """Takes the path of a member, such as `overrides.cpu`, and returns where it is set (None: nowhere). The
    engine calls it, in its own thread, only when ECS rejects the request."""
    image: str = ""
    """Set if the container is to run another image than its task definition's: the engine puts a revision with
    this image in the body's `taskDefinition` before it sends the request."""
    workload: bytes = b""
    """What a standby is handed over in place of this request; empty if none may serve it."""

    @property
    def cluster(self) -> str:
        """The cluster it is sent to."""
        return str(self.body.get("cluster", "default"))

    @property
    def is_open(self) -> bool:
        """Whether ECS must be asked something before it can be sent."""
        return self.settle is not None or bool(self.image)

    def __repr__(self) -> str:
        """Omit the body: its command contains a token."""
        return f"Request(container={self.container!r})"


Claim: TypeAlias = Callable[[str], None]
"""Takes the ARN of a standby, and has the run's row show it in place of the run id. It doesn't wait: the order `Claimed`
is the answer. The engine calls it, in its own thread, at most once."""
Build: TypeAlias = Callable[[], Request]
"""Builds the request of one launch. The engine calls it, in its own thread, right before it first sends the
launch; never for a run that it only searches for. Raises `InvalidRequestError` if that run can't be launched
at all."""


# --- orders: scheduler's half -> engine -------------------------------------------------------------------


class Recovery(Enum):
    """What an earlier engine or scheduler may already have done for this launch."""

    NONE = "nobody has sent it"
    REPLAY = "an engine that died may have sent it: send it again, the clientToken finds its task"
    SEARCH = "a scheduler that died may have sent it: search (ListTasks), then send it under its clientToken"
    SEARCH_ONLY = "its code has started: search (ListTasks), never send it"


@dataclass(frozen=True, slots=True)
class RateShare:
    """A group of launches that together may use only part of the RunTask rate."""

    name: str
    share: float
    """The part of `run_task_rate` and its burst: more than 0, at most 1."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a launch needs room for, as far as ECS's refusals can tell it from others."""

    cluster: str = "default"
    providers: tuple[str, ...] = ()
    """Its capacity providers, or its launch type; empty if the cluster's default decides."""
    size: str = ""
    """Whatever else decides where it fits: its task definition, CPU, memory, constraints."""


@dataclass(frozen=True, slots=True)
class StandbyPool:
    """A profile's standbys: ECS tasks that are kept started, each waiting for one workload."""

    name: str
    """The profile's name; of the default profile Airflow's default queue. Never empty, and no other pool's."""
    count: int
    """How many without a workload are kept, ready or starting, beside those that end soon; at least 1."""
    max_age: float
    """Seconds after which a standby without a workload ends."""
    build: Callable[[str, str], Request]
    """Takes the `s3://` URLs of a standby's object and of the lease, and returns its request: the profile's own, but for
    the command. Raises `InvalidRequestError`."""
    cluster: str
    container: str
    location: str
    """Where its objects are: `s3://bucket/prefix/`."""
    launch_timeout: float | None = None
    """As in `Launch`, as the next ones."""
    queue: str = ""
    room: Room = Room()


@dataclass(frozen=True, slots=True)
class Launch:
    """Start one container for this run."""

    run_id: str
    label: str
    """Names the run in logs: which task of which Dag run."""
    build: Build = field(repr=False)
    """What it is made of holds a token, or the name of a standby's object."""
    cluster: str = "default"
    """The request's cluster. The engine searches it for the task before, or without, building the request."""
    container: str = ""
    """The request's container: its exit code counts if a search finds the task."""
    number: int = 1
    """The launch number: 1, or one more than that of the last launch that definitely failed."""
    priority: int = 0
    """Among waiting runs, the highest goes first."""
    recovery: Recovery = Recovery.NONE
    lane: RateShare | None = None
    launch_timeout: float | None = None
    """Seconds its task may take to reach RUNNING; 0: no limit; None: the default in `EngineOptions`."""
    queue: str = ""
    """Its Airflow queue, by which it is counted."""
    trace: Mapping[str, str] | None = None
    """The W3C trace context of what it runs; None: nobody wants its span."""
    room: Room = Room()
    """Launches of the same room wait for it together, by priority."""
    capacity_timeout: float = math.inf
    """Seconds it may wait for room before it fails."""
    standby: str | None = None
    """The pool of its queue's standbys, which may serve it unless `cold_because` says why not; None: it has none."""
    cold_because: str = ""
    """Why it starts cold although its queue has standbys, in words of `cold_starts.py`."""
    claim: Claim | None = None
    """None: no standby may serve it."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Take over a task that was launched earlier."""

    run_id: str
    label: str
    arn: str
    cluster: str
    container: str
    number: int = 1
    listed: bool = True
    """False: its `startedBy` isn't this run's, so ListTasks can't find it."""
    launch_timeout: float | None = None
    """As in `Launch`, as the next ones."""
    queue: str = ""
    room: Room = Room()


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this run's task; if it isn't launched yet, don't launch it."""

    run_id: str
    reason: str
    """The ECS console shows it as the stopped reason; AWS gets its first 255 characters."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Leave this run's task alone: someone else manages it. The engine reports nothing more about it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class KeepStandbys:
    """Keep these standbys, besides those that were ordered before. A pool that the engine has already stays as it is."""

    pools: tuple[StandbyPool, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a `Claim`."""

    run_id: str
    arn: str
    held: bool | None
    """The run's row shows the ARN. False: it doesn't, and never will; None: it doesn't yet."""


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Make one harmless call to ECS about this cluster."""

    cluster: str


Order: TypeAlias = Launch | Watch | Stop | Forget | KeepStandbys | Claimed | CheckHealth


# --- reports: engine -> scheduler's thread ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunReport:
    """Any report about one run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class LaunchReport(RunReport):
    """Any report about one launch of a run."""

    number: int


@dataclass(frozen=True, slots=True)
class Waiting(RunReport):
    """The run can't be launched now; the engine keeps trying. Reported once per cause."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Launched(LaunchReport):
    """ECS accepted the task."""

    arn: str
    cluster: str
    container: str
    capacity: str = ""
    """Its size and where it runs, for people to read; empty if the task was found, not launched."""
    waited: float = 0.0
    """Seconds it has waited for room."""
    start: str = ""
    """Whether a standby serves it, or why none does, for people to read; empty if its queue has none."""


@dataclass(frozen=True, slots=True)
class HandedOver(RunReport):
    """A standby serves it: either the standby has the workload by now, and its code starts within seconds, or it exits without."""


@dataclass(frozen=True, slots=True)
class SlowStart(RunReport):
    """The task takes much longer to start than those of its family usually do. Reported once per task."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Running(RunReport):
    """A poll found the task with lastStatus RUNNING. A short task may stop before any poll does."""

    arn: str


@dataclass(frozen=True, slots=True)
class LaunchFailed(LaunchReport):
    """Terminal: this launch started nothing; or, if calls fail in this process, nothing that can be found."""

    diagnosis: Diagnosis
    permanent: bool
    """True: launching again can't help."""
    costs_attempt: bool = True
    """False: neither the task nor its request is at fault (no capacity, a clientToken that is used up)."""
    may_exist: bool = False
    """True: RunTask may have started a task, but calls fail in this process, so nothing can find it."""
    waited: float | None = None
    """Seconds it has waited for room, if that is why it failed."""
    standby: bool = False
    """It was to be served by a standby, which can't start it any more: the next launch starts cold, and costs nothing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an ECS task was given, and for how long: from the start of its image's pull, or from when it got its task, to its end."""

    vcpus: float
    gb: float
    """Units of 1,024 MiB."""
    seconds: float
    capacity: str
    """The capacity provider, or else the launch type."""
    processor: str = ""
    """X86_64 or ARM64; empty if ECS doesn't say."""
    standby: float | None = 0.0
    """Seconds that it had been a standby before, which aren't in `seconds`; None: it was one, and nobody knows for how long, so
    they are."""


@dataclass(frozen=True, slots=True)
class Stopped(LaunchReport):
    """Terminal: the task reached STOPPED, or ECS shows no such task."""

    arn: str
    exit_code: int | None
    """The exit code of the container that counts; None if it never ran or ECS doesn't know."""
    ran: bool
    """False: none of its code can have run."""
    permanent: bool
    """True: launching the same request again can't help."""
    diagnosis: Diagnosis
    costs_attempt: bool = True
    """False: it never ran, for lack of room."""
    interrupted: bool = False
    """AWS reclaimed its Spot capacity."""
    unexplained: bool = False
    """Only the exit code hints at why it ended, and that can mean anything."""
    lost: bool = False
    """ECS shows no such task: no poll saw it stop."""
    out_of_memory: bool = False
    """The container that counts was killed for lack of memory."""
    memory: int | None = None
    """The MiB that container had: its own limit, or else the ECS task's; None if ECS shows neither."""
    usage: Usage | None = None
    """None if it pulled no image, or ECS doesn't show its size."""
    standby: bool = False
    """The task was a standby: if it hasn't started the workload, the next launch starts cold, and costs nothing."""


@dataclass(frozen=True, slots=True)
class Cancelled(RunReport):
    """Terminal: a `Stop` arrived before the launch."""

    diagnosis: Diagnosis = Diagnosis("The task was stopped before it was launched.")
    permanent: bool = False
    costs_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Paused:
    """AWS can't be used at all (credentials, network). The engine keeps all orders and keeps trying."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Resumed:
    """AWS answers again, after a `Paused`."""


@dataclass(frozen=True, slots=True)
class HealthChecked:
    """The answer to `CheckHealth`."""

    diagnosis: Diagnosis | None
    """None: all is well."""


@dataclass(frozen=True, slots=True)
class StandbysOff:
    """A pool's standbys keep failing, one after the other: the pool rests, and its tasks start cold."""

    pool: str
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """One pool of standbys."""

    pool: str
    wanted: int
    """How many it should have, beside those that end soon."""
    starting: int
    """Launched or to be launched, and not ready."""
    ready: int
    oldest: float | None
    """Seconds for which its oldest ready standby has been running; None if there is none."""
    warm: int
    """Tasks that its standbys have served since the engine's start."""
    cold: int
    """Tasks that they might have served, and that started cold."""
    off: str = ""
    """Why it rests; empty: it doesn't."""
    reasons: tuple[tuple[str, int], ...] = ()
    """Why tasks started cold (`cold_starts.py`), and how many of them; the most frequent first."""
    idle: Usage | None = None
    """The size of one standby; and the seconds for which all of them together have been paid for without a task since the
    engine's start. None: RunTask hasn't shown the size yet."""
    region: str = ""
    """AWS's Region of its standbys, once one has started."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine is doing, every few seconds."""

    waiting: int
    """Launches that wait for their turn, for a delay to pass, for an answer of ECS, or for an upload."""
    sending: int
    """RunTask calls in flight."""
    watched: int
    """ECS tasks that it polls, searches for, stops or uploads for: all it has in hand but `waiting` and `sending`."""
    rate: float | None
    """RunTask calls that it makes per second at most, now: less than `limit` after throttles; None: as many as it can."""
    limit: float | None
    """RunTask calls per second at most, by the options; None: no limit."""
    launches: int
    """ECS tasks that RunTask has started in the last minute."""
    throttles: int
    """RunTask calls that AWS has throttled in the last minute."""
    unanswered: float | None = None
    """Seconds for which ECS has given no usable answer to any call; None if it answers."""
    standbys: tuple[PoolStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineDied:
    """An error ended the engine's loop. It will report nothing more."""

    error: str


Terminal: TypeAlias = LaunchFailed | Stopped | Cancelled
AnyRunReport: TypeAlias = Waiting | Launched | HandedOver | SlowStart | Running | Terminal
Report: TypeAlias = AnyRunReport | Paused | Resumed | HealthChecked | StandbysOff | EngineStatus | EngineDied
