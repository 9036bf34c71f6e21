"""One case of the fault matrix: one executor, one fault, and how the tasks ended."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.models import Log
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG, BaseOperator
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from benchmarks.airflow_rows import create_run, store_dag, task_instances
from benchmarks.scheduler_process import Gauge, scheduler
from benchmarks.workers import EXIT, LATE, Workers
from ecs_async_executor.local import Control

LATENCY = {"*": [0.04, 0.02]}
"""Latency of every call, in seconds."""
PHASES = {"pull": 0.2, "activating": 0.2, "deprovisioning": 0.2}
"""Phases of an ECS task's life, in seconds: short, because only their order matters here."""
FINAL = ("success", "failed")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with ECS, and how the tasks must end all the same."""

    name: str
    says: str
    seconds: float = math.inf
    """How long it lasts."""
    fault: dict[str, Any] = field(default_factory=dict)
    """A fault of the local ECS."""
    each: bool = False
    """Whether it strikes only the first container of each task."""
    plan: dict[str, Any] = field(default_factory=dict)
    """The local ECS's plan for the first container of each task."""
    conditions: dict[str, Any] = field(default_factory=dict)
    """Conditions of the local ECS."""
    work: float = 2.0
    """Seconds that a task's code takes."""
    starts: int = 0
    """How many of a task's containers end before its code runs."""
    deaths: int = 0
    """How often a task's code dies, and how many retries it has."""
    fails: bool = False
    """Whether the tasks can't run at all: they must fail, with the reason."""
    told: str = ""
    """Words of AWS's own reason, which Airflow's Audit Log must show for a death or failure."""

    @property
    def containers(self) -> int:
        """How many containers a task needs."""
        return 0 if self.fails else 1 + self.starts + self.deaths


@dataclass(frozen=True, slots=True)
class FaultCase:
    """The result. Every task is right or wrong."""

    fault: str
    executor: str
    tasks: int
    right: int
    wrong: int
    containers: int
    containers_needed: int
    longest_heartbeat_ms: float
    seconds: float
    """Until everything had ended, or the time was up."""
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all cases share."""

    ecs: Control
    tasks: int
    limit: float
    """Seconds that a case may take."""
    logs: Path
    """A folder for the schedulers' logs."""


def run_case(fault: Fault, executor: str, bench: Bench) -> FaultCase:
    """Run a scheduler with tasks while ECS has this fault, until all have finished or the time is up."""
    ecs, tasks = bench.ecs, bench.tasks
    _forget_all()
    ecs.reset()
    first = [{"environment": {"TASK": _name(number)}} for number in range(tasks)]
    rules = [{**task, "nth": 1, **fault.plan} for task in first] if fault.plan else []
    ecs.set_plan(*rules, **{"duration": fault.work + EXIT, **PHASES})
    ecs.set_conditions(latency=LATENCY)
    store_dag(_dag(fault, tasks))
    create_run(fault.name)
    workers = Workers(ecs, fault.work)
    with scheduler(executor, bench.logs / f"{fault.name}-{executor}.log") as gauge:
        faults = [fault.fault] if fault.fault else []
        if fault.each:
            faults = [{**fault.fault, **task, "times": 1} for task in first]
        ecs.set_conditions(**fault.conditions, faults=faults)
        gauge.go.set()
        seconds = _run(fault, bench, workers, gauge)
    return _judge(fault, executor, workers, gauge, seconds)


def _run(fault: Fault, bench: Bench, workers: Workers, gauge: Gauge) -> float:
    """Simulate the workers until nothing is left to do; return the seconds it took."""
    begun = time.monotonic()
    lift_after = fault.seconds
    while (elapsed := time.monotonic() - begun) < bench.limit:
        if elapsed >= lift_after:
            bench.ecs.set_conditions(faults=[])
            lift_after = math.inf
        workers.step()
        finished = all(ti.state in FINAL for ti in task_instances())
        if workers.idle and (gauge.crash or (finished and not gauge.slots)):
            break
        time.sleep(0.1)
    return elapsed


def _judge(fault: Fault, executor: str, workers: Workers, gauge: Gauge, seconds: float) -> FaultCase:
    rows = task_instances()
    wrongs = Counter(filter(None, (_what_is_wrong(fault, ti, workers) for ti in rows)))
    notes = [f"{count} {what}" for what, count in wrongs.most_common()]
    unfinished = sum(ti.state not in FINAL for ti in rows)
    if gauge.crash:
        notes.append(f"the scheduler crashed: {gauge.crash}")
    elif gauge.slots > unfinished:
        notes.append(f"{gauge.slots - unfinished} slots still taken")
    if fault.deaths and (silent := sum(not _was_told(fault, ti) for ti in rows)):
        notes.append(f"{silent} deaths unexplained")
    if workers.lateness > LATE:
        notes.append(f"NOT VALID: the benchmark itself was {workers.lateness:.1f} s late")
    return FaultCase(
        fault=fault.name,
        executor=executor,
        tasks=len(rows),
        right=len(rows) - wrongs.total(),
        wrong=wrongs.total(),
        containers=workers.containers,
        containers_needed=len(rows) * fault.containers,
        longest_heartbeat_ms=round(gauge.longest_heartbeat * 1000, 1),
        seconds=round(seconds, 1),
        notes=notes,
    )


def _what_is_wrong(fault: Fault, ti: TaskInstance, workers: Workers) -> str:
    """Say what is wrong with a task; nothing if its state, tries and code runs are as expected."""
    runs = workers.code_runs[ti.task_id]
    if ti.state not in FINAL:
        return f"unfinished ({ti.state})"
    if ti.state != ("failed" if fault.fails else "success"):
        return f"{ti.state}" if runs else f"{ti.state}, never ran"
    if runs != (0 if fault.fails else 1 + fault.deaths):
        return f"ran {runs} times"
    if ti.try_number != 1 + fault.deaths:
        return f"used {ti.try_number} tries"
    if fault.fails and not _was_told(fault, ti):
        return "failed unexplained"
    return ""


def _was_told(fault: Fault, ti: TaskInstance) -> bool:
    """Tell whether the task's Audit Log shows the reason."""
    with create_session(scoped=False) as session:
        said = session.scalars(select(Log.extra).filter_by(dag_id=ti.dag_id, task_id=ti.task_id)).all()
    return any(fault.told in (extra or "") for extra in said)


def _dag(fault: Fault, tasks: int) -> DAG:
    with DAG(fault.name, schedule=None, max_active_tasks=tasks) as dag:
        for number in range(tasks):
            BaseOperator(task_id=_name(number), retries=fault.deaths, retry_delay=timedelta())
    return dag


def _name(number: int) -> str:
    return f"task_{number}"


def _forget_all() -> None:
    with create_session(scoped=False) as session:
        for model in (TaskInstance, DagRun, Log):
            session.execute(delete(model))
