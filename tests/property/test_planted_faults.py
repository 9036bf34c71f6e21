"""Plants faults in the protocol of standbys, one at a time: the simulation finds each, and finds nothing without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from ecs_async_executor.engine.standby import standbys as standbys_module
from ecs_async_executor.engine.standby.pool import Pool, Stage, Standby
from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.engine.state.entry import Entry
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.warm_starts import WarmStarts
from ecs_async_executor.engine.workers import hand_over
from ecs_async_executor.engine.workers.hand_over import HandOver
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Diagnosis, Launch, Report, Stopped
from ecs_async_executor.standby import waiting
from tests.property.simulation.ecs import Conditions
from tests.property.simulation.invariants import violations
from tests.property.simulation.play import play
from tests.property.simulation.s3 import EPOCH, SimulatedS3
from tests.property.simulation.world import Circumstances

Patch = pytest.MonkeyPatch
CALM = Conditions()
UNDISTURBED = Circumstances(standby=2)


def object_before_row(patch: Patch) -> None:
    claim = HandOver._claim

    async def put_first(self: HandOver, entry: Entry, arn: str) -> bool | None:
        standby = next(each for each in self._standbys if each.arn == arn)
        await self._put(standby.url, self._requests.as_built(entry).workload)
        return await claim(self, entry, arn)

    patch.setattr(HandOver, "_claim", put_first)


def unconditional_put(patch: Patch) -> None:
    async def put(self: SimulatedS3, url: str, data: bytes) -> bool:
        await self.put(url, data)
        return True

    patch.setattr(SimulatedS3, "put_once", put)


def one_object_for_all_standbys(patch: Patch) -> None:
    patch.setattr(standbys_module, "object_url", lambda location, _: f"{location}standby/{'0' * 32}.json")


def object_deleted_once_it_is_written(patch: Patch) -> None:
    handed_over = WarmStarts.handed_over

    def forget_object(
        self: WarmStarts, entry: Entry, standby: Standby, now: float, *, surely: bool
    ) -> list[Report]:
        self._ledger.deletions.append(standby.url)
        return handed_over(self, entry, standby, now, surely=surely)

    patch.setattr(WarmStarts, "handed_over", forget_object)


def standby_assigned_while_it_starts(patch: Patch) -> None:
    def is_ready(_: Pool, standby: Standby, __: float) -> bool:
        return standby.stage in {Stage.STARTING, Stage.READY} and bool(standby.arn)

    patch.setattr(Pool, "is_ready", is_ready)
    patch.setattr(WarmStarts, "is_waiting", lambda *_: True)


def claim_not_checked(patch: Patch) -> None:
    claim = HandOver._claim

    async def ignore(self: HandOver, entry: Entry, arn: str) -> bool:
        await claim(self, entry, arn)
        return True

    patch.setattr(HandOver, "_claim", ignore)


def lease_not_checked(patch: Patch) -> None:
    look = waiting.look

    def see_no_end(s3: Any, url: str) -> tuple[int, Any]:
        if "/lease-" not in url:
            return look(s3, url)
        now = datetime.fromtimestamp(EPOCH, UTC)
        headers = {"HTTPHeaders": {"date": format_datetime(now, usegmt=True)}}
        return 200, {"ResponseMetadata": headers, "LastModified": now}

    patch.setattr(waiting, "look", see_no_end)


def age_not_checked(patch: Patch) -> None:
    wait = waiting.wait

    def be_patient(s3: Any, lease: str, own: str, _: str, *rest: Any) -> tuple[int, bytes]:
        return wait(s3, lease, own, "100000", *rest)

    patch.setattr(waiting, "wait", be_patient)


def unknown_put_taken_for_refused(patch: Patch) -> None:
    put = HandOver._put

    async def be_sure(self: HandOver, url: str, data: bytes) -> Any:
        written, why = await put(self, url, data)
        return (hand_over._Written.NO if written is hand_over._Written.UNKNOWN else written), why

    patch.setattr(HandOver, "_put", be_sure)


def refused_run_launched_cold_by_the_same_number(patch: Patch) -> None:
    def launch_again(self: WarmStarts, entry: Entry, why: Diagnosis, now: float) -> list[Report]:
        ledger = self._ledger
        if ledger.holds(entry):
            ledger.end(entry, why, now)  # type: ignore[arg-type]  # its report isn't sent
            order = entry.launch
            assert order.build is not None
            again = Launch(entry.run_id, entry.label, order.build, entry.cluster, entry.container)
            ledger.launch(again, now)
        return []

    unknown_put_taken_for_refused(patch)
    patch.setattr(WarmStarts, "not_handed_over", launch_again)


def adopter_launches_at_once(patch: Patch) -> None:
    see = Ledger._see

    def give_up(self: Ledger, entry: Entry, task: Any) -> list[Report]:
        reports = see(self, entry, task)
        if entry.is_warm and task.last_status != "STOPPED":
            self.unsettled_standbys.clear()
            nothing = Diagnosis("It is not settled.")
            end = Stopped(
                entry.run_id,
                entry.number,
                entry.arn,
                exit_code=None,
                ran=False,
                permanent=False,
                diagnosis=nothing,
                standby=True,
            )
            return self.end(entry, end, task.started_at or 0.0)
        return reports

    patch.setattr(Ledger, "_see", give_up)


def standby_serves_two_runs(patch: Patch) -> None:
    take = Standbys.take

    def keep_it_ready(self: Standbys, pool: str, now: float) -> Standby | None:
        standby = take(self, pool, now)
        if standby is not None:
            standby.stage = Stage.READY
        return standby

    def assign_once(self: HandOver, pool: str, now: float) -> None:
        standby = self._standbys.take(pool, now)
        entry = self._warm_starts.take(standby, now) if standby is not None else None
        if entry is not None and standby is not None:
            self._pairs.append((entry, standby))

    patch.setattr(Standbys, "take", keep_it_ready)
    patch.setattr(HandOver, "_assign", assign_once)


def row_overwritten_while_a_claim_is_open(patch: Patch) -> None:
    published = vars(Run)["published"].fget

    def insist(self: Run) -> str | None:
        shown: str | None = published(self)
        return self.run_id if shown is None and self.id_committed else shown

    patch.setattr(Run, "published", property(insist))


def stuck_standby_stopped_without_a_look_at_its_row(patch: Patch) -> None:
    stop = Reconciler._stop_if_stuck

    def be_impatient(self: Reconciler, run: Run, row: Any) -> None:
        stop(self, run, replace(row, state="queued") if row is not None else row)

    patch.setattr(Reconciler, "_stop_if_stuck", be_impatient)


def standbys_not_counted_while_they_start(patch: Patch) -> None:
    patch.setattr(
        Pool,
        "unassigned",
        lambda self: [
            each
            for each in self.standbys.values()
            if each.arn and each.stage in {Stage.STARTING, Stage.READY}
        ],
    )


@dataclass(frozen=True)
class Plant:
    """A planted fault, a world in which it shows, and what shows it."""

    fault: Callable[[Patch], None]
    caught_by: str
    seed: int
    """The first world to look at: it shows the fault, as long as nothing changes the order of events."""
    conditions: Conditions = CALM
    circumstances: Circumstances = UNDISTURBED


WORLDS = 40
"""How many worlds a fault may need, at most."""
LATE = Conditions(late=1.0)
"""No conditional PutObject is answered, and each is carried out, at once or a minute later."""
LOCKED = Circumstances(locked=0.5, standby=2)
ONE = Circumstances(standby=1)
PLANTS = (
    Plant(object_before_row, "the row names the standby before the standby has the workload", 3),
    Plant(
        unconditional_put,
        "a standby's object is written once",
        1,
        Conditions(late=0.3),
        Circumstances(schedulers=2, accidents=0.5, standby=2),
    ),
    Plant(one_object_for_all_standbys, "each standby has an object of its own", 0),
    Plant(object_deleted_once_it_is_written, "a standby that a row names starts its task", 0),
    Plant(
        standby_assigned_while_it_starts, "a standby finds its workload within seconds", 4, circumstances=ONE
    ),
    Plant(
        claim_not_checked,
        "the row names the standby before the standby has the workload",
        0,
        circumstances=LOCKED,
    ),
    Plant(
        lease_not_checked,
        "no standby outlives its lease",
        0,
        circumstances=Circumstances(deadly=0.004, standby=2),
    ),
    Plant(age_not_checked, "no standby waits for longer than its max_age", 0),
    Plant(unknown_put_taken_for_refused, "no container is stopped while its task runs", 0, LATE),
    Plant(
        refused_run_launched_cold_by_the_same_number,
        "one container at a time has a queueing's workload",
        0,
        LATE,
    ),
    Plant(
        adopter_launches_at_once,
        "one container at a time has a queueing's workload",
        35,
        circumstances=Circumstances(schedulers=2, accidents=0.5, standby=2),
    ),
    Plant(standby_serves_two_runs, "a standby serves one run", 9, Conditions(latency=3.0), ONE),
    Plant(
        row_overwritten_while_a_claim_is_open,
        "the row names the standby before the standby has the workload",
        3,
        LATE,
    ),
    Plant(
        stuck_standby_stopped_without_a_look_at_its_row,
        "no container is stopped while its task runs",
        20,
    ),
    Plant(standbys_not_counted_while_they_start, "no engine keeps more standbys than it is to", 0),
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.fault.__name__)
def test_a_fault_in_the_protocol_of_standbys_is_found(plant: Plant) -> None:
    for seed in (plant.seed, *range(WORLDS)):
        assert not _found(plant, seed)
        with pytest.MonkeyPatch.context() as patch:
            plant.fault(patch)
            if plant.caught_by in _found(plant, seed):
                return
    pytest.fail(f"the simulation doesn't find it in {WORLDS} worlds")


def _found(plant: Plant, seed: int) -> dict[str, object]:
    """Return which invariants a world breaks, with what was seen."""
    return dict(violations(play(seed, plant.conditions, plant.circumstances)))
