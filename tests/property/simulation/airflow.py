"""Simulates Airflow as an executor sees it: rows, a scheduler's heartbeat, and the API server's answers to workers.

It follows airflow-core 3.3: the run id is committed with QUEUED, events for locked rows are dropped, and rows of dead
schedulers are adopted or reset.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstancekey import TaskInstanceKey

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.executor.rows.statements import Publication, Read
from ecs_async_executor.executor.setbacks import Setback, parse
from tests.support.workloads import task_workload

COLD = 0.3
"""Probability that a task's request is one of its own."""
LATE = 600.0
"""Seconds in which the first tasks are queued."""
HEARTBEAT_TIMEOUT = 300.0
ADOPTABLE = ("queued", "running", "restarting")


@dataclass(eq=False)
class TaskRow:
    """A task instance's row, and what really happened to its task."""

    name: str
    queue: str = "default"
    state: str | None = "scheduled"
    due_at: float = 0.0
    """When its upstream tasks are done, in seconds."""
    executor_config: Any = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    try_number: int = 1
    external_executor_id: str | None = None
    queued_by_job_id: int | None = None
    queued: int = 0
    """How often the task was queued."""
    deferrals: int = 0
    deaths: int = 0
    """Containers that died without reporting it while the task ran."""
    dead: bool = False
    """Its code has died, and Airflow doesn't know yet."""
    clears: int = 0
    marked: str = ""
    needs: int = 0
    """MiB without which its code is killed."""
    killed_at: int = 0
    """The MiB at which earlier tries were killed, as the Audit Log showed when it was queued."""
    last_heartbeat_at: float | None = None

    @property
    def key(self) -> TaskInstanceKey:
        return TaskInstanceKey("dag", self.name, "run", self.try_number, -1)

    @property
    def queueing(self) -> tuple[str, int, int]:
        """Identifies one queueing of one try."""
        return self.name, self.try_number, self.queued

    @property
    def over(self) -> bool:
        return self.state in {"success", "failed"}

    def workload(self) -> ExecuteTask:
        return task_workload(
            id=self.id,
            task_id=self.name,
            queue=self.queue,
            try_number=self.try_number,
            executor_config=self.executor_config,
            external_executor_id=self.external_executor_id,
        )

    def die(self) -> None:
        self.deaths += 1
        self.dead = True

    def next_try(self) -> None:
        self.dead = False
        self.id, self.try_number, self.state = uuid.uuid4(), self.try_number + 1, "scheduled"


class Airflow:
    """The database, and what core and the API server do to it."""

    def __init__(self, random: Random, queues: Iterable[str], now: Callable[[], float]) -> None:
        self.random = random
        self._now = now
        self.rows = [TaskRow(f"task{number}", queue) for number, queue in enumerate(queues)]
        for row in self.rows:
            row.needs = random.choice((1000, 3000, 6000)) if row.queue == "growing" else 0
            row.due_at = random.choice((0.0, random.uniform(0, LATE), random.uniform(0, LATE)))
            if row.queue == "default" and random.random() < COLD:
                row.executor_config = {"overrides": {"taskRoleArn": "arn:aws:iam::123456789012:role/own"}}
        self.audit_log: list[tuple[str, Setback]] = []
        """What the executors' events say about the launches of tasks, by task."""
        self.code_runs: Counter[tuple[str, int, int]] = Counter()
        """How often user code was started, by task, try and queueing."""
        self.resets = 0
        """Orphans that core gave a new try because no executor adopted them."""
        self.shown: dict[str, set[tuple[str, int, int]]] = {}
        """The queueings whose rows have shown each ARN."""
        self.wrongly_failed: list[str] = []
        """Tasks that an executor failed while their workers were alive."""

    def by_id(self, ti_id: Any) -> TaskRow | None:
        return next((row for row in self.rows if str(row.id) == str(ti_id)), None)

    # --- what the executor reads and writes ------------------------------------------------------------

    def read_rows(self, reads: Iterable[Read]) -> dict[str, Row]:
        found = {read.run_id: self.by_id(read.ti_id) or self._restarting(read) for read in reads}
        return {
            run_id: Row(
                row.state, row.try_number, row.external_executor_id, row.queued_by_job_id, self._age(row)
            )
            for run_id, row in found.items()
            if row is not None
        }

    def _age(self, row: TaskRow) -> float | None:
        return None if row.last_heartbeat_at is None else self._now() - row.last_heartbeat_at

    def _restarting(self, read: Read) -> TaskRow | None:
        rows = (row for row in self.rows if row.state == "restarting")
        return next((row for row in rows if row.external_executor_id in read.ids), None)

    def write_external_ids(self, publications: Iterable[Publication], locked: float) -> frozenset[str]:
        """Write to the rows that haven't changed since they were read, but for locked ones; return whose rows show theirs."""
        written = set()
        for publish in publications:
            row = self.by_id(publish.ti_id)
            if row is None:
                continue
            now = (row.try_number, row.queued_by_job_id, row.external_executor_id)
            is_as_read = now == (publish.try_number, publish.job_id, publish.instead_of)
            if is_as_read and row.state in {"queued", "running"} and self.random.random() >= locked:
                row.external_executor_id = publish.external_id
                self.shown.setdefault(publish.external_id, set()).add(row.queueing)
            if row.external_executor_id == publish.external_id:
                written.add(publish.run_id)
        return frozenset(written)

    def read_workloads(self, reads: Iterable[Read], _owners: object) -> dict[str, ExecuteTask]:
        found = {read.run_id: self.by_id(read.ti_id) for read in reads}
        return {run_id: row.workload() for run_id, row in found.items() if row is not None}

    def read_setbacks(self, reads: Iterable[Read]) -> dict[str, tuple[Setback, ...]]:
        return {read.run_id: tuple(self._setbacks(read.key.task_id)) for read in reads}

    def _setbacks(self, name: str) -> list[Setback]:
        return [setback for task, setback in self.audit_log if task == name]

    # --- what the scheduler does -----------------------------------------------------------------------

    def queue(self, job_id: int) -> list[ExecuteTask]:
        """Commit QUEUED and the run ids, and return the workloads."""
        rows = [row for row in self.rows if row.state == "scheduled" and row.due_at <= self._now()]
        for row in rows:
            row.state, row.queued_by_job_id, row.external_executor_id = "queued", job_id, str(uuid.uuid4())
            row.queued += 1
            kills = [each for each in self._setbacks(row.name) if each.try_number < row.try_number]
            row.killed_at = max((each.memory or 0 for each in kills), default=0)
        return [row.workload() for row in rows]

    def save_events(self, executor: BaseExecutor) -> None:
        """Write an executor's events to the Audit Log."""
        while executor._task_event_logs:
            log = executor._task_event_logs.popleft()
            if (setback := parse(log.event, log.try_number or 0, log.extra)) is not None:
                self.audit_log.append((str(log.task_id), setback))

    def process_events(self, executor: BaseExecutor, locked: float) -> None:
        """Process the events; those for locked rows are lost."""
        for key, (state, _) in executor.get_event_buffer().items():
            assert isinstance(key, TaskInstanceKey)
            row = next(row for row in self.rows if row.name == key.task_id)
            if self.random.random() < locked:
                continue
            if row.queued_by_job_id == executor.job_id and row.try_number == key.try_number:
                self._end(row, str(state))

    def without_heartbeats(self, job_id: int) -> list[TaskRow]:
        """Return the rows whose workers this scheduler takes for dead."""
        rows = [row for row in self.rows if row.queued_by_job_id == job_id]
        return [
            row
            for row in rows
            if row.state in {"running", "restarting"} and (self._age(row) or 0) > HEARTBEAT_TIMEOUT
        ]

    def _end(self, row: TaskRow, state: str) -> None:
        if row.state == "running" and not row.dead:
            self.wrongly_failed.append(f"{row.name}, try {row.try_number}: {state}")
        if (
            row.state == "running"
            or (state == "failed" and row.state == "queued")
            or row.state == "restarting"
        ):
            row.next_try()

    def orphans(self, living: Iterable[int]) -> list[Any]:
        """Return the rows of dead schedulers, as core passes them to an executor."""
        dead = [
            row for row in self.rows if row.state in ADOPTABLE and row.queued_by_job_id not in set(living)
        ]
        return [
            SimpleNamespace(
                id=row.id,
                dag_id="dag",
                task_id=row.name,
                run_id="run",
                map_index=-1,
                try_number=row.try_number,
                state=row.state,
                queue=row.queue,
                external_executor_id=row.external_executor_id,
                key=row.key,
                row=row,
            )
            for row in dead
        ]

    def adopt(self, orphan: Any, job_id: int) -> None:
        orphan.row.queued_by_job_id = job_id

    def reset(self, orphan: Any) -> None:
        self.resets += 1
        orphan.row.next_try()

    # --- what users do ---------------------------------------------------------------------------------

    def interfere(self) -> None:
        """Clear or mark a task, as the UI does; the executor isn't told."""
        row = self.random.choice(self.rows)
        if row.state not in ADOPTABLE:
            return
        if row.dead:
            row.deaths, row.dead = row.deaths - 1, False  # the user acts before Airflow notices the death
        if self.random.random() < 0.3:
            row.clears -= row.state == "restarting"  # marked before it could run again
            row.marked = row.state = self.random.choice(("success", "failed"))
        elif row.state == "queued":
            row.clears += 1
            row.next_try()
        elif row.state == "running":
            row.clears += 1
            row.id, row.state = uuid.uuid4(), "restarting"

    # --- what the API server tells workers -------------------------------------------------------------

    def start_code(self, ti_id: str) -> TaskRow | None:
        """PATCH /run: return the row whose code may start now; None stands for 404 or 409."""
        row = self.by_id(ti_id)
        if row is None or row.state not in {"queued", "restarting"}:
            return None
        row.state, row.last_heartbeat_at = "running", self._now()
        self.code_runs[row.queueing] += 1
        return row

    def is_running(self, row: TaskRow, ti_id: str) -> bool:
        """Answer a worker's heartbeat; False stands for 409 or 410."""
        if str(row.id) != ti_id or row.state != "running":
            return False
        row.last_heartbeat_at = self._now()
        return True

    def end_code(self, row: TaskRow, ti_id: str, outcome: str) -> None:
        """PATCH /state."""
        if not self.is_running(row, ti_id):
            return
        if outcome == "deferred":
            row.deferrals += 1
            row.state = "scheduled"  # the trigger has fired already
        else:
            row.state = outcome
