"""One test per row of the sweep's table of payloads."""

from __future__ import annotations

import pytest

from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate.aws import StoredObject
from ecs_async_executor.operate.payloads import KEPT_FOR, Verdict, explain, judge_all
from tests.support.operation import NOW, OTHER_RUN, RUN

LOCATION = "s3://bucket/airflow/"


def verdict(
    name: str = f"{LaunchId(RUN)}.json",
    *,
    age: float = KEPT_FOR + 1,
    live: set[str] | None = None,
    all_seen: bool = True,
) -> Verdict:
    stored = StoredObject(f"{LOCATION}{name}", NOW - age, 9000)
    (judged,) = judge_all([stored], LOCATION, live or set(), NOW, all_seen=all_seen)
    assert judged.is_to_delete == (judged.verdict is Verdict.LEFT_OVER)
    return judged.verdict


@pytest.mark.parametrize("name", [f"{LaunchId(RUN, number)}.json" for number in (1, 12, 1234)])
def test_a_payload_whose_run_is_over_for_a_day_is_deleted(name: str) -> None:
    assert verdict(name, live={OTHER_RUN}) is Verdict.LEFT_OVER


def test_a_payload_of_a_live_run_is_kept_whatever_its_launch_number() -> None:
    assert verdict(f"{LaunchId(RUN, 2)}.json", live={RUN}) is Verdict.IN_USE


def test_a_payload_is_kept_for_as_long_as_its_launch_may_be_repeated() -> None:
    assert verdict(age=KEPT_FOR - 1) is Verdict.YOUNG


def test_every_payload_is_kept_while_the_run_of_a_live_row_is_unknown() -> None:
    assert verdict(all_seen=False) is Verdict.UNSEEN


@pytest.mark.parametrize(
    "name",
    ["notes.txt", f"{RUN}.json", f"{LaunchId(RUN)}.txt", f"sub/{LaunchId(RUN)}.json", "", "x-001.json"],
)
def test_what_is_not_named_like_a_payload_is_never_deleted(name: str) -> None:
    assert verdict(name) is Verdict.FOREIGN


STANDBYS = f"standby/{'a' * 32}.json"
LEASE = f"standby/lease-{'b' * 32}.json"


@pytest.mark.parametrize("name", [STANDBYS, LEASE])
def test_what_standbys_and_their_schedulers_leave_is_deleted_after_a_day(name: str) -> None:
    assert verdict(name) is Verdict.LEFT_OVER
    assert verdict(name, age=KEPT_FOR - 1) is Verdict.YOUNG
    assert verdict(name, all_seen=False) is Verdict.UNSEEN


def test_the_object_of_a_standby_that_lives_is_kept_however_long_its_task_runs() -> None:
    assert verdict(STANDBYS, age=30 * KEPT_FOR, live={f"{LOCATION}{STANDBYS}"}) is Verdict.IN_USE


def test_the_explanation_tells_the_age() -> None:
    (judged,) = judge_all(
        [StoredObject(f"{LOCATION}{LaunchId(RUN)}.json", NOW - 90_000, 1)], LOCATION, (), NOW, all_seen=True
    )
    assert explain(judged, NOW) == (
        "It is 1d 01h old; nothing will fetch it: its run, its standby or its scheduler is gone."
    )
