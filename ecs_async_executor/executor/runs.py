"""The runs in hand: which queueing of which key is current. Pure; touched by the scheduler's thread only.

A key is queued many times (deferral, reschedule, requeue), each time as a new run. At most one run of a key is
current; an event may only be told for that one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ecs_async_executor.executor.decisions import HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, RunView
from ecs_async_executor.messages import Diagnosis, Launched, Recovery, Stop, Stopped, Terminal

REFUSED = 1
"""Exit code of a worker whose task Airflow refuses to start, since another worker has started it (airflow.sdk 1.3)."""


@dataclass(slots=True, eq=False)
class Run:
    """One queueing of one workload."""

    run_id: str
    key: Any
    label: str
    workload: Any
    """None for a run of a former scheduler, until it is read from the database; and for a task, once it is launched."""
    ti_id: Any = None
    """Primary key of the task instance; None for a callback, which has no row."""
    try_number: int = 0
    queue: str = ""
    """Airflow's; callbacks have none."""
    fallbacks: int = 0
    """How often the queue's profile was given up for the one that it falls back to."""
    id_committed: bool = False
    """Core has committed the run id to the row, together with QUEUED."""
    number: int = 1
    """The launch number in use."""
    adopted_by_arn: bool = False
    """It was adopted by its ARN: it goes by ECS's id of that task, since its row does not know the run id any more."""
    recovery: Recovery = Recovery.NONE
    """What its launch must reckon with, if a former scheduler had it."""
    starts: int = 1
    """Start attempts used, this one included."""
    waits_since: float | None = None
    """When a launch of it failed for the first time without costing an attempt."""
    waits_for: set[str] = field(default_factory=set)
    """The causes of waiting that its Audit Log holds already."""
    launched: Launched | None = None
    ended: Terminal | None = None
    ended_at: float = 0.0
    """When that was reported."""
    event_sent: bool = False
    """A terminal event was sent; the row has not moved yet."""
    unwanted_since: float | None = None
    """When its row was first seen to have moved on, while its task lived."""
    stop: Stop | None = None
    """It is to be stopped, and its end awaited."""
    unpublished: bool = False
    """It is launched, and its row may not show that yet."""
    ids: frozenset[str] = frozenset()
    """All that its row may show as external executor id."""

    def __post_init__(self) -> None:
        self.ids |= {self.run_id}

    @property
    def task(self) -> Hashable:
        """Tell its task from all others, whatever the try."""
        primary: Hashable = getattr(self.key, "primary", self.key)
        return primary

    @property
    def is_callback(self) -> bool:
        """Callbacks have no row."""
        return self.ti_id is None

    def next_launch(self) -> None:
        """Go on to the next launch number; nothing of the launches before lives."""
        self.ids -= {launch_id(self.run_id, self.number)}
        self.number += 1
        self.recovery = Recovery.NONE
        self.launched = self.ended = self.stop = self.unwanted_since = None
        self.unpublished = False

    def covers(self, other: Run) -> bool:
        """Tell whether this is what an orphaned row shows, or a later launch of it."""
        if other.launched is not None:
            return other.launched.arn in self.ids
        return self.run_id == other.run_id and self.number >= other.number

    @property
    def published(self) -> str | None:
        """What its row shall show as `external_executor_id`; None if that does not matter."""
        if self.launched is not None:
            return self.launched.arn
        if self.number > 1:
            return launch_id(self.run_id, self.number)
        return self.run_id if self.id_committed else None

    @property
    def stage(self) -> tuple[Any, ...]:
        """What an answer about its row is worth: nothing, if this has changed since the question."""
        return self.run_id, self.number, self.recovery, self.launched, self.ended

    @property
    def costs_attempt(self) -> bool:
        """Whether its end costs one of its start attempts."""
        return getattr(self.ended, "costs_attempt", True)

    @property
    def diagnosis(self) -> Diagnosis:
        """Why it ended."""
        return getattr(self.ended, "diagnosis", None) or Diagnosis(
            "The task was stopped before it was launched."
        )


def launch_id(run_id: str, number: int) -> str:
    """Name one launch of a run, as its clientToken does."""
    return f"{run_id}-{number}"


class Runs:
    """All runs that are not over for this executor."""

    def __init__(self) -> None:
        self._by_id: dict[str, Run] = {}
        self._current: dict[Hashable, Run] = {}
        self.heartbeat_interval = HEARTBEAT_INTERVAL
        """Seconds between two heartbeats of a worker."""
        self.heartbeat_timeout = HEARTBEAT_TIMEOUT
        """Seconds without a heartbeat after which Airflow takes a worker for dead."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._by_id.values())

    def __repr__(self) -> str:
        return f"<Runs {len(self._by_id)} in hand, {len(self._current)} current>"

    def add(self, run: Run) -> None:
        """Take a run in; it is the current one of its key from now on."""
        self._by_id[run.run_id] = run
        self._current[run.key] = run

    def get(self, run_id: str) -> Run | None:
        """Find a run, current or not."""
        return self._by_id.get(run_id)

    def current(self, key: Hashable) -> Run | None:
        """Find the current run of a key."""
        return self._current.get(key)

    def is_current(self, run: Run) -> bool:
        """Tell whether no newer run of the same key is known."""
        return self._current.get(run.key) is run

    def rename(self, run: Run, run_id: str) -> None:
        """Give a run an id of its own; what it was known by stays among its ids."""
        del self._by_id[run.run_id]
        run.run_id = run_id
        run.ids |= {run_id}
        self._by_id[run_id] = run

    def forget(self, run: Run) -> None:
        """Drop a run: nothing more will be told about it."""
        self._by_id.pop(run.run_id, None)
        if self.is_current(run):
            del self._current[run.key]

    def view(
        self, run: Run, *, job_id: Any, queued_again: bool, may_relaunch: bool, asked_at: float = 0.0
    ) -> RunView:
        """Say what the decision table needs to know. `asked_at`: when the row was asked for."""
        return RunView(
            try_number=run.try_number,
            ids=run.ids,
            id_committed=run.id_committed,
            current=self.is_current(run) and not queued_again,
            job_id=job_id,
            may_relaunch=may_relaunch,
            ran=isinstance(run.ended, Stopped) and run.ended.ran,
            lost=isinstance(run.ended, Stopped) and run.ended.lost,
            refused_for=asked_at - run.ended_at if getattr(run.ended, "exit_code", None) == REFUSED else None,
            heartbeat_interval=self.heartbeat_interval,
            heartbeat_timeout=self.heartbeat_timeout,
            published=run.published,
        )
