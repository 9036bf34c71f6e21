"""Makes the orders of runs. The engine builds the request itself later, in its own thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.executors.workloads import ExecuteTask

from ecs_async_executor.cold_starts import NO_RUN_ID, RELAUNCH
from ecs_async_executor.config.delivery import Bucket, Delivery, in_command
from ecs_async_executor.config.explain import origin_of
from ecs_async_executor.config.folding import fold
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.profiles import Profile, Profiles
from ecs_async_executor.config.sources import Found
from ecs_async_executor.config.standby import pool_for
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.executor.row_claim import Ask, RowClaim
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.task_facts import DagOwners, facts_of
from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.messages import Launch, Launched, Recovery, Request, Watch
from ecs_async_executor.task_arn import TaskArn

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.tokens import JWTGenerator
    from airflow.executors.workloads.task import TaskInstanceDTO

TOKEN_LIFETIME = 3600.0
"""The minimum lifetime of a launch's token, in seconds.

ECS may keep a task in PROVISIONING for 30 minutes, and image pulls can be slow."""
TOKEN_MARGIN = 600.0
"""Seconds a token lives beyond the launch timeout.

The timeout counts from ECS's answer, which may come minutes after the token was made, and only the next poll
notices that it is over."""
CALLBACKS = "callbacks"
"""The queue that callbacks are counted under: they have none."""
_RETRIES = (
    "If the task has `retries`, Airflow uses them up, which no executor can prevent: each fails the same way."
)
CALLBACK_PRIORITY = 2**31
"""Callbacks complete work that is already done; Airflow, too, runs them before all tasks."""


class OrderFactory:
    """Makes orders and, in the engine's thread, the requests of their launches."""

    def __init__(  # noqa: PLR0913  the parts of a configuration
        self,
        profiles: Profiles,
        generator: JWTGenerator,
        *,
        queued_timeout: float,
        bucket: Bucket | None = None,
        found: Mapping[str, Found] | None = None,
        traced: bool = False,
        clock: Callable[[], float] = time.monotonic,
        team: str | None = None,
        owners: DagOwners | None = None,
        ask: Ask | None = None,
        job_id: Callable[[], Any] = lambda: None,
    ) -> None:
        """Take the configuration; `found` holds where each option is set, `traced` asks for spans of launches.

        `team` and `owners` are for tags. `ask` has claims made, for the scheduler of this job; without it, no standby serves
        a run.
        """
        self._ask = ask
        self._job_id = job_id
        self._profiles = profiles
        self._generator = generator
        self._queued_timeout = queued_timeout
        self._bucket = bucket
        self._found = found or {}
        self._traced = traced
        self._clock = clock
        self._team = team
        self._owners = owners or DagOwners()

    def launch(self, run: Run, *, recovery: Recovery | None = None) -> Launch:
        """Make the order for a run's current launch.

        Until a run's workload has been read, the engine can only search for its task.
        """
        recovery = recovery or run.recovery if run.workload is not None else Recovery.SEARCH_ONLY
        profile = self._profiles.of(run.queue, run.fallbacks, run.outgrown)
        ti = _task_instance(run.workload)
        standby, cold_because = self._standby(run, ti, recovery)
        return Launch(
            run.run_id,
            run.label,
            partial(self._build, run.launch_id, run.workload, profile),
            cluster=_cluster(profile, ti.executor_config if ti is not None else None),
            container=profile.template.container,
            number=run.number,
            priority=_priority(run, ti),
            recovery=recovery,
            lane=None if recovery is Recovery.SEARCH_ONLY else profile.lane,
            launch_timeout=profile.launch_timeout,
            queue=run.queue or CALLBACKS,
            trace=ti.context_carrier if self._traced and ti is not None else None,
            room=profile.template.room(ti.executor_config if ti is not None else None),
            capacity_timeout=max(0.0, profile.capacity_timeout - self._waited(run)),
            standby=standby,
            cold_because=cold_because,
            claim=run.claim if standby is not None and not cold_because else None,
        )

    def _standby(self, run: Run, ti: TaskInstanceDTO | None, recovery: Recovery) -> tuple[str | None, str]:
        """Return the pool of a run's queue, and why its standbys may not serve the run; makes its claim if they may."""
        if not self._profiles.of(run.queue).standby or ti is None:
            return None, ""
        pool, why = pool_for(
            self._profiles, run.queue, ti.executor_config, fallbacks=run.fallbacks, outgrown=run.outgrown
        )
        if pool and (run.number > 1 or recovery is not Recovery.NONE):
            why = RELAUNCH
        elif pool and (self._ask is None or not run.id_committed):
            why = NO_RUN_ID
        if why:
            return pool_for(self._profiles, run.queue)[0], why
        if run.claim is None and self._ask is not None:
            run.claim = RowClaim(run.run_id, run.ti_id, run.try_number, self._job_id(), self._ask)
        return pool, ""

    def _waited(self, run: Run) -> float:
        """Return the seconds for which a run has waited for capacity already."""
        return 0.0 if run.waits_since is None else self._clock() - run.waits_since

    def watch_standby(self, run: Run, arn: str) -> Watch:
        """Make the order to watch a standby that may serve a run."""
        profile = self._profiles.of(run.queue, run.fallbacks, run.outgrown)
        found = TaskArn.parse(arn)
        cluster = (found.cluster if found is not None else None) or profile.template.cluster
        at = Launched(run.run_id, run.number, arn, cluster, profile.template.container)
        return replace(self.watch(run, at), listed=False)

    def watch(self, run: Run, at: Launched) -> Watch:
        """Make the order to watch a run's task, which was launched earlier."""
        profile = self._profiles.of(run.queue, run.fallbacks, run.outgrown)
        return Watch(
            run.run_id,
            run.label,
            at.arn,
            at.cluster,
            at.container,
            at.number,
            listed=not run.adopted_by_arn and at.arn != run.claimed,
            launch_timeout=profile.launch_timeout,
            queue=run.queue or CALLBACKS,
            room=replace(
                profile.template.room(None), cluster=at.cluster
            ),  # no more of its executor_config is known
        )

    def _build(self, launch_id: LaunchId, workload: Any, profile: Profile) -> Request:
        """Build the request, with a fresh token."""
        ti = _task_instance(workload)
        subject = ti.id if ti is not None else workload.callback.id
        lifetime = max(TOKEN_LIFETIME, self._queued_timeout, profile.launch_timeout + TOKEN_MARGIN)
        token = self._generator.generate(
            extras={"sub": str(subject), "scope": "workload"}, valid_for=lifetime
        )
        payload = workload.model_copy(update={"token": token}).model_dump_json()
        deliver = Delivery(self._bucket, str(launch_id), payload) if self._bucket else None
        executor_config = ti.executor_config if ti is not None else None
        try:
            facts = facts_of(workload, self._team, self._owners)
            request = profile.request(in_command(payload), executor_config, deliver=deliver, facts=facts)
        except InvalidRequestError as error:
            raise InvalidRequestError(error.problem, f"{error.remedy} {_RETRIES}") from None
        standby = payload.encode() if profile.standby else b""
        return replace(request, origin=partial(self._origin, profile, executor_config), workload=standby)

    def _origin(self, profile: Profile, executor_config: Any, member: str) -> str | None:
        """Return where a member of a task's request is set."""
        template = profile.template
        of_task = (Layer("executor_config", executor_config),) if executor_config else ()
        return origin_of(member, (*template.layers, *of_task), template.container, self._found)


def _task_instance(workload: Any) -> TaskInstanceDTO | None:
    """Return the task instance of a workload; None for a callback, and for a workload that wasn't read yet."""
    return workload.ti if isinstance(workload, ExecuteTask) else None


def _priority(run: Run, ti: TaskInstanceDTO | None) -> int:
    if run.is_callback:
        return CALLBACK_PRIORITY
    return ti.priority_weight if ti is not None else 0


def _cluster(profile: Profile, executor_config: object) -> str:
    """Return the cluster of a task, even if its request can't be built."""
    config = executor_config if isinstance(executor_config, Mapping) else {}
    named = [value for key, value in config.items() if fold(key) == "cluster" and isinstance(value, str)]
    return named[0] if named else profile.template.cluster
