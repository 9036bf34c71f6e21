"""One test per row of the sweep's table of containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.operate.containers import TO_STOP, Facts, Leases, Rules, Verdict, explain, judge_all
from ecs_async_executor.operate.ecs_task import EcsTask
from ecs_async_executor.standby.command import lease_url
from tests.support.operation import (
    DEPLOYMENT,
    NOW,
    OTHER_RUN,
    RUN,
    TI,
    TOKEN,
    arn_of,
    container,
    found_row,
    standby,
    workload,
)

RULES = Rules(DEPLOYMENT, 600.0)
OTHER_TI = "018f0000-0000-7000-8000-000000000002"
FETCHED = ["python", "-c", "fetch", "s3://bucket/key"]
LONG_OVER = found_row("success")
JUST_OVER = found_row("success", changed_at=NOW - 30)


def facts(*, live: Any = (), by_id: Any = (), by_ti: Any = ()) -> Facts:
    return Facts(
        live,
        {row.external_id or "": [row] for row in by_id},
        {row.ti_id: [row] for row in by_ti},
    )


def verdict(known: Facts, rules: Rules = RULES, **changes: Any) -> Verdict:
    (judged,) = judge_all([container(**changes)], known, rules, NOW)
    return judged.verdict


@pytest.mark.parametrize("state", ["queued", "running", "restarting"])
@pytest.mark.parametrize("shown", [arn_of(), RUN, str(LaunchId(RUN, 1)), str(LaunchId(RUN, 7))])
def test_a_container_whose_arn_or_run_id_a_live_row_shows_is_in_use(state: str, shown: str) -> None:
    assert verdict(facts(live=[found_row(state, shown, ti_id=OTHER_TI)])) is Verdict.IN_USE


def test_a_live_row_wins_over_one_that_is_over() -> None:
    assert verdict(facts(live=[found_row("running")], by_id=[LONG_OVER])) is Verdict.IN_USE


def test_a_container_with_the_run_id_of_one_in_use_is_left_alone() -> None:
    tasks = [container(), container(arn_of("second"))]
    judged = judge_all(tasks, facts(live=[found_row("running", ti_id=OTHER_TI)]), RULES, NOW)
    assert [each.verdict for each in judged] == [Verdict.IN_USE, Verdict.SIBLING]


def test_a_container_whose_task_instance_is_live_under_another_id_is_left_to_the_executor() -> None:
    assert verdict(facts(live=[found_row("running", OTHER_RUN)])) is Verdict.HELD


def test_a_row_that_became_live_between_two_reads_protects_as_well() -> None:
    assert verdict(facts(by_id=[found_row("running")])) is Verdict.HELD
    assert verdict(facts(by_ti=[found_row("queued", OTHER_RUN)])) is Verdict.HELD


@pytest.mark.parametrize("changes", [{"desiredStatus": "STOPPED"}, {"lastStatus": "STOPPED"}])
def test_a_container_that_is_stopping_is_not_stopped_again(changes: dict[str, Any]) -> None:
    assert verdict(facts(by_id=[LONG_OVER]), **changes) is Verdict.STOPPING


def test_a_callbacks_container_is_left_alone_because_it_has_no_row() -> None:
    known = facts(by_id=[LONG_OVER])
    assert verdict(known, command=workload(kind="ExecuteCallback")) is Verdict.CALLBACK


@pytest.mark.parametrize("changes", [{"age": 599.0}, {"createdAt": None}])
def test_a_container_that_is_young_or_of_unknown_age_is_left_alone(changes: dict[str, Any]) -> None:
    assert verdict(facts(by_id=[LONG_OVER]), **changes) is Verdict.YOUNG


def test_a_container_whose_row_was_over_only_a_moment_ago_may_still_end_by_itself() -> None:
    assert verdict(facts(by_id=[JUST_OVER])) is Verdict.JUST_OVER


@pytest.mark.parametrize(
    "state",
    [
        "success",
        "failed",
        "skipped",
        "upstream_failed",
        "removed",
        "up_for_retry",
        "up_for_reschedule",
        "deferred",
    ],
)
@pytest.mark.parametrize("shown", [arn_of(), RUN, str(LaunchId(RUN, 2))])
def test_a_container_whose_row_is_over_is_stopped(state: str, shown: str) -> None:
    assert verdict(facts(by_id=[found_row(state, shown)])) is Verdict.OVER


@pytest.mark.parametrize("state", [None, "scheduled"])
def test_a_container_of_a_cleared_task_is_stopped(state: str | None) -> None:
    assert verdict(facts(by_id=[found_row(state)])) is Verdict.OVER


def test_a_container_of_an_earlier_try_is_stopped_whatever_state_that_try_shows() -> None:
    row = found_row("running", earlier_try=True)
    assert verdict(facts(by_id=[row])) is Verdict.EARLIER_TRY


def test_the_row_that_changed_last_decides() -> None:
    known = Facts((), {arn_of(): [found_row("failed", earlier_try=True)], RUN: [JUST_OVER]})
    assert verdict(known) is Verdict.JUST_OVER


@pytest.mark.parametrize("row", [found_row("success", changed_at=None), found_row("a state of Airflow 4")])
def test_a_row_that_does_not_tell_enough_leaves_the_container_alone(row: Any) -> None:
    assert verdict(facts(by_id=[row])) is Verdict.UNCLEAR


def test_a_row_that_is_found_only_by_the_commands_task_instance_decides_too() -> None:
    assert verdict(facts(by_ti=[found_row("success", OTHER_RUN)])) is Verdict.OVER


def test_a_container_without_a_trace_may_be_another_airflows_and_is_left_alone() -> None:
    assert verdict(facts()) is Verdict.GONE


def test_a_container_without_a_trace_is_stopped_if_no_other_airflow_has_the_deployment() -> None:
    assert verdict(facts(), Rules(DEPLOYMENT, 600.0, gone=True)) is Verdict.GONE_TOO


@pytest.mark.parametrize("command", [FETCHED, [], ["python", "--json-string"], ["--json-string", "no json"]])
def test_a_container_without_a_trace_whose_command_tells_nothing_is_never_stopped(command: list[str]) -> None:
    assert verdict(facts(), Rules(DEPLOYMENT, 600.0, gone=True), command=command) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "started_by",
    ["", RUN, f"airflow/staging/{RUN}", f"airflow/prod2/{RUN}", f"airflow/prod/x/{RUN}", "airflow/prod/"],
)
def test_what_another_deployment_started_is_not_looked_at(started_by: str) -> None:
    assert judge_all([container(startedBy=started_by)], facts(by_id=[LONG_OVER]), RULES, NOW) == []


LEASE = lease_url("s3://bucket/airflow/", "b" * 32)


def standbys_verdict(known: Facts, *others: EcsTask, **changes: Any) -> Verdict:
    first, *_ = judge_all([standby(**changes), *others], known, RULES, NOW)
    return first.verdict


def leases(age: float | None, location: str = "s3://bucket/airflow/") -> Leases:
    return Leases(location, {} if age is None else {LEASE: NOW - age})


@pytest.mark.parametrize("age", [None, 20.0, 400.0])
def test_a_standby_that_waits_for_a_task_is_left_alone(age: float | None) -> None:
    assert (
        standbys_verdict(replace(facts(), leases=leases(age) if age is not None else None)) is Verdict.WAITS
    )


@pytest.mark.parametrize("age", [None, 601.0, 86_400.0])
def test_a_standby_whose_scheduler_is_gone_and_that_has_not_ended_by_itself_is_stopped(
    age: float | None,
) -> None:
    assert standbys_verdict(replace(facts(), leases=leases(age))) is Verdict.FORSAKEN
    assert Verdict.FORSAKEN in TO_STOP


def test_a_lease_where_nobody_has_looked_condemns_no_standby() -> None:
    known = replace(facts(), leases=leases(None, "s3://another/prefix/"))
    assert standbys_verdict(known) is Verdict.WAITS


def test_a_young_standby_that_waits_says_that_and_not_its_age() -> None:
    assert standbys_verdict(replace(facts(), leases=leases(20.0)), age=10.0) is Verdict.WAITS


def test_a_young_standby_may_be_older_than_the_look_at_its_lease() -> None:
    assert standbys_verdict(replace(facts(), leases=leases(None)), age=599.0) is Verdict.YOUNG


def test_a_standby_that_serves_a_live_task_is_in_use_whatever_its_lease_and_the_others_are_not() -> None:
    row = found_row("running", arn_of("57a4db"))
    known = replace(facts(live=[row]), leases=leases(None))
    assert standbys_verdict(known) is Verdict.IN_USE
    _, other = judge_all([standby(), standby("other")], known, RULES, NOW)
    assert other.verdict is Verdict.FORSAKEN, "all standbys have the same startedBy"


def test_a_standby_whose_task_is_over_is_judged_by_that_tasks_row() -> None:
    shown = arn_of("57a4db")
    assert standbys_verdict(facts(by_id=[found_row("success", shown)])) is Verdict.OVER
    assert (
        standbys_verdict(facts(by_id=[found_row("success", shown, changed_at=NOW - 30)])) is Verdict.JUST_OVER
    )


def test_each_verdict_is_explained_with_the_times_that_decided() -> None:
    over, unknown = judge_all(
        [container(), container(arn_of("x"), startedBy=f"{DEPLOYMENT}/{OTHER_RUN}", command=[])],
        facts(by_id=[LONG_OVER]),
        RULES,
        NOW,
    )
    assert explain(over, NOW) == "It is 2h 00m old; its task instance is over: d/r/t is success for 1h 00m."
    assert explain(unknown, NOW).startswith("It is 2h 00m old; no row shows it")


def test_no_text_of_a_container_holds_its_token() -> None:
    task = container()
    assert task.ti_id == TI
    assert TOKEN not in repr(task)
