"""Pauses every call while AWS can't be used at all, and lets one through now and then to see if it can again."""

from __future__ import annotations

import anyio

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.messages import Diagnosis, Paused, Report, Resumed


class CircuitBreaker:
    """Open, or shut until a probe succeeds.

    While shut, the caller that comes after each waiting time passes as the probe, and puts the time off for the
    others: a probe that gets lost can't keep the gate shut. Who passes gets a ticket, and answers for it with
    `fail`, `succeed` or `give_back`; an answer that belongs to an older state of the gate changes nothing.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self._probe_at = 0.0
        self._ticket = 0
        self._moved = anyio.Event()
        """Set when it opens, or the next probe is due earlier."""

    @property
    def is_open(self) -> bool:
        """Whether the last answer was that AWS can't be used."""
        return self._failures > 0

    def is_current(self, ticket: int) -> bool:
        """Whether the ticket belongs to the present state of the gate."""
        return ticket == self._ticket

    async def acquire(self) -> int:
        """Give a ticket: at once if open, else when it is this caller's turn to probe."""
        while self.is_open:
            now = anyio.current_time()
            if now >= self._probe_at:
                self._put_off(now)
                break
            with anyio.move_on_after(self._probe_at - now):
                await self._moved.wait()
        return self._ticket

    def fail(self, ticket: int, diagnosis: Diagnosis) -> list[Report]:
        """A call failed by credentials or network: shut, for longer with each probe that fails."""
        if not self.is_current(ticket):
            return []
        first = not self.is_open
        self._ticket += 1
        self._failures += 1
        self._put_off(anyio.current_time())
        if not first:
            return []
        self._moved = anyio.Event()
        return [Paused(diagnosis)]

    def succeed(self, ticket: int) -> list[Report]:
        """AWS answered: open."""
        if not self.is_current(ticket) or not self.is_open:
            return []
        self._failures = 0
        self._moved.set()
        return [Resumed()]

    def give_back(self, ticket: int) -> None:
        """No call was made with it: if it was the probe's, the next caller is the probe, at once."""
        if self.is_open and self.is_current(ticket):
            self._probe_at = anyio.current_time()
            self._moved.set()
            self._moved = anyio.Event()

    def _put_off(self, now: float) -> None:
        self._probe_at = now + backoff(self._failures, base=1.0, cap=60.0, random=self._random)
