"""Simulates AWS's token bucket, our adaptive bucket and another client of the account in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from ecs_async_executor.engine.admission.adaptive_bucket import AdaptiveBucket
from ecs_async_executor.engine.options import Rate

IN_FLIGHT = 100
LATENCY = (0.02, 0.2)
SETTLED = 10.0
"""Seconds after which hardly any call may be throttled."""


class AwsBucket:
    """AWS's bucket: full at first, and every call costs a token."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at = 0.0

    def admit(self, now: float) -> bool:
        refilled = self._tokens + (now - self._at) * self._rate.per_second
        self._tokens, self._at = min(self._rate.burst, refilled), now
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


@dataclass
class Outcome:
    """When our calls reached AWS, and how many of the other client's calls AWS accepted."""

    accepted: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    others: int = 0

    def reached(self, rate: Rate, seconds: float) -> float:
        """Return its share of all the calls that AWS's bucket had left for it, including the saved burst."""
        return len(self.accepted) / (rate.burst + rate.per_second * seconds - self.others)

    def throttled_part(self) -> float:
        """Return the share of calls that were throttled after `SETTLED`."""
        throttled, accepted = (sum(at >= SETTLED for at in each) for each in (self.throttled, self.accepted))
        return throttled / (throttled + accepted)

    def per_second(self, begin: float, end: float) -> float:
        """Return the rate of accepted calls."""
        return sum(begin <= at < end for at in self.accepted) / (end - begin)


class _Client:
    """Calls whenever its bucket allows, because callers are always waiting."""

    def __init__(self, bucket: AdaptiveBucket, simulation: _Simulation) -> None:
        self.outcome = Outcome()
        self._bucket = bucket
        self._simulation = simulation
        self._in_flight = 0
        bucket.wanted = True
        simulation.at(0.0, self._send)

    def _send(self, now: float) -> None:
        self._bucket.advance(now)
        wait = self._bucket.wait() if self._in_flight < IN_FLIGHT else 0.01
        if wait > 0:
            self._simulation.at(now + wait, self._send)
            return
        self._bucket.take()
        self._in_flight += 1
        latency = self._simulation.random.uniform(*LATENCY)
        answered = now + latency

        def arrive(arrival: float) -> None:
            ok = self._simulation.admit(arrival)
            (self.outcome.accepted if ok else self.outcome.throttled).append(arrival)
            self._simulation.at(answered, lambda _: self._answer(answered, now, ok=ok))

        self._simulation.at(now + latency * self._simulation.random.uniform(0.3, 0.7), arrive)
        self._simulation.at(now, self._send)

    def _answer(self, now: float, sent_at: float, *, ok: bool) -> None:
        self._in_flight -= 1
        self._bucket.advance(now)
        (self._bucket.accepted if ok else self._bucket.throttled)(sent_at)


class _Simulation:
    """Runs events in order of time, around one of AWS's buckets."""

    def __init__(self, aws: Rate, outage: Callable[[float], bool], seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  no secret
        self._bucket = AwsBucket(aws)
        self._outage = outage
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0

    def at(self, time: float, do: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time, self._count, do))

    def admit(self, now: float) -> bool:
        return not self._outage(now) and self._bucket.admit(now)

    def run(self, seconds: float) -> None:
        while self._events[0][0] < seconds:
            now, _, do = heapq.heappop(self._events)
            do(now)


def simulate(
    *buckets: AdaptiveBucket,
    aws: Rate,
    seconds: float,
    others: Iterable[float] = (),
    outage: Callable[[float], bool] = lambda _: False,
    seed: int = 1,
) -> list[Outcome]:
    """Let one client per adaptive bucket call for some time.

    `others`: the times of another client's calls, which nothing limits.
    """
    simulation = _Simulation(aws, outage, seed)
    clients = [_Client(bucket, simulation) for bucket in buckets]

    def other(now: float) -> None:
        accepted = simulation.admit(now)
        for client in clients:
            client.outcome.others += accepted

    for time in others:
        simulation.at(time, other)
    simulation.run(seconds)
    return [client.outcome for client in clients]


def steadily(rate: float, begin: float, end: float) -> list[float]:
    """Return the times of calls at a constant rate."""
    return [begin + number / rate for number in range(int((end - begin) * rate))]


def in_clumps(rate: float, begin: float, end: float) -> list[float]:
    """Return the times of calls that come all at once, every second."""
    return [begin + second for second in range(int(end - begin)) for _ in range(int(rate))]
