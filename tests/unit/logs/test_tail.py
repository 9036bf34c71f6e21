from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.logs.location import LogStream
from ecs_async_executor.logs.tail import MOST_CHARACTERS, STALE, Tail

WHERE = LogStream("/ecs/airflow", "ecs/airflow/abc", "eu-central-1")
STREAM = {"logGroupName": "/ecs/airflow", "logStreamName": "ecs/airflow/abc"}


def answer(*messages: str, forward: str = "f/1", backward: str = "b/1") -> dict[str, Any]:
    events = [{"timestamp": 0, "message": each} for each in messages]
    return {"events": events, "nextForwardToken": forward, "nextBackwardToken": backward}


def events_of(tail: Tail) -> list[str]:
    return [json.loads(line)["event"] for line in tail.lines]


def test_the_first_call_asks_for_the_last_lines_and_one_more() -> None:
    assert Tail(WHERE, 5).request(0.0) == {**STREAM, "startFromHead": False, "limit": 6}


def test_the_next_call_asks_for_what_came_since() -> None:
    tail = Tail(WHERE, 5)
    assert not tail.take(answer("a", forward="f/7"), 0.0)
    assert tail.request(3.0) == {**STREAM, "startFromHead": True, "nextToken": "f/7"}
    assert not tail.take(answer("b", forward="f/8"), 3.0)
    assert events_of(tail) == ["a", "b"]
    assert tail.request(6.0)["nextToken"] == "f/8"


def test_only_the_last_lines_are_kept_and_that_is_said() -> None:
    tail = Tail(WHERE, 2)
    tail.take(answer("a", "b"), 0.0)
    assert not tail.left_out
    tail.take(answer("c"), 1.0)
    assert events_of(tail) == ["b", "c"]
    assert tail.left_out


def test_long_lines_push_out_earlier_ones_but_never_the_last() -> None:
    tail = Tail(WHERE, 1000)
    for number in range(8):
        tail.take(answer("x" * 800_000, str(number), forward=f"f/{number}"), float(number))
    assert sum(map(len, tail.lines)) <= MOST_CHARACTERS
    assert events_of(tail)[-1] == "7"
    assert tail.left_out
    longest = Tail(WHERE, 1000)
    longest.take(answer("a", "y" * 2 * MOST_CHARACTERS), 0.0)
    assert len(longest.lines) == 1


def test_one_event_more_than_fits_shows_that_there_are_earlier_ones() -> None:
    tail = Tail(WHERE, 2)
    tail.take(answer("a", "b", "c"), 0.0)
    assert tail.left_out


@pytest.mark.parametrize("letter", ["x", "ж", "日", "\ud800"])
def test_an_answer_of_nearly_one_mib_is_cut_whatever_its_letters_take(letter: str) -> None:
    size = len(letter.encode(errors="surrogatepass"))
    full, short = (Tail(WHERE, 1000) for _ in range(2))
    full.take(answer(letter * (1_000_000 // size)), 0.0)
    short.take(answer(letter * (800_000 // size)), 0.0)
    assert (full.left_out, short.left_out) == (True, False)


def test_an_empty_first_page_is_followed_backwards_a_few_times() -> None:
    tail = Tail(WHERE, 5)
    assert tail.take(answer(backward="b/1"), 0.0, pages=1)
    assert tail.request(0.0) == {**STREAM, "startFromHead": False, "limit": 6, "nextToken": "b/1"}
    assert not tail.take(answer(backward="b/1"), 0.0, pages=2)
    assert events_of(tail) == []


def test_empty_pages_without_end_are_not_followed_for_ever() -> None:
    tail = Tail(WHERE, 5)
    follow = [tail.take(answer(backward=f"b/{page}"), 0.0, page) for page in (1, 2, 3)]
    assert follow == [True, True, False]


def test_a_tail_that_nobody_read_for_long_begins_at_the_end_again_and_keeps_its_lines_until_then() -> None:
    tail = Tail(WHERE, 5)
    tail.take(answer("a"), 0.0)
    assert "limit" in tail.request(STALE + 1)
    assert events_of(tail) == ["a"]
    tail.take(answer("y", "z"), STALE + 1)
    assert events_of(tail) == ["y", "z"]


def test_a_tail_that_is_far_behind_begins_at_the_end_again() -> None:
    tail = Tail(WHERE, 5)
    tail.take(answer("a"), 0.0)
    assert tail.take(answer(*["x" * 1000] * 1000), 1.0)
    assert "limit" in tail.request(1.0)
    assert not tail.take(answer("z"), 1.0, pages=2)
    assert events_of(tail) == ["z"]
