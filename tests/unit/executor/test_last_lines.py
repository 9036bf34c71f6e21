"""The last lines of dead containers: read and written by a thread that nothing waits for."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from ecs_async_executor.executor.last_lines import GIVE_UP_AFTER, MOST_ENDINGS, RETRIES, SETTLE, LastLines
from ecs_async_executor.executor.run_factory import make_run
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.logs.attempt_file import Written
from ecs_async_executor.logs.lines import shown
from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.logs.problems import Problem
from ecs_async_executor.logs.reader import Page
from ecs_async_executor.messages import Diagnosis, Launched, LaunchFailed, Stopped
from ecs_async_executor.task_arn import TaskArn
from tests.support.reconciler import Executor
from tests.support.workloads import callback_workload, task_workload

ARN = "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"
WHY = Diagnosis("The container was killed.")
WHERE = LogStream("/ecs/etl", "ecs/airflow/abc", "us-east-1")
PAGE = Page((shown({"timestamp": 0, "message": "the last words"}),), where=WHERE)


class FakeReader:
    """Has a page for every task."""

    def __init__(self, page: Page = PAGE) -> None:
        self.asked: list[str] = []
        self.page = page

    def read(self, arn: TaskArn) -> Page:
        self.asked.append(arn.text)
        return self.page


class Store:
    """Takes logs, in the thread; `result` is what becomes of them."""

    def __init__(self, result: Written | Exception = Written.REMOTE) -> None:
        self.result = result
        self.logs: dict[Any, Sequence[str]] = {}
        self.wrote = threading.Semaphore(0)

    def __call__(self, key: Any, lines: Sequence[str]) -> Written:
        self.logs[key] = lines
        self.wrote.release()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def ended(end: Stopped | LaunchFailed | None = None, **ti: Any) -> Run:
    run = make_run(Executor(), task_workload(**ti))
    run.launched = Launched(run.run_id, 1, ARN, "default", "airflow")
    run.ended = end or Stopped(run.run_id, 1, ARN, 137, ran=True, permanent=False, diagnosis=WHY)
    return run


def keep(run: Run, store: Store, reader: FakeReader | None = None) -> LastLines:
    """Keep a run's lines, and wait until they were written; the last `keep` of a thread marks the end of the first."""
    kept = LastLines(reader or FakeReader(), write=store, sleep=lambda _: None)
    kept.keep(run)
    assert store.wrote.acquire(timeout=60)
    kept.keep(ended(try_number=99))
    assert store.wrote.acquire(timeout=60)
    return kept


def texts(kept: LastLines) -> list[str]:
    return [each.text for each in kept.audit_texts() if each.key.try_number != 99]


def test_the_lines_of_a_container_that_ran_go_into_its_trys_log():
    run, store, reader = ended(), Store(), FakeReader()
    kept = keep(run, store, reader)
    assert reader.asked[0] == ARN
    assert any("the last words" in line for line in store.logs[run.key])
    assert any(WHY.summary in line for line in store.logs[run.key])
    assert texts(kept) == []


@pytest.mark.parametrize("result", [Written.FOLDER, Written.HAS_LOG, OSError("the store is down")])
def test_lines_that_are_in_no_log_that_everybody_reads_go_into_the_audit_log(result: Written | Exception):
    (text,) = texts(keep(ended(), Store(result)))
    assert "the last words" in text


def test_a_task_that_is_gone_needs_nothing():
    assert texts(keep(ended(), Store(Written.GONE))) == []


def test_a_container_that_printed_nothing_after_its_try_was_resumed_leaves_no_row():
    assert texts(keep(ended(), Store(Written.HAS_LOG), FakeReader(Page(where=WHERE)))) == []


@pytest.mark.parametrize(
    "end",
    [
        Stopped("run", 1, ARN, None, ran=False, permanent=True, diagnosis=WHY),
        LaunchFailed("run", 1, WHY, permanent=True),
    ],
)
def test_a_task_that_never_started_gets_a_log_with_the_reason_and_nothing_is_read(
    end: Stopped | LaunchFailed,
):
    run, store, reader = ended(end), Store(), FakeReader()
    kept = keep(run, store, reader)
    assert len(reader.asked) == 1, "the one that marks the end"
    assert any(WHY.summary in line for line in store.logs[run.key])
    assert texts(kept) == []


def test_the_log_driver_gets_time_to_send_the_last_lines():
    slept: list[float] = []
    store = Store()
    kept = LastLines(FakeReader(), write=store, clock=lambda: 100.0, sleep=slept.append)
    kept.keep(ended())
    assert store.wrote.acquire(timeout=60)
    assert slept == [SETTLE]


def test_when_thousands_die_at_once_only_the_first_are_kept_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
):
    started, may_go = threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        started.set()
        may_go.wait(60)

    store = Store()
    kept = LastLines(FakeReader(), write=store, sleep=sleep)
    kept.keep(ended())
    assert started.wait(60)
    for _ in range(MOST_ENDINGS + 10):
        kept.keep(ended())
    assert kept._endings.qsize() == MOST_ENDINGS
    (message,) = caplog.messages
    assert message.startswith(
        "Too many tasks have died at once: the last lines of dag.task of run, try 1 stay"
    )
    may_go.set()


def test_a_thread_that_hangs_is_replaced_and_what_waits_is_handled():
    class Hanging(FakeReader):
        def read(self, arn: TaskArn) -> Page:
            page = super().read(arn)
            if len(self.asked) == 1:
                hangs.set()
                assert released.wait(60)
            return page

    hangs, released, now = threading.Event(), threading.Event(), [0.0]
    store = Store()
    kept = LastLines(Hanging(), write=store, clock=lambda: now[0], sleep=lambda _: None)
    first, second, third = (ended(try_number=number) for number in (1, 2, 3))
    kept.keep(first)
    old = kept._thread
    assert hangs.wait(60)
    now[0] = GIVE_UP_AFTER - 1.0
    kept.keep(second)
    assert kept._thread is old
    now[0] = GIVE_UP_AFTER
    kept.keep(third)
    assert store.wrote.acquire(timeout=60)
    assert store.wrote.acquire(timeout=60)
    assert list(store.logs) == [second.key, third.key]
    released.set()
    assert old is not None
    old.join(60)
    assert not old.is_alive(), "it ends as soon as it gets an answer"
    assert list(store.logs) == [second.key, third.key, first.key]


def test_an_old_thread_first_does_again_what_it_could_not_read():
    class Throttled(FakeReader):
        def read(self, arn: TaskArn) -> Page:
            super().read(arn)
            if len(self.asked) == 1:
                return Page(where=WHERE, problem=Problem("AWS throttles GetLogEvents.", throttled=True))
            if len(self.asked) == 2:
                hangs.set()
                assert released.wait(60)
            return self.page

    hangs, released, now = threading.Event(), threading.Event(), [0.0]
    store = Store()
    kept = LastLines(Throttled(), write=store, clock=lambda: now[0], sleep=lambda _: None)
    kept.keep(ended(try_number=1))
    kept.keep(ended(try_number=2))
    old = kept._thread
    assert hangs.wait(60)
    now[0] = GIVE_UP_AFTER
    kept.keep(ended(try_number=3))
    assert store.wrote.acquire(timeout=60)
    released.set()
    assert old is not None
    old.join(60)
    assert {key.try_number for key in store.logs} == {1, 2, 3}


def test_a_failing_reader_is_logged_once_and_the_next_task_is_handled(caplog: pytest.LogCaptureFixture):
    class Broken(FakeReader):
        def read(self, arn: TaskArn) -> Page:
            if not self.asked:
                super().read(arn)
                raise RuntimeError("a bug")
            return super().read(arn)

    store = Store()
    kept = LastLines(Broken(), write=store, sleep=lambda _: None)
    kept.keep(ended())
    kept.keep(ended(try_number=2))
    assert store.wrote.acquire(timeout=60)
    (message,) = caplog.messages
    assert message.startswith("Can't keep the last lines of dag.task of run, try 1 (RuntimeError: a bug)")


def test_lines_that_can_not_be_read_are_read_again_a_few_times():
    problem = Problem("AWS throttles GetLogEvents.", throttled=True)

    class Throttled(FakeReader):
        def read(self, arn: TaskArn) -> Page:
            super().read(arn)
            return Page(where=WHERE, problem=problem) if len(self.asked) < 3 else self.page

    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def clock() -> float:
        nonlocal now
        now += 100.0  # whatever is to be tried again is due at once
        return now

    reader, store = Throttled(), Store()
    kept = LastLines(reader, write=store, clock=clock, sleep=sleep)
    kept.keep(ended())
    assert store.wrote.acquire(timeout=60)
    assert len(reader.asked) == 1 + len(RETRIES)
    (lines,) = store.logs.values()
    assert any("the last words" in line for line in lines)


def test_lines_that_stay_unreadable_are_reported_in_the_log_and_not_in_the_audit_log():
    reader = FakeReader(
        Page(after=("{}",), where=WHERE, problem=Problem("AWS denied GetLogEvents.", "Add: it"))
    )
    store = Store(Written.FOLDER)
    ticks = iter(range(0, 100_000, 100))
    kept = LastLines(reader, write=store, clock=lambda: float(next(ticks)), sleep=lambda _: None)
    kept.keep(ended())
    assert store.wrote.acquire(timeout=60)
    (lines,) = store.logs.values()
    assert any("could not be read: AWS denied GetLogEvents. Add: it" in line for line in lines)
    assert kept.audit_texts() == []


def test_without_a_thread_to_be_had_nothing_is_kept_and_nothing_raised(monkeypatch: pytest.MonkeyPatch):
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    kept = LastLines(FakeReader(), write=Store())
    monkeypatch.setattr(threading.Thread, "start", fail)
    kept.keep(ended())
    kept.look_for_missing_dag(ended())
    assert kept._endings.empty()
    monkeypatch.undo()


def test_callbacks_and_an_option_of_zero_lines_start_no_thread():
    off = LastLines(None)
    off.keep(ended())
    on = LastLines(FakeReader())
    on.keep(make_run(Executor(), callback_workload()))
    assert off._thread is None
    assert on._thread is None


@pytest.mark.parametrize(("sensor", "expected"), [(False, ["ecs task rescheduled"]), (True, [])])
def test_a_rescheduled_task_whose_container_lacks_its_dag_says_so(sensor: bool, expected: list[str]):
    line = {
        "event": "Dag not found during start up",
        "dag_id": "etl",
        "path": "etl.py",
        "timestamp": "2026-11-27T08:00Z",
    }
    store = Store()
    kept = LastLines(
        FakeReader(Page((json.dumps(line),), where=WHERE)),
        write=store,
        is_sensor=lambda _: sensor,
        sleep=lambda _: None,
    )
    kept.look_for_missing_dag(ended())
    kept.keep(ended(try_number=99))
    assert store.wrote.acquire(timeout=60)
    assert [each.event.value for each in kept.audit_texts()] == expected
    assert len(store.logs) == 1, "a rescheduled task's log is Airflow's"
