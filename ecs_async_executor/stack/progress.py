"""What CloudFormation's events say about an operation on a stack (sans-I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_STACK = "AWS::CloudFormation::Stack"
_CONSEQUENCES = (
    "resource creation cancelled",
    "resource update cancelled",
    "the following resource(s) failed",
)
"""Beginnings of reasons that only say that something else has failed."""
_BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
"""A stack's states at the beginning of an operation."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stack."""

    id: str
    at: float
    """Seconds since 1970."""
    name: str
    """The resource's logical id; the stack's name for the stack itself."""
    kind: str
    status: str
    """Such as CREATE_IN_PROGRESS, CREATE_COMPLETE, CREATE_FAILED, DELETE_SKIPPED."""
    reason: str = ""

    @property
    def of_the_stack(self) -> bool:
        """Whether it is about the whole stack, and not about one resource."""
        return self.kind == _STACK

    @property
    def failed(self) -> bool:
        """Whether it says that something went wrong by itself."""
        return self.status.endswith("_FAILED") and not self.reason.lower().startswith(_CONSEQUENCES)


def read(answer: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Return the events of DescribeStackEvents' answer, the oldest first."""
    found = [
        Event(
            each["EventId"],
            each["Timestamp"].timestamp(),
            each["LogicalResourceId"],
            each["ResourceType"],
            each["ResourceStatus"],
            each.get("ResourceStatusReason", ""),
        )
        for each in answer
    ]
    return found[::-1]


def before_the_last_operation(events: Sequence[Event]) -> set[str]:
    """Return the ids of the events before the last operation on a stack, of its events with the oldest first.

    A rollback belongs to the operation that it rolls back.
    """
    begins = [
        number for number, each in enumerate(events) if each.of_the_stack and each.status in _BEGINNINGS
    ]
    return {each.id for each in events[: begins[-1] if begins else 0]}


@dataclass(slots=True)
class Progress:
    """One operation: making, changing or deleting a stack. `seen`: ids of the events of operations before it."""

    seen: set[str] = field(default_factory=set)
    latest: dict[str, Event] = field(default_factory=dict)
    """Each resource's last event, in the order in which AWS began."""
    began: dict[str, float] = field(default_factory=dict)
    """When AWS began with each resource."""
    failure: Event | None = None
    """The first failure that isn't the consequence of another."""

    def take(self, events: Iterable[Event]) -> list[Event]:
        """Take the stack's events, and return the new ones about resources."""
        new = [each for each in events if each.id not in self.seen]
        self.seen.update(each.id for each in new)
        of_resources = [each for each in new if not each.of_the_stack]
        for each in new:
            if each.failed and (self.failure is None or self.failure.of_the_stack):
                self.failure = each
        for each in of_resources:
            self.latest[each.name] = each
            self.began.setdefault(each.name, each.at)
        return of_resources

    @property
    def under_way(self) -> list[Event]:
        """The last events of the resources that AWS works on."""
        return [each for each in self.latest.values() if each.status.endswith("_IN_PROGRESS")]

    @property
    def done(self) -> list[Event]:
        """The last events of the resources that are finished."""
        return [each for each in self.latest.values() if each.status.endswith(("_COMPLETE", "_SKIPPED"))]

    def seconds(self, name: str, now: float) -> float:
        """Return for how long AWS has worked on a resource."""
        return max(0.0, now - self.began[name])
