from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.admission.adaptive_bucket import HOLD, TRICKLE, UNLIMITED, AdaptiveBucket
from ecs_async_executor.engine.options import Rate
from tests.unit.engine.admission.aws_bucket import in_clumps, simulate, steadily

FARGATE, MODIFY, READ = Rate(20, 20), Rate(40, 100), Rate(20, 100)
MINUTE = 60.0

each_of_aws_buckets = pytest.mark.parametrize(
    "rate", [FARGATE, MODIFY, READ], ids=["Fargate", "modify", "read"]
)
seeds = pytest.mark.parametrize("seed", range(3))


def wanted(rate: Rate) -> AdaptiveBucket:
    bucket = AdaptiveBucket(rate, 0.0)
    bucket.wanted = True
    return bucket


def drain(bucket: AdaptiveBucket) -> int:
    """Take all available tokens, and return their number."""
    count = 0
    while bucket.wait() == 0:
        bucket.take()
        count += 1
    return count


# --- a token bucket ---------------------------------------------------------------------------------------


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate():
    bucket = AdaptiveBucket(Rate(per_second=2, burst=3), 0.0)
    assert drain(bucket) == 3
    assert bucket.wait() == 0.5
    bucket.advance(0.25)
    assert bucket.wait() == 0.25
    bucket.advance(0.5)
    assert drain(bucket) == 1


def test_it_never_holds_more_than_its_burst():
    bucket = AdaptiveBucket(Rate(per_second=2, burst=1), 0.0)
    bucket.advance(1000.0)
    assert drain(bucket) == 1


def test_a_rate_of_zero_is_more_than_a_client_can_send():
    bucket = AdaptiveBucket(Rate(per_second=0, burst=0), 0.0)
    assert drain(bucket) == UNLIMITED


# --- throttles --------------------------------------------------------------------------------------------


def test_a_throttle_halves_the_rate_and_removes_the_burst():
    bucket = wanted(MODIFY)
    bucket.throttled(0.0)
    assert bucket.rate == 20
    assert bucket.wait() == 1 / 20


def test_throttles_of_calls_sent_before_the_cut_do_not_count_again():
    bucket = wanted(MODIFY)
    bucket.advance(1.0)
    bucket.throttled(0.9)
    bucket.advance(5.0)
    bucket.throttled(0.99)
    assert bucket.rate == 20


def test_it_halves_at_most_once_a_second():
    bucket = wanted(MODIFY)
    for step in range(30):
        bucket.advance(step / 10)
        bucket.throttled(step / 10)
    assert bucket.rate == 40 / 2**3


def test_it_does_not_grow_before_aws_has_accepted_a_call_sent_after_the_cut():
    bucket = wanted(MODIFY)
    bucket.advance(1.0)
    bucket.throttled(1.0)
    bucket.advance(10.0)
    bucket.accepted(0.5)
    bucket.advance(20.0)
    assert bucket.rate == 20
    bucket.accepted(1.5)
    bucket.advance(20.5)
    assert bucket.rate > 20


def test_it_grows_only_while_callers_wait():
    bucket = wanted(MODIFY)
    bucket.throttled(0.0)
    bucket.accepted(0.1)
    bucket.advance(HOLD)
    bucket.wanted = False
    bucket.advance(100.0)
    assert bucket.rate == 20
    bucket.wanted = True
    bucket.advance(100.5)
    assert bucket.rate > 20


def test_a_quiet_time_discards_the_measurement():
    bucket = wanted(MODIFY)
    bucket.throttled(0.0)
    bucket.accepted(0.1)
    bucket.wanted = False
    bucket.advance(100.0)  # AWS's bucket fills up, so accepted calls say nothing about its rate
    bucket.wanted = True
    bucket.advance(101.0)
    bucket.throttled(101.0)
    assert bucket.rate == 40 / 2, "half of what it was, not of one call in a hundred seconds"


def test_a_few_calls_that_never_waited_discard_the_measurement_too():
    bucket = wanted(MODIFY)
    bucket.throttled(0.0)
    for step in range(1, 100):
        bucket.wanted = True
        bucket.advance(step - 0.4)
        bucket.accepted(step - 0.5)
        bucket.wanted = False
        bucket.advance(step)
    bucket.throttled(99.0)
    assert bucket.rate == 40 / 2, "not half of a call a second"


def test_it_recovers_even_if_the_process_stood_still_for_hours():
    bucket = wanted(MODIFY)
    bucket.throttled(0.0)
    bucket.accepted(0.1)
    for hours in range(1, 4):
        bucket.advance(hours * 3600.0)
        drain(bucket)
    assert bucket.rate == 40


def test_a_call_that_is_not_made_returns_its_token():
    bucket = AdaptiveBucket(Rate(per_second=1, burst=2), 0.0)
    bucket.give_back()
    assert drain(bucket) == 2, "never more than its burst"
    bucket.give_back()
    assert drain(bucket) == 1


def test_without_a_limit_a_throttle_halves_the_rate_of_calls_sent():
    bucket = wanted(Rate(0, 0))
    for _ in range(600):
        bucket.take()
    bucket.advance(2.0)
    bucket.throttled(2.0)
    assert bucket.rate == 150


def test_without_a_limit_a_stray_throttle_of_a_few_calls_leaves_half_of_aws_smallest_rate():
    bucket = wanted(Rate(0, 0))
    bucket.take()
    bucket.throttled(0.0)
    assert bucket.rate == 10


# --- simulations: AWS's real bucket, 20 to 200 ms away, up to 100 calls in flight -----------------------


@each_of_aws_buckets
@seeds
def test_alone_it_gets_everything(rate: Rate, seed: int):
    (outcome,) = simulate(AdaptiveBucket(rate, 0.0), aws=rate, seconds=MINUTE, seed=seed)
    assert outcome.reached(rate, MINUTE) >= 0.97
    assert outcome.throttled_part() <= 0.01


@each_of_aws_buckets
@seeds
@pytest.mark.parametrize("begin", [0.0, 30.0], ids=["from the start", "from the middle"])
def test_it_gets_what_another_client_leaves(rate: Rate, seed: int, begin: float):
    others = steadily(rate.per_second / 2, begin, MINUTE)
    (outcome,) = simulate(AdaptiveBucket(rate, 0.0), aws=rate, seconds=MINUTE, others=others, seed=seed)
    assert outcome.reached(rate, MINUTE) >= 0.97
    assert outcome.throttled_part() <= 0.01


@each_of_aws_buckets
@seeds
def test_it_gets_what_a_client_that_calls_in_bursts_leaves(rate: Rate, seed: int):
    others = in_clumps(rate.per_second / 2, 0.0, MINUTE)
    (outcome,) = simulate(AdaptiveBucket(rate, 0.0), aws=rate, seconds=MINUTE, others=others, seed=seed)
    assert outcome.reached(rate, MINUTE) >= 0.965
    assert outcome.throttled_part() <= 0.01


@each_of_aws_buckets
@seeds
def test_it_regains_its_rate_when_the_other_client_goes_away(rate: Rate, seed: int):
    others = steadily(rate.per_second / 2, 0.0, 40.0)
    (outcome,) = simulate(AdaptiveBucket(rate, 0.0), aws=rate, seconds=90, others=others, seed=seed)
    assert outcome.per_second(35, 40) <= 0.6 * rate.per_second
    assert outcome.per_second(65, 90) >= 0.98 * rate.per_second


@each_of_aws_buckets
@seeds
def test_two_schedulers_share_the_bucket_and_leave_nothing_unused(rate: Rate, seed: int):
    outcomes = simulate(
        AdaptiveBucket(rate, 0.0), AdaptiveBucket(rate, 0.0), aws=rate, seconds=MINUTE, seed=seed
    )
    each = [outcome.per_second(10, MINUTE) for outcome in outcomes]
    assert sum(each) >= 0.97 * rate.per_second
    assert min(each) >= 0.25 * rate.per_second
    assert max(outcome.throttled_part() for outcome in outcomes) <= 0.02


@each_of_aws_buckets
@seeds
def test_in_an_outage_it_slows_to_a_trickle_and_recovers_within_ten_seconds(rate: Rate, seed: int):
    (outcome,) = simulate(
        AdaptiveBucket(rate, 0.0), aws=rate, seconds=140, outage=lambda now: 20 <= now < 80, seed=seed
    )
    trickle = [at for at in outcome.throttled if 30 <= at < 80]
    assert 0.3 * 50 <= len(trickle) <= 50
    assert outcome.per_second(90, 140) >= 0.9 * rate.per_second


@each_of_aws_buckets
@seeds
def test_a_throttle_soon_after_an_outage_does_not_treat_the_outage_as_slowness(rate: Rate, seed: int):
    late: list[float] = []

    def outage(now: float) -> bool:
        if now >= 83 and not late:
            late.append(now)
            return True
        return 20 <= now < 80

    (outcome,) = simulate(AdaptiveBucket(rate, 0.0), aws=rate, seconds=110, outage=outage, seed=seed)
    assert outcome.per_second(late[0] + 10, 110) >= 0.9 * rate.per_second


@seeds
def test_an_unlimited_bucket_learns_the_limit_from_throttles(seed: int):
    (outcome,) = simulate(AdaptiveBucket(Rate(0, 0), 0.0), aws=FARGATE, seconds=MINUTE, seed=seed)
    assert outcome.reached(FARGATE, MINUTE) >= 0.97
    assert outcome.throttled_part() <= 0.02


def test_a_share_of_the_rate_is_never_exceeded():
    (outcome,) = simulate(AdaptiveBucket(MODIFY.part(0.25), 0.0), aws=MODIFY, seconds=MINUTE)
    assert len(outcome.accepted) <= 25 + 10 * MINUTE
    assert outcome.per_second(10, 60) == pytest.approx(10, rel=0.01)
    assert outcome.throttled == []


# --- whatever happens ---------------------------------------------------------------------------------------

_RATES = st.builds(
    Rate,
    per_second=st.floats(0.1, 100, allow_subnormal=False),
    burst=st.floats(1, 200, allow_subnormal=False),
)
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["accepted", "throttled", "silence"]),
        st.floats(0, 5) | st.sampled_from([60.0, 3600.0, 86400.0]),
        st.booleans(),
        st.floats(0, 3),
    ),
    max_size=60,
)


@given(rate=_RATES, events=_EVENTS)
def test_whatever_aws_answers_it_stays_below_the_rate_keeps_going_and_recovers(
    rate: Rate, events: list[tuple[str, float, bool, float]]
):
    bucket = AdaptiveBucket(rate, 0.0)
    now, sent = 0.0, drain(bucket)
    for answer, pause, waiting, age in events:
        bucket.wanted = waiting
        now += pause
        bucket.advance(now)
        sent += drain(bucket)
        if answer != "silence":
            getattr(bucket, answer)(now - age)
        assert sent <= rate.burst + rate.per_second * now + 1e-6
        assert bucket.wait() <= 1 / min(TRICKLE, rate.per_second) + 1e-6
        assert bucket.rate <= rate.per_second
    bucket.wanted = True
    for _ in range(1200):
        now += 0.1
        bucket.advance(now)
        drain(bucket)
        bucket.accepted(now)
    assert bucket.rate == rate.per_second
