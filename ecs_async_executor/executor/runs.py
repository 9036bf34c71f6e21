"""Keeps the executor's runs, and which run of each key is current. Sans-I/O; for the scheduler's thread only.

Airflow queues a key many times (deferral, reschedule, requeue), each time as a new run. At most one run of a
key is current, and only for that one may the executor send an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.executor.decisions import RunView
from ecs_async_executor.executor.row_claim import RowClaim
from ecs_async_executor.executor.run_state import TRANSITIONS, RunState
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.history import History, move
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launched,
    LaunchFailed,
    Recovery,
    Stop,
    Stopped,
    Terminal,
)

REFUSED = 1
"""Exit code of a worker whose task Airflow refuses to start because another worker has (airflow.sdk 1.3)."""


@dataclass(slots=True, eq=False)
class Run:
    """One queueing of one workload."""

    run_id: str
    key: Any
    label: str
    workload: Any
    """None for an adopted run, until it is read from the database, and for a task once it is launched."""
    ti_id: Any = None
    """The task instance's primary key; None for a callback, which has no row."""
    try_number: int = 0
    queue: str = ""
    """The Airflow queue; callbacks have none."""
    fallbacks: int = 0
    """How many times the run has switched to a fallback profile."""
    looks_back: bool = False
    """Its profile depends on its task's earlier launches, which must be read before it is launched."""
    setbacks: tuple[Setback, ...] = ()
    """What happened to them, as the database showed it."""
    killed_at: int = 0
    """The largest size in MiB at which the task was killed for lack of memory; 0: none that counts for this run."""
    sets_memory: bool = False
    """Its executor_config sets its memory, so its profile can't give it more."""
    id_committed: bool = False
    """Core has committed the run id to the row, together with QUEUED."""
    number: int = 1
    """The current launch number."""
    adopted_by_arn: bool = False
    """Adopted by its ARN: its row no longer holds the run id, so the ECS task's id takes its place."""
    recovery: Recovery = Recovery.NONE
    """What an earlier scheduler may already have done for its launch."""
    starts: int = 1
    """Start attempts used, including the current one."""
    waits_since: float | None = None
    """When its current wait for capacity began: when a launch first failed without costing an attempt."""
    relaunched_for: str = ""
    """Why it was to be launched again, last: a class of the metric `RELAUNCHES`."""
    waits_for: set[str] = field(default_factory=set)
    """The causes of waiting that are already in its Audit Log."""
    had_by_another: bool = False
    """Another scheduler had it for a while, and may have sent its current launch: a failure of ours proves nothing then."""
    shows_launch: bool = False
    """Adopted before its first launch was known: its row must show that launch's id, in place of the run id, before it is sent.

    An earlier scheduler that comes back can't claim the row for a standby any more, and sees that another one had the run."""
    claim: RowClaim | None = None
    """Of its first launch: names the standby that may serve it. None: none may."""
    handed_over_at: float | None = None
    """When we learned that its task is a standby's."""
    launched: Launched | None = None
    ended: Terminal | None = None
    ended_at: float = 0.0
    """When the engine reported its end."""
    event_sent: bool = False
    """A terminal event was sent (by Airflow itself if heartbeats timed out); the row hasn't changed yet."""
    ended_by_airflow: bool = False
    """Airflow failed it because its heartbeats had timed out, while its container lived."""
    unwanted_since: float | None = None
    """When we first read that its row had moved on while its task lived."""
    stop: Stop | None = None
    """The order to stop its task; the run lasts until the engine reports the end."""
    own_ids: frozenset[str] = frozenset()
    """All external executor ids that its row may show, but for a standby's."""
    state: RunState = RunState.PENDING
    """Only `move` changes it."""
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.own_ids |= {self.run_id}

    @property
    def ids(self) -> frozenset[str]:
        """All external executor ids that its row may show."""
        return self.own_ids if self.claimed is None else self.own_ids | {self.claimed}

    @property
    def claimed(self) -> str | None:
        """The ARN of the standby that was to serve its first launch; None if there was none."""
        return self.claim.arn if self.claim is not None else None

    @property
    def lost_standby(self) -> bool:
        """Whether its launch has ended because a standby didn't start it."""
        return isinstance(self.ended, (LaunchFailed, Stopped)) and self.ended.standby

    @property
    def task(self) -> Hashable:
        """Identifies its task, whatever the try."""
        primary: Hashable = getattr(self.key, "primary", self.key)
        return primary

    @property
    def is_callback(self) -> bool:
        """Whether it is a callback's, and so has no row."""
        return self.ti_id is None

    @property
    def nothing_lives(self) -> bool:
        """Whether all its launches so far are over, and it waits for the next one."""
        return self.state is RunState.PENDING and self.recovery is Recovery.NONE

    @property
    def outgrown(self) -> int:
        """The MiB that its profile must exceed, if it grows."""
        return 0 if self.sets_memory else self.killed_at

    @property
    def launch_id(self) -> LaunchId:
        """The id of its current launch."""
        return LaunchId(self.run_id, self.number)

    def move(self, state: RunState, why: str, now: float) -> None:
        """Change the state; raises `ImpossibleTransitionError`."""
        move(self, state, TRANSITIONS, why, now)

    def next_launch(self) -> None:
        """Move to the next launch number; call it only when nothing of the earlier launches lives."""
        self.own_ids -= {str(self.launch_id)}
        self.number += 1
        self.recovery = Recovery.NONE
        self.launched = self.ended = self.stop = self.unwanted_since = self.handed_over_at = None

    def had_in_between(self) -> None:
        """Note that another scheduler has had the run, and may have launched it."""
        self.had_by_another = self.launched is None
        if self.claim is not None:
            self.claim.is_void = True

    def search_again(self) -> None:
        """Go back to the search for the current launch: another scheduler may have sent it."""
        self.claim = self.launched = self.ended = self.stop = self.unwanted_since = self.handed_over_at = None
        self.recovery, self.shows_launch, self.had_by_another = Recovery.SEARCH, True, False

    def covers(self, other: Run) -> bool:
        """Return whether this run is `other`, as made from an orphaned row, or a later launch of it."""
        if other.launched is not None:
            return other.launched.arn in self.ids
        is_ahead = (
            self.number > other.number and self.state is RunState.PENDING
        )  # nobody knows of that launch
        return self.run_id == other.run_id and self.number >= other.number and not is_ahead

    @property
    def published(self) -> str | None:
        """What its row's `external_executor_id` should be; None if it doesn't matter."""
        if self.launched is not None:
            return self.launched.arn
        if self.number > 1 or self.shows_launch:
            return str(self.launch_id)
        if self.claimed is not None:
            return None  # the run id or the ARN, until the engine knows which
        return self.run_id if self.id_committed else None

    @property
    def stage(self) -> tuple[Any, ...]:
        """Changes when we learn something new about the run: answers to earlier queries are then stale."""
        return self.run_id, self.number, self.recovery, self.launched, self.ended

    @property
    def costs_attempt(self) -> bool:
        """Whether its end costs one of its start attempts."""
        return self.ended is None or self.ended.costs_attempt

    @property
    def diagnosis(self) -> Diagnosis:
        """Why the run ended."""
        return (self.ended or Cancelled(self.run_id)).diagnosis


class Runs:
    """All runs that this executor has not finished with."""

    def __init__(self) -> None:
        self._by_id: dict[str, Run] = {}
        self._current: dict[Hashable, Run] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._by_id.values())

    def __repr__(self) -> str:
        counts = Counter(run.state for run in self)
        parts = [f"{counts[state]} {state.name.lower()}" for state in RunState if counts[state]]
        return f"<Runs: {', '.join(parts) or 'none'}; {len(self._current)} current>"

    def unsettled(self) -> Iterator[Run]:
        """Yield the runs whose task isn't running undisturbed."""
        return (run for run in self if run.state is not RunState.LIVE or run.stop is not None)

    def add(self, run: Run) -> None:
        """Add a run as the current one of its key."""
        self._by_id[run.run_id] = run
        self._current[run.key] = run

    def get(self, run_id: str) -> Run | None:
        """Return a run by its id, current or not."""
        return self._by_id.get(run_id)

    def current(self, key: Hashable) -> Run | None:
        """Return the current run of a key."""
        return self._current.get(key)

    def is_current(self, run: Run) -> bool:
        """Return whether no newer run of the same key is known."""
        return self._current.get(run.key) is run

    def rename(self, run: Run, run_id: str) -> None:
        """Give a run a new id; its earlier ids stay among `ids`."""
        del self._by_id[run.run_id]
        run.run_id = run_id
        run.own_ids |= {run_id}
        self._by_id[run_id] = run

    def forget(self, run: Run) -> None:
        """Remove a run: the executor sends no more events for it."""
        self._by_id.pop(run.run_id, None)
        if self.is_current(run):
            del self._current[run.key]

    def view(  # noqa: PLR0913  the decision table asks for all of it
        self,
        run: Run,
        *,
        job_id: Any,
        queued_again: bool,
        may_relaunch: bool,
        heartbeats: Heartbeats,
        asked_at: float = 0.0,
    ) -> RunView:
        """Make the view of a run that the decision table needs. `asked_at`: when its row was queried."""
        ended = run.ended if isinstance(run.ended, Stopped) else None
        return RunView(
            try_number=run.try_number,
            ids=run.ids,
            id_committed=run.id_committed,
            current=self.is_current(run) and not queued_again,
            job_id=job_id,
            nothing_lives=run.nothing_lives,
            shows_launch=run.shows_launch,
            may_relaunch=may_relaunch,
            ran=ended is not None and ended.ran,
            lost=ended is not None and ended.lost,
            refused_for=asked_at - run.ended_at if ended is not None and ended.exit_code == REFUSED else None,
            heartbeats=heartbeats,
            published=run.published,
        )
