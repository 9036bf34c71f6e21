from __future__ import annotations

import pytest

from ecs_async_executor.local.state.lifecycle import (
    NEVER,
    SPOT,
    ContainerEnd,
    Course,
    Interruption,
    Timeline,
    host_lost,
    planned,
    stop_of,
    stopped,
)

COURSE = Course(
    provisioning=1, pending=2, pull=3, activating=4, duration=5, deactivating=6, deprovisioning=7, exit_code=3
)


def plan(course: Course = COURSE) -> Timeline:
    return planned(100.0, course, ["main", "sidecar"], "main", 30.0)


@pytest.mark.parametrize(
    ("now", "last_status", "desired_status"),
    [
        (100, "PROVISIONING", "RUNNING"),
        (101, "PENDING", "RUNNING"),
        (103, "ACTIVATING", "RUNNING"),
        (106, "ACTIVATING", "RUNNING"),
        (110, "RUNNING", "RUNNING"),
        (115, "DEACTIVATING", "STOPPED"),
        (121, "DEPROVISIONING", "STOPPED"),
        (128, "STOPPED", "STOPPED"),
    ],
)
def test_a_planned_task_passes_through_the_statuses_of_aws(
    now: float, last_status: str, desired_status: str
) -> None:
    timeline = plan()
    assert (timeline.last_status(now), timeline.desired_status(now)) == (last_status, desired_status)


def test_stopping_is_seen_while_containers_take_their_time_to_end() -> None:
    slow = Course(duration=100, stop_seconds=10, deactivating=1)
    timeline = stopped(plan(slow), stop_of(slow, 105.0, ("UserInitiated", "why"), 30.0))
    assert [timeline.last_status(now) for now in (105, 106, 115.9)] == [
        "DEACTIVATING",
        "STOPPING",
        "STOPPING",
    ]
    assert timeline.last_status(116) == "STOPPED"


def test_the_main_container_gives_its_exit_code_and_the_others_are_terminated() -> None:
    assert plan().ends == (ContainerEnd(115.0, 3), ContainerEnd(121.0, 143))


def test_a_course_may_end_a_sidecar_in_its_own_way() -> None:
    timeline = plan(Course(ends={"sidecar": (None, "lost")}))
    assert timeline.ends[1] == ContainerEnd(101.0, None, "lost")


def test_the_version_rises_with_every_change() -> None:
    timeline = plan()
    versions = [timeline.version(now) for now in (100, 101, 103, 106, 110, 115, 121, 128)]
    assert versions == sorted(set(versions))


def test_a_stop_before_the_start_leaves_no_start_time_and_no_exit_code() -> None:
    timeline = stopped(plan(), stop_of(COURSE, 102.0, ("UserInitiated", "why"), 30.0))
    assert timeline.started_at == NEVER
    assert timeline.pending_at == 101.0
    assert [end.exit_code for end in timeline.ends] == [None, None]
    assert (timeline.stop_code, timeline.stopped_reason) == ("UserInitiated", "why")


def test_the_version_rises_when_a_stop_skips_statuses() -> None:
    before = plan()
    after = stopped(before, stop_of(COURSE, 102.0, SPOT, 30.0))
    assert after.version(102.0) > before.version(102.0)


def test_a_stop_does_not_change_what_was_seen_before() -> None:
    before = plan()
    after = stopped(before, stop_of(COURSE, 112.0, SPOT, 30.0))
    for now in (100, 101, 103, 106, 110, 111.9):
        assert (before.last_status(now), before.version(now)) == (after.last_status(now), after.version(now))


def test_a_task_that_is_ending_takes_no_notice_of_a_stop() -> None:
    timeline = plan()
    assert stopped(timeline, stop_of(COURSE, 115.0, SPOT, 30.0)) is timeline


@pytest.mark.parametrize(("stop_seconds", "exit_code", "ended_at"), [(5.0, 143, 116.0), (50.0, 137, 141.0)])
def test_a_container_that_outlasts_its_stop_timeout_is_killed(
    stop_seconds: float, exit_code: int, ended_at: float
) -> None:
    course = Course(duration=1000, stop_seconds=stop_seconds)
    timeline = stopped(plan(course), stop_of(course, 111.0, SPOT, 30.0))
    assert timeline.ends[0] == ContainerEnd(ended_at, exit_code)


def test_a_lost_host_leaves_no_exit_codes() -> None:
    timeline = stopped(plan(), host_lost(112.0))
    assert timeline.last_status(112.0) == "STOPPED"
    assert [end.exit_code for end in timeline.ends] == [None, None]


def test_a_start_failure_never_runs_and_says_why_on_the_main_container() -> None:
    timeline = plan(Course(start_failure="CannotPullContainerError: no"))
    assert timeline.started_at == NEVER
    assert (timeline.stop_code, timeline.stopped_reason) == (
        "TaskFailedToStart",
        "CannotPullContainerError: no",
    )
    assert [end.reason for end in timeline.ends] == ["CannotPullContainerError: no", None]


@pytest.mark.parametrize(
    ("interruption", "started", "stop_code", "exit_code"),
    [
        (Interruption(after=2.0), True, "SpotInterruption", 143),
        (Interruption(after=0.5, early=True), False, "SpotInterruption", None),
        (Interruption(after=2.0, host_lost=True), True, "TerminationNotice", None),
        (Interruption(after=999.0), True, "EssentialContainerExited", 0),
    ],
)
def test_an_interruption_cuts_the_course_short(
    interruption: Interruption, started: bool, stop_code: str, exit_code: int | None
) -> None:
    timeline = plan(Course(provisioning=1, duration=10, interruption=interruption))
    assert (timeline.started_at != NEVER) is started
    assert (timeline.stop_code, timeline.ends[0].exit_code) == (stop_code, exit_code)
