from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ecs_async_executor.local.moto import OnePutAtATime


class _Slow:
    """An application whose answers take until they are let go."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.entered = threading.Semaphore(0)
        self.leave = threading.Event()

    def __call__(self, _environ: Any, _start_response: Any) -> Iterable[bytes]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.release()
        self.leave.wait(10)
        self.inside -= 1
        return [b""]


def ask_twice(method: str, *, at_once: int) -> int:
    """Send two requests; return how many the application had at once, for which this waits."""
    slow = _Slow()
    app = OnePutAtATime(slow)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(app, {"REQUEST_METHOD": method}, None) for _ in range(2)]
        for _ in range(at_once):
            assert slow.entered.acquire(timeout=10)
        slow.leave.set()
        assert [each.result() for each in asked] == [[b""], [b""]]
    return slow.most


def test_a_put_waits_for_the_one_before_it() -> None:
    assert ask_twice("PUT", at_once=1) == 1


def test_reads_do_not_wait() -> None:
    assert ask_twice("GET", at_once=2) == 2
