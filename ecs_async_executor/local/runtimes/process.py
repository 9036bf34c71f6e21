"""Really runs tasks: every container's command is a process on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_async_executor.local.runtimes.aws_access import with_s3
from ecs_async_executor.local.runtimes.container import MARK, ContainerProcess, IdleContainer, sweep
from ecs_async_executor.local.state.definitions import pairs
from ecs_async_executor.local.state.lifecycle import ESSENTIAL_EXITED, HOST_TERMINATED, SPOT, ContainerEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ecs_async_executor.local.logs.shipper import LogShipper
    from ecs_async_executor.local.runtimes.container import Container
    from ecs_async_executor.local.state.definitions import ContainerDefinition
    from ecs_async_executor.local.state.store import Task

log = logging.getLogger(__name__)
# ECS's messages for a missing log group, on container instances and on Fargate.
_NO_GROUP = "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."
_ON_INSTANCES = "CannotStartContainerError: Error response from daemon: failed to initialize logging driver"
_ON_FARGATE = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times"
)
_NO_LOG_GROUP = (f"{_ON_INSTANCES}: {_NO_GROUP}", f"{_ON_FARGATE}: {_NO_GROUP} : exit status 1")


class ProcessRuntime:
    """Runs containers' commands as subprocesses; closing it kills all of them.

    `names` are variables of this process that containers get, in addition to PATH and LANG.
    """

    def __init__(
        self, clock: Callable[[], float], logs: LogShipper | None, names: Sequence[str] = ()
    ) -> None:
        self._clock = clock
        self._logs = logs
        self._base = _base_environment(names)
        self._mark = uuid.uuid4().hex
        self._lives: dict[str, tuple[_Life, asyncio.Task[None]]] = {}
        self._s3: tuple[str, str] | None = None

    def give_s3(self, url: str, region: str) -> None:
        """Give containers from now on what leads their SDK to an S3, unless they bring their own."""
        self._s3 = (url, region)

    def start(self, task: Task, now: float) -> None:  # noqa: ARG002  `_Life` reads the clock itself
        """Start the task in the background."""
        environment = {**self._base, MARK: f"{self._mark}/{task.id}"}
        life = _Life(task, self._clock, environment, self._logs, self._s3)
        background = asyncio.get_running_loop().create_task(self._live(life))
        self._lives[task.id] = (life, background)

    def stop(self, task: Task, now: float, verdict: tuple[str, str]) -> None:  # noqa: ARG002  as above
        """Ask the task's containers to end."""
        if task.id in self._lives:
            self._lives[task.id][0].stop(verdict)

    def lose_host(self, task: Task, now: float) -> None:  # noqa: ARG002  as above
        """Kill the task's containers without recording how they end."""
        if task.id in self._lives:
            self._lives[task.id][0].lose_host()

    def kill_all(self) -> None:
        """Kill every process group and let the tasks end."""
        for life, background in self._lives.values():
            life.kill()
            if not life.closing:  # a cancellation would interrupt its cleanup
                life.closing = True
                background.cancel()

    async def close(self) -> None:
        """Kill everything and wait until it has ended."""
        self.kill_all()
        await asyncio.gather(*(background for _, background in self._lives.values()), return_exceptions=True)
        sweep(self._mark)

    async def _live(self, life: _Life) -> None:
        try:
            await life.live()
        except Exception:
            log.exception("The local ECS failed to run task %s", life.task.id)
        finally:
            life.closing = True
            try:
                await life.close()
            finally:
                del self._lives[life.task.id]


class _Life:
    """Runs one task from PROVISIONING to STOPPED."""

    def __init__(
        self,
        task: Task,
        clock: Callable[[], float],
        environment: Mapping[str, str],
        logs: LogShipper | None,
        s3: tuple[str, str] | None,
    ) -> None:
        self.task = task
        self._s3 = s3
        self._clock = clock
        self._environment = environment
        self._logs = logs
        self._over = asyncio.Event()
        self._verdict = ESSENTIAL_EXITED
        self.closing = False
        self._lost = False
        self._swept = False
        self._containers: dict[str, Container] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._timers: list[asyncio.TimerHandle] = []

    def stop(self, verdict: tuple[str, str]) -> None:
        """Stop the task, unless it is already ending."""
        if not self._over.is_set():
            self._verdict = verdict
            self._over.set()
            self._mark("deactivating_at")

    def lose_host(self) -> None:
        """End the task as if its host had gone."""
        if not self._over.is_set():
            self._lost = True
            self.kill()
            self.stop(HOST_TERMINATED)

    def kill(self) -> None:
        """Kill every process of the task."""
        for container in self._containers.values():
            container.signal(signal.SIGKILL)

    async def live(self) -> None:
        """Run the task to its end, unless cancelled."""
        self._arm(early=True)
        if await self._start():
            self._mark("started_at")
            self._arm(early=False)
            await self._over.wait()
        await self._end()

    async def close(self) -> None:
        """Kill and release whatever is left."""
        for timer in self._timers:
            timer.cancel()
        self.kill()
        await asyncio.gather(*self._watchers.values())
        if not self._swept:
            await asyncio.to_thread(sweep, self._environment[MARK])
        await asyncio.gather(*(container.close() for container in self._containers.values()))

    def _arm(self, *, early: bool) -> None:
        interruption = self.task.course.interruption
        if interruption is not None and interruption.early is early:
            loop = asyncio.get_running_loop()
            what = self.lose_host if interruption.host_lost else lambda: self.stop(SPOT)
            self._timers.append(loop.call_later(interruption.after, what))

    async def _start(self) -> bool:
        """Bring the task to RUNNING; return False if it must end before."""
        course = self.task.course
        for moment, before in (
            ("pending_at", course.provisioning),
            ("pull_started_at", course.pending),
            ("pull_stopped_at", course.pull),
        ):
            if await self._pause(before):
                return False
            self._mark(moment)
        if await self._pause(course.activating):
            return False
        if course.start_failure is not None:
            end = ContainerEnd(self._clock(), None, course.start_failure)
            self._end_container(course.failed_container or self.task.main, end)
            self.stop(("TaskFailedToStart", course.start_failure))
            return False
        return await self._launch()

    async def _launch(self) -> bool:
        """Start every container; the first that can't start ends the task."""
        overrides = {item["name"]: item for item in self.task.overrides["containerOverrides"]}
        for definition in self.task.definition.containers:
            if await self._lacks_log_group(definition):
                problem = _NO_LOG_GROUP[self.task.static["launchType"] == "FARGATE"]
                return self._fail_to_start(definition, problem)
            try:
                container = await self._container(definition, overrides[definition.name])
            except (OSError, ValueError) as error:
                problem = f"CannotStartContainerError: Error response from daemon: {_problem(error)}"
                return self._fail_to_start(definition, problem)
            self._containers[definition.name] = container
            if self._over.is_set():
                return False
        for definition in self.task.definition.containers:
            self._watchers[definition.name] = asyncio.get_running_loop().create_task(self._watch(definition))
        return True

    def _fail_to_start(self, definition: ContainerDefinition, problem: str) -> bool:
        self._end_container(definition.name, ContainerEnd(self._clock(), None, problem))
        self.stop(("TaskFailedToStart", problem))
        return False

    async def _lacks_log_group(self, definition: ContainerDefinition) -> bool:
        if self._logs is None or definition.log is None:
            return False
        return await self._logs.lacks_group(definition.log, definition.name, self.task.id)

    async def _container(self, definition: ContainerDefinition, override: Mapping[str, object]) -> Container:
        command = [*definition.entry_point, *_strings(override.get("command", definition.command))]
        if not command:
            return IdleContainer()
        environment = {
            **self._environment,
            **definition.environment,
            **pairs(override.get("environment", ())),
        }
        if self._s3 is not None:
            environment = with_s3(environment, *self._s3)
        sink = None
        if self._logs is not None and definition.log is not None:
            sink = self._logs.open(definition.log, definition.name, self.task.id)
        return await ContainerProcess.start(command, environment, sink)

    async def _watch(self, definition: ContainerDefinition) -> None:
        code = await self._containers[definition.name].wait()
        self._end_container(definition.name, ContainerEnd(self._clock(), None if self._lost else code))
        if definition.essential:
            self.stop(ESSENTIAL_EXITED)

    async def _end(self) -> None:
        course = self.task.course
        if not self._lost:
            await asyncio.sleep(course.deactivating)
        self._mark("stopping_at")
        if self._watchers:
            await asyncio.gather(
                *(self._terminate(definition) for definition in self.task.definition.containers)
            )
        else:
            self.kill()  # some containers had started when another could not
        await asyncio.to_thread(sweep, self._environment[MARK])
        self._swept = True
        for name in self.task.containers:
            self._end_container(name, ContainerEnd(self._clock()))
        self._mark("execution_stopped_at")
        await asyncio.sleep(course.deprovisioning)
        self._mark("stopped_at")

    async def _terminate(self, definition: ContainerDefinition) -> None:
        """Send SIGTERM, then SIGKILL after the container's stopTimeout."""
        watcher, container = self._watchers[definition.name], self._containers[definition.name]
        if not watcher.done():
            container.signal(signal.SIGTERM)
            await asyncio.wait([watcher], timeout=definition.stop_timeout)
            container.signal(signal.SIGKILL)
            await asyncio.wait([watcher])

    async def _pause(self, seconds: float) -> bool:
        """Wait, and tell whether the task must end instead of continuing."""
        if seconds:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._over.wait(), seconds)
        return self._over.is_set()

    def _mark(self, moment: str) -> None:
        timeline = replace(self.task.timeline, **{moment: self._clock()})  # type: ignore[arg-type]  # a moment
        if moment == "deactivating_at":
            timeline = replace(timeline, stop_code=self._verdict[0], stopped_reason=self._verdict[1])
        self.task.timeline = timeline

    def _end_container(self, name: str, end: ContainerEnd) -> None:
        """Record a container's end, once; a fault may change what is recorded."""
        task = self.task
        ends = list(task.timeline.ends)
        index = task.containers.index(name)
        if ends[index].at <= end.at:
            return
        if name in task.course.ends and not self._lost:
            code, reason = task.course.ends[name]
            end = replace(end, exit_code=code, reason=reason)
        ends[index] = end
        task.timeline = replace(task.timeline, ends=tuple(ends))


def _base_environment(names: Sequence[str]) -> dict[str, str]:
    """Return the environment of every container: this Python first on the PATH, and the named variables."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    base = {"PATH": path, "LANG": os.environ.get("LANG", "C.UTF-8")}
    return base | {name: os.environ[name] for name in names if name in os.environ}


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def _problem(error: OSError | ValueError) -> str:
    """Name the program that can't start, without its arguments, which may be secret."""
    if isinstance(error, OSError):
        return f'exec: "{error.filename}": {error.strerror}: unknown'
    return "the command can't be executed"
