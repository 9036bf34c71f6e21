"""Whatever the engine reports and the rows show, no slot leaks and nothing raises."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from airflow.utils.state import TaskInstanceState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.statements import Read
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.run_state import WITH_ENGINE, RunState
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import (
    AnyRunReport,
    Cancelled,
    Forget,
    Launch,
    Launched,
    LaunchFailed,
    Order,
    Running,
    Stopped,
    Waiting,
    Watch,
)
from tests.support.reconciler import (
    ARN,
    WHY,
    Executor,
    decide,
    make_reconciler,
    orphan,
)
from tests.support.workloads import callback_workload, task_workload

STATES = [
    "queued",
    "running",
    "restarting",
    "success",
    "failed",
    "scheduled",
    "deferred",
    "up_for_retry",
    None,
]


class AnyHistory(RuleBasedStateMachine):
    """Runs arrive, the engine reports anything, rows show anything, the database fails now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.executor = Executor()
        self.executor.job_id = 1
        self.submitted: list[Order] = []
        self.followed = 0
        """How many of these orders the engine has followed."""
        self.with_engine: set[str] = set()
        self.reconciler = make_reconciler(self.executor, self.submitted, lambda: self.now)
        self.all: list[Run] = []
        self.rows: dict[str, Row] = {}
        self.heartbeats: dict[str, float] = {}
        """When the last heartbeat came, by run id."""
        self.database_fails = False
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("ecs_async_executor.executor.rows.thread.read_rows", self._read_rows)
        self.patch.setattr("ecs_async_executor.executor.rows.thread.read_workloads", self._read_workloads)

    def teardown(self) -> None:
        self.patch.undo()

    def _read_rows(self, runs: Iterable[Read]) -> dict[str, Row]:
        if self.database_fails:
            raise RuntimeError("no database")
        return {run.run_id: self._row(run.run_id) for run in runs if run.run_id in self.rows}

    def _row(self, run_id: str) -> Row:
        last = self.heartbeats.get(run_id)
        return replace(self.rows[run_id], heartbeat_age=None if last is None else self.now - last)

    def _read_workloads(self, runs: Iterable[Read], _owners: object) -> dict[str, Any]:
        if self.database_fails:
            raise RuntimeError("no database")
        return {run.run_id: task_workload() for run in runs if run.run_id in self.rows}

    @rule(task=st.sampled_from("ab"), launched=st.booleans(), state=st.sampled_from(["queued", "running"]))
    def adopt(self, task: str, launched: bool, state: str) -> None:
        external_id = f"{ARN[:-2]}{len(self.all):02}" if launched else str(uuid.uuid4())
        run = orphan(self.reconciler, external_id, state, task_id=task)
        self.all.append(run)
        self.rows[run.run_id] = Row(state, 1, external_id, 1)
        self.reconciler.adopt([run, run])

    @rule(task=st.sampled_from("ab"))
    def end_from_outside(self, task: str) -> None:
        runs = self.reconciler.runs
        run = next(
            (run for run in runs if runs.is_current(run) and getattr(run.key, "task_id", "") == task), None
        )
        if run is not None and run.ended is None:
            self.executor.change_state(run.key, TaskInstanceState.FAILED)
            self.reconciler.ended_by_airflow(run.key)

    @rule(task=st.sampled_from("ab"), id_committed=st.booleans())
    def queue_task(self, task: str, id_committed: bool) -> None:
        workload = task_workload(task_id=task)
        self._take_in(make_run(self.executor, workload, stale_id=not id_committed))

    @rule()
    def queue_callback(self) -> None:
        self._take_in(make_run(self.executor, callback_workload()))

    def _take_in(self, run: Run) -> None:
        self.executor.running.add(run.key)
        self.reconciler.accept([run])
        self.all.append(run)
        self.rows[run.run_id] = Row("queued", 1, run.run_id, 1)

    @rule(
        data=st.data(),
        stale=st.sampled_from([0, 0, 0, 1]),
        flag=st.booleans(),
        exit_code=st.sampled_from([0, 1, None]),
    )
    def report(self, data: st.DataObject, stale: int, flag: bool, exit_code: int | None) -> None:
        if not self.all:
            return
        run = data.draw(st.sampled_from(self.all))
        run_id, number = run.run_id, run.number - stale
        reports: list[AnyRunReport] = [
            Waiting(run_id, WHY),
            Launched(run_id, number, f"arn-{run_id}", "c", "airflow"),
            Running(run_id, f"arn-{run_id}"),
            LaunchFailed(run_id, number, WHY, permanent=flag),
            Stopped(run_id, number, f"arn-{run_id}", exit_code, ran=flag, permanent=not flag, diagnosis=WHY),
            self._lost(run_id, number),
            Cancelled(run_id),
        ]
        self.reconciler.note(data.draw(st.sampled_from(reports)))

    @rule(data=st.data(), state=st.sampled_from(STATES), mine=st.booleans(), same_try=st.booleans())
    def change_row(self, data: st.DataObject, state: str | None, mine: bool, same_try: bool) -> None:
        if self.all:
            run = data.draw(st.sampled_from(self.all))
            self.rows[run.run_id] = Row(state, 1 if same_try else 2, f"arn-{run.run_id}", 1 if mine else 2)

    @rule(data=st.data(), alive=st.booleans())
    def lose(self, data: st.DataObject, alive: bool) -> None:
        """Let ECS show no task for a started run whose worker may live."""
        if not self.all:
            return
        run = data.draw(st.sampled_from(self.all))
        self.rows[run.run_id] = Row("running", 1, run.run_id, 1)
        if alive:
            self.heartbeats[run.run_id] = self.now
        self.reconciler.note(self._lost(run.run_id, run.number))

    @staticmethod
    def _lost(run_id: str, number: int) -> Stopped:
        arn = f"arn-{run_id}"
        return Stopped(run_id, number, arn, None, ran=True, permanent=False, diagnosis=WHY, lost=True)

    @rule(data=st.data())
    def delete_row(self, data: st.DataObject) -> None:
        if self.all:
            self.rows.pop(data.draw(st.sampled_from(self.all)).run_id, None)

    @rule(fails=st.booleans())
    def decide(self, fails: bool) -> None:
        self.database_fails = fails
        self.executor.get_event_buffer()  # from here on, events are the reconciler's own
        before = len(self.reconciler.runs)
        decide(self.reconciler)
        assert not fails or len(self.reconciler.runs) == before
        self.database_fails = False
        for key in self.executor.get_event_buffer():
            run = self.reconciler.runs.current(key)
            assert run is None or not self._may_have_a_live_worker(run)

    def _may_have_a_live_worker(self, run: Run) -> bool:
        row = self._row(run.run_id)
        lost = isinstance(run.ended, Stopped) and run.ended.lost
        return lost and row.state == "running" and row.heartbeat_age is not None and row.heartbeat_age < 300

    @rule(seconds=st.sampled_from([1.0, 6.0, 20.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        if self.all:
            run = data.draw(st.sampled_from(self.all))
            if self.reconciler.runs.get(run.run_id) is run:
                self.reconciler.drop(run, "revoked", stop=True)

    @invariant()
    def exactly_the_current_runs_without_a_sent_event_hold_a_slot(self) -> None:
        runs = self.reconciler.runs
        holders = {run.key for run in runs if runs.is_current(run) and not run.event_sent}
        assert self.executor.running == holders

    def _engine_has(self) -> set[str]:
        """Follow the orders as an engine does: a `Forget` ends what a `Launch` or a `Watch` began."""
        for order in self.submitted[self.followed :]:
            if isinstance(order, (Launch, Watch)):
                self.with_engine.add(order.run_id)
            elif isinstance(order, Forget):
                self.with_engine.discard(order.run_id)
        self.followed = len(self.submitted)
        return self.with_engine

    @invariant()
    def every_run_is_with_the_engine_or_waits_for_a_decision(self) -> None:
        with_engine, rows = self._engine_has(), self.reconciler._rows
        asked = {asked.run_id for asked, _ in rows._asked}
        again = {
            order.run_id for order in self.reconciler.live_orders() if isinstance(order, (Launch, Watch))
        }
        for run in self.reconciler.runs:
            if run.state in WITH_ENGINE:
                assert run.run_id in with_engine
                assert run.run_id in again
            else:
                assert run.run_id in asked or run.run_id in rows._due
            assert (run.ended is not None) == (run.state in {RunState.ENDED, RunState.REPORTED})


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(settings.get_profile("ci"), max_examples=500, stateful_step_count=30)
