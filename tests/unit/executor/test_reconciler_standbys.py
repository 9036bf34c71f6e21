"""Runs that standbys serve: what the row may show meanwhile, and what becomes of them if the standby doesn't start them."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.parts import build_reconciler
from ecs_async_executor.executor.reconciler import STANDBY_PATIENCE, Reconciler
from ecs_async_executor.executor.row_claim import RowClaim
from ecs_async_executor.executor.run_factory import make_orphaned_run, make_run
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import (
    HandedOver,
    Launch,
    Launched,
    LaunchFailed,
    Order,
    Recovery,
    Stop,
    Stopped,
    Watch,
)
from tests.support.database import InlineDatabase
from tests.support.reconciler import ARN, DATABASE, RUN_ID, WHY, Clock, Executor, decide
from tests.support.workloads import callback_workload, task_workload, token_generator

SETTINGS = Settings(
    cluster="c",
    container_name="airflow",
    task_definition="t",
    subnets=("s",),
    payload_bucket="s3://bucket/",
    max_run_task_attempts=1,
    standby=2,
    queues={"none": {"standby": 0}},
)
JOB = 7
OTHER_RUN_ID = "019a3b5e-0000-7000-8000-0000000000ff"


class Rows:
    """One row, which remembers what was written to it."""

    def __init__(self) -> None:
        self.state: str | None = "queued"
        self.job = JOB
        self.external_id: str | None = RUN_ID
        self.writes: list[str] = []

    def read(self, reads: Any) -> dict[str, Row]:
        return {each.run_id: Row(self.state, 1, self.external_id, self.job) for each in reads}

    def write(self, publications: Any) -> frozenset[str]:
        done = set()
        for each in publications:
            if each.instead_of == self.external_id:
                self.external_id = each.external_id
                self.writes.append(each.external_id)
            if self.external_id == each.external_id:
                done.add(each.run_id)
        return frozenset(done)


class World:
    """A scheduler's half with one task in it, and the orders that it gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **ti: Any) -> None:
        self.clock, self.rows, self.orders = Clock(), Rows(), list[Order]()
        self.asked: list[RowClaim] = []
        self.workload: Any = task_workload(external_executor_id=RUN_ID, **ti)
        monkeypatch.setattr(DATABASE + "read_rows", self.rows.read)
        monkeypatch.setattr(DATABASE + "write_external_ids", self.rows.write)
        monkeypatch.setattr(
            DATABASE + "read_workloads", lambda reads, _: {each.run_id: self.workload for each in reads}
        )
        executor = Executor()
        executor.job_id = JOB
        self.reconciler: Reconciler = build_reconciler(
            executor,
            Configuration(
                SETTINGS, {}, make_profiles(SETTINGS), Bucket("s3://bucket/"), 600, Heartbeats(), ()
            ),
            token_generator(),
            InlineDatabase(),
            self.orders.extend,
            ask=self.asked.append,
            clock=self.clock,
        )
        self.executor = executor

    def accept(self) -> Run:
        run = make_run(self.executor, self.workload)
        self.executor.running.add(run.key)
        assert self.reconciler.accept([run]) == []
        return run

    def decide(self, seconds: float = 0.0) -> None:
        self.clock.now += seconds
        decide(self.reconciler)

    def claim(self) -> None:
        """Let the engine claim the row for a standby."""
        (launch,) = self.orders
        assert isinstance(launch, Launch)
        assert launch.claim is not None
        launch.claim(ARN)

    def hand_over(self, run: Run) -> None:
        self.claim()
        self.rows.external_id = ARN
        self.reconciler.note(Launched(run.run_id, 1, ARN, "c", "airflow", start="warm start"))
        self.reconciler.note(HandedOver(run.run_id))
        self.decide()

    def relaunch(self) -> Launch:
        (order,) = (each for each in self.orders[1:] if isinstance(each, Launch))
        return order


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def launch_of(world: World) -> Launch:
    world.accept()
    (order,) = world.orders
    assert isinstance(order, Launch)
    return order


# --- who may start warm ---------------------------------------------------------------------------------


def test_an_order_names_its_pool_and_how_to_claim_its_row(world: World):
    order = launch_of(world)
    assert (order.standby, order.cold_because) == ("default", "")
    assert order.claim is not None
    order.claim(ARN)
    (asked,) = world.asked
    assert (asked.run_id, asked.job_id, asked.arn) == (RUN_ID, JOB, ARN)
    assert order.build().workload.startswith(b'{"token":')


@pytest.mark.parametrize(
    ("ti", "pool", "because"),
    [
        ({"executor_config": {"cpu": "4096"}}, "default", "it has an executor_config"),
        ({"queue": "none"}, None, ""),
    ],
)
def test_a_run_whose_request_is_its_own_starts_cold_and_says_so(
    monkeypatch: pytest.MonkeyPatch, ti: Any, pool: str | None, because: str
):
    order = launch_of(World(monkeypatch, **ti))
    assert (order.standby, order.claim, order.cold_because) == (pool, None, because)


def test_a_run_whose_row_does_not_show_its_id_starts_cold(monkeypatch: pytest.MonkeyPatch):
    world = World(monkeypatch)
    world.workload = task_workload(external_executor_id=None)
    assert launch_of(world).cold_because == "its row doesn't show its run id"


def test_a_callback_starts_cold(monkeypatch: pytest.MonkeyPatch):
    world = World(monkeypatch)
    world.workload = callback_workload()
    assert launch_of(world).standby is None


# --- the row during a claim -----------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [RUN_ID, ARN])
def test_the_row_may_show_either_while_the_claim_is_open_and_nothing_is_written(world: World, shown: str):
    run = world.accept()
    world.claim()
    world.rows.external_id = shown
    for _ in range(5):
        world.decide(20)
    assert not world.rows.writes
    assert run.state is RunState.ORDERED
    assert len(world.orders) == 1


def test_a_run_that_was_handed_over_is_live_once_its_row_shows_the_arn(world: World):
    run = world.accept()
    world.hand_over(run)
    assert run.state is RunState.LIVE
    assert not world.rows.writes


# --- standbys that don't start it -----------------------------------------------------------------------


def test_a_failed_hand_over_starts_cold_under_the_next_number_and_costs_no_attempt(world: World):
    run = world.accept()
    world.claim()
    world.rows.external_id = ARN
    world.reconciler.note(LaunchFailed(RUN_ID, 1, WHY, permanent=False, standby=True))
    world.decide()
    world.decide(1)
    order = world.relaunch()
    assert world.rows.external_id == str(LaunchId(RUN_ID, 2))
    assert (order.number, order.claim, order.recovery) == (2, None, Recovery.NONE)
    assert order.cold_because == "it has been launched before"
    assert run.starts == 1


@pytest.mark.parametrize("exit_code", [76, 137, None])
def test_a_standby_that_ends_unread_costs_no_attempt_however_it_ends(world: World, exit_code: int | None):
    run = world.accept()
    world.hand_over(run)
    world.reconciler.note(
        Stopped(RUN_ID, 1, ARN, exit_code, ran=exit_code == 137, permanent=True, diagnosis=WHY, standby=True)
    )
    world.decide()
    world.decide(1)
    assert world.relaunch().number == 2
    assert run.starts == 1


def test_a_standby_that_dies_with_its_task_running_fails_the_task(world: World):
    run = world.accept()
    world.hand_over(run)
    world.rows.state = "running"
    world.reconciler.note(
        Stopped(RUN_ID, 1, ARN, 137, ran=True, permanent=False, diagnosis=WHY, standby=True)
    )
    world.decide()
    assert [state for state, _ in world.executor.event_buffer.values()] == ["failed"]
    assert len(world.orders) == 1


def test_a_standby_that_has_not_started_its_task_for_long_is_stopped(world: World):
    run = world.accept()
    world.hand_over(run)
    world.decide(STANDBY_PATIENCE - 1)
    assert not [each for each in world.orders if isinstance(each, Stop)]
    world.decide(2)
    assert [each.run_id for each in world.orders if isinstance(each, Stop)] == [RUN_ID]
    assert run.state is RunState.LIVE


def test_one_whose_task_runs_is_left_alone(world: World):
    run = world.accept()
    world.hand_over(run)
    world.rows.state = "running"
    world.decide(STANDBY_PATIENCE + 1)
    assert len(world.orders) == 1


def test_one_that_is_about_to_end_is_left_alone_while_its_task_is_queued_anew(world: World):
    """After a deferral: the task resumes under another run id before the container of its first part has ended."""
    world.hand_over(world.accept())
    world.rows.state = "running"
    world.decide(STANDBY_PATIENCE + 1)
    world.rows.state, world.rows.external_id = "queued", OTHER_RUN_ID
    world.workload = task_workload(external_executor_id=OTHER_RUN_ID)
    world.accept()
    world.decide(20)
    assert not [each for each in world.orders if isinstance(each, Stop)]


def test_one_that_another_scheduler_has_taken_over_is_left_alone(world: World):
    run = world.accept()
    world.hand_over(run)
    world.rows.job = JOB + 1
    world.decide(STANDBY_PATIENCE + 1)
    assert run.state is RunState.DONE
    assert not [each for each in world.orders if isinstance(each, Stop)]


def test_a_run_that_another_scheduler_has_had_in_between_is_claimed_no_more(world: World):
    """It may have launched the run, and have died before the row showed that."""
    run = world.accept()
    again = make_run(world.executor, world.workload)
    world.reconciler.adopt([again])
    assert world.reconciler.runs.current(run.key) is run
    world.claim()
    (claim,) = world.asked
    assert claim.is_void


# --- an engine that dies --------------------------------------------------------------------------------


def test_a_new_engine_watches_the_standby_of_an_open_claim_and_never_sends_the_run(world: World):
    world.accept()
    world.claim()
    (order,) = world.reconciler.live_orders()
    assert isinstance(order, Watch)
    assert (order.run_id, order.arn, order.number, order.listed) == (RUN_ID, ARN, 1, False)


def test_a_new_engine_replays_a_run_that_no_standby_was_to_serve(world: World):
    world.accept()
    (order,) = world.reconciler.live_orders()
    assert isinstance(order, Launch)
    assert order.recovery is Recovery.REPLAY
    assert (order.claim, order.cold_because) == (None, "it has been launched before")


def test_a_dead_engines_standby_that_left_makes_the_run_start_cold(world: World):
    run = world.accept()
    world.claim()
    world.reconciler.note(
        Stopped(RUN_ID, 1, ARN, 76, ran=False, permanent=False, diagnosis=WHY, standby=True)
    )
    world.decide()
    world.decide(1)
    assert world.relaunch().number == 2
    assert world.rows.external_id == str(LaunchId(RUN_ID, 2))
    assert run.starts == 1


# --- a scheduler that another one takes for dead ----------------------------------------------------------


def adopt(world: World, external_id: str = RUN_ID, queue: str = "default") -> Run:
    """Let the scheduler adopt the task's row."""
    row = task_workload(external_executor_id=external_id, queue=queue).ti.model_copy(
        update={"id": world.workload.ti.id}
    )
    row.__dict__["state"] = "queued"
    run = make_orphaned_run(world.executor, row, make_profiles(SETTINGS))
    assert run is not None
    world.reconciler.adopt([run])
    return run


def launches(world: World) -> list[tuple[int, Recovery]]:
    return [(each.number, each.recovery) for each in world.orders if isinstance(each, Launch)]


def test_an_adopted_runs_row_shows_its_first_launch_before_that_is_sent(world: World):
    adopt(world)
    world.decide()
    assert world.rows.writes == [str(LaunchId(RUN_ID, 1))]
    world.decide(1)
    assert launches(world) == [(1, Recovery.SEARCH)]


def test_an_adopted_run_whose_queue_has_no_standbys_is_searched_for_at_once(world: World):
    adopt(world, queue="none")
    world.decide()
    assert launches(world) == [(1, Recovery.SEARCH)]
    assert world.rows.writes == []


def test_a_run_without_its_standby_is_searched_for_if_another_scheduler_may_have_launched_it(world: World):
    world.accept()
    world.claim()
    world.rows.external_id = str(LaunchId(RUN_ID, 1))  # the other one has written this
    world.reconciler.note(LaunchFailed(RUN_ID, 1, WHY, permanent=False, standby=True))
    world.decide()
    world.decide(1)
    assert launches(world)[1:] == [(1, Recovery.SEARCH)]
    assert world.rows.external_id == str(LaunchId(RUN_ID, 1))


def test_a_launch_that_failed_before_another_scheduler_had_its_run_is_searched_for_once(world: World):
    world.accept()
    adopt(world)
    refused = LaunchFailed(RUN_ID, 1, WHY, permanent=False, costs_attempt=False)
    world.reconciler.note(refused)
    world.decide()
    world.decide(1)
    assert launches(world)[1:] == [(1, Recovery.SEARCH)]
    world.reconciler.note(refused)
    world.decide()
    world.decide(60)
    assert launches(world)[2:] == [(2, Recovery.NONE)]


def test_a_launch_that_no_row_shows_yet_gives_way_to_the_one_that_its_row_shows(world: World):
    run = world.accept()
    world.reconciler.note(LaunchFailed(RUN_ID, 1, WHY, permanent=False, costs_attempt=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DATABASE + "write_external_ids", lambda _: frozenset())
        world.decide()
    assert run.number == 2
    adopt(world)
    world.decide(60)
    world.decide(60)
    assert launches(world)[1:] == [(1, Recovery.SEARCH)]
