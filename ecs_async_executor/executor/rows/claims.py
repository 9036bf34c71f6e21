"""Has runs' rows name their standbys, in a thread of its own, which answers the engine: neither waits for a heartbeat."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from ecs_async_executor.executor.row_claim import RowClaim
from ecs_async_executor.executor.rows.statements import Publication, write_external_ids
from ecs_async_executor.executor.rows.thread import GIVE_UP_AFTER
from ecs_async_executor.log_digest import LogDigest
from ecs_async_executor.messages import Claimed

log = logging.getLogger(__name__)

AGAIN_AFTER = 0.5
"""Seconds until rows are written again whose outcome is unknown: the database doesn't answer."""


def answer(claims: Sequence[RowClaim]) -> list[Claimed]:
    """Write the rows and return which of them show their standby; a row that somebody has locked doesn't, and never will.

    Database errors propagate: the outcome is unknown then, and what was written may become visible later.
    """
    try:
        written = write_external_ids([_publication(each) for each in claims])
    except Exception:
        for each in claims:
            each.is_doubtful = True
        raise
    return [_answer(each, is_written=each.run_id in written) for each in claims]


def _answer(claim: RowClaim, *, is_written: bool) -> Claimed:
    held = is_written or (None if claim.is_doubtful else False)
    given = Claimed(claim.run_id, str(claim.arn), held)
    if held is False:
        claim.arn = None  # the standby may serve another run
    return given


class _Asked(SimpleQueue["RowClaim | None"]):
    """The claims that one thread is to make; None ends it."""

    writes_since: float | None = None
    """When the thread turned to the database, while it waits for it."""


class ClaimThread:
    """The claims' thread. Any thread may call its methods; none waits, except `close`."""

    def __init__(self, submit: Callable[[Sequence[Claimed]], None]) -> None:
        """Take what passes answers to the engine."""
        self._submit = submit
        self._make_thread()

    def _make_thread(self) -> None:
        self._asked = _Asked()
        self._thread = threading.Thread(
            target=self._serve, args=(self._asked,), name="ecs-claims", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ask(self, claim: RowClaim) -> None:
        """Make a claim; in a new thread if the database has not answered for long, as connections may die unnoticed."""
        since = self._asked.writes_since
        if since is not None and time.monotonic() - since >= GIVE_UP_AFTER:
            self._asked.put(None)
            self._make_thread()
            self._thread.start()
        self._asked.put(claim)

    def close(self, timeout: float) -> None:
        """End the thread; claims that are open then are the next scheduler's to find."""
        self._asked.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _serve(self, asked: _Asked) -> None:
        digest = LogDigest(log.log)
        while (claims := _next(asked)) is not None:
            asked.writes_since = time.monotonic()
            try:
                self._submit(answer(claims))
            except Exception as error:  # noqa: BLE001  it is logged, and the thread must live
                text = f"Can't assign standbys to {len(claims)} tasks ({type(error).__name__}); it is tried again."
                digest.note(("claims", type(error)), text, time.monotonic())
                for each in claims:
                    asked.put(each)
                time.sleep(AGAIN_AFTER)
            asked.writes_since = None
            digest.flush(time.monotonic())


def _next(asked: _Asked) -> list[RowClaim] | None:
    """Wait for claims and return all that have come; None at the end."""
    claims = [asked.get()]
    while True:
        try:
            claims.append(asked.get_nowait())
        except Empty:
            break
    return None if None in claims else [each for each in claims if each is not None]


def _publication(claim: RowClaim) -> Publication:
    arn = str(claim.arn)
    instead_of = arn if claim.is_void else claim.run_id  # the row must show the ARN already, then
    return Publication(claim.run_id, claim.ti_id, claim.try_number, claim.job_id, instead_of, arn)
