"""What a failed launch step does to its run: a test for each row of the table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import PAUSING, Failure, Kind
from ecs_async_executor.engine.state.entry import FAULTS, Entry, LaunchRecord, State
from ecs_async_executor.engine.state.failure_rules import FAILURE_RULES, PUTS, Reaction, delay_after
from ecs_async_executor.messages import Diagnosis, Recovery
from tests.support.engine import options

GRACE, LIST_TIMEOUT = 20.0, 50.0


@dataclass(frozen=True)
class Row:
    """What the table promises for one kind of failure."""

    kind: Kind
    delay: float | None
    """After the first failure, without jitter; None: the launch is over."""
    permanent: bool
    costs_attempt: bool


TABLE = [
    Row(Kind.THROTTLE, 0.0, permanent=False, costs_attempt=True),
    Row(Kind.CREDENTIALS, 0.0, permanent=False, costs_attempt=True),
    Row(Kind.NETWORK, 0.0, permanent=False, costs_attempt=True),
    Row(Kind.UNKNOWN, 1.0, permanent=False, costs_attempt=True),
    Row(Kind.FAULT, 1.0, permanent=True, costs_attempt=True),
    Row(Kind.PAYLOAD, 1.0, permanent=False, costs_attempt=False),
    Row(Kind.CAPACITY, None, permanent=False, costs_attempt=False),
    Row(Kind.EXISTS, None, permanent=False, costs_attempt=False),
    Row(Kind.START, None, permanent=False, costs_attempt=True),
    Row(Kind.DENIED, None, permanent=False, costs_attempt=True),
    Row(Kind.NOT_FOUND, None, permanent=False, costs_attempt=True),
    Row(Kind.CONFIGURATION, None, permanent=True, costs_attempt=True),
]


def entry(recovery: Recovery = Recovery.NONE) -> Entry:
    return Entry("run", "label", 1, State.SENDING, launch=LaunchRecord(recovery=recovery))


def after(run: Entry, kind: Kind, now: float = 0.0) -> float | None:
    """Note a failure, and return the delay until the launch is tried again."""
    failure = Failure(kind, Diagnosis("It failed."))
    run.launch.note(failure, now)
    return delay_after(
        run, failure, now, options(missing_grace=GRACE, list_timeout=LIST_TIMEOUT), lambda: 1.0
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.kind.name)
def test_each_kind_of_failure_has_its_delay_and_its_price(row: Row):
    rule = FAILURE_RULES[row.kind]
    assert after(entry(), row.kind) == row.delay
    assert (rule.permanent, rule.costs_attempt) == (row.permanent, row.costs_attempt)


def test_the_table_has_a_row_for_every_kind():
    assert [row.kind for row in TABLE] == list(FAILURE_RULES)
    assert set(FAILURE_RULES) == set(Kind)


def test_a_pause_keeps_every_launch():
    assert all(FAILURE_RULES[kind].reaction is Reaction.KEEP for kind in PAUSING)


def test_an_unknown_outcome_is_repeated_after_longer_and_longer_waits():
    run = entry()
    assert [after(run, Kind.UNKNOWN) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.CREDENTIALS, Kind.NETWORK, Kind.PAYLOAD])
def test_a_launch_to_be_stopped_that_was_never_sent_is_over(kind: Kind):
    run = entry()
    run.stop_reason = "because"
    assert after(run, kind) is None


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.CREDENTIALS, Kind.NETWORK, Kind.PAYLOAD])
def test_a_launch_to_be_stopped_that_may_have_started_a_task_is_kept(kind: Kind):
    run = entry()
    run.launch.unknown_sends = 1
    run.stop_reason = "because"
    assert after(run, kind) is not None


def test_uploads_are_tried_a_limited_number_of_times():
    run = entry()
    delays = [after(run, Kind.PAYLOAD, now=1000.0) for _ in range(PUTS)]
    assert None not in delays[:-1]
    assert delays[-1] is None


def test_uploads_go_on_while_an_earlier_send_may_have_started_a_task_that_listtasks_does_not_show_yet():
    run = entry(Recovery.REPLAY)
    run.launch.unknown_sends, run.launch.maybe_sent_at = 1, 100.0
    for _ in range(PUTS):
        assert after(run, Kind.PAYLOAD, now=100.0) is not None
    assert after(run, Kind.PAYLOAD, now=100.0 + GRACE - 0.1) is not None
    assert after(run, Kind.PAYLOAD, now=100.0 + GRACE) is None


class TestFaults:
    """Calls that raise in this process are replayed, then only searched for, then given up."""

    @staticmethod
    def broken(recovery: Recovery = Recovery.NONE) -> Entry:
        run = entry(recovery)
        for _ in range(FAULTS):
            assert run.launch.fault is None
            assert after(run, Kind.FAULT) is not None
        assert run.launch.fault is not None
        return run

    @pytest.mark.parametrize("recovery", [Recovery.NONE, Recovery.REPLAY, Recovery.SEARCH])
    def test_a_launch_is_given_up_after_the_grace_time(self, recovery: Recovery):
        run = self.broken(recovery)
        assert after(run, Kind.FAULT, now=GRACE - 0.1) is not None
        assert after(run, Kind.FAULT, now=GRACE) is None

    @pytest.mark.parametrize("recovery", list(Recovery))
    def test_a_task_that_may_run_is_searched_for_as_long_as_ecs_remembers_tasks(self, recovery: Recovery):
        run = self.broken(recovery)
        if recovery is not Recovery.SEARCH_ONLY:
            run.stop_reason = "because"
        assert after(run, Kind.FAULT, now=LIST_TIMEOUT - 0.1) is not None
        assert after(run, Kind.FAULT, now=LIST_TIMEOUT) is None
