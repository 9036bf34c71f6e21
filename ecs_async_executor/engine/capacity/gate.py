"""One kind of room: after ECS has refused a launch for lack of it, how many more are sent, and when. Sans-I/O.

An open gate lets every launch through. A refusal shuts it; from then on there are two reasons to send a launch:

- a **freed slot**: a task that has ended leaves its room to the next one, at once. If such launches are refused, someone
  else takes the room, and freed slots are used one at a time, after pauses;
- a **probe**: room may have come from elsewhere. As many probes are in flight as one more than have succeeded among the
  last few, so they double while they succeed. If none of those has succeeded, a single probe follows a pause, and the
  pauses double up to a ceiling. While freed slots are used with success, the room is full of our own tasks, and a refused
  probe is believed at once.

A probe may find the slot of a task that has ended, but whose end no poll has seen yet. ECS's own times (`createdAt`,
`stoppedAt`) tell that later: then that end leaves no slot, and counts as one that was used. Until then, a few probes that
succeed while tasks end don't mean that there is more room.

ECS may also accept a launch, and find out later that there is no room. From then on no acceptance counts, and single probes
follow pauses, until a task that was launched since then has started.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

PROBES = 8
"""Outcomes of probes that are remembered. Where ECS refuses 60 % at random, all eight fail in 2 % of the cases."""
USES = 20
"""Outcomes of launches on freed slots that are remembered."""
TRUSTED = 14
"""How many of those must have succeeded for freed slots to be trusted: at random, 40 % do so in under 1 % of the cases."""
FLOWING = 15.0
"""Seconds after the last successful use of a freed slot in which the room counts as full of our own tasks."""
FIRST_PAUSE = 0.5
"""Seconds before a single probe, after the last of several has failed."""
LONGEST_PAUSE = 12.0
"""Seconds between two single probes at most: with the calls' own time, and until probes have doubled, what fits is launched
within 15 s of the room's return."""
FIRST_USE_PAUSE, LONGEST_USE_PAUSE = 1.0, 2.0
"""Seconds between two launches on freed slots while they are refused: short, as each end is new evidence of room."""
UNSEEN = 1.5
"""Seconds after which a poll has usually seen a short task's end."""
SURE = 3
"""Probes that must succeed in a row, besides as many as ends were seen in the last `UNSEEN` seconds, before their number
grows while tasks flow."""
FORGOTTEN = 60.0
"""Seconds after which all ends before a successful probe have been seen: tasks are polled every ten to twenty seconds."""
REOPENED = 20
"""Probes in a row whose success opens the gate again."""
OUTDATED = 60.0
"""Seconds after which what a gate knows is too old, if it could have sent a launch, and nobody wanted to or was able to."""
FREED_AT_ONCE = 4
"""Unanswered launches on freed slots at first; one more for every eighth that has succeeded in a row."""


class Reason(Enum):
    """Why a launch is sent through the gate."""

    PROBE = "room may have come from elsewhere, or was never refused"
    FREED = "a task has ended and left its slot"


@dataclass(slots=True)
class _Backoff:
    """When the next call may be made after refused ones: the pauses double."""

    first: float
    longest: float
    at: float = 0.0
    refusals: int = 0

    def refused(self, now: float) -> None:
        """Wait longer, unless this call was sent along with one that has been refused already."""
        if now >= self.at:
            self.at = now + min(self.longest, self.first * 2.0**self.refusals)
            self.refusals += 1

    def reset(self, now: float) -> None:
        self.at, self.refusals = now, 0


class Gate:
    """One kind of room. The caller passes the time, in seconds on any steady clock."""

    def __init__(self) -> None:
        self.shut_at: float | None = None
        """When ECS refused a launch that the open gate had let through; None while it is open."""
        self._freed: deque[float] = deque()
        """When the ends of tasks were seen whose slots may still be free."""
        self._unanswered = {Reason.PROBE: 0, Reason.FREED: 0}
        self._probes: deque[bool] = deque(maxlen=PROBES)
        self._uses: deque[bool] = deque(maxlen=USES)
        self._probes_in_a_row = self._uses_in_a_row = 0
        self._ends: deque[float] = deque()
        """When the ends of the last `UNSEEN` seconds were seen."""
        self._found: list[float] = []
        """When ECS created the tasks of probes that have succeeded lately, in epoch seconds."""
        self._last_use = -math.inf
        """When a launch on a freed slot last succeeded."""
        self._last_news = -math.inf
        """When it last learned what came of a launch."""
        self._doubted_since: float | None = None
        """When a task that ECS had accepted first ended for lack of room; None once a later one has started."""
        self._next_probe = _Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._next_use = _Backoff(FIRST_USE_PAUSE, LONGEST_USE_PAUSE)

    def is_outdated(self, now: float) -> bool:
        """Return whether a new gate would do as well: it is open and unused, or what it knows is too old."""
        if any(self._unanswered.values()):
            return False
        return self.shut_at is None or now - max(self._last_news, self._next_probe.at) >= OUTDATED

    @property
    def freed_slots(self) -> int:
        """The slots that ended tasks have left, as far as no refusal tells otherwise."""
        return len(self._freed)

    def opens_at(self, now: float) -> float:
        """Return when the next launch may be sent: `now` if it may be already; infinity while answers must come first."""
        if self.shut_at is None:
            return now
        use = max(now, self._next_use.at) if self._may_use else math.inf
        probe = max(now, self._next_probe.at) if self._may_probe(now) else math.inf
        return min(use, probe)

    @property
    def _may_use(self) -> bool:
        if not self._freed:
            return False
        most = 1 if self._next_use.refusals else FREED_AT_ONCE + self._uses_in_a_row // 8
        return self._unanswered[Reason.FREED] < most

    def _may_probe(self, now: float) -> bool:
        if self._doubted_since is not None:
            most = 1
        elif self._flows(now):
            most = max(1, self._probes_in_a_row - self._sure(now) + 2)
        else:
            most = 1 + sum(self._probes)
        return self._unanswered[Reason.PROBE] < most

    def _sure(self, now: float) -> int:
        """Return how many probes in a row find more room than what tasks leave whose ends no poll has seen."""
        while self._ends and self._ends[0] < now - UNSEEN:
            self._ends.popleft()
        return SURE + len(self._ends)

    def _flows(self, now: float) -> bool:
        """Return whether freed slots are used with success, so that the room is full of our own tasks."""
        return now - self._last_use < FLOWING and sum(self._uses) >= TRUSTED

    # --- calls --------------------------------------------------------------------------------------------

    def take(self, now: float) -> Reason:
        """Note that a launch is being sent; call this only if `opens_at` returned `now`."""
        on_freed = self.shut_at is not None and self._may_use and self._next_use.at <= now
        reason = Reason.FREED if on_freed else Reason.PROBE
        if on_freed:
            self._freed.popleft()
        self._unanswered[reason] += 1
        return reason

    def withdraw(self, reason: Reason, now: float) -> None:
        """Note that a launch wasn't sent after all, or that its answer said nothing about room."""
        self._unanswered[reason] -= 1
        if reason is Reason.FREED:
            self.regain(now)

    def accept(self, reason: Reason, now: float, created_at: float | None = None) -> None:
        """Note that ECS had room, and when it created the task (in epoch seconds), if it told."""
        self._unanswered[reason] -= 1
        self._last_news = now
        if self.shut_at is None:
            return
        if reason is Reason.PROBE and self._doubted_since is not None:
            self._next_probe.refused(now)
            return
        if reason is Reason.FREED:
            self._uses.append(True)
            self._uses_in_a_row += 1
            self._last_use = now
            self._next_use.reset(now)
            if not self._flows(now):
                self._probes.append(True)
            return
        self._probes.append(True)
        self._probes_in_a_row += 1
        if created_at is not None:
            self._found.append(created_at)
        flows = self._flows(now)
        self._next_probe.reset(now + UNSEEN if flows and self._probes_in_a_row < self._sure(now) else now)
        if self._probes_in_a_row >= REOPENED and not flows:
            self.shut_at = None

    def refuse(self, reason: Reason | None, now: float, *, sent_at: float) -> None:
        """Note that ECS had no room for a launch sent then; the reason is None if this gate hasn't let it through."""
        if reason is not None:
            self._unanswered[reason] -= 1
        self._shut(now, sent_at)
        if reason is Reason.FREED:
            self._uses.append(False)
            self._uses_in_a_row = 0
            self._next_use.refused(now)
            if not self._flows(now):
                self._probes.append(False)
            return
        self._probes_in_a_row = 0
        if self._flows(now):
            self._probes.extend([False] * PROBES)
            self._next_probe.reset(now + LONGEST_PAUSE)
            return
        self._probes.append(False)
        if self._doubted_since is not None or not any(self._probes):
            self._next_probe.refused(now)

    def come_to_nothing(self, now: float) -> None:
        """Note that a task that ECS had accepted has ended before it ran, for lack of room."""
        self._shut(now, now)
        if self._doubted_since is None:
            self._doubted_since = now
        self._probes_in_a_row = 0
        self._next_probe.refused(now)

    def start(self, launched_at: float, now: float) -> None:
        """Note that a task has started to run, which was launched at that time."""
        if self._doubted_since is not None and launched_at >= self._doubted_since:
            self._doubted_since = None
            self._probes.append(True)
            self._next_probe.reset(now)

    def _shut(self, now: float, sent_at: float) -> None:
        self._last_news = now
        self._freed = deque(seen for seen in self._freed if seen > sent_at)  # what was free before is taken
        if self.shut_at is None:
            self.shut_at = now
            self._probes.extend([True] * PROBES)  # for all that is known, this refusal is an exception
            self._next_probe.reset(now)

    # --- slots --------------------------------------------------------------------------------------------

    def free(self, now: float, stopped_at: float | None = None) -> None:
        """Note that a poll has seen the end of a task of this room: its slot is free, unless a probe has found it already.

        ECS tells when the task stopped, in epoch seconds.
        """
        if self.shut_at is None:
            return
        self._ends.append(now)
        if stopped_at is not None and self._was_found(stopped_at):
            self._uses.append(True)  # as good as a launch on the freed slot: nobody else has taken it
            self._last_use = now
        else:
            self._freed.append(now)

    def _was_found(self, stopped_at: float) -> bool:
        """Return whether a probe has found the slot of a task that stopped then; one probe has found one slot."""
        self._found = [created_at for created_at in self._found if created_at > stopped_at - FORGOTTEN]
        later = [created_at for created_at in self._found if created_at >= stopped_at]
        if later:
            self._found.remove(min(later))
        return bool(later)

    def lose(self) -> bool:
        """Note that a launch of another size takes a freed slot; return whether there was one."""
        if not self._freed:
            return False
        self._freed.popleft()
        return True

    def regain(self, now: float) -> None:
        """Note that a freed slot wasn't used after all."""
        if self.shut_at is not None:
            self._freed.append(now)
