"""What becomes of each task, and so how it must end. Read by the Dag, by the workers and by the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["succeed", "raise", "die", "wait"]
"""How a run of its code ends: it returns, raises, its container is killed before it can tell (exit code 137), or it
asks to be run again a moment later, in the same try (a sensor's `mode="reschedule"`)."""


@dataclass(frozen=True)
class ExpectedOutcome:
    """How the tries of a task end; the last one is final."""

    tries: tuple[Outcome, ...]
    waits: int = 0
    """How often it first asks to be run again later."""
    grows: bool = False
    """Whether its tries, which are taken to be killed for lack of memory, get more and more of it."""

    @property
    def state(self) -> str:
        """The state it must end in."""
        return "success" if self.tries[-1] == "succeed" else "failed"

    @property
    def last_try(self) -> int:
        """The number of its last try."""
        return len(self.tries)


EXPECTED: Mapping[str, ExpectedOutcome] = {
    "succeeds": ExpectedOutcome(("succeed",)),
    "fails": ExpectedOutcome(("raise",)),
    "recovers": ExpectedOutcome(("raise", "succeed")),
    "dies": ExpectedOutcome(("die",)),
    "revives": ExpectedOutcome(("die", "succeed")),
    "waits": ExpectedOutcome(("succeed",), waits=2),
    "grows": ExpectedOutcome(("die", "die", "succeed"), grows=True),
}
"""By task id. Each is a mapped task."""

GROWING = "growing"
"""The queue of the tasks that get more and more memory."""
SIZES = (2048, 4096, 8192)
"""What they get, in MiB."""
_EVERY = 12
"""Of so many tasks, one has each of the other fates."""


def shares(tasks: int) -> dict[str, int]:
    """How many tasks of each expected outcome there are, of so many in all (at least seven)."""
    counts = {name: max(1, tasks // _EVERY) for name in EXPECTED if name != "succeeds"}
    return {"succeeds": tasks - sum(counts.values()), **counts}


def outcome(task_id: str, try_number: int, waited: int) -> Outcome:
    """How this run is to end, after so many waits. A try that nobody expects ends as the last one that was expected."""
    expected = EXPECTED[task_id]
    if waited < expected.waits:
        return "wait"
    return expected.tries[min(try_number, len(expected.tries)) - 1]
