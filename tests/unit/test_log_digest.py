from __future__ import annotations

import logging

import pytest

from ecs_async_executor.log_digest import INTERVAL, LogDigest

Lines = list[tuple[int, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def digest(lines: Lines) -> LogDigest:
    return LogDigest(lambda level, text: lines.append((level, text)))


def texts(lines: Lines) -> list[str]:
    return [text for _, text in lines]


def test_the_first_event_of_a_cause_is_logged_at_once(digest: LogDigest, lines: Lines):
    digest.note("throttled", "RunTask is throttled.", 0.0, level=logging.INFO)
    digest.note("denied", "StopTask is denied.", 0.0)
    assert lines == [(logging.INFO, "RunTask is throttled."), (logging.WARNING, "StopTask is denied.")]


def test_a_hundred_equal_lines_become_two(digest: LogDigest, lines: Lines):
    for number in range(100):
        digest.note("waits", f"task {number} waits.", number / 10)
    digest.flush(INTERVAL)
    assert texts(lines) == ["task 0 waits.", "task 99 waits. [the last of 99 in 60 s]"]


def test_the_last_minutes_summary_is_logged_even_if_nothing_new_happens(digest: LogDigest, lines: Lines):
    digest.note("a", "a", 0.0)
    digest.note("a", "a", 1.0)
    digest.flush(INTERVAL - 1)
    assert len(lines) == 1
    digest.flush(INTERVAL)
    assert texts(lines) == ["a", "a"]
    digest.flush(10 * INTERVAL)
    assert len(lines) == 2


def test_a_lasting_cause_is_logged_once_a_minute_even_if_nobody_flushes(digest: LogDigest, lines: Lines):
    for second in range(601):
        digest.note("a", "a", float(second))
    assert texts(lines) == ["a", *["a [the last of 60 in 60 s]"] * 10]


def test_an_event_after_a_quiet_minute_is_logged_at_once(digest: LogDigest, lines: Lines):
    digest.note("a", "a", 0.0)
    digest.flush(INTERVAL)
    digest.note("a", "again", INTERVAL + 1)
    assert texts(lines) == ["a", "again"]


def test_figures_are_current_when_the_line_is_logged(digest: LogDigest, lines: Lines):
    waiting = 43
    digest.note("a", lambda: f"{waiting} launches wait.", 0.0)
    digest.note("a", lambda: f"{waiting} launches wait.", 0.0)
    waiting = 7
    digest.flush(INTERVAL)
    assert texts(lines) == ["43 launches wait.", "7 launches wait."]


def test_a_stack_is_logged_only_with_the_first_event(digest: LogDigest, lines: Lines):
    digest.note("a", "It failed.", 0.0, detail="the stack")
    digest.note("a", "It failed.", 1.0, detail="the stack")
    digest.flush(INTERVAL)
    assert texts(lines) == ["It failed.\nthe stack", "It failed."]


def test_each_cause_has_its_own_summary(digest: LogDigest, lines: Lines):
    digest.note("a", "a", 0.0)
    digest.note("b", "b", 30.0)
    digest.note("a", "a", 40.0)
    digest.note("b", "b", 50.0)
    digest.flush(INTERVAL)
    assert texts(lines) == ["a", "b", "a"]
    digest.flush(90.0)
    assert texts(lines)[3:] == ["b"]
