"""The standbys of one engine: how many of each pool are kept, which are ready, and which must go. Sans-I/O.

A standby is launched and polled like a run: the ledger has an entry for it, whose reports come here. It is STARTING until
its container has been running for a few seconds. Then it is READY, until a run takes it (ASSIGNED) or it has to leave
(LEAVING). Once the run's entry has taken over the ECS task, nothing here remembers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from ecs_async_executor.cold_starts import NO_S3, NONE_FREE, RESTING
from ecs_async_executor.engine.standby.pool import Pool, Stage, Standby
from ecs_async_executor.messages import (
    Cancelled,
    Diagnosis,
    Launch,
    Launched,
    LaunchFailed,
    PoolStatus,
    Report,
    Request,
    Running,
    RunReport,
    StandbyPool,
    StandbysOff,
    Stopped,
    Usage,
)
from ecs_async_executor.standby.command import lease_url, object_url

SETTLED_AFTER = 60.0
"""Seconds that a container must run for its standby to count as a success: one that ends sooner has failed."""
PATIENCE = 3
"""Standbys in a row that fail before their pool rests."""
REST = 900.0
"""Seconds that a pool rests."""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 60.0
"""Seconds until the next standby is launched after the first failure, and at most; ECS's lack of room costs the latter."""
PRIORITY = -(2**40)
"""Below every task's: `priority_weight` has 32 bits."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be done now to have the right standbys."""

    launches: Sequence[Launch] = ()
    stops: Sequence[tuple[str, str]] = ()
    """The ids of standbys, each with the reason."""


class Standbys:
    """All pools of one engine. The caller passes the time, on the ledger's clock."""

    def __init__(self, random_id: Callable[[], UUID]) -> None:
        """Take what makes random ids, of at least 122 random bits: a standby's object must not be guessed."""
        self._random_id = random_id
        self._pools: dict[str, Pool] = {}
        self._by_id: dict[str, Standby] = {}
        self._owner = random_id().hex
        self.s3_failure: Diagnosis | None = None
        """Why S3 can't be used now; workloads are handed over only through S3."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Standby]:
        return iter(self._by_id.values())

    def __contains__(self, run_id: str) -> bool:
        """Return whether an id is a standby's."""
        return run_id in self._by_id

    def __repr__(self) -> str:
        parts = [f"{name}: {len(pool.standbys)}" for name, pool in self._pools.items()]
        return f"<Standbys {', '.join(parts) or 'none'}>"

    def keep(self, pools: Sequence[StandbyPool]) -> None:
        """Keep the standbys of these pools. An engine gets this order once: the options don't change while it runs."""
        self._pools |= {spec.name: Pool(spec) for spec in pools if spec.name not in self._pools}

    @property
    def leases(self) -> frozenset[str]:
        """The URLs of the objects that tell standbys that this engine lives; empty if there are no pools."""
        return frozenset(lease_url(pool.spec.location, self._owner) for pool in self._pools.values())

    def request(self, pool: str) -> Request:
        """Return a request of a pool, to compare launches with; raises `InvalidRequestError`."""
        its = self._pools[pool]
        if its.request is None:
            url = object_url(its.spec.location, "")
            its.request = its.spec.build(url, url)
        return its.request

    # --- which to have ------------------------------------------------------------------------------------

    def plan(self, now: float, short_of_room: Mapping[str, int]) -> Plan:
        """Return which standbys to launch and to stop; `short_of_room` counts the runs that wait for room, by cluster.

        One standby gives way to each such run. StopTask takes its time, so those that are leaving already count.
        """
        to_give_way = Counter(short_of_room)
        for pool in self._pools.values():
            to_give_way[pool.spec.cluster] -= pool.count(Stage.LEAVING)
        launches: list[Launch] = []
        stops: list[tuple[str, str]] = []
        for pool in self._pools.values():
            if pool.resumes_at <= now:
                pool.off = None
            for each in pool.standbys.values():
                pool.count_idle(each, now)
            for each in pool.unassigned():
                if pool.is_outdated(each):
                    stops.append(self._leave(each, "a newer revision of its task definition is there"))
                elif each.age(now) >= SETTLED_AFTER:
                    pool.note_success(each)
            usable = [each for each in pool.unassigned() if not pool.is_old(each, now)]
            cluster = pool.spec.cluster
            if short_of_room.get(cluster):
                # Those that end soon anyway go first, then those that could serve nobody yet.
                order = sorted(usable, key=lambda each: (not pool.ends_soon(each, now), _is_up(each)))
                giving_way = order[: max(0, to_give_way[cluster])]
                to_give_way[cluster] -= len(giving_way)
                stops += [self._leave(each, "tasks wait for the room that it takes") for each in giving_way]
            elif self.s3_failure is None and pool.resumes_at <= now:
                lasting = sum(not pool.ends_soon(each, now) for each in usable)
                launches += [self._launch(pool) for _ in range(pool.spec.count - lasting)]
        return Plan(launches, stops)

    def _launch(self, pool: Pool) -> Launch:
        spec = pool.spec
        url = object_url(spec.location, self._random_id().hex)
        standby = Standby(str(self._random_id()), spec.name, url)
        pool.standbys[standby.run_id] = self._by_id[standby.run_id] = standby
        return Launch(
            standby.run_id,
            f"a standby of the queue {spec.name}",
            partial(spec.build, url, lease_url(spec.location, self._owner)),
            cluster=spec.cluster,
            container=spec.container,
            priority=PRIORITY,
            launch_timeout=spec.launch_timeout,
            queue=spec.queue,
            room=spec.room,
        )

    def _leave(self, standby: Standby, why: str) -> tuple[str, str]:
        standby.stage = Stage.LEAVING
        return standby.run_id, f"standby: {why}"

    # --- what becomes of them -----------------------------------------------------------------------------

    def note(self, report: RunReport, now: float) -> list[Report]:
        """Take in a report about a standby, and return what the scheduler must know."""
        standby = self._by_id[report.run_id]
        pool = self._pools[standby.pool]
        match report:
            case Launched():
                standby.arn, standby.cluster, standby.capacity = report.arn, report.cluster, report.capacity
            case Running():
                standby.running_since = standby.counted_until = now
                if standby.stage is Stage.STARTING:
                    standby.stage = Stage.READY
            case Stopped() | LaunchFailed() | Cancelled():
                self._forget(standby, now)
                if standby.stage is not Stage.LEAVING:
                    return self._note_end(pool, standby, report, now)
            case _:
                pass
        return []

    def _note_end(
        self, pool: Pool, standby: Standby, report: Stopped | LaunchFailed | Cancelled, now: float
    ) -> list[Report]:
        if standby.age(now) >= SETTLED_AFTER:
            return []
        if pool.off is not None:
            return []  # it was on its way when the pool began to rest, and changes nothing about that
        if not report.costs_attempt or (isinstance(report, Stopped) and report.interrupted):
            pool.resumes_at = now + LONGEST_PAUSE
            return []
        pool.failures, pool.failed_at = pool.failures + 1, now
        pool.resumes_at = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (pool.failures - 1))
        if pool.failures < PATIENCE and not report.permanent:
            return []
        pool.failures = PATIENCE - 1  # one more is enough, after the rest
        pool.resumes_at, pool.off = now + REST, report.diagnosis
        return [StandbysOff(pool.spec.name, report.diagnosis)]

    def note_definition(self, pool: str, standby: str, definition: str) -> None:
        """Note which revision RunTask has started for a pool's profile, for a standby of this id or for a run."""
        self._pools[pool].newest = definition
        if standby in self._by_id:
            self._by_id[standby].definition = definition

    def note_size(self, pool: str, size: Usage, region: str) -> None:
        """Note the size of a pool's standbys, and where they run."""
        self._pools[pool].size, self._pools[pool].region = size, region

    def note_start(self, standby: str, seconds: float) -> None:
        """Note how long a standby's container has taken from the pull of its image until it ran: that is paid for, too."""
        if standby in self._by_id:
            self._pools[self._by_id[standby].pool].idle += seconds

    def pool_of(self, run_id: str) -> str | None:
        """Return the pool of a standby; None for any other id."""
        standby = self._by_id.get(run_id)
        return standby.pool if standby is not None else None

    # --- whom they serve ----------------------------------------------------------------------------------

    def take(self, pool: str, now: float) -> Standby | None:
        """Assign the pool's oldest ready standby to a run; None if it has none, or S3 can't be used."""
        its = self._pools.get(pool)
        if its is None or self.s3_failure is not None:
            return None
        ready = [each for each in its.standbys.values() if its.is_ready(each, now)]
        if not ready:
            return None
        oldest = max(ready, key=lambda each: each.age(now))
        oldest.stage = Stage.ASSIGNED
        return oldest

    def is_usable(self, standby: Standby) -> bool:
        """Return whether an assigned standby hasn't ended since."""
        return self._by_id.get(standby.run_id) is standby

    def give_back(self, standby: Standby) -> None:
        """Note that a run doesn't take its standby, and that nothing anywhere says that it does."""
        if self.is_usable(standby):
            standby.stage = Stage.READY

    def spoil(self, standby: Standby) -> tuple[str, str] | None:
        """Return the standby to stop: a run can't take it, but its row may say that it does; None if it has ended."""
        return self._leave(standby, "it can't be given a workload") if self.is_usable(standby) else None

    def served(self, standby: Standby, now: float) -> None:
        """Forget a standby: it is a run's task from now on."""
        pool = self._pools[standby.pool]
        pool.warm += 1
        pool.note_success(standby)
        self._forget(standby, now)

    def started_cold(self, pool: str, why: str) -> str:
        """Count a run of a pool's profile that no standby serves; return why. `why`: empty if one of them might have."""
        its = self._pools[pool]
        if not why:
            why = NO_S3 if self.s3_failure else RESTING if its.off else NONE_FREE
        its.cold[why] += 1
        return why

    def _forget(self, standby: Standby, now: float) -> None:
        pool = self._pools[standby.pool]
        if self._by_id.pop(standby.run_id, None) is not None:
            pool.count_idle(standby, now)
        pool.standbys.pop(standby.run_id, None)

    # --- what people see ----------------------------------------------------------------------------------

    def status(self, now: float) -> tuple[PoolStatus, ...]:
        """Describe each pool."""
        return tuple(pool.status(now, self.s3_failure) for pool in self._pools.values())

    def idle_seconds(self) -> dict[str, float]:
        """Return for how long each pool's standbys have been paid for without a workload, all together, until the last plan."""
        return {name: pool.idle for name, pool in self._pools.items()}

    def stages(self, now: float) -> Counter[tuple[Stage, str]]:
        """Count the standbys by stage and pool, those that are too old for a workload as LEAVING."""
        found: Counter[tuple[Stage, str]] = Counter()
        for name, pool in self._pools.items():
            for stage in Stage:
                found[stage, name] = 0
            for each in pool.standbys.values():
                found[pool.stage_of(each, now), name] += 1
        return found


def _is_up(standby: Standby) -> bool:
    return standby.running_since is not None
