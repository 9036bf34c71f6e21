"""The executor: a thin shim between the scheduler, which it must never delay, and the engine.

Everything here runs in the scheduler's thread. No method that the scheduler calls waits for AWS, and none
raises (except `start()`, which rejects an invalid configuration before the executor accepts any task).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.executors.base_executor import BaseExecutor
from sqlalchemy.orm.attributes import set_committed_value
from typing_extensions import assert_never

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.reading import origin
from ecs_async_executor.config.sources import team_of
from ecs_async_executor.errors import ConfigurationError, OptionsError, print_without_traceback
from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor import airflow_compat
from ecs_async_executor.executor.connection import resolve_connection
from ecs_async_executor.executor.interpreter import restore, tune
from ecs_async_executor.executor.parts import Parts, build
from ecs_async_executor.executor.rows.statements import read_left_out
from ecs_async_executor.executor.run_factory import make_orphaned_run, make_run
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.messages import (
    CheckHealth,
    EngineDied,
    EngineStatus,
    HealthChecked,
    KeepStandbys,
    Paused,
    Report,
    Resumed,
    RunReport,
    StandbysOff,
)
from ecs_async_executor.metrics import SYNC_TIME

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session


SYNC_SECONDS = 0.005
"""Seconds one heartbeat may spend on reports, and again on decisions, per second since the last heartbeat."""

STATUS_CLOSE_SECONDS = 1.0
"""Seconds that `end()` waits for a status that is just being written."""


class AsyncEcsExecutor(BaseExecutor):
    """Runs every task as its own ECS task, without ever blocking the scheduler."""

    supports_callbacks: bool = airflow_compat.CAN_RUN_CALLBACKS
    supports_multi_team: bool = True
    supported_workload_types: ClassVar[frozenset[Any]] = airflow_compat.supported_workload_types()
    # Core commits a UUID together with QUEUED: the run id, which leads to the ECS task after any crash.
    pre_assigns_external_executor_id: ClassVar[bool] = True

    # Set from start() to end(). `__init__` does nothing: API servers create executors only to read logs.
    _parts: Parts | None = None
    _synced_at: float = 0.0
    _unsaved_events: Sequence[Any] = ()

    def start(self) -> None:
        """Check the configuration, resolve the connection, start the engine; raise `ConfigurationError`."""
        try:
            configuration = read_configuration(self.conf)
            settings = configuration.settings
            option = origin("conn_id", configuration.found, team_of(self.conf))
            connect = resolve_connection(settings.conn_id, settings.region_name, option)
        except ConfigurationError as error:
            refusal = (
                OptionsError(error.problems, of_start=True) if isinstance(error, OptionsError) else error
            )
            print_without_traceback(refusal)
            raise refusal.with_traceback(None) from None
        for warning in configuration.warnings:
            self.log.warning(warning)
        parts = build(self, configuration, connect)
        parts.engine.start()
        if configuration.standby_pools:
            parts.claims.start()
            parts.engine.submit([KeepStandbys(configuration.standby_pools)])
        parts.monitor.start(parts.reconciler.runs)
        self._parts = parts
        tune()
        if settings.check_health_on_startup:
            clusters = {each.template.cluster for each in configuration.profiles}
            parts.engine.submit(CheckHealth(name) for name in sorted(clusters))
        self.log.info("AsyncEcsExecutor runs tasks on the ECS cluster %s.", settings.cluster)
        for pool in configuration.standby_pools:
            self.log.info(
                "It keeps %d on standby for the queue %s (docs/warm-start.md).", pool.count, pool.queue
            )

    def order_queued_tasks_by_priority(self) -> list[Any]:
        """Sort by priority, highest first; core before 3.3 sorts it last."""
        return sorted(self.queued_tasks.items(), key=lambda item: item[1].ti.priority_weight, reverse=True)

    def queue_workload(self, workload: Any, session: Session) -> None:
        """Queue a workload, and note the owners of its Dag, whose row the scheduler has just loaded: for tags."""
        super().queue_workload(workload, session)
        if self._parts is not None:
            try:
                self._parts.owners.note_workload(workload, session)
            except Exception:
                self.log.exception("Can't note the owners of a Dag; a tag may lack them.")

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        runs = []
        for workload in workload_items:
            try:
                runs.append(self._make_run(workload))
            except Exception as error:
                self.log.exception("Can't take in a workload of type %s", type(workload).__name__)
                self._refuse(workload, f"The executor can't take it in: {type(error).__name__}.")
        if self._parts is None:
            return
        for run, why in self._parts.reconciler.accept(runs):
            self._refuse(run.workload, f"The executor can't take it in: {type(why).__name__}.")

    def sync(self) -> None:
        """Handle the engine's reports and the database's answers, and tell Airflow what they mean."""
        if self._parts is None:
            return
        reconciler, engine = self._parts.reconciler, self._parts.engine
        try:
            now = time.monotonic()
            budget = SYNC_SECONDS * min(max(now - self._synced_at, 1.0), 10.0)
            self._synced_at = now
            while reports := engine.drain():
                for report in reports:
                    self._note(report, self._parts)
                if time.monotonic() - now > budget:
                    break
            reconciler.decide(budget)
        except Exception:  # noqa: BLE001  it is logged, with its traceback
            text = "sync() failed; what it left is taken up at the next heartbeat."
            reconciler.task_events.exception("sync", text)
        try:
            self._parts.monitor.scheduler.time(SYNC_TIME, time.monotonic() - self._synced_at)
            self._parts.status.tick()
        except Exception:  # noqa: BLE001  as above
            reconciler.task_events.exception("status", "The fleet page doesn't get this scheduler's status.")
        # Core (as of 3.3.2) passes its event log's rows to SQLAlchemy in a generator, so they can be garbage
        # collected before SQLAlchemy writes them. This keeps them alive until then.
        self._unsaved_events = list(self._task_event_logs)

    def try_adopt_task_instances(self, tis: Sequence[TaskInstance]) -> Sequence[TaskInstance]:
        """Adopt the tasks of a scheduler that is gone; return those that can't be adopted, which core resets.

        The rows are locked, so this method doesn't ask AWS: the engine finds out later whether a task lives.
        It may raise `OperationalError`: core then rolls back and calls it again.
        """
        if self._parts is None:
            return tis
        profiles = self._parts.configuration.profiles
        left_out = read_left_out([ti.id for ti in tis])
        runs: list[Run] = []
        rest: list[TaskInstance] = []
        for ti in tis:
            try:
                for name, value in left_out[ti.id].items():
                    set_committed_value(ti, name, value)  # otherwise each costs a query
                run = make_orphaned_run(self, ti, profiles)
            except Exception:
                self.log.exception("Can't adopt a task.")
                run = None
            if run is None:
                rest.append(ti)
            else:
                runs.append(run)
        try:
            self._parts.reconciler.adopt(runs)
        except Exception:
            self.log.exception("Can't adopt tasks.")
            return tis
        self.log.info(
            "Adopted %d tasks of a scheduler that is gone; %d leave no trace, and Airflow starts them again.",
            len(runs),
            len(rest),
        )
        return rest

    def change_state(self, key: Any, state: Any, info: Any = None, remove_running: bool = True) -> None:  # noqa: FBT001, FBT002  the base class's signature
        """Record an event; if it ends a task whose container lives (heartbeats timed out), stop that."""
        super().change_state(key, state, info, remove_running)
        if self._parts is not None and str(state) in {"failed", "success"}:
            try:
                self._parts.reconciler.ended_by_airflow(key)
            except Exception:
                self.log.exception("Can't stop a task that Airflow has ended.")

    def revoke_task(self, *, ti: TaskInstance) -> None:
        """Drop a task stuck in QUEUED, send no event, and stop its container; core requeues the task."""
        try:
            key: Any = airflow_compat.key_of_row(self, ti)
            airflow_compat.pop_queued(self, key)
            if self._parts is not None:
                self._parts.reconciler.revoke(key)
            self.running.discard(key)
        except Exception:
            self.log.exception("Can't revoke a task.")

    def end(self) -> None:
        """Shut down within `shutdown_timeout` and a few seconds, plus the time to write the last ARNs.

        Containers keep running.
        """
        parts, self._parts = self._parts, None
        if parts is None:
            return
        timeout = parts.configuration.settings.shutdown_timeout
        until = time.monotonic() + timeout
        try:
            for report in parts.engine.close(timeout):
                self._note(report, parts)
        except Exception:
            self.log.exception("The engine did not close properly.")
        restore()
        try:
            parts.claims.close(max(1.0, until - time.monotonic()))
        except Exception:
            self.log.exception("The thread that assigns standbys did not end properly.")
        try:
            if not parts.database.close(max(1.0, until - time.monotonic())):
                raise TimeoutError("the database does not answer")  # noqa: TRY301  logged like the others
            if unwritten := parts.reconciler.publish_rest():
                self.log.warning("%d ARNs could not be written: their rows are locked.", unwritten)
        except Exception:
            self.log.exception(
                "The last ARNs could not be written; the next scheduler finds these tasks by their run id."
            )
        try:
            parts.status_thread.close(STATUS_CLOSE_SECONDS)
        except Exception:
            self.log.exception("The thread of the fleet page's status did not end properly.")
        try:
            parts.monitor.close()
        except Exception:
            self.log.exception("The threads that send metrics did not end properly.")
        self.log.info("AsyncEcsExecutor has ended; its ECS tasks were not stopped.")

    def get_task_log(self, ti: TaskInstance, try_number: int) -> tuple[list[str], list[str]]:
        """Return where a running task's container logs, and its last lines; the API server's log page calls this."""
        from ecs_async_executor.logs.task_log import read_task_log  # noqa: PLC0415  the scheduler needs none of it

        return read_task_log(self.conf, ti, try_number)

    def terminate(self) -> None:
        """Do the same as `end()`: a scheduler that exits is no reason to kill tasks."""
        self.end()

    def debug_dump(self) -> None:
        """Log the executor's state, on SIGUSR2."""
        super().debug_dump()  # type: ignore[no-untyped-call]  # Airflow's
        if self._parts is None:
            return
        try:
            self.log.info("%s %s", self._parts.monitor.summary(), self._parts.status.summary())
            self._parts.reconciler.debug_dump()
            self._parts.engine.debug_dump()
        except Exception:
            self.log.exception("Can't dump the state.")

    def _make_run(self, workload: Any) -> Run:
        if self._parts is None:
            raise RuntimeError("the executor was not started")
        run = make_run(self, workload)
        if self._parts.reconciler.knows(run.run_id):
            run = make_run(self, workload, stale_id=True)
        airflow_compat.pop_queued(self, run.key)
        self.running.add(run.key)
        warning = None if run.is_callback else self._parts.configuration.profiles.warning_for(run.queue)
        if warning is not None:
            self._parts.reconciler.task_events.record(run, EventName.UNKNOWN_QUEUE, warning)
        return run

    def _refuse(self, workload: Any, why: str) -> None:
        try:
            key = airflow_compat.key_of(self, workload)
            airflow_compat.pop_queued(self, key)
            self.fail(key, why)  # type: ignore[arg-type]  # one of the base class's keys
        except Exception:
            self.log.exception("Can't refuse it either.")

    def _note(self, report: Report, parts: Parts) -> None:
        match report:
            case RunReport():
                parts.reconciler.note(report)
            case EngineStatus():
                parts.status.note(report)
            case Paused():
                parts.status.note(report)
                self.log.error("AWS can't be used; all tasks are kept. %s", report.diagnosis)
            case Resumed():
                parts.status.note(report)
                self.log.info("AWS answers again.")
            case HealthChecked(diagnosis=None):
                self.log.info("Health check: the cluster answers. The rest is checked at the first launch.")
            case HealthChecked():
                self.log.error("Health check: tasks can't run. %s", report.diagnosis)
            case StandbysOff():
                self.log.error(
                    "The standbys of %s rest: its tasks start cold. %s", report.pool, report.diagnosis
                )
            case EngineDied():
                parts.status.engine_died()  # the engine's supervisor has logged it, and starts a new one
            case _:
                assert_never(report)
