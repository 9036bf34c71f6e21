"""One kind of room: after ECS has refused a launch for lack of it, how many more are sent, and when. Sans-I/O.

An open gate lets every launch through. A refusal shuts it; from then on there are two reasons to send a launch:

- a **freed slot**: a task that has ended leaves its room to the next one, at once. If such launches are refused, someone
  else takes the room, and the next one follows only the second end. But if they are refused and succeed in turns, as a die
  would have it, the slot is still there, and the next launch is sent at once;
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
from itertools import pairwise

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
MOST_ENDS = 2
"""Ends that it takes until a launch is sent on a freed slot after one was refused: each end is new evidence of room."""
OUTCOMES, ENOUGH = 80, 20
"""Outcomes of launches on freed slots by which chance is told from rivals, and how many of them it takes."""
ALTERNATING = 0.3
"""The least part of those that differs from the one before if they are chance's: 42 % do on average where ECS refuses 30 % at
random, and 48 % where it refuses 60 %. A rival takes slots one after the other, until it has enough."""
MOST_PROBES = 5
"""Unanswered probes at most while tasks flow: if there is more room, they find it soon enough, and at its end few are refused."""
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
    AGAIN = "a launch on a freed slot was refused, by chance"


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
        self._refused_slots = 0
        """Freed slots whose launch was refused by chance, as it seems: they are still free."""
        self._unanswered = dict.fromkeys(Reason, 0)
        self._probes: deque[bool] = deque(maxlen=PROBES)
        self._uses: deque[bool] = deque(maxlen=USES)
        self._outcomes: deque[bool] = deque(maxlen=OUTCOMES)
        """Those of launches on freed slots."""
        self._ends_needed = 1
        """How many ends it takes until the next launch on a freed slot."""
        self._probes_in_a_row = self._uses_in_a_row = 0
        self._ends: deque[float] = deque()
        """When the ends of the last `UNSEEN` seconds were seen."""
        self._found: deque[float] = deque()
        """When ECS created the tasks of probes that have succeeded lately, in epoch seconds."""
        self._in_between: deque[float] = deque()
        """The same of probes that have succeeded while launches on freed slots were unanswered: these tell whose slots they took."""
        self._last_use = -math.inf
        """When a launch on a freed slot last succeeded."""
        self._last_news = -math.inf
        """When it last learned what came of a launch."""
        self._doubted_since: float | None = None
        """When a task that ECS had accepted first ended for lack of room; None once a later one has started."""
        self._next_probe = _Backoff(FIRST_PAUSE, LONGEST_PAUSE)

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
        if self._may_use or self._refused_slots:
            return now
        return max(now, self._next_probe.at) if self._may_probe(now) else math.inf

    @property
    def _may_use(self) -> bool:
        if len(self._freed) < self._ends_needed:
            return False
        most = 1 if self._ends_needed > 1 else FREED_AT_ONCE + self._uses_in_a_row // 8
        return self._unanswered[Reason.FREED] < most

    @property
    def _is_by_chance(self) -> bool:
        """Whether launches on freed slots are refused and succeed in turns, as by a die."""
        changes = sum(one is not other for one, other in pairwise(self._outcomes))
        return len(self._outcomes) >= ENOUGH and changes >= ALTERNATING * len(self._outcomes)

    @property
    def _on_freed(self) -> int:
        """How many launches on freed slots are unanswered."""
        return self._unanswered[Reason.FREED] + self._unanswered[Reason.AGAIN]

    def _may_probe(self, now: float) -> bool:
        if self._doubted_since is not None:
            most = 1
        elif self._flows(now):
            most = min(MOST_PROBES, max(1, self._probes_in_a_row - self._sure(now) + 2))
        else:
            most = 1 + sum(self._probes)
        return self._unanswered[Reason.PROBE] < most

    def _sure(self, now: float) -> int:
        """Return how many probes in a row find more room than what tasks leave whose ends no poll has seen."""
        _drop_until(self._ends, now - UNSEEN)
        return SURE + len(self._ends)

    def _flows(self, now: float) -> bool:
        """Return whether freed slots are used with success, so that the room is full of our own tasks."""
        return now - self._last_use < FLOWING and sum(self._uses) >= TRUSTED

    # --- calls --------------------------------------------------------------------------------------------

    def take(self, now: float) -> Reason:  # noqa: ARG002  whatever happens to a gate has a time
        """Note that a launch is being sent; call this only if `opens_at` returned `now`."""
        if self.shut_at is not None and self._may_use:
            reason = Reason.FREED
            self._freed.popleft()
        elif self._refused_slots:
            reason = Reason.AGAIN
            self._refused_slots -= 1
        else:
            reason = Reason.PROBE
        self._unanswered[reason] += 1
        return reason

    def withdraw(self, reason: Reason, now: float) -> None:
        """Note that a launch wasn't sent after all, or that its answer said nothing about room."""
        self._unanswered[reason] -= 1
        if reason is not Reason.PROBE:
            self.regain(now)

    def accept(self, reason: Reason, now: float, created_at: float | None = None) -> None:
        """Note that ECS had room, and when it created the task (in epoch seconds), if it said so."""
        self._unanswered[reason] -= 1
        self._last_news = now
        if self.shut_at is None:
            return
        if reason is not Reason.PROBE:
            self._use(now)
        elif self._doubted_since is not None:
            self._next_probe.refused(now)
        else:
            self._find(now, created_at)

    def _use(self, now: float) -> None:
        """Note that a launch on a freed slot has succeeded."""
        self._note_outcome(now, succeeded=True)
        self._uses_in_a_row += 1
        self._ends_needed = 1
        self._last_use = now
        self._settle()

    def _find(self, now: float, created_at: float | None) -> None:
        """Note that a probe has succeeded."""
        self._probes.append(True)
        self._probes_in_a_row += 1
        if self._freed:
            self._freed.popleft()  # there is one less, whichever it has taken
        elif self._refused_slots:
            self._refused_slots -= 1
        elif created_at is not None:
            self._in_between.append(created_at)
            self._settle()
        flows = self._flows(now)
        self._next_probe.reset(now + UNSEEN if flows and self._probes_in_a_row < self._sure(now) else now)
        if self._probes_in_a_row >= REOPENED and not flows:
            self.shut_at = None
            self._refused_slots = 0

    def refuse(self, reason: Reason | None, now: float, *, sent_at: float) -> None:
        """Note that ECS had no room for a launch sent then; the reason is None if this gate hasn't let it through."""
        if reason is not None:
            self._unanswered[reason] -= 1
        if reason is None or reason is Reason.PROBE:
            self._shut(now, sent_at)
            self._lack(now)
            return
        self._note_outcome(now, succeeded=False)
        self._uses_in_a_row = 0
        self._shut(now, sent_at)
        if self._in_between:
            self._in_between.popleft()  # a probe has taken this slot
        elif self._is_by_chance:
            self._refused_slots += 1
        else:
            self._ends_needed = MOST_ENDS
        self._settle()

    def _lack(self, now: float) -> None:
        """Note that a probe was refused."""
        self._probes_in_a_row = 0
        if self._flows(now):
            self._probes.extend([False] * PROBES)
            self._next_probe.reset(now + LONGEST_PAUSE)
            return
        self._probes.append(False)
        if self._doubted_since is not None or not any(self._probes):
            self._next_probe.refused(now)

    def _note_outcome(self, now: float, *, succeeded: bool) -> None:
        """Note what came of a launch on a freed slot; if few succeed, it tells about the room as a probe does."""
        self._outcomes.append(succeeded)
        self._uses.append(succeeded)
        if not self._flows(now):
            self._probes.append(succeeded)

    def _settle(self) -> None:
        """Take it that probes have found slots whose end no poll has seen yet, once no launch on a freed slot can tell otherwise."""
        while len(self._in_between) > self._on_freed:
            self._found.append(self._in_between.popleft())
            _drop_until(self._found, self._found[-1] - FORGOTTEN)

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
        if not self._is_by_chance:
            self._freed = deque(
                seen for seen in self._freed if seen > sent_at
            )  # what was free before is taken
            self._refused_slots = 0
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
        _drop_until(self._ends, now - UNSEEN)
        if stopped_at is not None and self._was_found(stopped_at):
            self._uses.append(True)  # as good as a launch on the freed slot: nobody else has taken it
            self._last_use = now
        else:
            self._freed.append(now)

    def _was_found(self, stopped_at: float) -> bool:
        """Return whether a probe has found the slot of a task that stopped then; one probe has found one slot."""
        _drop_until(self._found, stopped_at - FORGOTTEN)
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


def _drop_until(times: deque[float], last: float) -> None:
    while times and times[0] <= last:
        times.popleft()
