"""Blocks all calls while AWS can't be used at all, and probes now and then whether it can be again."""

from __future__ import annotations

import anyio

from ecs_async_executor.backoff import Random, backoff
from ecs_async_executor.messages import Diagnosis, Paused, Report, Resumed


class CircuitBreaker:
    """Closed, which lets calls through; or open, which blocks them until a probe succeeds.

    While it is open, one caller per waiting time goes through as the probe, and postpones the next probe, so
    a lost probe can't keep the breaker open. `acquire` returns the breaker's current generation; the caller
    passes it to `fail`, `succeed` or `give_back`, which ignore all but the current generation.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0
        self.diagnosis: Diagnosis | None = None
        """Why it is open; None while it is closed."""
        self._probe_at = 0.0
        self._generation = 0
        self._changed = anyio.Event()
        """Set when the breaker closes, or when the next probe is due sooner."""

    @property
    def is_open(self) -> bool:
        """Whether calls are blocked: the last call found that AWS can't be used."""
        return self._failures > 0

    def is_current(self, generation: int) -> bool:
        """Whether no call has failed since `acquire` returned this generation."""
        return generation == self._generation

    async def acquire(self) -> int:
        """Return the generation: at once while closed, else when it is this caller's turn to probe."""
        while self.is_open:
            now = anyio.current_time()
            if now >= self._probe_at:
                self._postpone_probe(now)
                break
            with anyio.move_on_after(self._probe_at - now):
                await self._changed.wait()
        return self._generation

    def fail(self, generation: int, diagnosis: Diagnosis) -> list[Report]:
        """Open, because credentials or network failed a call; each failed probe lengthens the wait."""
        if not self.is_current(generation):
            return []
        first = not self.is_open
        self._generation += 1
        self._failures += 1
        self.diagnosis = diagnosis
        self._postpone_probe(anyio.current_time())
        if not first:
            return []
        self._changed = anyio.Event()
        return [Paused(diagnosis)]

    def succeed(self, generation: int) -> list[Report]:
        """Close, because AWS answered."""
        if not self.is_current(generation) or not self.is_open:
            return []
        self._failures = 0
        self.diagnosis = None
        self._changed.set()
        return [Resumed()]

    def give_back(self, generation: int) -> None:
        """Note that no call was made: if it was the probe, the next caller becomes the probe at once."""
        if self.is_open and self.is_current(generation):
            self._probe_at = anyio.current_time()
            self._changed.set()
            self._changed = anyio.Event()

    def _postpone_probe(self, now: float) -> None:
        self._probe_at = now + backoff(self._failures, base=1.0, cap=60.0, random=self._random)
