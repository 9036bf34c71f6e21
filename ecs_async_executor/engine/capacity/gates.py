"""All gates: which ones a launch must pass, and what its outcome and the ends of tasks mean for each. Sans-I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from typing_extensions import assert_never

from ecs_async_executor.engine.capacity.gate import Gate, Reason
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.messages import Diagnosis, Room

_Key: TypeAlias = tuple[Shortage, Room]


@dataclass(frozen=True, slots=True)
class Pass:
    """A gate has let a launch through; the gate must learn what came of it."""

    key: _Key
    reason: Reason


@dataclass(frozen=True, slots=True)
class Shut:
    """Why the launches of a room wait."""

    since: float
    diagnosis: Diagnosis
    """ECS's last refusal."""


class Gates:
    """The gates of all rooms. The caller passes the time, in seconds on any steady clock.

    A launch passes the gate of its room, and those of its capacity providers' quotas and of its cluster's limit of
    tasks in PROVISIONING once ECS has refused a launch for these.
    """

    def __init__(self) -> None:
        self._gates: dict[_Key, Gate] = {}
        self._refusals: dict[_Key, Diagnosis] = {}

    def opens_at(self, room: Room, now: float) -> float:
        """Return when the next launch of this room may be sent: `now` if it may be already; see `Gate.opens_at`."""
        return max((gate.opens_at(now) for _, gate in self._on_the_way(room)), default=now)

    def take(self, room: Room, now: float) -> tuple[Pass, ...]:
        """Note that a launch is being sent; call this only if `opens_at` returned `now`."""
        self._gates.setdefault((Shortage.ROOM, room), Gate())
        passes = tuple(Pass(key, gate.take(now)) for key, gate in self._on_the_way(room))
        for each in passes:
            if each.reason is Reason.FREED:
                for other in self._of_other_sizes(each.key):
                    other.lose()
        return passes

    def withdraw(self, passes: tuple[Pass, ...]) -> None:
        """Note that a launch wasn't sent after all, or that its answer said nothing about room."""
        for each in passes:
            self._gates[each.key].withdraw(each.reason)
            self._leave_to_other_sizes(each)

    def accept(self, passes: tuple[Pass, ...], now: float) -> None:
        """Note that ECS had room for a launch."""
        for each in passes:
            self._gates[each.key].accept(each.reason, now)

    def refuse(
        self, room: Room, passes: tuple[Pass, ...], shortage: Shortage, why: Diagnosis, now: float
    ) -> None:
        """Note that ECS had no room; without `passes`, for a task that it had accepted, and that ended before it ran."""
        refused = set(_keys(room, shortage))
        for key in refused:
            self._refusals[key] = why
            reasons = [each.reason for each in passes if each.key == key]
            self._gates.setdefault(key, Gate()).refuse(reasons[0] if reasons else None, now)
        for each in passes:
            if each.key in refused:
                self._leave_to_other_sizes(each)
            else:
                self._gates[each.key].withdraw(each.reason)

    def end(self, room: Room, now: float) -> None:
        """Note that a task has ended: it leaves a slot to launches of its room, whatever their size, and of its quotas."""
        for (shortage, other), gate in self._gates.items():
            if shortage is Shortage.ROOM:
                fits = (other.cluster, other.providers) == (room.cluster, room.providers)
            else:
                fits = shortage is Shortage.QUOTA and (shortage, other) in _keys(room, shortage)
            if fits:
                gate.free(now)

    def leave_provisioning(self, room: Room, now: float) -> None:
        """Note that a task isn't in PROVISIONING any more."""
        for key in _keys(room, Shortage.PROVISIONING):
            if (gate := self._gates.get(key)) is not None:
                gate.free(now)

    def shut(self, room: Room) -> Shut | None:
        """Return why launches of this room wait: the gate on their way that was shut first; None if all are open."""
        found = [
            Shut(gate.shut_at, self._refusals[key])
            for key, gate in self._on_the_way(room)
            if gate.shut_at is not None
        ]
        return min(found, key=lambda each: each.since, default=None)

    def _on_the_way(self, room: Room) -> Iterator[tuple[_Key, Gate]]:
        for shortage in Shortage:
            for key in _keys(room, shortage):
                if (gate := self._gates.get(key)) is not None:
                    yield key, gate

    def _of_other_sizes(self, key: _Key) -> Iterator[Gate]:
        """Yield the gates that have been told of the same freed slots."""
        shortage, room = key
        if shortage is Shortage.ROOM:
            for (kind, other), gate in self._gates.items():
                is_here = (kind, other.cluster, other.providers) == (shortage, room.cluster, room.providers)
                if is_here and other != room:
                    yield gate

    def _leave_to_other_sizes(self, each: Pass) -> None:
        if each.reason is Reason.FREED:
            for other in self._of_other_sizes(each.key):
                other.regain()


def _keys(room: Room, shortage: Shortage) -> tuple[_Key, ...]:
    """Return the gates that a shortage shuts: a quota holds for the account, the limit of PROVISIONING for a cluster."""
    match shortage:
        case Shortage.ROOM:
            return ((shortage, room),)
        case Shortage.QUOTA:
            return tuple((shortage, Room("", (each,))) for each in room.providers) or ((shortage, Room("")),)
        case Shortage.PROVISIONING:
            return ((shortage, Room(room.cluster)),)
        case _:
            assert_never(shortage)
