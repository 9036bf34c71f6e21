"""Simulates ECS as the engine sees it, in virtual time: eventually consistent, throttled, full, and losing answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

import anyio
from botocore.exceptions import ConnectTimeoutError
from msgspec import Raw

from ecs_async_executor.engine.responses import Container, Task, TaskDefinition, TaskFailure, Tasks
from ecs_async_executor.standby.command import is_standby
from tests.support.definitions import Definitions, document
from tests.support.engine import error

NEVER = (inf, inf)
REMEMBERED = 3600.0
"""Seconds for which ECS describes a stopped task and remembers its clientToken (ECS developer guide)."""


@dataclass(eq=False)
class EcsTask:
    """One ECS task and its state."""

    arn: str
    started_by: str
    payload: dict[str, Any] | None
    """Its workload; None for a standby, until it has got one."""
    created_at: float
    command: Sequence[str]
    url: str | None
    """The S3 object its command fetches, if any."""
    seen_from: float
    """The time from which DescribeTasks and ListTasks show it."""
    status: str = "PROVISIONING"
    stop_asked: anyio.Event = field(default_factory=anyio.Event)
    queueing: object = None
    """The try and queueing it was started for; None if Airflow no longer knows its task instance."""
    stopped_at: float | None = None
    exit_code: int | None = None
    spot: bool = False
    stop_code: str | None = None
    ran: bool = False
    reason: str = ""
    memory: int | None = None
    """MiB, if its request says how many."""
    hidden: bool = False
    """ECS no longer shows it, as if the engine asked in another account."""
    image: str = ""
    """The image of its container."""
    definition: str = ""
    """The ARN of its task definition's revision."""
    overrides: Raw = field(default_factory=Raw)
    began_at: float = inf
    """When its container started."""
    served_at: float = inf
    """When it took its workload, if it is a standby."""

    @property
    def alive(self) -> bool:
        return self.status != "STOPPED"

    @property
    def is_standby(self) -> bool:
        return self.url is not None and is_standby(self.url)

    @property
    def waits(self) -> bool:
        """Whether it is a standby that has no workload yet."""
        return self.alive and self.is_standby and self.payload is None

    @property
    def lease(self) -> str:
        """The URL of the lease that it looks at, if it is a standby."""
        return self.command[-2]


@dataclass(frozen=True)
class Conditions:
    """How badly AWS behaves: probabilities for each call, and times in seconds."""

    lost: float = 0.0
    broken: float = 0.0
    blocked: float = 0.0
    """A proxy passes the call on and replaces the answer with its own page."""
    throttled: float = 0.0
    unreachable: float = 0.0
    full: float = 0.0
    """RunTask finds no room, by chance ..."""
    room: float = inf
    """... or because so many tasks are alive already."""
    start_failure: float = 0.0
    interrupted: float = 0.0
    """For a task on Spot: drawn once before it runs, and once when it ends."""
    hidden: float = 0.0
    """For a task: drawn when its code starts."""
    lag: float = 0.0
    latency: float = 0.1
    faulty: float = 0.0
    """A library that wraps the call raises after AWS has carried it out ..."""
    faulty_until: float = 0.0
    """... before this time."""
    deployed: float = 0.0
    """For a call about task definitions: somebody has registered a new revision of the tasks', or deregistered an
    image's."""
    late: float = 0.0
    """S3 carries out a conditional PutObject although its client gets no answer, and perhaps long after."""
    s3_down: tuple[float, float] = NEVER
    """From when until when nothing reaches S3."""
    s3_denied: tuple[float, float] = NEVER
    """The same, for the schedulers' role lacking its permissions ..."""
    s3_forbidden: tuple[float, float] = NEVER
    """... and the tasks' role."""
    broken_image: float = 0.0
    """For a standby: it can't import what it needs."""
    killed: float = 0.0
    """For a standby: it is killed while it waits."""
    stuck: float = 0.0
    """For a standby with a workload: it never starts it."""


class SimulatedEcs:
    """Replaces `EcsClient`. The world's `run` starts a new task's container, which outlives every engine."""

    region = "eu-central-1"

    def __init__(
        self,
        random: Random,
        conditions: Conditions,
        run: Callable[[EcsTask], None],
        now: Callable[[], float],
        objects: Mapping[str, bytes],
    ) -> None:
        self.random = random
        self.conditions = conditions
        self.objects = objects
        """The objects in S3."""
        self.tasks: list[EcsTask] = []
        self.by_arn: dict[str, EcsTask] = {}
        self.alive: dict[str, EcsTask] = {}
        """Those that haven't ended, by ARN."""
        self.definitions = Definitions()
        self.definitions.register(document(family="t"))
        self._run = run
        self._now = now
        self._tokens: dict[str, tuple[Mapping[str, Any], EcsTask | None]] = {}

    # --- what the engine calls ------------------------------------------------------------------------

    def forget(self) -> None:
        """Fetch credentials anew; here that never fails."""

    async def aclose(self) -> None:
        """Close nothing, as nothing is open."""

    async def run_task(self, body: Mapping[str, Any]) -> Tasks:
        await self._arrive("RunTask")
        answer = self._run_task(body)
        await self._return("RunTask")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def describe_tasks(self, _: str, arns: Sequence[str]) -> Tasks:
        await self._arrive("DescribeTasks")
        found_tasks = (self.by_arn.get(arn) for arn in arns)
        seen = tuple(self._describe(task) for task in found_tasks if task is not None and self._shows(task))
        found = {task.task_arn for task in seen}
        missing = tuple(TaskFailure(reason="MISSING") for arn in arns if arn not in found)
        await self._return("DescribeTasks")
        return Tasks(tasks=seen, failures=missing)

    async def list_tasks_started_by(self, _: str, started_by: str) -> tuple[str, ...]:
        await self._arrive("ListTasks")
        arns = tuple(
            task.arn
            for task in self.alive.values()
            if task.started_by == started_by and self._shows(task) and not task.stop_asked.is_set()
        )
        await self._return("ListTasks")
        return arns

    async def default_strategy(self, _: str) -> list[dict[str, str]]:
        """Return an empty strategy: the cluster has no default."""
        await self._arrive("DescribeClusters")
        await self._return("DescribeClusters")
        return []

    async def describe_task_definition(self, name: str) -> TaskDefinition | None:
        await self._arrive("DescribeTaskDefinition")
        if self.random.random() < self.conditions.deployed:
            self._deploy()
        found = self.definitions.find(name)
        await self._return("DescribeTaskDefinition")
        return found

    async def register_task_definition(self, request: Mapping[str, Any]) -> TaskDefinition:
        await self._arrive("RegisterTaskDefinition")
        made = self.definitions.register(request)
        await self._return("RegisterTaskDefinition")
        return made

    def _deploy(self) -> None:
        active = [each.arn for each in self.definitions.registered if each.is_active]
        if active and self.random.random() < 0.5:
            self.definitions.deregister(self.random.choice(active))
        else:
            self.definitions.register(document(family="t"))

    async def stop_task(self, _: str, arn: str, reason: str) -> None:
        await self._arrive("StopTask")
        task = self.by_arn.get(arn)
        if task is not None and task.alive and not task.stop_asked.is_set():
            task.reason = reason
            task.stop_asked.set()
        await self._return("StopTask")

    # --- how ECS acts ---------------------------------------------------------------------------------

    def _run_task(self, body: Mapping[str, Any]) -> Tasks | Exception:
        definition = self.definitions.find(body["taskDefinition"])
        if definition is None or not definition.is_active:  # ECS may check this before it looks at the token
            refused: Exception = error("ClientException", "TaskDefinition is inactive")
            return refused
        token = str(body["clientToken"])
        assert len(token) <= 64
        known = self._tokens.get(token)
        if known is not None and not self._forgotten(known[1]):
            first_body, task = known
            if first_body != body:
                conflict: Exception = error("ConflictException", resourceIds=[task.arn] if task else [])
                return conflict
            return Tasks(tasks=(self._describe(task),)) if task else _FULL
        if len(self.alive) >= self.conditions.room or self.random.random() < self.conditions.full:
            self._tokens[token] = (dict(body), None)
            return _FULL
        now = self._now()
        (container,) = body["overrides"]["containerOverrides"]
        assert len(json.dumps(body["overrides"])) <= 8192
        argument = container["command"][-1]
        url = argument if argument.startswith("s3://") else None
        if url is not None and is_standby(url):
            payload = None
        else:
            # The object must exist before the task starts.
            payload = json.loads(self.objects[url] if url else argument)
        task = EcsTask(
            arn=f"arn:aws:ecs:us-east-1:123456789012:task/default/{len(self.tasks):032x}",
            started_by=str(body["startedBy"]),
            payload=payload,
            command=container["command"],
            url=url,
            created_at=now,
            spot="FARGATE_SPOT" in str(body.get("capacityProviderStrategy")),
            memory=int(body["overrides"].get("memory", 0)) or None,
            seen_from=now + self.random.uniform(0, self.conditions.lag),
            image=self.definitions.image_of(body["taskDefinition"]),
            definition=definition.arn,
            overrides=Raw(json.dumps(body["overrides"]).encode()),
        )
        self.tasks.append(task)
        self.by_arn[task.arn] = self.alive[task.arn] = task
        self._tokens[token] = (dict(body), task)
        self._run(task)
        return Tasks(tasks=(self._describe(task),))

    def _forgotten(self, task: EcsTask | None) -> bool:
        return task is not None and task.stopped_at is not None and self._now() - task.stopped_at > REMEMBERED

    def _shows(self, task: EcsTask) -> bool:
        return self._now() >= task.seen_from and not task.hidden and not self._forgotten(task)

    def end(self, task: EcsTask, exit_code: int | None, reason: str) -> None:
        """Note that a task's container has ended."""
        task.status, task.exit_code, task.stopped_at = "STOPPED", exit_code, self._now()
        task.reason = task.reason or reason
        del self.alive[task.arn]

    def _describe(self, task: EcsTask) -> Task:
        return Task(
            task_arn=task.arn,
            last_status=task.status,
            started_at=1.0 if task.ran else None,
            stop_code=task.stop_code or ("UserInitiated" if task.stop_asked.is_set() else None),
            memory=str(task.memory) if task.memory else None,
            stopped_reason=task.reason or None,
            task_definition_arn=task.definition,
            overrides=task.overrides,
            containers=(Container(name="airflow", exit_code=task.exit_code),),
        )

    # --- how calls and answers travel -----------------------------------------------------------------

    async def _arrive(self, operation: str) -> None:
        await anyio.sleep(self.random.uniform(0, self.conditions.latency))
        chance = self.random.random
        if chance() < self.conditions.unreachable:
            raise ConnectTimeoutError(endpoint_url="https://ecs")
        if chance() < self.conditions.throttled:
            raise error("ThrottlingException", "Rate exceeded", operation=operation)
        if chance() < self.conditions.broken:
            raise error("ServerException", status=500, operation=operation)

    async def _return(self, operation: str) -> None:
        await anyio.sleep(self.random.uniform(0, self.conditions.latency))
        if self.random.random() < self.conditions.lost:
            raise TimeoutError
        if self.random.random() < self.conditions.broken:
            raise error("ServerException", status=500, operation=operation)
        if self.random.random() < self.conditions.blocked:
            raise error("403", status=403, operation=operation)
        if self._now() < self.conditions.faulty_until and self.random.random() < self.conditions.faulty:
            raise KeyError("ResponseMetadata")


_FULL = Tasks(failures=(TaskFailure(reason="RESOURCE:CPU"),))
