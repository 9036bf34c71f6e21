"""The executor under test, unchanged, in a process that strikes itself at a chosen place.

For standbys, time passes ten times as fast (`tests.chaos.standby`), so the times in which the executor thinks of them are a
tenth, too.

`CHAOS_KILL` is {"place": ..., "visit": n, "signal": ...}: at the n-th visit of the place the process sends itself the
signal, after it has noted the place in the file `CHAOS_STRUCK`. Every wrapper here only calls what it wraps; that of
RunTask notes in the journal for which task instance a call is made.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.engine.aws.ecs import EcsClient
from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.standby import pool, standbys
from ecs_async_executor.engine.standby.standbys import Standbys
from ecs_async_executor.engine.workers import standby_keeper
from ecs_async_executor.executor.reconciler import Reconciler
from ecs_async_executor.executor.rows import claims, statements, thread
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.messages import StandbyPool
from tests.chaos import journal
from tests.chaos.standby import FASTER

_IN_FLIGHT = 0.7  # seconds that a call may be under way: the local ECS answers within that
_LAUNCH_ID = re.compile(r"[0-9a-f-]{36}-\d+")


class Strike:
    """Waits at one place."""

    def __init__(self, place: str, visit: int, number: signal.Signals) -> None:
        self._place = place
        self._left = visit
        self._signal = number

    def strikes(self, place: str) -> bool:
        """Count a visit, and tell whether it is the one."""
        if place == self._place:
            self._left -= 1
        return place == self._place and not self._left

    def visit(self, place: str) -> None:
        """Pass by a place, or be struck there."""
        if self.strikes(place):
            self.strike()

    def strike(self) -> None:
        """As by another's hand: of SIGKILL and SIGSTOP no handler runs, nothing is flushed."""
        file = os.open(os.environ["CHAOS_STRUCK"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        os.write(file, self._place.encode())
        os.close(file)
        os.kill(os.getpid(), self._signal)
        if self._signal is signal.SIGKILL:
            time.sleep(60)  # not a step further


def _blow() -> Strike:
    plan = json.loads(os.environ.get("CHAOS_KILL") or '{"place": "", "visit": 1, "signal": "SIGKILL"}')
    return Strike(plan["place"], plan["visit"], signal.Signals[plan["signal"]])


BLOW = _blow()


class SelfKillingExecutor(AsyncEcsExecutor):
    """Is struck before or after what the scheduler calls."""

    def queue_workload(self, workload: Any, session: Any) -> None:
        BLOW.visit("queue_workload.before")
        super().queue_workload(workload, session)
        BLOW.visit("queue_workload.after")

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        BLOW.visit("process_workloads.before")
        super()._process_workloads(workload_items)
        BLOW.visit("process_workloads.after")

    def sync(self) -> None:
        BLOW.visit("sync.before")
        super().sync()
        if self.event_buffer:
            BLOW.visit("sync.after")

    def get_event_buffer(self, dag_ids: Any = None) -> Any:
        events = super().get_event_buffer(dag_ids)
        if events:
            BLOW.visit("get_event_buffer.after")
        return events

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        BLOW.visit("adopt.before")
        refused = super().try_adopt_task_instances(tis)
        BLOW.visit("adopt.after")
        return refused


def _wrap_decide() -> None:
    decide = Reconciler.decide

    def deadly(self: Reconciler, budget: float = math.inf) -> None:
        BLOW.visit("decide.before")
        decide(self, budget)

    Reconciler.decide = deadly  # type: ignore[method-assign]  # that is the point


def _wrap_write() -> None:
    write = statements.write_external_ids

    def deadly(publications: Sequence[Publication]) -> frozenset[str]:
        if publications:
            BLOW.visit("publish.before")
        written = write(publications)
        if publications:
            BLOW.visit("publish.after")
        if any(_LAUNCH_ID.fullmatch(show.external_id) for show in publications):
            BLOW.visit("relaunch.after")
        return written

    thread.write_external_ids = deadly  # type: ignore[attr-defined]  # that is where it is called


def _wrap_claim() -> None:
    def deadly(publications: Sequence[Publication]) -> frozenset[str]:
        BLOW.visit("claim.before")
        written = statements.write_external_ids(publications)
        BLOW.visit("claim.after")
        return written

    claims.write_external_ids = deadly  # type: ignore[attr-defined]  # that is where it is called


def _wrap_call(
    client: type, method: str, place: Callable[..., str], note: Callable[..., None] = lambda *_: None
) -> None:
    call: Callable[..., Awaitable[Any]] = getattr(client, method)

    async def deadly(self: Any, *arguments: Any) -> Any:
        name = place(*arguments)
        BLOW.visit(f"{name}.before")
        note(*arguments)
        if BLOW.strikes(f"{name}.during"):
            delay = random.uniform(0, _IN_FLIGHT)  # noqa: S311  no secret depends on it
            asyncio.get_running_loop().call_later(delay, BLOW.strike)
        answer = await call(self, *arguments)
        BLOW.visit(f"{name}.after")
        return answer

    setattr(client, method, deadly)


def _note_launch(body: Mapping[str, Any]) -> None:
    (override,) = body["overrides"]["containerOverrides"]
    if "-c" not in override["command"]:  # a standby's: it has no task yet
        journal.write(journal.SENT, json.loads(override["command"][-1])["ti"], body["clientToken"])


def _note_hand_over(url: str, data: bytes) -> None:
    if data:
        journal.write(journal.HANDED, json.loads(data)["ti"], url)


def _shorten() -> None:
    for module, names in (
        (pool, ("READY_AFTER", "LAST_MINUTE", "REPLACED_AHEAD")),
        (standbys, ("SETTLED_AFTER", "REST", "FIRST_PAUSE", "LONGEST_PAUSE")),
        (standby_keeper, ("LEASE_RENEWAL_SECONDS", "RENEW_AGAIN_AFTER")),
    ):
        for name in names:
            setattr(module, name, getattr(module, name) / FASTER)
    keep = Standbys.keep

    def age_faster(self: Standbys, pools: Sequence[StandbyPool]) -> None:
        keep(self, [replace(each, max_age=each.max_age / FASTER) for each in pools])

    Standbys.keep = age_faster  # type: ignore[method-assign]


_wrap_decide()
_wrap_write()
_wrap_claim()
_wrap_call(EcsClient, "run_task", lambda *_: "run_task", _note_launch)
_wrap_call(EcsClient, "list_tasks_started_by", lambda *_: "list_tasks")
_wrap_call(S3Client, "put_once", lambda _, data: "hand_over" if data else "leave", _note_hand_over)
_shorten()
