"""How fast calls may go to one of AWS's token buckets, which others use as well. Pure: time comes from the caller.

A throttle tells one thing for sure: AWS's bucket is empty. So the calls that were accepted between two throttles are
what it gives, and that is remembered as the *good* rate. And AWS's bucket saves what is not used, so a short while of
fewer calls loses nothing. After a throttle:

    1. half the good rate for a second, and until AWS accepts a call again; each second of throttles halves once more,
    2. twice as fast each second until it is the good rate: about 0.8 seconds' worth of calls are saved by then,
    3. a little more than the good rate, which spends what was saved within a quarter of a minute,
    4. no throttle until then: there is more than was known, so faster and faster, up to the configured rate.
"""

from __future__ import annotations

from math import log

from ecs_async_executor.engine.options import Rate

UNLIMITED = 10_000.0
"""Calls a second where no limit is configured: more than one client can send. A throttle limits them all the same."""
USUAL = 20.0
"""Calls a second that AWS allows at least, where no limit is configured (its smallest bucket of those used here)."""
HOLD = 1.0
"""Seconds after a cut in which there is no other, and no growth."""
TRICKLE = 0.5
"""Calls a second that are always left, to see when AWS accepts calls again."""
TRUST = 16.0
"""Seconds that step 3 lasts at most, and twice as long as the measurement took. Less finds a rise sooner, and is
throttled more often: 1.5 calls of these 16 seconds', which is 1 % at 10 calls a second."""
_SAVED = 0.5 + 1 - 0.5 / log(2)
"""Seconds' worth of calls that steps 1 and 2 save."""
GROWTH = 1.25
"""Step 4: times as fast each second."""
MEASURE = 3.0
"""Seconds that a measurement takes: a shorter one is too coarse at 10 calls a second."""
DOUBT = 0.25
"""Step 4 begins this many seconds' worth of calls after what was saved is spent: latencies vary."""
LEAP = 60.0
"""Seconds of growth at most at once: a process that stood still for long (SIGSTOP, a paused VM) must not raise 2 to
the power of all of them, which no float holds from 1,024 on. A minute's growth takes any rate to the configured one."""
_WHOLE = 1.0 - 1e-9


class AdaptiveBucket:
    """A token bucket whose rate adapts. `advance` it to the present before anything else is asked of it."""

    def __init__(self, limit: Rate, now: float) -> None:
        self.most = limit.per_second or UNLIMITED
        """Calls a second as configured."""
        self._burst = limit.burst if limit.per_second else UNLIMITED
        self._tokens = self._burst
        self._now = now
        self.rate = self.most
        """Calls a second at present; never above the configured rate."""
        self.wanted = False
        """Whether a caller is waiting for this bucket: it grows only then."""
        self._good = self.most
        self._trust = TRUST
        self._saved = 0.0
        """Calls that AWS's bucket has saved for us since the last cut, if the good rate is right."""
        self._cut_at = float("-inf")
        self._held = False
        """Since the last cut AWS has accepted nothing."""
        self._emptied_at: float | None = None
        """When AWS's bucket was seen empty: the measurement's begin. None if it may have filled up since."""
        self._accepted = 0
        self._quiet = 0.0
        self._busy_since = now
        self._taken = 0
        """Calls since then."""

    def advance(self, now: float) -> None:
        """Let time pass."""
        seconds = now - self._now
        if seconds <= 0:
            return
        before = self.rate
        if self.wanted:
            self._saved = min(self._saved + (self._good - before) * seconds, self._good * _SAVED)
            self._grow(min(seconds, now - self._cut_at - HOLD))
        else:
            self._rest(now, seconds)
        self._tokens = min(self._burst, self._tokens + (before + self.rate) / 2 * seconds)
        self._now = now

    def _rest(self, now: float, seconds: float) -> None:
        """Nobody waits, so AWS's bucket fills up, and what is accepted says nothing about its rate."""
        self._quiet += seconds
        if self._quiet >= HOLD:
            self._quiet = 0.0
            self._emptied_at = None
            self._busy_since, self._taken = now, 0

    def _grow(self, seconds: float) -> None:
        if self._held or seconds <= 0:
            return
        seconds = min(seconds, LEAP)
        if self.rate < self._good:
            self.rate = min(self._good, self.rate * 2.0**seconds)
        elif self._saved > -DOUBT * self._good - 1:
            self.rate = min(self.most, max(self.rate, self._good * (1 + _SAVED / self._trust)))
        else:
            self.rate = min(self.most, self.rate * GROWTH**seconds)

    def wait(self) -> float:
        """Seconds until a token is there; 0 if one is."""
        return 0.0 if self._tokens >= _WHOLE else (1.0 - self._tokens) / self.rate

    def take(self) -> None:
        """Use a token; `wait` must have said 0."""
        self._tokens -= 1.0
        self._taken += 1

    def give_back(self) -> None:
        """Undo a `take`: the call was not made."""
        self._tokens = min(self._burst, self._tokens + 1.0)
        self._taken = max(0, self._taken - 1)

    def accepted(self, sent_at: float) -> None:
        """AWS has accepted a call that was sent then."""
        if sent_at >= self._cut_at:
            self._held = False
        if self._emptied_at is not None and sent_at >= self._emptied_at:
            self._accepted += 1

    def throttled(self, sent_at: float) -> None:
        """AWS has throttled a call that was sent then. It counts unless it was sent before the last cut took hold."""
        if sent_at < self._cut_at or self._now < self._cut_at + HOLD:
            return
        if self._held:
            self._emptied_at = None  # an outage, perhaps: AWS's bucket fills up while it accepts nothing
        else:
            self._measure(sent_at)
        if self._good == UNLIMITED:  # nothing is known yet: begin at what was sent
            self._good = max(USUAL, self._taken / max(HOLD, self._now - self._busy_since))
            self._trust = 2 * HOLD
        self.rate = max(min(TRICKLE, self.most), min(self.rate, self._good) / 2)
        self._tokens = min(self._tokens, 0.0)
        self._saved = 0.0
        self._cut_at = self._now
        self._held = True

    def _measure(self, sent_at: float) -> None:
        """Learn the good rate: what was accepted since AWS's bucket was empty the last time."""
        seconds = 0.0 if self._emptied_at is None else sent_at - self._emptied_at
        if seconds >= HOLD / 2:
            self._good = min(self.most, max(TRICKLE, self._accepted / seconds))
            self._trust = min(TRUST, 2 * seconds)
        if self._emptied_at is None or seconds >= MEASURE:
            self._emptied_at = self._now
            self._accepted = 0
            self._quiet = 0.0
