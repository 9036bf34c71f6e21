"""Whatever goes wrong inside, no method that the scheduler calls raises, and nothing is lost silently."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.executor.metrics.monitor import Monitor
from ecs_async_executor.messages import Launch, Order
from tests.support.reconciler import Clock, make_reconciler, orphan
from tests.support.workloads import task_workload

ODD = TaskInstanceKey("dag", "odd", "run", 1, -1)
RUN_ID = "12345678-1234-4234-8234-123456789012"


class Broken:
    """A part of which everything fails."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError(f"{name} is broken")

        return fail


@pytest.fixture
def submitted() -> list[Order]:
    return []


@pytest.fixture
def executor(submitted: list[Order]) -> AsyncEcsExecutor:
    """An executor with a real reconciler, whose engine and database don't work."""
    executor = AsyncEcsExecutor()
    executor._log = logging.getLogger(__name__)  # type: ignore[assignment]  # Airflow's own doesn't reach caplog
    reconciler = make_reconciler(executor, submitted, Clock())
    configuration = SimpleNamespace(
        profiles=SimpleNamespace(warning_for=lambda _: None),
        settings=SimpleNamespace(shutdown_timeout=1.0),
    )
    executor._parts = SimpleNamespace(  # type: ignore[assignment]  # it has what is asked of it
        configuration=configuration,
        reconciler=reconciler,
        engine=Broken(),
        database=Broken(),
        status=Broken(),
        status_thread=Broken(),
        monitor=Monitor(),
    )
    return executor


def broken(executor: AsyncEcsExecutor, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let one method of the reconciler fail."""
    assert executor._parts is not None
    monkeypatch.setattr(executor._parts.reconciler, name, getattr(Broken(), name))


def test_a_workload_that_can_not_be_taken_in_fails_and_the_others_are_launched(
    executor: AsyncEcsExecutor, submitted: list[Order]
):
    executor._process_workloads([SimpleNamespace(key=ODD), task_workload()])
    assert [type(order) for order in submitted] == [Launch]
    assert [*executor.event_buffer] == [ODD]


def test_a_run_whose_order_can_not_be_made_fails_with_the_reason(
    executor: AsyncEcsExecutor, submitted: list[Order], monkeypatch: pytest.MonkeyPatch
):
    assert executor._parts is not None
    monkeypatch.setattr(executor._parts.reconciler._dispatcher, "order", Broken().order)
    workload = task_workload()
    executor._process_workloads([workload])
    ((state, info),) = executor.event_buffer.values()
    assert (str(state), info) == ("failed", "The executor can't take it in: RuntimeError.")
    assert not executor.running
    assert submitted == []


def test_workloads_of_an_executor_that_was_not_started_fail():
    executor = AsyncEcsExecutor()
    workload = task_workload()
    executor._process_workloads([workload])
    ((state, _),) = executor.event_buffer.values()
    assert str(state) == "failed"


def test_sync_survives_a_broken_engine(executor: AsyncEcsExecutor, caplog: pytest.LogCaptureFixture):
    executor.sync()
    assert "sync() failed" in caplog.text


@pytest.mark.parametrize("state", ["failed", "success"])
def test_an_event_is_recorded_even_if_the_container_can_not_be_stopped(
    executor: AsyncEcsExecutor, monkeypatch: pytest.MonkeyPatch, state: Any, caplog: pytest.LogCaptureFixture
):
    broken(executor, monkeypatch, "ended_by_airflow")
    executor.change_state("key", state)
    assert [*map(str, executor.event_buffer)] == ["key"]
    assert "Can't stop a task that Airflow has ended." in caplog.text


def test_a_revoked_task_that_can_not_be_dropped_is_logged(
    executor: AsyncEcsExecutor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    broken(executor, monkeypatch, "revoke")
    ti: Any = task_workload().ti
    executor.revoke_task(ti=ti)
    assert "Can't revoke a task." in caplog.text


def test_orphans_that_can_not_be_adopted_are_left_to_airflow(
    executor: AsyncEcsExecutor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    broken(executor, monkeypatch, "adopt")
    monkeypatch.setattr(
        "ecs_async_executor.executor.executor.read_left_out", lambda ids: {id_: {} for id_ in ids}
    )
    assert executor._parts is not None
    run = orphan(executor._parts.reconciler, RUN_ID)
    monkeypatch.setattr("ecs_async_executor.executor.executor.make_orphaned_run", lambda *_: run)
    orphans: Any = [SimpleNamespace(id="ti")]
    assert executor.try_adopt_task_instances(orphans) == orphans
    assert "Can't adopt tasks." in caplog.text


def test_a_debug_dump_of_broken_parts_is_logged(executor: AsyncEcsExecutor, caplog: pytest.LogCaptureFixture):
    executor.debug_dump()
    assert "Can't dump the state." in caplog.text


def test_the_end_of_broken_parts_is_logged_and_happens_once(
    executor: AsyncEcsExecutor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    restored = []
    monkeypatch.setattr("ecs_async_executor.executor.executor.restore", lambda: restored.append(1))
    for _ in range(2):
        executor.end()
    assert "The engine did not close properly." in caplog.text
    assert "The last ARNs could not be written" in caplog.text
    assert "The thread of the fleet page's status did not end properly." in caplog.text
    assert restored == [1]


def test_a_status_that_can_not_be_made_is_logged_once_and_the_heartbeat_goes_on(
    executor: AsyncEcsExecutor, caplog: pytest.LogCaptureFixture
):
    for _ in range(5):
        executor.sync()
    assert caplog.text.count("The fleet page doesn't get this scheduler's status.") == 1
