"""Limits the rate of calls to one of AWS's token buckets, which other clients use too.

Sans-I/O: the caller passes in the time. A throttle proves one thing: AWS's bucket is empty. So the calls
accepted between two throttles are what AWS gives us, and we remember them as the *good* rate. And AWS's
bucket saves unused tokens, so calling less for a short time loses nothing. After a throttle, the rate

    1. is half the good rate for a second and until AWS accepts a call; a second of throttles halves it again,
    2. then doubles each second up to the good rate: by then AWS has saved about 0.8 seconds' worth of calls,
    3. then stays slightly above the good rate, which spends the saved calls within a quarter of a minute,
    4. then grows faster and faster up to the configured rate: no throttle by then means that AWS gives more.
"""

from __future__ import annotations

from math import log

from ecs_async_executor.engine.options import Rate

UNLIMITED = 10_000.0
"""Calls per second if no limit is configured: more than one client can send. Throttles still limit them."""
USUAL = 20.0
"""The least calls per second that AWS allows, used if no limit is configured: its smallest bucket here."""
HOLD = 1.0
"""Seconds after a cut without another cut and without growth."""
TRICKLE = 0.5
"""Calls per second that always remain, to notice when AWS accepts calls again."""
TRUST = 16.0
"""Step 3 lasts at most this many seconds, and at most twice as long as the measurement took. A lower value
finds a rise sooner but is throttled more often: 1.5 of the calls in these 16 seconds, or 1 % at 10 calls per
second."""
_SAVED = 0.5 + 1 - 0.5 / log(2)
"""Seconds' worth of calls that AWS's bucket saves during steps 1 and 2."""
GROWTH = 1.25
"""Growth per second in step 4, as a factor."""
MEASURE = 3.0
"""Seconds that a measurement takes: a shorter one is too coarse at 10 calls per second."""
DOUBT = 0.25
"""Step 4 begins this many seconds' worth of calls after the saved ones are spent, because latencies vary."""
LEAP = 60.0
"""The most seconds of growth at once. A process that stood still for long (SIGSTOP, a paused VM) must not
raise 2 to the power of all of them: from 1,024 on, no float holds that. A minute takes any rate to the
configured one."""
_WHOLE = 1.0 - 1e-9


class AdaptiveBucket:
    """A token bucket whose rate adapts. Call `advance` with the current time before any other method."""

    def __init__(self, limit: Rate, now: float) -> None:
        self.most = limit.per_second or UNLIMITED
        """The configured calls per second."""
        self._burst = limit.burst if limit.per_second else UNLIMITED
        self._tokens = self._burst
        self._now = now
        self.rate = self.most
        """The current calls per second; never above the configured rate."""
        self.wanted = False
        """Whether a caller is waiting for this bucket: it grows only then."""
        self._good = self.most
        self._trust = TRUST
        self._saved = 0.0
        """Calls that AWS's bucket has saved for us since the last cut, if the good rate is right."""
        self._cut_at = float("-inf")
        self._held = False
        """AWS has accepted no call since the last cut."""
        self._emptied_at: float | None = None
        """When AWS's bucket was empty, which starts a measurement; None if it may have filled up since."""
        self._accepted = 0
        self._quiet = 0.0
        self._busy_since = now
        self._taken = 0
        """Calls since `_busy_since`."""

    def advance(self, now: float) -> None:
        """Let time pass until `now`."""
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
        """Note that nobody waits: AWS's bucket fills up, so accepted calls say nothing about its rate."""
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
        """Return the seconds until a token is available; 0 if one is."""
        return 0.0 if self._tokens >= _WHOLE else (1.0 - self._tokens) / self.rate

    def take(self) -> None:
        """Use a token, after `wait` has returned 0."""
        self._tokens -= 1.0
        self._taken += 1

    def give_back(self) -> None:
        """Undo a `take`, because the call was not made."""
        self._tokens = min(self._burst, self._tokens + 1.0)
        self._taken = max(0, self._taken - 1)

    def accepted(self, sent_at: float) -> None:
        """Record that AWS has accepted a call sent at this time."""
        if sent_at >= self._cut_at:
            self._held = False
        if self._emptied_at is not None and sent_at >= self._emptied_at:
            self._accepted += 1

    def throttled(self, sent_at: float) -> None:
        """Record a throttle of a call sent at this time, unless the last cut took hold only later."""
        if sent_at < self._cut_at or self._now < self._cut_at + HOLD:
            return
        if self._held:
            self._emptied_at = None  # perhaps an outage, in which AWS's bucket fills up
        else:
            self._measure(sent_at)
        if self._good == UNLIMITED:  # nothing is known yet: start from the calls sent
            self._good = max(USUAL, self._taken / max(HOLD, self._now - self._busy_since))
            self._trust = 2 * HOLD
        self.rate = max(min(TRICKLE, self.most), min(self.rate, self._good) / 2)
        self._tokens = min(self._tokens, 0.0)
        self._saved = 0.0
        self._cut_at = self._now
        self._held = True

    def _measure(self, sent_at: float) -> None:
        """Learn the good rate from the calls accepted since AWS's bucket was last empty."""
        seconds = 0.0 if self._emptied_at is None else sent_at - self._emptied_at
        if seconds >= HOLD / 2:
            self._good = min(self.most, max(TRICKLE, self._accepted / seconds))
            self._trust = min(TRUST, 2 * seconds)
        if self._emptied_at is None or seconds >= MEASURE:
            self._emptied_at = self._now
            self._accepted = 0
            self._quiet = 0.0
