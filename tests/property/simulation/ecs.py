"""ECS as the engine sees it, in virtual time: eventually consistent, throttled, full, and with answers that get lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
from botocore.exceptions import ConnectTimeoutError

from ecs_async_executor.engine.responses import Container, Task, TaskFailure, Tasks
from tests.support.engine import error

REMEMBERED = 3600.0
"""Seconds for which ECS describes a stopped task, and a clientToken outlives its task (ECS developer guide)."""


@dataclass(eq=False)
class EcsTask:
    """One task, and when what happens to it."""

    arn: str
    started_by: str
    payload: dict[str, Any]
    created_at: float
    url: str | None
    """What its command fetches from S3, if it does."""
    seen_from: float
    """Until then DescribeTasks and ListTasks don't show it."""
    status: str = "PROVISIONING"
    stop_asked: anyio.Event = field(default_factory=anyio.Event)
    queueing: object = None
    """For which queueing of which try it was started; None for a task that Airflow does not know any more."""
    stopped_at: float | None = None
    exit_code: int | None = None
    spot: bool = False
    stop_code: str | None = None
    ran: bool = False
    reason: str = ""
    hidden: bool = False
    """ECS does not show it any more, as if another account were asked."""

    @property
    def alive(self) -> bool:
        return self.status != "STOPPED"


@dataclass
class Weather:
    """How bad AWS is: probabilities for each call, and seconds."""

    lost: float = 0.0
    broken: float = 0.0
    blocked: float = 0.0
    """A proxy has passed the call on, and puts its page in the place of the answer."""
    throttled: float = 0.0
    unreachable: float = 0.0
    full: float = 0.0
    start_failure: float = 0.0
    interrupted: float = 0.0
    """Of a task on Spot, before it runs and while it does."""
    hidden: float = 0.0
    """Of a task, when its code starts."""
    lag: float = 0.0
    latency: float = 0.1
    faulty: float = 0.0
    """That code which wraps the call raises after it was done ..."""
    faulty_until: float = 0.0
    """... before this time."""


class SimulatedEcs:
    """Stands for `EcsClient`. `run` makes the life of a new task; it is the world's, and outlives every engine."""

    region = "eu-central-1"

    def __init__(
        self,
        random: Random,
        weather: Weather,
        run: Callable[[EcsTask], None],
        now: Callable[[], float],
        objects: Mapping[str, bytes],
    ) -> None:
        self.random = random
        self.weather = weather
        self.objects = objects
        """What is in S3."""
        self.tasks: list[EcsTask] = []
        self._run = run
        self._now = now
        self._tokens: dict[str, tuple[Mapping[str, Any], EcsTask | None]] = {}

    # --- what the engine calls ------------------------------------------------------------------------

    def forget(self) -> None:
        """Credentials are fetched anew; here they never fail."""

    async def aclose(self) -> None:
        """Nothing is open."""

    async def run_task(self, body: Mapping[str, Any]) -> Tasks:
        await self._arrive("RunTask")
        answer = self._run_task(body)
        await self._return("RunTask")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def describe_tasks(self, _: str, arns: Sequence[str]) -> Tasks:
        await self._arrive("DescribeTasks")
        seen = tuple(self._describe(task) for task in self._visible() if task.arn in arns)
        found = {task.task_arn for task in seen}
        missing = tuple(TaskFailure(arn=arn, reason="MISSING") for arn in arns if arn not in found)
        await self._return("DescribeTasks")
        return Tasks(tasks=seen, failures=missing)

    async def list_tasks_started_by(self, _: str, started_by: str) -> tuple[str, ...]:
        await self._arrive("ListTasks")
        arns = tuple(
            task.arn
            for task in self._visible()
            if task.started_by == started_by and task.alive and not task.stop_asked.is_set()
        )
        await self._return("ListTasks")
        return arns

    async def default_strategy(self, _: str) -> list[dict[str, str]]:
        """The cluster has none."""
        await self._arrive("DescribeClusters")
        await self._return("DescribeClusters")
        return []

    async def stop_task(self, _: str, arn: str, reason: str) -> None:
        await self._arrive("StopTask")
        task = next((task for task in self.tasks if task.arn == arn), None)
        if task is not None and task.alive and not task.stop_asked.is_set():
            task.reason = reason
            task.stop_asked.set()
        await self._return("StopTask")

    # --- what it does ---------------------------------------------------------------------------------

    def _run_task(self, body: Mapping[str, Any]) -> Tasks | Exception:
        token = str(body["clientToken"])
        assert len(token) <= 64
        known = self._tokens.get(token)
        if known is not None and not self._forgotten(known[1]):
            first_body, task = known
            if first_body != body:
                conflict: Exception = error("ConflictException", resourceIds=[task.arn] if task else [])
                return conflict
            return Tasks(tasks=(self._describe(task),)) if task else _FULL
        if self.random.random() < self.weather.full:
            self._tokens[token] = (dict(body), None)
            return _FULL
        now = self._now()
        (container,) = body["overrides"]["containerOverrides"]
        assert len(json.dumps(body["overrides"])) <= 8192
        argument = container["command"][-1]
        url = argument if argument.startswith("s3://") else None
        # It must be there before the task is.
        workload = self.objects[url] if url else argument
        task = EcsTask(
            arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{len(self.tasks):032x}",
            started_by=str(body["startedBy"]),
            payload=json.loads(workload),
            url=url,
            created_at=now,
            spot="FARGATE_SPOT" in str(body.get("capacityProviderStrategy")),
            seen_from=now + self.random.uniform(0, self.weather.lag),
        )
        self.tasks.append(task)
        self._tokens[token] = (dict(body), task)
        self._run(task)
        return Tasks(tasks=(self._describe(task),))

    def _forgotten(self, task: EcsTask | None) -> bool:
        return task is not None and task.stopped_at is not None and self._now() - task.stopped_at > REMEMBERED

    def _visible(self) -> list[EcsTask]:
        return [
            task
            for task in self.tasks
            if self._now() >= task.seen_from and not task.hidden and not self._forgotten(task)
        ]

    def _describe(self, task: EcsTask) -> Task:
        return Task(
            task_arn=task.arn,
            last_status=task.status,
            started_at=1.0 if task.ran else None,
            stop_code=task.stop_code,
            stopped_reason=task.reason or None,
            containers=(Container(name="airflow", exit_code=task.exit_code),),
        )

    # --- the way there and back -----------------------------------------------------------------------

    async def _arrive(self, operation: str) -> None:
        await anyio.sleep(self.random.uniform(0, self.weather.latency))
        chance = self.random.random
        if chance() < self.weather.unreachable:
            raise ConnectTimeoutError(endpoint_url="https://ecs")
        if chance() < self.weather.throttled:
            raise error("ThrottlingException", "Rate exceeded", operation=operation)
        if chance() < self.weather.broken:
            raise error("ServerException", status=500, operation=operation)

    async def _return(self, operation: str) -> None:
        await anyio.sleep(self.random.uniform(0, self.weather.latency))
        if self.random.random() < self.weather.lost:
            raise TimeoutError
        if self.random.random() < self.weather.broken:
            raise error("ServerException", status=500, operation=operation)
        if self.random.random() < self.weather.blocked:
            raise error("403", status=403, operation=operation)
        if self._now() < self.weather.faulty_until and self.random.random() < self.weather.faulty:
            raise KeyError("ResponseMetadata")


_FULL = Tasks(failures=(TaskFailure(reason="RESOURCE:CPU"),))
