from __future__ import annotations

from collections import deque

from ecs_async_executor.local.logs.shipper import EVENT_OVERHEAD, MAX_BYTES, MAX_EVENTS, _batch


def test_a_batch_has_at_most_ten_thousand_events() -> None:
    assert len(_batch(deque([(0, "x")] * (MAX_EVENTS + 1)))) == MAX_EVENTS


def test_a_batch_has_at_most_a_mebibyte() -> None:
    half = (0, "x" * (MAX_BYTES // 2 - EVENT_OVERHEAD))
    assert len(_batch(deque([half] * 3))) == 2


def test_bytes_are_counted_not_characters() -> None:
    assert len(_batch(deque([(0, "ü" * (MAX_BYTES // 3))] * 2))) == 1
