"""The decision table: one test per row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from airflow.utils.state import TaskInstanceState
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.executor.decisions import (
    Decision,
    ExpectedRow,
    Row,
    RunView,
    decide_before_launch,
    decide_when_ended,
    decide_when_launched,
    decide_while_live,
    is_as_expected,
)
from ecs_async_executor.launch_id import LaunchId

RUN_ID, ARN = "the-run-id", "arn:aws:ecs:us-east-1:123456789012:task/default/1"
ME, OTHER_SCHEDULER = 7, 8
ROW = Row(state="running", try_number=1, external_executor_id=RUN_ID, queued_by_job_id=ME)
RUN = RunView(try_number=1, ids=frozenset({RUN_ID, ARN}), id_committed=True, current=True, job_id=ME)
HISTORY, ADOPTED = Decision.FORGET_AND_STOP, Decision.FORGET
OTHER_STATES = sorted({str(state) for state in TaskInstanceState} - {"queued", "running", "restarting"})


def row(state: str | None = "running", **changes: object) -> Row:
    return replace(ROW, state=state, **changes)  # type: ignore[arg-type]  # dataclass members by name


def run(**changes: object) -> RunView:
    return replace(RUN, **changes)  # type: ignore[arg-type]  # dataclass members by name


WHEN_ENDED = {
    "a row that is gone makes the run history": (None, run(), HISTORY),
    "another try in the row makes the run history": (row(try_number=2), run(), HISTORY),
    "another scheduler's run id in the row makes a run with a committed id history": (
        row(external_executor_id="a newer run id", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        HISTORY,
    ),
    "an ARN that another scheduler published may be this run's": (
        row(external_executor_id="arn:unknown", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "an unknown id in this scheduler's row was written late by another one": (
        row(external_executor_id="arn:of an older launch"),
        run(),
        Decision.FAIL,
    ),
    "another launch number in the row is not a newer run": (
        row(external_executor_id=str(LaunchId(RUN_ID, 7))),
        run(),
        Decision.FAIL,
    ),
    "an emptied external id makes a run with a committed id history": (
        row(external_executor_id=None, queued_by_job_id=None),
        run(),
        HISTORY,
    ),
    "a run is history once its key has a newer run, even if the row could be its own": (
        row(),
        run(current=False),
        HISTORY,
    ),
    "history is stopped even if another scheduler has queued the row again": (
        row("queued", external_executor_id="a newer run id", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        HISTORY,
    ),
    "a run without a committed id ignores the external id": (
        row(external_executor_id="left from an earlier queueing"),
        run(id_committed=False),
        Decision.FAIL,
    ),
    "a row adopted by another scheduler while queued is left alone": (
        row("queued", queued_by_job_id=OTHER_SCHEDULER),
        run(may_relaunch=True),
        ADOPTED,
    ),
    "a row adopted by another scheduler while running is left alone": (
        row(queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a queued row whose task ended is launched again while attempts are left": (
        row("queued"),
        run(may_relaunch=True),
        Decision.RELAUNCH,
    ),
    "a queued row whose task never ran is launched again while attempts are left": (
        row("queued"),
        run(may_relaunch=True, ran=False),
        Decision.RELAUNCH,
    ),
    "a queued row is failed when no attempt is left": (row("queued"), run(), Decision.FAIL),
    "a queued row is failed when its task never ran and no attempt is left": (
        row("queued"),
        run(ran=False),
        Decision.FAIL,
    ),
    "a running row whose task ended has died without reporting": (row(), run(), Decision.FAIL),
    "a running row is never launched again": (row(), run(may_relaunch=True), Decision.FAIL),
    "a running row may show the ARN instead of the run id": (
        row(external_executor_id=ARN),
        run(),
        Decision.FAIL,
    ),
    "a running row whose launch never ran belongs to another launch": (
        row(),
        run(ran=False),
        Decision.SEARCH,
    ),
    "a running row whose task ECS does not show is left to Airflow while its worker sends heartbeats": (
        row(heartbeat_age=299.9),
        run(lost=True),
        Decision.LEAVE,
    ),
    "a running row without a task fails once its worker's heartbeats have stopped": (
        row(heartbeat_age=300.0),
        run(lost=True),
        Decision.FAIL,
    ),
    "a running row without a task fails if no worker ever sent a heartbeat": (
        row(heartbeat_age=None),
        run(lost=True),
        Decision.FAIL,
    ),
    "an Airflow option sets how old a heartbeat may be": (
        row(heartbeat_age=299.9),
        run(lost=True, heartbeats=Heartbeats(timeout=60.0)),
        Decision.FAIL,
    ),
    "a task that ECS shows as stopped has died, however fresh its last heartbeat": (
        row(heartbeat_age=0.0),
        run(),
        Decision.FAIL,
    ),
    "a queued row has no worker: its heartbeat is from an earlier queueing": (
        row("queued", heartbeat_age=0.0),
        run(lost=True, may_relaunch=True),
        Decision.RELAUNCH,
    ),
    "a restarting row has no worker that counts: Airflow rejects its heartbeats": (
        row("restarting", heartbeat_age=0.0),
        run(lost=True),
        Decision.SUCCEED,
    ),
    "a heartbeat after the end of a refused container is another worker's": (
        row(heartbeat_age=1.9),
        run(refused_for=2.0),
        Decision.LEAVE,
    ),
    "a heartbeat before the end may be the refused container's: wait for the next one": (
        row(heartbeat_age=2.0),
        run(refused_for=2.0),
        Decision.WAIT,
    ),
    "without a heartbeat for three of Airflow's intervals there is no other worker": (
        row(heartbeat_age=17.0),
        run(refused_for=15.0),
        Decision.FAIL,
    ),
    "an Airflow option sets how often workers send heartbeats": (
        row(heartbeat_age=17.0),
        run(refused_for=15.0, heartbeats=Heartbeats(interval=10.0)),
        Decision.WAIT,
    ),
    "a refused container whose row has no heartbeat has died without reporting": (
        row(),
        run(refused_for=0.0),
        Decision.FAIL,
    ),
    "a restarting row gets a success event, so that it runs again at once": (
        row("restarting"),
        run(),
        Decision.SUCCEED,
    ),
    "a row without a state needs no event": (row(None), run(), Decision.DONE),
    "outside of a scheduler a row without a job id is ours": (
        row(queued_by_job_id=None),
        run(job_id=None),
        Decision.FAIL,
    ),
    **{
        f"a row that is {state} needs no event": (row(state), run(may_relaunch=True), Decision.DONE)
        for state in OTHER_STATES
    },
}

WHEN_LAUNCHED = {
    "a row that is gone makes the run history": (None, run(), HISTORY),
    "another try in the row makes the run history": (row("queued", try_number=2), run(), HISTORY),
    "another scheduler's run id in the row makes the run history": (
        row("queued", external_executor_id="a newer run id", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        HISTORY,
    ),
    "a row whose ARN another scheduler published is left alone": (
        row("running", external_executor_id="arn:unknown", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a run is history once its key has a newer run": (row("queued"), run(current=False), HISTORY),
    "a row adopted by another scheduler is left alone": (
        row("queued", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a queued row gets the ARN": (row("queued"), run(published=ARN), Decision.PUBLISH),
    "a running row gets the ARN": (row(), run(published=ARN), Decision.PUBLISH),
    "a row that shows the ARN already is left alone": (
        row(external_executor_id=ARN),
        run(published=ARN),
        Decision.KEEP,
    ),
    "a row with the ARN of an earlier launch gets the new one": (
        row("queued", external_executor_id=ARN),
        run(published="arn:of the new launch"),
        Decision.PUBLISH,
    ),
    "a run without a committed id overwrites a stale external id": (
        row("queued", external_executor_id="left from an earlier queueing"),
        run(id_committed=False, published=ARN),
        Decision.PUBLISH,
    ),
    "a restarting row gets no ARN": (row("restarting"), run(), Decision.DONE),
    "a row without a state gets no ARN": (row(None), run(), Decision.DONE),
    **{f"a row that is {state} gets no ARN": (row(state), run(), Decision.DONE) for state in OTHER_STATES},
}


AGAIN, OTHERS = True, False
"""AGAIN: the run's next launch, nothing lives. OTHERS: an earlier scheduler may have launched it."""
BEFORE_LAUNCH = {
    "a row that is gone needs no launch": (None, run(), AGAIN, Decision.FORGET),
    "a row that is gone may leave a live task": (None, run(), OTHERS, HISTORY),
    "a row with another scheduler's run needs no launch": (
        row("queued", external_executor_id="a newer run id", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        AGAIN,
        Decision.FORGET,
    ),
    "a row adopted by another scheduler is left alone": (
        row("queued", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        AGAIN,
        ADOPTED,
    ),
    "a queued row that shows the launch is launched": (
        row("queued", external_executor_id=str(LaunchId(RUN_ID, 2))),
        run(published=str(LaunchId(RUN_ID, 2))),
        AGAIN,
        Decision.LAUNCH,
    ),
    "a queued row that doesn't show the launch gets its id first": (
        row("queued"),
        run(published=str(LaunchId(RUN_ID, 2))),
        AGAIN,
        Decision.PUBLISH,
    ),
    "a queued row from an earlier scheduler already shows its launch": (
        row("queued"),
        run(),
        OTHERS,
        Decision.LAUNCH,
    ),
    "a running row is searched for, never launched again": (row(), run(), AGAIN, Decision.SEARCH),
    "a running row from an earlier scheduler is searched for": (row(), run(), OTHERS, Decision.SEARCH),
    "a row cleared while running is searched for": (row("restarting"), run(), OTHERS, Decision.SEARCH),
    "a cleared row needs no other launch": (row("restarting"), run(), AGAIN, Decision.FORGET),
    **{
        f"a row that is {state} needs no other launch": (row(state), run(), AGAIN, Decision.FORGET)
        for state in OTHER_STATES
    },
    **{
        f"a row that is {state} is searched for, never launched": (row(state), run(), OTHERS, Decision.SEARCH)
        for state in OTHER_STATES
    },
}

WHILE_LIVE = {
    "a row that is gone does not want its task": (None, run(), HISTORY),
    "a row of another try does not want it": (row(try_number=2), run(), HISTORY),
    "a row with another scheduler's run does not want it": (
        row("queued", external_executor_id="a newer run id", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        HISTORY,
    ),
    "a live row whose ARN another scheduler published is left alone": (
        row(external_executor_id="arn:unknown", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a row that another scheduler wrote late is corrected": (
        row(external_executor_id="arn:of an older launch"),
        run(published=ARN),
        Decision.PUBLISH,
    ),
    "a row whose key has a newer run does not want its task": (row("queued"), run(current=False), HISTORY),
    "a row adopted by another scheduler is left alone": (
        row(queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a finished row of another scheduler is left alone as well": (
        row("success", queued_by_job_id=OTHER_SCHEDULER),
        run(),
        ADOPTED,
    ),
    "a queued row waits for its launch": (row("queued"), run(), Decision.KEEP),
    "a running row has its task": (row(), run(), Decision.KEEP),
    "a row that shows its ARN needs no event": (
        row(external_executor_id=ARN),
        run(published=ARN),
        Decision.KEEP,
    ),
    "a row that doesn't show the ARN yet gets it again": (row(), run(published=ARN), Decision.PUBLISH),
    "a queued row that doesn't show its launch number yet gets it again": (
        row("queued"),
        run(published=str(LaunchId(RUN_ID, 2))),
        Decision.PUBLISH,
    ),
    "a task cleared while running ends by itself": (row("restarting"), run(), Decision.UNWANTED),
    "a row without a state does not want it": (row(None), run(), Decision.UNWANTED),
    **{
        f"a row that is {state} does not want it": (row(state), run(), Decision.UNWANTED)
        for state in OTHER_STATES
    },
}


@pytest.mark.parametrize(
    ("found", "view", "nothing_lives", "decision"), BEFORE_LAUNCH.values(), ids=BEFORE_LAUNCH
)
def test_before_a_run_is_launched(
    found: Row | None, view: RunView, nothing_lives: bool, decision: Decision
) -> None:
    assert decide_before_launch(found, replace(view, nothing_lives=nothing_lives)) is decision


@pytest.mark.parametrize(("found", "view", "decision"), WHILE_LIVE.values(), ids=WHILE_LIVE)
def test_while_a_run_is_live(found: Row | None, view: RunView, decision: Decision) -> None:
    assert decide_while_live(found, view) is decision


@pytest.mark.parametrize(("found", "view", "decision"), WHEN_ENDED.values(), ids=WHEN_ENDED)
def test_when_a_run_has_ended(found: Row | None, view: RunView, decision: Decision) -> None:
    assert decide_when_ended(found, view) is decision


@pytest.mark.parametrize(("found", "view", "decision"), WHEN_LAUNCHED.values(), ids=WHEN_LAUNCHED)
def test_when_a_run_was_launched(found: Row | None, view: RunView, decision: Decision) -> None:
    assert decide_when_launched(found, view) is decision


def test_the_table_covers_every_airflow_state() -> None:
    assert {str(state) for state in TaskInstanceState} == {*OTHER_STATES, "queued", "running", "restarting"}


ANY = st.builds(
    Row,
    st.sampled_from([None, "queued", "running", "restarting", "success"]),
    st.sampled_from([1, 2]),
    st.sampled_from([None, RUN_ID, ARN, "another"]),
    st.sampled_from([None, ME, OTHER_SCHEDULER]),
)


@given(ANY, st.sampled_from([RUN_ID, ARN]), st.booleans())
def test_a_row_is_as_expected_exactly_if_the_decision_is_keep(
    found: Row, published: str, id_committed: bool
) -> None:
    view = run(published=published, id_committed=id_committed)
    kept = decide_while_live(found, view) is Decision.KEEP
    assert is_as_expected(found, ExpectedRow(view.try_number, published, ME)) is kept


@given(st.none() | st.floats(0, 1e6))
def test_a_heartbeat_never_makes_a_row_unexpected(age: float | None) -> None:
    found = row(external_executor_id=ARN, heartbeat_age=age)
    assert is_as_expected(found, ExpectedRow(1, ARN, ME))
