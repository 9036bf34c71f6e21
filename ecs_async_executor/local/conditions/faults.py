"""The faults that can be injected.

A fault in JSON is `{"kind": ..., "action": ..., "probability": ..., "times": ...}` plus the keys of its kind:

=====================  =====================================================================================
before the work        throttle, disguised_throttle, server_error, expired_credentials, access_denied,
                       blocked, task_limit, error (`code`, `status`); `reason` replaces the message;
                       lost_request (the connection drops)
instead of the work    capacity (`reason` of the failures[] entry), empty_answer: RunTask only
after the work         lost_response (the connection drops), late_response (`seconds`)
in DescribeTasks       malformed_task: the first record is broken
during a task          start_failure (`reason`, `container`), spot_interruption, spot_before_start, host_terminated
                       (`seconds` after the start or creation), sidecar_exit (`container`, `exit_code`)
in S3's GetObject      missing_denied: an absent key is denied, as to callers without s3:ListBucket
=====================  =====================================================================================

`action` limits wire faults to one API action, `times` to the next N matching calls, and `started_by`,
`family` and `environment` to matching launches. Without an `action`, a fault affects ECS only. Those of S3 are
`s3:PutObject` and so on, or `s3:*` for all; `key`, a pattern such as `*/standby/*`, limits a fault to some objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NoReturn

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.match import Match, build
from ecs_async_executor.local.rules.protocol import ACTIONS, AwsError
from ecs_async_executor.local.rules.s3 import ALL_OF_S3, READS, S3_ACTIONS, is_s3
from ecs_async_executor.local.state.lifecycle import Course, Interruption

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from ecs_async_executor.local.conditions.match import Launch


class Stage(Enum):
    """When during a call a fault takes effect."""

    BEFORE = "before"
    INSTEAD = "instead"
    AFTER = "after"
    RECORD = "record"
    COURSE = "course"
    MISSING = "missing"


class LostRequestError(Exception):
    """The connection drops before the work."""


# kind: (code, HTTP status, message); the texts are AWS's.
ERRORS: Mapping[str, tuple[str, int, str]] = {
    "throttle": ("ThrottlingException", 400, "Rate exceeded"),
    "disguised_throttle": (
        "InvalidParameterException",
        400,
        "Error retrieving subnet information for [subnet-0123456789abcdef0]: Rate exceeded (ErrorCode: Throttling)",
    ),
    "server_error": ("ServerException", 500, "Service Unavailable. Please try again later."),
    "expired_credentials": (
        "ExpiredTokenException",
        400,
        "The security token included in the request is expired",
    ),
    "access_denied": (
        "AccessDeniedException",
        400,
        "User: arn:aws:sts::123456789012:assumed-role/airflow/local is not authorized to perform this action",
    ),
    "blocked": ("BlockedException", 400, "Your account is currently blocked."),
    "task_limit": (
        "ClientException",
        400,
        "You've reached the limit on the number of tasks you can run concurrently",
    ),
    "error": ("ClientException", 400, "Injected error"),
}
# The same for S3. Source: "Error responses" of the S3 API reference.
S3_ERRORS: Mapping[str, tuple[str, int, str]] = {
    "throttle": ("SlowDown", 503, "Please reduce your request rate."),
    "server_error": ("InternalError", 500, "We encountered an internal error. Please try again."),
    "expired_credentials": ("ExpiredToken", 400, "The provided token has expired."),
    "access_denied": ("AccessDenied", 403, "Access Denied"),
    "error": ("InvalidRequest", 400, "Injected error"),
}
NO_CAPACITY = (
    "Capacity is unavailable at this time. Please try again later or in a different availability zone"
)
NO_ROOM = "RESOURCE:MEMORY"
NO_IMAGE = "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout"
# The container that `sidecar_exit` affects by default.
SIDECAR = "sidecar"
STAGES: Mapping[str, Stage] = {
    **dict.fromkeys(ERRORS, Stage.BEFORE),
    "lost_request": Stage.BEFORE,
    "capacity": Stage.INSTEAD,
    "empty_answer": Stage.INSTEAD,
    "lost_response": Stage.AFTER,
    "late_response": Stage.AFTER,
    "malformed_task": Stage.RECORD,
    "start_failure": Stage.COURSE,
    "spot_interruption": Stage.COURSE,
    "spot_before_start": Stage.COURSE,
    "host_terminated": Stage.COURSE,
    "sidecar_exit": Stage.COURSE,
    "missing_denied": Stage.MISSING,
}
S3_KINDS = frozenset({*S3_ERRORS, "lost_request", "lost_response", "late_response", "missing_denied"})
_LAUNCH_ONLY = frozenset({Stage.INSTEAD, Stage.COURSE})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; the module describes its keys. An empty `action` means every action its kind can affect."""

    kind: str
    action: str = ""
    probability: float = 1.0
    times: int | None = None
    reason: str = ""
    code: str = ""
    status: int = 400
    seconds: float = 0.0
    container: str = ""
    exit_code: int | None = 137
    key: str = ""
    match: Match = field(default_factory=Match)

    def __post_init__(self) -> None:
        if self.kind not in STAGES:
            raise ValueError(f"unknown kind {self.kind!r}; known are {', '.join(sorted(STAGES))}.")
        known = {*ACTIONS, *S3_ACTIONS, ALL_OF_S3}
        if self.action and self.action not in known:
            raise ValueError(f"unknown action {self.action!r}; known are {', '.join(sorted(known))}.")
        self._check_service()
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must be between 0 and 1.")
        if (self.times or 0) < 0 or self.seconds < 0:
            raise ValueError("times and seconds must not be negative.")
        if not 400 <= self.status <= 599:
            raise ValueError("status must be between 400 and 599.")

    def _check_service(self) -> None:
        """Raise ValueError for what only ECS has, or only S3."""
        if is_s3(self.action):
            if self.kind not in S3_KINDS:
                raise ValueError(f"{self.kind} can't affect S3; these can: {', '.join(sorted(S3_KINDS))}.")
            if not self.match.is_open:
                raise ValueError("started_by, family and environment select launches, and S3 has none.")
        elif self.key or self.stage is Stage.MISSING:
            what = "key" if self.key else self.kind
            raise ValueError(f"{what} is for S3's objects. Name an action of S3 too, or {ALL_OF_S3}.")

    @property
    def stage(self) -> Stage:
        """Where in a call this takes effect."""
        return STAGES[self.kind]

    def hits(self, action: str, launch: Launch | None, key: str = "") -> bool:
        """Tell whether this fault applies to a call; `key` is that of its object in S3."""
        if is_s3(action):
            return (
                self.action in {ALL_OF_S3, action}
                and (self.stage is not Stage.MISSING or action in READS)
                and fnmatchcase(key, self.key or "*")
            )
        if self.stage in _LAUNCH_ONLY and action != "RunTask":
            return False
        if self.stage is Stage.RECORD and action != "DescribeTasks":
            return False
        return self.action in {"", action} and self.match.covers(launch)

    def to_json(self) -> dict[str, Any]:
        """Return this fault as JSON, including defaults."""
        names = ("kind", "action", "probability", "times", "reason", "code", "status", "seconds")
        document = {name: getattr(self, name) for name in names}
        document |= {"container": self.container, "exit_code": self.exit_code, "key": self.key}
        return document | {"started_by": self.match.started_by, "family": self.match.family}


class Faults:
    """The faults in force, and how many more calls each may affect."""

    def __init__(self, faults: tuple[Fault, ...], rng: random.Random) -> None:
        self._left: list[tuple[Fault, int | None]] = [(fault, fault.times) for fault in faults]
        self._rng = rng

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._left.append((fault, fault.times))

    def in_force(self) -> list[Fault]:
        """Return the faults with their remaining `times`."""
        return [replace(fault, times=left) for fault, left in self._left]

    def draw(self, stage: Stage, action: str, launch: Launch | None, key: str = "") -> Iterator[Fault]:
        """Yield the faults of `stage` that affect this call; a fault counts as used only once it is yielded."""
        for index, (fault, left) in enumerate(self._left):
            if fault.stage is not stage or left == 0 or not fault.hits(action, launch, key):
                continue
            if fault.probability == 1 or self._rng.random() < fault.probability:
                if left is not None:
                    self._left[index] = (fault, left - 1)
                yield fault

    def first(self, stage: Stage, action: str, launch: Launch | None, key: str = "") -> Fault | None:
        """Return the first fault of `stage` that affects this call, without using up others."""
        return next(self.draw(stage, action, launch, key), None) if self._left else None


def refuse(fault: Fault) -> NoReturn:
    """Let a fault of stage BEFORE strike.

    Raises:
        AwsError: The error response.
        LostRequestError: There is none.
    """
    if fault.kind == "lost_request":
        raise LostRequestError
    raise error_of(fault)


def error_of(fault: Fault) -> AwsError:
    """Return the error response of a fault of stage BEFORE."""
    code, status, message = (S3_ERRORS if is_s3(fault.action) else ERRORS)[fault.kind]
    if fault.kind == "error":
        code, status = fault.code or code, fault.status
    return AwsError(code, fault.reason or message, status)


def bend(course: Course, fault: Fault) -> Course:
    """Return the course of a task after a fault of stage COURSE."""
    if fault.kind == "start_failure":
        return replace(course, start_failure=fault.reason or NO_IMAGE, failed_container=fault.container)
    if fault.kind == "sidecar_exit":
        end = (fault.exit_code, fault.reason or None)
        return replace(course, ends={**course.ends, fault.container or SIDECAR: end})
    early = fault.kind == "spot_before_start"
    lost = fault.kind == "host_terminated"
    return replace(course, interruption=Interruption(fault.seconds, early=early, host_lost=lost))


def fault_of(document: Mapping[str, Any]) -> Fault:
    """Read one fault.

    Raises:
        ConfigurationError: It has an unknown key or kind.
    """
    if isinstance(document, dict) and "kind" not in document:
        raise ConfigurationError(f"fault: kind is missing; known are {', '.join(sorted(STAGES))}.")
    return build(Fault, "fault", document)
