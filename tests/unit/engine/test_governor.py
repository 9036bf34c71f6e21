from __future__ import annotations

from functools import partial

import anyio
import pytest

from ecs_async_executor.engine.governor import Bucket, Governor, TokenBucket
from ecs_async_executor.engine.options import EngineOptions, Rate

UNLIMITED = Rate(0, 0)


def always_whole() -> float:
    return 1.0


class TestTokenBucket:
    def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate(self):
        bucket = TokenBucket(Rate(per_second=2, burst=3), now=0)
        for _ in range(3):
            assert bucket.wait(0) == 0
            bucket.take()
        assert bucket.wait(0) == 0.5
        assert bucket.wait(0.25) == 0.25
        assert bucket.wait(0.5) == 0

    def test_it_never_holds_more_than_its_burst(self):
        bucket = TokenBucket(Rate(per_second=2, burst=1), now=0)
        assert bucket.wait(1000) == 0
        bucket.take()
        assert bucket.wait(1000) == 0.5

    def test_a_rate_of_zero_is_no_limit(self):
        bucket = TokenBucket(Rate(per_second=0, burst=0), now=0)
        for _ in range(1000):
            assert bucket.wait(0) == 0
            bucket.take()

    @pytest.mark.parametrize("rate", [Rate(20, 20), Rate(0, 0)])
    def test_a_throttle_closes_it_for_longer_each_time(self, rate: Rate):
        bucket = TokenBucket(rate, now=0)
        now = 0.0
        for closed in (1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0):
            bucket.throttled(now, always_whole)
            assert bucket.wait(now) == closed
            now += closed
            assert bucket.wait(now) == 0

    def test_throttles_of_calls_that_were_under_way_count_once(self):
        bucket = TokenBucket(Rate(20, 20), now=0)
        for _ in range(50):
            bucket.throttled(0.1, always_whole)
        assert bucket.wait(0.1) == 1.0

    def test_it_opens_without_a_saved_up_burst(self):
        bucket = TokenBucket(Rate(per_second=1, burst=100), now=0)
        bucket.throttled(0, always_whole)
        assert bucket.wait(1.0) == 0
        bucket.take()
        assert bucket.wait(1.0) == 1.0

    def test_an_answer_after_it_opened_again_forgives_the_throttles(self):
        bucket = TokenBucket(Rate(0, 0), now=0)
        bucket.throttled(0, always_whole)
        bucket.answered(0.5)  # of a call sent before: says nothing about now
        bucket.throttled(1.0, always_whole)
        assert bucket.wait(1.0) == 2.0
        bucket.answered(3.0)
        bucket.throttled(3.0, always_whole)
        assert bucket.wait(3.0) == 1.0


@pytest.mark.virtual_time
class TestGovernor:
    def governor(self, *, run_task: Rate = UNLIMITED, modify: Rate = UNLIMITED) -> Governor:
        options = EngineOptions(run_task_rate=run_task, modify_rate=modify, read_rate=UNLIMITED)
        return Governor(options, always_whole, anyio.current_time())

    async def test_a_call_waits_until_each_of_its_buckets_has_a_token(self):
        governor = self.governor(run_task=Rate(1, 1), modify=Rate(100, 1))
        for _ in range(3):
            await governor.acquire(Bucket.RUN_TASK, Bucket.MODIFY)
        assert anyio.current_time() == pytest.approx(2.0, abs=0.02)

    async def test_callers_share_the_rate(self):
        governor = self.governor(modify=Rate(10, 10))
        async with anyio.create_task_group() as tasks:
            for _ in range(60):
                tasks.start_soon(partial(governor.acquire, Bucket.MODIFY))
        assert anyio.current_time() == pytest.approx(5.0, abs=0.1)

    async def test_an_urgent_call_overtakes_the_others(self):
        governor = self.governor(run_task=Rate(0, 0), modify=Rate(1, 1))
        done: list[str] = []

        async def call(name: str, *buckets: Bucket, urgent: bool = False) -> None:
            await governor.acquire(*buckets, urgent=urgent)
            done.append(name)

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(call, f"launch {number}", Bucket.RUN_TASK, Bucket.MODIFY)
            await anyio.sleep(0.5)
            tasks.start_soon(partial(call, "stop", Bucket.MODIFY, urgent=True))
        assert done.index("stop") == 1

    async def test_an_urgent_call_that_waits_does_not_hold_up_calls_on_other_buckets(self):
        governor = self.governor()
        governor.throttled(Bucket.MODIFY)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(governor.acquire, Bucket.MODIFY, urgent=True))
            await anyio.sleep(0.1)
            await governor.acquire(Bucket.READ)
            assert anyio.current_time() == pytest.approx(0.1)

    async def test_an_urgent_call_that_is_cancelled_frees_the_way(self):
        governor = self.governor(modify=Rate(1, 1))
        await governor.acquire(Bucket.MODIFY)
        with anyio.move_on_after(0.1):
            await governor.acquire(Bucket.MODIFY, urgent=True)
        await governor.acquire(Bucket.MODIFY)
        assert anyio.current_time() == pytest.approx(1.0, abs=0.02)

    async def test_a_throttle_closes_one_bucket_until_it_is_over(self):
        governor = self.governor()
        governor.throttled(Bucket.MODIFY)
        await governor.acquire(Bucket.READ)
        assert anyio.current_time() == 0
        await governor.acquire(Bucket.MODIFY)
        assert anyio.current_time() == pytest.approx(1.0)
        governor.answered(Bucket.MODIFY)
        governor.throttled(Bucket.MODIFY)
        await governor.acquire(Bucket.MODIFY)
        assert anyio.current_time() == pytest.approx(2.0)
