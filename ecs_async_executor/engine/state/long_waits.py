"""Which launches wait for long, and for what: they are reported, and those that have waited too long for room end. Sans-I/O."""

from __future__ import annotations

from functools import cache

from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.state.entry import Entry, State
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.state.terminal_reports import no_image, no_room, waits_for_room
from ecs_async_executor.messages import Diagnosis, Report, Waiting

REPLAY_WITHIN = 1800.0
"""Seconds that a launch may wait for room if another engine may have sent it: while an hour hasn't passed since its task's
end, ECS answers its clientToken with that task (Amazon ECS API reference: ECS_Idempotency)."""
HELD_UP = frozenset({State.WAITING, State.PREPARING, State.UPLOAD_WAITING})
"""The states in which a launch can be held up by what holds up all launches."""


class LongWaits:
    """Looks through a ledger's launches. The caller passes the time, on the ledger's clock."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def end_or_report(self, now: float, report_after: float, limit: int) -> list[Report]:
        """End the launches that have waited for room for too long, and report others, once each, after `report_after` s.

        At most `limit` are reported, of each room the first to be launched first.
        """
        reports: list[Report] = []
        for room, entries in self._ledger.launches.by_room(now).items():
            if (why := self._ledger.gates.shut(room, now)) is None:
                continue
            since, to_tell = why.since, set[Entry]()
            for entry in entries:
                launch = entry.launch
                waited = now - max(since, launch.ordered_at)
                is_over = waited >= launch.capacity_timeout or (
                    launch.unknown_sends and waited >= REPLAY_WITHIN
                )
                is_news = launch.last_waiting_kind is None and waited >= report_after
                if not (is_over or is_news) or not entry.asks_for_room:
                    continue
                if not is_over:
                    to_tell.add(entry)
                elif launch.unknown_sends:
                    launch.needs_answer = True
                    self._ledger.launches.make_ready(entry)
                else:
                    reports += self._ledger.end(entry, no_room(entry, why.diagnosis, waited), now)
            if to_tell and limit:
                waiting = self._ledger.launches.in_order(
                    each for each in entries if each in self._ledger.launches
                )
                places = [(each, place) for place, each in enumerate(waiting, start=1) if each in to_tell]
                limit -= len(places := places[:limit])
                for entry, place in places:
                    entry.launch.last_waiting_kind = Kind.CAPACITY
                    text = f"place {place:,} of {len(waiting):,} in the queue for it"
                    reports.append(
                        Waiting(entry.run_id, waits_for_room(why.diagnosis, text, now - why.since))
                    )
        return reports

    def held_up(
        self, why: Diagnosis, states: frozenset[State], now: float, report_after: float, limit: int
    ) -> list[Report]:
        """Report that launches in these states wait for a reason they share, once per run and reason, `report_after` s after their order.

        At most `limit` of them, the first ordered first. Runs that wait for a reason of their own have been reported.
        """
        reports: list[Report] = []
        shut = cache(lambda room: self._ledger.gates.shut(room, now))
        for entry in self._ledger:
            launch = entry.launch
            if len(reports) == limit or now - launch.ordered_at < report_after:
                break  # the entries are in the order of their arrival
            if entry.state not in states or launch.last_waiting_kind or why.summary in launch.held_up_by:
                continue
            if entry.asks_for_room and shut(entry.room) is not None:
                continue
            launch.held_up_by += (why.summary,)
            reports.append(Waiting(entry.run_id, why))
        return reports

    def short_of_image(self, since: float, limit: int) -> list[Report]:
        """Report that launches ordered before `since` wait for the revision that runs their image, once per run and image.

        At most `limit` of them, the first ordered first.
        """
        reports: list[Report] = []
        for entry in self._ledger:
            launch = entry.launch
            if len(reports) == limit or launch.ordered_at > since:
                break  # as above
            if (
                launch.awaited_image
                and (why := no_image(launch.awaited_image)).summary not in launch.held_up_by
            ):
                launch.held_up_by += (why.summary,)
                reports.append(Waiting(entry.run_id, why))
        return reports
