"""A task that was killed for lack of memory gets more on its next try, whichever scheduler launches that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.sdk import DAG
from airflow.utils.session import create_session

from ecs_async_executor.local import Control
from tests.airflow.conftest import heir
from tests.support.ecs import hide_ends
from tests.support.scheduler import (
    Scheduler,
    crash,
    logged_events,
    one_task_dag,
    set_row,
    task_instances,
)

RunDag = Callable[[DAG], str]
Sent = list[dict[str, Any]]
QUEUES = {
    "growing": {"cpu": 1024, "memory": [2048, 4096, 8192]},
    "small": {
        "overrides": {"cpu": 512, "memory": 1024},
        "fallback": "large",
        "fallback_on_out_of_memory": True,
    },
    "large": {"cpu": [1024, 2048], "memory": [4096, 16384]},
    "spot": {
        "capacityProviderStrategy": "FARGATE_SPOT:1",
        "fallback": "on-demand",
        "fallback_after": 2,
    },
    "on-demand": {"launchType": "FARGATE"},
}
KILLED = {"exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}


@pytest.fixture(autouse=True)
def queues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", json.dumps(QUEUES))


def sizes(sent: Sent) -> list[tuple[str | None, str | None]]:
    """The CPU units and MiB of each launch."""
    return [(body["overrides"].get("cpu"), body["overrides"].get("memory")) for body in sent]


@contextmanager
def killed_for_memory(ecs: Control) -> Iterator[None]:
    """Let the tasks launched meanwhile be killed for lack of memory, which no scheduler sees until the block ends."""
    ecs.set_plan(duration=0.01, **KILLED)
    hide_ends(ecs)
    yield
    ecs.clear_conditions()
    ecs.set_plan(duration=3600, exit_code=0, reason=None)


def killed_in_try(scheduler: Scheduler, ecs: Control, number: int) -> TaskInstance:
    """Let this try of the only task be killed while it runs, and Airflow be told."""
    with killed_for_memory(ecs):
        (ti,) = scheduler.launched(try_number=number)
        set_row(ti, state="running")
    scheduler.until(lambda: len(logged_events("ecs task ended")) == number)
    return ti


def growing_dag(name: str, queue: str = "growing", **members: Any) -> DAG:
    return one_task_dag(name, queue=queue, retries=3, retry_delay=timedelta(0), **members)


def test_each_try_of_a_task_that_is_killed_for_lack_of_memory_gets_more(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("grows"))
    for number in (1, 2, 3):
        killed_in_try(scheduler, ecs, number)
    scheduler.launched(try_number=4)
    assert sizes(sent) == [("1024", "2048"), ("1024", "4096"), ("1024", "8192"), ("1024", "8192")]
    scheduler.until(lambda: len(logged_events("ecs task memory")) == 3)
    assert logged_events("ecs task memory") == [
        "Try 2 gets 4096 MiB: try 1 was killed for lack of memory at 2048 MiB.",
        "Try 3 gets 8192 MiB: try 2 was killed for lack of memory at 4096 MiB.",
        "Try 4 gets 8192 MiB, the most that the queue growing has, though try 3 was killed for lack of memory at 8192 MiB.",
    ]


def test_the_next_scheduler_gives_more_memory_to_a_task_whose_try_the_last_one_saw_killed(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("restarted"))
    killed_in_try(first, ecs, 1)
    crash(first)
    with heir(ecs) as scheduler:
        scheduler.launched(try_number=2)
        assert sizes(sent)[-1] == ("1024", "4096")


def test_a_scheduler_that_adopts_a_task_sees_it_killed_and_gives_its_next_try_more(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("adopted"))
    killed_in_try(first, ecs, 1)
    with killed_for_memory(ecs):
        (ti,) = first.launched(try_number=2)
        set_row(ti, state="running")
        crash(first)
    with heir(ecs) as scheduler:
        scheduler.launched(try_number=3)
        assert sizes(sent) == [("1024", "2048"), ("1024", "4096"), ("1024", "8192")]


def test_a_launch_that_the_last_scheduler_could_not_make_has_the_size_that_it_would_have_had(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("unsent"))
    killed_in_try(first, ecs, 1)
    ecs.add_fault("capacity", action="RunTask")
    first.until(lambda: len(sent) > 1)
    crash(first)
    ecs.clear_conditions()
    with heir(ecs) as scheduler:
        scheduler.launched(try_number=2)
        assert set(sizes(sent)[1:]) == {("1024", "4096")}


def test_a_profile_may_fall_back_to_a_larger_one_and_that_one_grows_from_what_was_too_little(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("falls_back", queue="small"))
    for number in (1, 2):
        killed_in_try(scheduler, ecs, number)
    scheduler.launched(try_number=3)
    assert sizes(sent) == [("512", "1024"), ("1024", "4096"), ("2048", "16384")]
    assert logged_events("ecs fallback") == [
        "Try 1 was killed for lack of memory at 1024 MiB: the queue small falls back to large.",
        "Try 2 was killed for lack of memory at 4096 MiB: the queue small falls back to large.",
    ]


def test_a_task_that_sets_its_own_memory_keeps_it_and_its_audit_log_says_so(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("own", executor_config={"overrides": {"memory": "3072"}}))
    killed_in_try(scheduler, ecs, 1)
    scheduler.launched(try_number=2)
    assert sizes(sent) == [("1024", "3072"), ("1024", "3072")]
    scheduler.until(lambda: bool(logged_events("ecs task memory")))
    assert logged_events("ecs task memory") == [
        "Its executor_config sets its memory, so its queue gives it no more, though try 1 was killed for lack of memory at 3072 MiB."
    ]


def test_a_cleared_task_keeps_the_memory_that_it_needed(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(growing_dag("cleared"))
    killed_in_try(scheduler, ecs, 1)
    (ti,) = scheduler.launched(try_number=2)
    set_row(ti, state="success")
    with create_session(scoped=False) as session:
        clear_task_instances([session.merge(ti)], session)
    scheduler.launched(try_number=3)
    assert sizes(sent)[-1] == ("1024", "4096")


def test_a_first_try_is_launched_without_a_look_at_the_database(
    scheduler: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any) -> Any:
        raise AssertionError("nobody asked for this")

    monkeypatch.setattr(
        "ecs_async_executor.executor.rows.thread.read_setbacks", lambda reads: read() if reads else {}
    )
    run_dag(growing_dag("first_try"))
    scheduler.launched()
    assert sizes(sent) == [("1024", "2048")]


def test_interruptions_are_counted_across_schedulers(
    first: Scheduler, ecs: Control, run_dag: RunDag, sent: Sent
) -> None:
    run_dag(one_task_dag("interrupted", queue="spot", retries=3, retry_delay=timedelta(0)))
    (ti,) = first.launched()
    set_row(ti, state="running")
    ecs.interrupt(ti.external_executor_id or "")
    first.until(lambda: bool(logged_events("ecs task ended")))
    crash(first)
    with heir(ecs) as scheduler:
        (ti,) = scheduler.launched(try_number=2)
        assert [each.state for each in task_instances()] == ["queued"]
        set_row(ti, state="running")
        ecs.interrupt(ti.external_executor_id or "")
        scheduler.launched(try_number=3)
        providers = [body.get("capacityProviderStrategy", [{}])[0].get("capacityProvider") for body in sent]
        assert providers == ["FARGATE_SPOT", "FARGATE_SPOT", None]
        assert logged_events("ecs fallback") == [
            "Interrupted 2 times: the queue spot falls back to on-demand."
        ]
