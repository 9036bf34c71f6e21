"""All gates: which ones a launch must pass, and what its outcome and the ends of tasks mean for each. Sans-I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from typing_extensions import assert_never

from ecs_async_executor.engine.capacity.gate import OUTDATED, Gate, Reason
from ecs_async_executor.engine.diagnosis.causes.cause import Shortage
from ecs_async_executor.messages import Diagnosis, Room

_Key: TypeAlias = tuple[Shortage, Room]


@dataclass(frozen=True, slots=True)
class Pass:
    """A gate has let a launch through; the gate must learn what came of it."""

    key: _Key
    reason: Reason
    at: float
    """When, by the engine's clock."""
    others: tuple[_Key, ...] = ()
    """The gates of other sizes that have lost a freed slot to it."""


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
        self._sweep_at = 0.0

    def __len__(self) -> int:
        return len(self._gates)

    def opens_at(self, room: Room, now: float) -> float:
        """Return when the next launch of this room may be sent: `now` if it may be already; see `Gate.opens_at`."""
        return max((gate.opens_at(now) for _, gate in self._on_the_way(room, now)), default=now)

    def take(self, room: Room, now: float) -> tuple[Pass, ...]:
        """Note that a launch is being sent; call this only if `opens_at` returned `now`."""
        if now >= self._sweep_at:
            self._sweep(now)
        on_the_way = dict(self._on_the_way(room, now))
        own = (Shortage.ROOM, room)
        on_the_way[own] = self._gate(own, now)
        return tuple(self._take(key, gate, now) for key, gate in on_the_way.items())

    def _take(self, key: _Key, gate: Gate, now: float) -> Pass:
        reason = gate.take(now)
        others = () if reason is Reason.PROBE else self._of_other_sizes(key)
        return Pass(key, reason, now, tuple(each for each in others if self._gates[each].lose()))

    def withdraw(self, passes: tuple[Pass, ...], now: float) -> None:
        """Note that a launch wasn't sent after all, or that its answer said nothing about room."""
        for each in passes:
            self._gates[each.key].withdraw(each.reason, now)
            self._return_slot(each, now)

    def accept(self, passes: tuple[Pass, ...], now: float, created_at: float | None = None) -> None:
        """Note that ECS had room for a launch, and when it created the task (in epoch seconds), if it said so."""
        for each in passes:
            self._gates[each.key].accept(each.reason, now, created_at)

    def refuse(
        self, room: Room, passes: tuple[Pass, ...], shortage: Shortage, why: Diagnosis, now: float
    ) -> None:
        """Note that ECS had no room for a launch; it has no `passes` if it was sent without asking for room."""
        reasons = {each.key: each.reason for each in passes}
        sent_at = min((each.at for each in passes), default=now)
        for key in _keys(room, shortage):
            self._gate(key, now).refuse(reasons.pop(key, None), now, sent_at=sent_at)
            self._refusals[key] = why
        for each in passes:
            if each.key in reasons:
                self._gates[each.key].withdraw(each.reason, now)
            self._return_slot(each, now)  # it may be large enough for others

    def come_to_nothing(self, room: Room, why: Diagnosis, now: float) -> None:
        """Note that a task that ECS had accepted has ended before it ran, for lack of room."""
        key = (Shortage.ROOM, room)
        self._gate(key, now).come_to_nothing(now)
        self._refusals[key] = why

    def start(self, room: Room, launched_at: float, now: float) -> None:
        """Note that a task has started to run, which was launched at that time."""
        if (gate := self._gates.get((Shortage.ROOM, room))) is not None:
            gate.start(launched_at, now)

    def end(self, room: Room, now: float, stopped_at: float | None = None) -> None:
        """Note that a task was seen to have ended, and when it stopped (in epoch seconds), if ECS said so.

        It leaves a slot to launches of its room, whatever their size, and of its quotas.
        """
        for (shortage, other), gate in self._gates.items():
            if shortage is Shortage.ROOM:
                fits = (other.cluster, other.providers) == (room.cluster, room.providers)
            else:
                fits = shortage is Shortage.QUOTA and (shortage, other) in _keys(room, shortage)
            if fits:
                gate.free(now, stopped_at)

    def leave_provisioning(self, room: Room, now: float) -> None:
        """Note that a task isn't in PROVISIONING any more."""
        for key in _keys(room, Shortage.PROVISIONING):
            if (gate := self._gates.get(key)) is not None:
                gate.free(now)

    def shut(self, room: Room, now: float) -> Shut | None:
        """Return why launches of this room wait: the gate on their way that was shut first; None if all are open."""
        found = [
            Shut(gate.shut_at, self._refusals[key])
            for key, gate in self._on_the_way(room, now)
            if gate.shut_at is not None
        ]
        return min(found, key=lambda each: each.since, default=None)

    def _gate(self, key: _Key, now: float) -> Gate:
        if (gate := self._gates.get(key)) is None or gate.is_outdated(now):
            gate = self._gates[key] = Gate()
        return gate

    def _on_the_way(self, room: Room, now: float) -> Iterator[tuple[_Key, Gate]]:
        for key in _way(room):
            if (gate := self._gates.get(key)) is not None and not gate.is_outdated(now):
                yield key, gate

    def _of_other_sizes(self, key: _Key) -> Iterator[_Key]:
        """Yield the gates that have been told of the same freed slots."""
        shortage, room = key
        if shortage is Shortage.ROOM:
            for kind, other in self._gates:
                is_here = (kind, other.cluster, other.providers) == (shortage, room.cluster, room.providers)
                if is_here and other != room:
                    yield kind, other

    def _return_slot(self, each: Pass, now: float) -> None:
        """Give a freed slot back to those that have lost it to this launch."""
        for key in each.others:
            if (gate := self._gates.get(key)) is not None:
                gate.regain(now)

    def _sweep(self, now: float) -> None:
        """Forget the gates that nobody has used for a while: there may be as many as there are sizes."""
        self._sweep_at = now + OUTDATED
        for key in [key for key, gate in self._gates.items() if gate.is_outdated(now)]:
            del self._gates[key]
            self._refusals.pop(key, None)


@lru_cache(1_000)
def _way(room: Room) -> tuple[_Key, ...]:
    """Return the gates that a launch must pass, as far as there are any."""
    return tuple(key for shortage in Shortage for key in _keys(room, shortage))


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
