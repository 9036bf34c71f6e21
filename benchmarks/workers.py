"""Simulates what runs inside the containers of a simulated local ECS: `execute_workload`, and the API server it calls.

It follows what Airflow's own Execution API and `execute_workload` do. The API server grants a container's `/run` if its
task instance is queued; otherwise it refuses, and the container exits with an error. A container whose code has
finished reports success, then exits. One that dies earlier reports nothing.
"""

from __future__ import annotations

import math
import time
import uuid
from collections import Counter
from datetime import datetime, timezone
from typing import Any

from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from ecs_async_executor.local import Control

EXIT = 2.0
"""Seconds that a container lives on after its code has finished."""
LATE = 1.0
"""Results count only if no container waits longer than this, in seconds; no container may live shorter."""


class Workers:
    """The code in all containers. An ECS task's `group` says whose they are: `<task id>/<task instance's id>`.

    Tasks that have no such group belong to others.
    """

    def __init__(self, ecs: Control, work: float) -> None:
        """`work`: seconds that a task's code takes; the plan must let containers live for that and `EXIT`."""
        self._ecs = ecs
        self._work = work
        self._working: set[str] = set()
        self._over: set[str] = set()
        self._refused: set[str] = set()
        self.code_runs: Counter[str] = Counter()
        """How often user code was started, by task id."""
        self.containers = 0
        """How many were launched in all."""
        self.lateness = 0.0
        """The longest that a container has waited here, in seconds."""

    @property
    def idle(self) -> bool:
        """Whether no container lives."""
        return len(self._over) == self.containers

    def step(self) -> None:
        """Make every container do what is due."""
        tasks = [task for task in self._ecs.tasks() if "/" in task["group"]]
        self.containers = len(tasks)
        with create_session(scoped=False) as session:
            for task in tasks:
                if task["taskArn"] not in self._over:
                    self._serve(task, session)
        for task in tasks:
            if task["taskArn"] in self._refused:
                self._ecs.interrupt(task["taskArn"])  # stands for exit code 1: the plan's is 0
        self._refused.clear()

    def _serve(self, task: dict[str, Any], session: Session) -> None:
        arn = task["taskArn"]
        task_id, _, ti_id = task["group"].partition("/")
        started_at, stopping_at = task.get("startedAt", math.inf), task.get("stoppingAt", math.inf)
        if started_at < math.inf and arn not in self._working:
            self._note_lateness(started_at)
            if not _move(session, ti_id, "queued", "running"):
                self._over.add(arn)
                self._refused.add(arn)
                return
            self._working.add(arn)
            self.code_runs[task_id] += 1
        finished_at = started_at + self._work
        if finished_at <= min(time.time(), stopping_at):
            self._note_lateness(finished_at)
            _move(session, ti_id, "running", "success")
            self._over.add(arn)
        elif task["desiredStatus"] == "STOPPED":
            self._over.add(arn)

    def _note_lateness(self, due: float) -> None:
        self.lateness = max(self.lateness, time.time() - due)


def _move(session: Session, ti_id: str, old: str, new: str) -> bool:
    """Change the state of a row as the API server does: in one statement, and only if it was `old`."""
    now = datetime.now(timezone.utc)
    times = {"start_date": now, "last_heartbeat_at": now} if new == "running" else {"end_date": now}
    change = update(TaskInstance).where(TaskInstance.id == uuid.UUID(ti_id), TaskInstance.state == old)
    result = session.execute(change.values(state=new, **times))
    assert isinstance(result, CursorResult)  # noqa: S101  what an UPDATE gives
    return result.rowcount == 1
