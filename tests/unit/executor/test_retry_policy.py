"""What a failed start costs, and when a run falls back to another profile."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.executor.retry_policy import TASKS_REMEMBERED, RetryPolicy
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import Cancelled, Diagnosis, LaunchFailed, Stopped, Terminal

WHY = Diagnosis("It failed.")
QUEUES = {
    "first": {"fallback": "spot", "fallback_after": 2},
    "spot": {"fallback": "on-demand", "fallback_after": 2, "capacity_timeout": 60},
    "on-demand": {"max_run_task_attempts": 5},
}
PROFILES = make_profiles(
    Settings(
        cluster="c",
        container_name="airflow",
        task_definition="t",
        subnets=("s",),
        max_run_task_attempts=3,
        capacity_timeout=100,
        queues=QUEUES,
    )
)
POLICY = RetryPolicy(PROFILES, random=lambda: 1.0)
FAULT = LaunchFailed("run", 1, WHY, permanent=False)
NUMBERS = count()
CAPACITY = LaunchFailed("run", 1, WHY, permanent=False, costs_attempt=False)


def failed(end: Terminal, *, starts: int = 1, number: int = 1, waits_since: float | None = None) -> Run:
    return Run("run", "key", "label", None, number=number, starts=starts, waits_since=waits_since, ended=end)


@pytest.mark.parametrize(
    ("run", "allowed"),
    [
        pytest.param(failed(FAULT), True, id="a failed start, and attempts are left"),
        pytest.param(failed(FAULT, starts=2), True, id="the last attempt but one"),
        pytest.param(failed(FAULT, starts=3), False, id="the last"),
        pytest.param(
            failed(LaunchFailed("run", 1, WHY, permanent=True)), False, id="a failure that can only repeat"
        ),
        pytest.param(failed(CAPACITY, waits_since=901.0), True, id="waiting, and time is left"),
        pytest.param(failed(CAPACITY, waits_since=900.0), False, id="waiting, and no time is left"),
        pytest.param(failed(CAPACITY, starts=3, waits_since=999.0), True, id="waiting costs no attempt"),
        pytest.param(
            failed(FAULT, waits_since=0.0), True, id="a fault counts as a fault even after a long wait"
        ),
        pytest.param(failed(Cancelled("run")), True, id="cancelled, but still wanted"),
    ],
)
def test_whether_a_run_is_launched_again(run: Run, allowed: bool) -> None:
    assert POLICY.allow(run, 1000.0) is allowed


def test_failed_starts_wait_up_to_a_minute_and_lack_of_capacity_up_to_five() -> None:
    assert [POLICY.delay(failed(FAULT, starts=n)) for n in (1, 2, 3, 4, 9)] == [10, 20, 40, 60, 60]
    assert [POLICY.delay(failed(CAPACITY, number=n)) for n in (1, 2, 3, 7, 99)] == [5, 10, 20, 300, 300]


@pytest.fixture
def policy() -> RetryPolicy:
    return RetryPolicy(PROFILES)


def in_queue(queue: str, *, number: int = 1, map_index: int = -1, **members: Any) -> Run:
    """Make the run of a task's try with this number."""
    key = TaskInstanceKey("dag", "task", "run", number, map_index)
    return Run("run", key, "label", None, ti_id="ti", try_number=number, queue=queue, **members)


def interrupt(policy: RetryPolicy, run: Run) -> None:
    """Let AWS reclaim the capacity of a run's next ECS task."""
    arn = f"arn:aws:ecs:us-east-1:1:task/c/{next(NUMBERS)}"
    run.ended = Stopped("run", 1, arn, 143, ran=True, permanent=False, diagnosis=WHY, interrupted=True)
    policy.note_end(run, 0.0)
    run.ended = None


def profile(run: Run) -> str:
    return PROFILES.of(run.queue, run.fallbacks).name


def test_each_profile_has_its_own_number_of_start_attempts(policy: RetryPolicy) -> None:
    assert policy.allow(in_queue("on-demand", starts=4, ended=FAULT), 0.0)
    assert not policy.allow(in_queue("spot", starts=4, ended=FAULT), 0.0)


def test_a_run_without_capacity_falls_back_after_its_timeout_and_then_waits_for_the_fallbacks(
    policy: RetryPolicy,
) -> None:
    run = in_queue("spot", ended=CAPACITY, waits_since=0.0)
    assert policy.fall_back(run, 59.9) is None
    assert profile(run) == "spot"
    assert policy.allow(run, 60.0)
    assert policy.fall_back(run, 60.0) == (
        "Not started for 60 s, for lack of capacity or S3: the queue spot falls back to on-demand."
    )
    assert (profile(run), run.waits_since) == ("on-demand", None)
    run.waits_since = 60.0
    assert policy.allow(run, 159.9)
    assert not policy.allow(run, 160.0)
    assert policy.fall_back(run, 160.0) is None, "there is no other fallback"


def test_a_task_interrupted_often_enough_falls_back_whichever_try_it_is(
    policy: RetryPolicy,
) -> None:
    first, second, third = (in_queue("spot", number=number) for number in (1, 2, 3))
    interrupt(policy, first)
    assert policy.fall_back(second, 0.0) is None
    interrupt(policy, second)
    assert policy.fall_back(third, 0.0) == "Interrupted 2 times: the queue spot falls back to on-demand."
    assert profile(third) == "on-demand"
    assert policy.fall_back(third, 0.0) is None, "it falls back once"
    assert policy.fall_back(in_queue("spot", map_index=1), 0.0) is None


def test_each_profile_counts_its_own_interruptions(policy: RetryPolicy) -> None:
    run = in_queue("first", ended=CAPACITY, waits_since=0.0)
    policy.fall_back(run, 1000.0)
    assert profile(run) == "spot"
    for _ in range(2):
        interrupt(policy, run)
    assert policy.fall_back(run, 1000.0) == "Interrupted 2 times: the queue spot falls back to on-demand."
    again = in_queue("first", number=2)
    assert policy.fall_back(again, 0.0) is None, "its first profile was never interrupted"


def test_a_run_may_fall_back_through_several_profiles_at_once(policy: RetryPolicy) -> None:
    first = in_queue("first")
    for _ in range(2):
        interrupt(policy, first)
    second = in_queue("first", number=2)
    policy.fall_back(second, 0.0)
    for _ in range(2):
        interrupt(policy, second)
    third = in_queue("first", number=3)
    assert policy.fall_back(third, 0.0) == "Interrupted 2 times: the queue spot falls back to on-demand."
    assert profile(third) == "on-demand"


def test_interruptions_are_ignored_without_a_fallback(policy: RetryPolicy) -> None:
    run = in_queue("on-demand")
    for _ in range(5):
        interrupt(policy, run)
    assert policy.fall_back(run, 0.0) is None
    assert not policy._noted


def test_only_the_latest_interrupted_tasks_are_remembered(policy: RetryPolicy) -> None:
    for number in range(TASKS_REMEMBERED + 1):
        run = in_queue("spot", map_index=number)
        for _ in range(2):
            interrupt(policy, run)
    assert len(policy._noted) == TASKS_REMEMBERED
    assert policy.fall_back(run, 0.0) is not None, "the latest is remembered"
    assert policy.fall_back(in_queue("spot", map_index=0), 0.0) is None
