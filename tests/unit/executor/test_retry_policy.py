"""What a failed start costs, and when a run falls back to another profile."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.retry_policy import TASKS_REMEMBERED, RetryPolicy
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.setbacks import Setback
from ecs_async_executor.messages import Cancelled, Diagnosis, LaunchFailed, Stopped, Terminal
from tests.support.workloads import task_workload

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


def test_failed_starts_wait_up_to_a_minute_and_for_s3_up_to_five() -> None:
    assert [POLICY.delay(failed(FAULT, starts=n)) for n in (1, 2, 3, 4, 9)] == [10, 20, 40, 60, 60]
    assert [POLICY.delay(failed(CAPACITY, number=n)) for n in (1, 2, 3, 7, 99)] == [5, 10, 20, 300, 300]


@pytest.mark.parametrize(
    "ended",
    [
        replace(CAPACITY, waited=0.0),
        Stopped("run", 1, "arn", None, ran=False, permanent=False, diagnosis=WHY, costs_attempt=False),
    ],
)
def test_a_run_that_ecs_had_no_room_for_returns_to_the_engine_at_once(ended: Terminal) -> None:
    assert POLICY.delay(failed(ended, number=9)) == 0.0


def test_the_time_that_a_launch_has_waited_in_the_engine_counts(policy: RetryPolicy) -> None:
    run = failed(replace(CAPACITY, waited=40.0))
    policy.note_end(run, 100.0)
    assert run.waits_since == 60.0


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


def test_an_end_that_two_schedulers_report_counts_once(policy: RetryPolicy) -> None:
    run = in_queue("spot", number=2)
    interrupt(policy, run)
    (noted,) = policy._noted[run.task]
    run.setbacks = (noted,)
    assert policy.fall_back(run, 0.0) is None


def test_what_an_earlier_scheduler_saw_counts_like_what_this_one_has_seen(policy: RetryPolicy) -> None:
    run = in_queue("spot", number=3)
    run.setbacks = tuple(setback(EventName.INTERRUPTED, number, "spot") for number in (1, 2))
    assert policy.fall_back(run, 0.0) == "Interrupted 2 times: the queue spot falls back to on-demand."


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


# --- lack of memory -----------------------------------------------------------------------------------------

GROWING = make_profiles(
    Settings(
        cluster="c",
        container_name="airflow",
        task_definition="t",
        subnets=("s",),
        queues={
            "growing": {"cpu": 1024, "memory": [2048, 4096]},
            "small": {"fallback": "large", "fallback_on_out_of_memory": True},
            "large": {"fallback": "huge", "fallback_on_out_of_memory": True},
            "huge": {},
            "patient": {"fallback": "large"},
            "both": {
                "cpu": 1024,
                "memory": [2048, 4096],
                "fallback": "growing-more",
                "fallback_on_out_of_memory": True,
            },
            "growing-more": {"cpu": 2048, "memory": [4096, 8192, 16384]},
            "plain": {},
        },
    )
)


def setback(event: EventName, number: int, profile: str, memory: int | None = None) -> Setback:
    return Setback(event, number, f"arn:{number}:{memory}", profile, memory)


def after_kills(queue: str, *kills: tuple[str, int | None], **members: Any) -> Run:
    """Make the run of the try after these kills, each in a profile and at a size."""
    run = in_queue(queue, number=len(kills) + 1, **members)
    run.setbacks = tuple(
        setback(EventName.OUT_OF_MEMORY, number, *kill) for number, kill in enumerate(kills, start=1)
    )
    return run


def outcome(run: Run) -> tuple[str, int | None]:
    """The profile and the size that a run is launched with."""
    RetryPolicy(GROWING).adjust(run, 0.0)
    profile = GROWING.of(run.queue, run.fallbacks, run.outgrown)
    return profile.name, profile.memory


@pytest.mark.parametrize(
    ("queue", "kills", "expected"),
    [
        pytest.param("growing", [], ("growing", 2048), id="never killed: the first size"),
        pytest.param("growing", [("growing", 2048)], ("growing", 4096), id="killed once: the next"),
        pytest.param("growing", [("growing", 4096)], ("growing", 4096), id="killed at the largest: that again"),
        pytest.param("growing", [("growing", 2048), ("growing", 1024)], ("growing", 4096), id="the worst kill counts"),
        pytest.param("growing", [("other", 3000)], ("growing", 4096), id="a kill counts in whichever queue it was"),
        pytest.param("growing", [("growing", 1024)], ("growing", 2048), id="its first size is more than it had"),
        pytest.param("growing", [("growing", None)], ("growing", 2048), id="nobody knows its size"),
        pytest.param("small", [], ("small", None), id="never killed: no fallback"),
        pytest.param("small", [("small", 512)], ("large", None), id="killed: the fallback"),
        pytest.param("small", [("small", None)], ("large", None), id="killed at an unknown size: the fallback"),
        pytest.param("small", [("small", 512), ("large", 1024)], ("huge", None), id="killed there, too: the next one"),
        pytest.param("small", [("large", 1024)], ("huge", None), id="it had fallen back for lack of capacity"),
        pytest.param("small", [("plain", 512)], ("small", None), id="killed in a queue that has nothing to do with it"),
        pytest.param("patient", [("patient", 512)], ("patient", None), id="its fallback isn't for lack of memory"),
        pytest.param("both", [("both", 2048)], ("both", 4096), id="sizes come before the fallback"),
        pytest.param("both", [("both", 2048), ("both", 4096)], ("growing-more", 8192), id="the fallback begins above"),
        pytest.param("plain", [("plain", 512)], ("plain", None), id="a profile of one size"),
    ],
)  # fmt: skip
def test_what_a_task_gets_after_it_was_killed_for_lack_of_memory(
    queue: str, kills: list[tuple[str, int | None]], expected: tuple[str, int | None]
) -> None:
    run = after_kills(queue, *kills)
    assert outcome(run) == expected
    assert RetryPolicy(GROWING).adjust(run, 0.0) == [], "it is said, and done, once"
    assert outcome(run) == expected


def test_what_a_task_gets_is_said_with_the_reason() -> None:
    policy = RetryPolicy(GROWING)
    assert policy.adjust(after_kills("both", ("both", 2048), ("both", 4096)), 0.0) == [
        (
            EventName.FALLBACK,
            "Try 2 was killed for lack of memory at 4096 MiB: the queue both falls back to growing-more.",
        ),
        (EventName.MEMORY, "Try 3 gets 8192 MiB: try 2 was killed for lack of memory at 4096 MiB."),
    ]
    assert policy.adjust(after_kills("small", ("small", None)), 0.0) == [
        (EventName.FALLBACK, "Try 1 was killed for lack of memory: the queue small falls back to large.")
    ]
    ((_, largest),) = policy.adjust(after_kills("growing", ("growing", 4096)), 0.0)
    assert largest.startswith("Try 2 gets 4096 MiB, the most that the queue growing has, though try 1 was")


@pytest.mark.parametrize(("own", "expected"), [({"memory": 512}, 2048), ({"tags": {"a": "b"}}, 4096)])
def test_a_profile_gives_no_more_memory_to_a_task_that_sets_its_own(
    own: dict[str, Any], expected: int
) -> None:
    run = after_kills("growing", ("growing", 2048))
    run.workload = task_workload(executor_config=own)
    assert outcome(run) == ("growing", expected)


def test_whether_a_task_sets_its_own_memory_is_found_out_once_its_workload_is_known() -> None:
    run = after_kills("growing", ("growing", 2048))
    run.workload = None
    assert outcome(run) == ("growing", 4096)
    run.workload = task_workload(executor_config={"memory": 512})
    assert outcome(run) == ("growing", 2048)
    run.workload = None
    assert outcome(run) == ("growing", 2048)


def test_a_start_that_lacked_memory_gets_more_within_the_same_try() -> None:
    policy = RetryPolicy(GROWING)
    run = in_queue("growing")
    run.ended = Stopped(
        "run", 1, "arn:1", None, ran=False, permanent=False, diagnosis=WHY, out_of_memory=True, memory=2048
    )
    assert [each.event for each in policy.note_end(run, 0.0)] == [EventName.OUT_OF_MEMORY]
    assert policy.adjust(run, 0.0) == [
        (EventName.MEMORY, "Try 1 gets 4096 MiB: try 1 was killed for lack of memory at 2048 MiB.")
    ]


@pytest.mark.parametrize(
    ("queue", "number", "expected"),
    [
        ("growing", 1, False),
        ("growing", 2, True),
        ("small", 2, True),
        ("plain", 2, False),
        ("unknown", 9, False),
    ],
)
def test_only_a_later_try_in_a_queue_that_depends_on_it_looks_back(
    queue: str, number: int, expected: bool
) -> None:
    assert RetryPolicy(GROWING).must_look_back(in_queue(queue, number=number)) is expected


def test_a_callback_has_nothing_to_look_back_at() -> None:
    callback = Run("run", "key", "label", None)
    assert not RetryPolicy(GROWING).must_look_back(callback)
    callback.ended = Stopped(
        "run", 1, "arn:1", 137, ran=True, permanent=False, diagnosis=WHY, out_of_memory=True
    )
    assert RetryPolicy(GROWING).note_end(callback, 0.0) == []


@pytest.mark.parametrize(
    ("queue", "kept", "remembered"),
    [
        ("growing", [EventName.INTERRUPTED, EventName.OUT_OF_MEMORY], 1),
        ("plain", [EventName.OUT_OF_MEMORY], 0),
    ],
)
def test_lack_of_memory_is_kept_in_case_a_profile_learns_to_give_more(
    queue: str, kept: list[EventName], remembered: int
) -> None:
    policy, run = RetryPolicy(GROWING), in_queue(queue)
    run.ended = Stopped(
        "run", 1, "arn:1", 137, ran=True, permanent=False, diagnosis=WHY, interrupted=True, out_of_memory=True
    )
    assert [each.event for each in policy.note_end(run, 0.0)] == kept
    assert len(policy._noted) == remembered
