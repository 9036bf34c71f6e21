"""The executor under test, unchanged, in a process that kills itself at a chosen place.

`CHAOS_DEATH` is {"place": ..., "visit": n}: at the n-th visit of the place the process sends itself SIGKILL, after
it has noted the place in the file `CHAOS_DEATHS`. Every wrapper here only calls what it wraps.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.engine.ecs import EcsClient
from ecs_async_executor.supervisor import Supervisor

_IN_FLIGHT = 0.7  # seconds that a call may be under way: the local ECS answers within that


class Death:
    """Waits at one place."""

    def __init__(self, place: str, visit: int) -> None:
        self._place = place
        self._left = visit

    def strikes(self, place: str) -> bool:
        """Count a visit, and tell whether it is the last one."""
        if place == self._place:
            self._left -= 1
        return place == self._place and not self._left

    def visit(self, place: str) -> None:
        """Pass by a place, or die there."""
        if self.strikes(place):
            die(place)


def die(place: str) -> None:
    """Die as by the kernel's hand: no handler runs, nothing is flushed."""
    file = os.open(os.environ["CHAOS_DEATHS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(file, f"{place}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)  # not a step further


def _death() -> Death:
    plan = json.loads(os.environ.get("CHAOS_DEATH") or '{"place": "", "visit": 1}')
    return Death(plan["place"], plan["visit"])


DEATH = _death()


class MortalExecutor(AsyncEcsExecutor):
    """Dies before or after what the scheduler calls."""

    def queue_workload(self, workload: Any, session: Any) -> None:
        DEATH.visit("queue_workload.before")
        super().queue_workload(workload, session)
        DEATH.visit("queue_workload.after")

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        DEATH.visit("process_workloads.before")
        super()._process_workloads(workload_items)
        DEATH.visit("process_workloads.after")

    def sync(self) -> None:
        DEATH.visit("sync.before")
        super().sync()
        if self.event_buffer:
            DEATH.visit("sync.after")

    def get_event_buffer(self, dag_ids: Any = None) -> Any:
        events = super().get_event_buffer(dag_ids)
        if events:
            DEATH.visit("get_event_buffer.after")
        return events

    def try_adopt_task_instances(self, tis: Sequence[Any]) -> Sequence[Any]:
        DEATH.visit("adopt.before")
        refused = super().try_adopt_task_instances(tis)
        DEATH.visit("adopt.after")
        return refused


def _wrap_decide() -> None:
    decide = Supervisor.decide

    def mortal(self: Supervisor) -> None:
        DEATH.visit("decide.before")
        decide(self)

    Supervisor.decide = mortal  # type: ignore[method-assign]  # that is the point


def _wrap_call(name: str, method: str) -> None:
    call: Callable[..., Awaitable[Any]] = getattr(EcsClient, method)

    async def mortal(self: EcsClient, *arguments: Any) -> Any:
        DEATH.visit(f"{name}.before")
        if DEATH.strikes(f"{name}.during"):
            delay = random.uniform(0, _IN_FLIGHT)  # noqa: S311  no secret depends on it
            asyncio.get_running_loop().call_later(delay, die, f"{name}.during")
        answer = await call(self, *arguments)
        DEATH.visit(f"{name}.after")
        return answer

    setattr(EcsClient, method, mortal)


_wrap_decide()
_wrap_call("run_task", "run_task")
_wrap_call("list_tasks", "list_tasks_started_by")
