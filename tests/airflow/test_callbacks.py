"""Deadline callbacks run on the executor: they have no task instance, and only the executor tells how they end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.models.callback import Callback

from ecs_async_executor.local import Control
from tests.support.callbacks import needs_callbacks, stored_callback
from tests.support.ecs import end_all, live
from tests.support.scheduler import Scheduler, logged_events

pytestmark = needs_callbacks
Enqueue = Callable[[], None]


def until_state(scheduler: Scheduler, state: str) -> Callback:
    scheduler.until(lambda: str(stored_callback().state) == state, step=scheduler.heartbeat)
    return stored_callback()


def test_a_callback_is_seen_running_and_exit_code_0_is_its_success(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue
) -> None:
    ecs.set_plan(duration=5, exit_code=0)
    enqueue_callback()
    until_state(scheduler, "running")
    assert len(scheduler.executor.running) == 1
    until_state(scheduler, "success")
    scheduler.until_idle()
    assert len(ecs.tasks()) == 1


@pytest.mark.parametrize("exit_code", [1, 137])
def test_any_other_exit_code_fails_it_with_the_reason_and_runs_it_only_once(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue, exit_code: int
) -> None:
    ecs.set_plan(duration=0, exit_code=exit_code)
    enqueue_callback()
    callback = until_state(scheduler, "failed")
    assert f"exit code {exit_code}" in str(callback.output)
    scheduler.until_idle()
    assert len(ecs.tasks()) == 1


def test_a_lost_host_fails_it(scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue) -> None:
    ecs.set_plan(interruption={"after": 0, "host_lost": True})
    enqueue_callback()
    assert "i-0123456789abcdef0 was stopped or terminated." in str(until_state(scheduler, "failed").output)


def test_a_start_that_fails_is_tried_again(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue
) -> None:
    ecs.add_fault("start_failure", times=2)
    ecs.set_plan(duration=0, exit_code=0)
    enqueue_callback()
    until_state(scheduler, "success")
    assert len(ecs.tasks()) == 3
    assert not logged_events("ecs launch failed"), "the Audit Log is for tasks"


def test_when_all_starts_have_failed_the_callback_fails(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue
) -> None:
    ecs.set_plan(start_failure="CannotPullContainerError: i/o timeout")
    enqueue_callback()
    assert "CannotPullContainerError" in str(until_state(scheduler, "failed").output)
    assert len(ecs.tasks()) == 3
    scheduler.until_idle()


def test_a_refused_launch_fails_it(scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue) -> None:
    ecs.add_fault("access_denied", action="RunTask")
    enqueue_callback()
    assert "AccessDenied" in str(until_state(scheduler, "failed").output)


def test_a_running_callback_holds_a_slot(
    scheduler: Scheduler, ecs: Control, enqueue_callback: Enqueue
) -> None:
    enqueue_callback()
    until_state(scheduler, "running")
    assert scheduler.executor.slots_occupied == 1
    assert len(live(ecs)) == 1
    end_all(ecs)
    until_state(scheduler, "failed")
    scheduler.until_idle()
