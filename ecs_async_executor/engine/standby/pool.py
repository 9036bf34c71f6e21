"""One pool of standbys: what is known of each of them, and which of them count. Sans-I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import Enum

from ecs_async_executor.messages import Diagnosis, PoolStatus, Request, StandbyPool, Usage
from ecs_async_executor.standby.command import READY_SECONDS

READY_AFTER = READY_SECONDS
"""Seconds that a container runs before its standby counts as ready: one that can't import Airflow or read S3 has ended by then."""
LAST_MINUTE = 60.0
"""Seconds before its `max_age` from which a standby is given no workload: it may be about to end."""
REPLACED_AHEAD = 180.0
"""Seconds before its `max_age` at which a standby is replaced, so that the replacement is ready when the last minute begins.

Fargate takes most of a minute to start it, and `READY_AFTER` comes on top."""


class Stage(Enum):
    """How far a standby has got."""

    STARTING = "its container isn't running yet"
    READY = "its container runs, and waits for a workload"
    ASSIGNED = "a run takes it"
    LEAVING = "it is being stopped"


@dataclass(slots=True, eq=False)
class Standby:
    """One standby that no run's entry has taken over."""

    run_id: str
    """Its own, in the ledger."""
    pool: str
    url: str
    """Its S3 object. Whoever knows it may write a workload there, so no two standbys share one."""
    stage: Stage = Stage.STARTING
    arn: str = ""
    cluster: str = ""
    capacity: str = ""
    """Its size and where it runs, for people to read."""
    running_since: float | None = None
    definition: str = ""
    """The ARN of its task definition's revision."""
    counted_until: float = 0.0
    """Until when its idle time is in its pool's; before it runs: of no meaning."""

    def age(self, now: float) -> float:
        """Return the seconds for which its container has been running."""
        return 0.0 if self.running_since is None else now - self.running_since

    def __repr__(self) -> str:
        """Omit the URL: only whoever launched the standby may write its object."""
        return f"Standby({self.pool!r}, {self.stage.name}, {self.arn!r})"


@dataclass(slots=True, eq=False)
class Pool:
    """The standbys of one profile, and what has become of earlier ones."""

    spec: StandbyPool
    standbys: dict[str, Standby] = field(default_factory=dict)
    failures: int = 0
    """Standbys in a row that have failed."""
    failed_at: float = float("-inf")
    """When the last one of them did."""
    resumes_at: float = float("-inf")
    """When the next standby may be launched."""
    off: Diagnosis | None = None
    """Why the pool rests."""
    request: Request | None = None
    """What launches are compared with."""
    newest: str = ""
    """The revision that RunTask started last, for this pool's profile."""
    warm: int = 0
    cold: Counter[str] = field(default_factory=Counter)
    """Runs that started cold, by reason."""
    size: Usage | None = None
    """Of one standby, as returned by RunTask; its seconds mean nothing."""
    region: str = ""
    idle: float = 0.0
    """Seconds for which its standbys have been paid for without a workload, all together: from the pull on."""

    def count_idle(self, standby: Standby, now: float) -> None:
        """Add a standby's idle time since the last time."""
        if standby.running_since is not None:
            self.idle += now - standby.counted_until
            standby.counted_until = now

    def is_old(self, standby: Standby, now: float) -> bool:
        """Return whether it ends by itself within a minute."""
        return standby.age(now) >= self.spec.max_age - LAST_MINUTE

    def ends_soon(self, standby: Standby, now: float) -> bool:
        """Return whether it ends by itself so soon that its replacement must have been launched by now."""
        return standby.age(now) >= self.spec.max_age - REPLACED_AHEAD

    def is_ready(self, standby: Standby, now: float) -> bool:
        """Return whether it may be given a workload."""
        return (
            standby.stage is Stage.READY
            and standby.age(now) >= READY_AFTER
            and not self.is_old(standby, now)
            and not self.is_outdated(standby)
        )

    def stage_of(self, standby: Standby, now: float) -> Stage:
        """Return how far a standby has got, as people see it."""
        if standby.stage in {Stage.ASSIGNED, Stage.LEAVING}:
            return standby.stage
        if self.is_ready(standby, now):
            return Stage.READY
        return Stage.LEAVING if self.is_old(standby, now) or self.is_outdated(standby) else Stage.STARTING

    def note_success(self, standby: Standby) -> None:
        """Forget the failures, because a standby works; unless it began before the last of them: new ones may be broken."""
        if standby.running_since is not None and standby.running_since > self.failed_at:
            self.failures = 0

    def is_outdated(self, standby: Standby) -> bool:
        """Return whether RunTask starts another revision by now."""
        return bool(standby.definition and self.newest) and standby.definition != self.newest

    def count(self, stage: Stage) -> int:
        """Count the standbys at a stage."""
        return sum(each.stage is stage for each in self.standbys.values())

    def unassigned(self) -> list[Standby]:
        """Return those that nobody takes and that aren't being stopped, the oldest first."""
        return [each for each in self.standbys.values() if each.stage in {Stage.STARTING, Stage.READY}]

    def status(self, now: float, s3_failure: Diagnosis | None) -> PoolStatus:
        """Describe the pool; `s3_failure`: why S3 can't be used now."""
        ready = [each for each in self.standbys.values() if self.is_ready(each, now)]
        usable = [each for each in self.unassigned() if not self.is_old(each, now)]
        why = s3_failure or self.off
        return PoolStatus(
            self.spec.name,
            self.spec.count,
            starting=len(usable) - len(ready),
            ready=len(ready),
            oldest=max((each.age(now) for each in ready), default=None),
            warm=self.warm,
            cold=self.cold.total(),
            off=str(why) if why is not None else "",
            reasons=tuple(self.cold.most_common()),
            idle=replace(self.size, seconds=self.idle) if self.size is not None else None,
            region=self.region,
        )
