"""Runs the same tasks with AwsEcsExecutor and with AsyncEcsExecutor, through every fault of the local ECS.

The scheduler is Airflow's own, in a separate process, with a database. ECS and the code in its containers are
simulated. A task is right if it succeeds, its code ran once per try that Airflow counts, and it lost a try only where
its code died. Where AWS refuses for good, it is right if it fails and Airflow shows the reason. A task that hasn't
finished in time is wrong, although Airflow's own timeouts (300 and 600 s) may repair it later.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import shutil
from itertools import product
from pathlib import Path

import structlog

from benchmarks.airflow_home import HOME, make_database

# isort: split
from rich.console import Console
from rich.table import Table

from benchmarks.command import new_folder, parse
from benchmarks.fault_case import Bench, Fault, FaultCase, run_case
from benchmarks.scheduler_process import EXECUTORS
from benchmarks.sizes import FAULTS as SIZES
from ecs_async_executor.local import Options, serve_in_process

FAULTS = (
    Fault("none", "nothing is wrong"),
    # --- calls that fail for a while ---
    Fault("throttle", "every call, for 25 s", 25, {"kind": "throttle"}),
    Fault(
        "disguised_throttle",
        "EC2's, of RunTask, for 30 s",
        30,
        {"kind": "disguised_throttle", "action": "RunTask"},
    ),
    Fault("throttling", "AWS's own rate limits", conditions={"throttling": True}),
    Fault("server_error", "every call, for 25 s", 25, {"kind": "server_error"}),
    Fault("expired_credentials", "every call, for 15 s", 15, {"kind": "expired_credentials"}),
    Fault("access_denied", "every call, for 15 s", 15, {"kind": "access_denied"}),
    Fault(
        "describe_denied",
        "DescribeTasks, for 25 s",
        25,
        {"kind": "access_denied", "action": "DescribeTasks"},
    ),
    # --- answers that don't say what was done ---
    Fault(
        "lost_response",
        "RunTask, for 15 s",
        15,
        {"kind": "lost_response", "action": "RunTask"},
    ),
    Fault(
        "late_response",
        "RunTask, 12 s late, 3 times",
        fault={"kind": "late_response", "action": "RunTask", "seconds": 12, "times": 3},
    ),
    Fault("empty_answer", "RunTask, 10 times", fault={"kind": "empty_answer", "times": 10}),
    Fault("malformed_task", "DescribeTasks, for 25 s", 25, {"kind": "malformed_task"}),
    Fault("consistency_lag", "3 s; the tasks take 45 s", conditions={"consistency_lag": 3}, work=45),
    # --- no room ---
    Fault("capacity", "none for 30 s", 30, {"kind": "capacity"}),
    Fault("task_limit", "reached for 30 s", 30, {"kind": "task_limit", "action": "RunTask"}),
    Fault(
        "provisioning_limit",
        "reached for 30 s",
        30,
        {"kind": "error", "action": "RunTask", "reason": "Tasks provisioning capacity limit exceeded."},
    ),
    # --- starts that fail: they cost no try ---
    Fault(
        "start_failure",
        "no image at the first start",
        fault={"kind": "start_failure"},
        each=True,
        starts=1,
    ),
    Fault(
        "spot_before_start",
        "at the first start",
        fault={"kind": "spot_before_start", "seconds": 0.1},
        each=True,
        starts=1,
    ),
    # --- deaths of running code: they cost one try ---
    Fault(
        "spot_interruption",
        "in the first try",
        fault={"kind": "spot_interruption", "seconds": 1},
        each=True,
        deaths=1,
        told="Spot",
    ),
    Fault(
        "host_terminated",
        "in the first try",
        fault={"kind": "host_terminated", "seconds": 1},
        each=True,
        deaths=1,
        told="terminated",
    ),
    Fault(
        "out_of_memory",
        "in the first try",
        plan={"duration": 1, "exit_code": 137, "reason": "OutOfMemoryError: container killed"},
        deaths=1,
        told="OutOfMemory",
    ),
    # --- ends that only look bad ---
    Fault("sidecar_exit", "with 137", fault={"kind": "sidecar_exit", "exit_code": 137}),
    # --- what no executor can mend ---
    Fault(
        "run_task_denied",
        "for good",
        fault={"kind": "access_denied", "action": "RunTask"},
        fails=True,
        told="is not authorized",
    ),
    Fault(
        "blocked",
        "for good",
        fault={"kind": "blocked", "action": "RunTask"},
        fails=True,
        told="currently blocked",
    ),
    Fault(
        "error",
        "inactive task definition",
        fault={"kind": "error", "action": "RunTask", "reason": "TaskDefinition is inactive"},
        fails=True,
        told="TaskDefinition is inactive",
    ),
)


def main() -> None:
    """Run the matrix, print the table."""
    arguments = parse("faults", __doc__, SIZES, add_own=_add_own)
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    make_database()
    chosen = [fault for fault in FAULTS if not arguments.only or fault.name in arguments.only]
    logs = arguments.logs or Path(HOME.name)
    logs.mkdir(parents=True, exist_ok=True)
    console = Console(width=min(120, shutil.get_terminal_size((120, 50)).columns))
    cases: list[FaultCase] = []
    try:
        with serve_in_process(Options(runtime="simulated", seed=1)) as ecs, console.status("") as status:
            os.environ["AWS_ENDPOINT_URL_ECS"] = ecs.endpoint_url
            bench = Bench(ecs, arguments.tasks, arguments.limit, logs)
            for fault, executor in product(chosen, EXECUTORS):
                status.update(f"{fault.name} ({fault.says}): {executor}")
                cases.append(run_case(fault, executor, bench))
                if arguments.json:
                    _write(cases, arguments.json)
    finally:  # what was measured is not lost
        console.print(_table(chosen, cases, arguments))


def _write(cases: list[FaultCase], path: Path) -> None:
    path.write_text(json.dumps([dataclasses.asdict(case) for case in cases], indent=2) + "\n", "utf-8")


def _add_own(parser: argparse.ArgumentParser) -> None:
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--logs", type=new_folder, metavar="FOLDER", help="keep the schedulers' logs there")


def _table(faults: list[Fault], cases: list[FaultCase], arguments: argparse.Namespace) -> Table:
    table = Table(
        title=f"{arguments.tasks} tasks in each case",
        caption=f"containers: launched / needed; unfinished: not within {arguments.limit:.0f} s",
    )
    for column in (
        "fault",
        "executor",
        "containers",
        "right",
        "wrong",
        "longest\nheartbeat",
        "took",
        "notes",
    ):
        left = column in {"fault", "executor", "notes"}
        table.add_column(column, justify="left" if left else "right", no_wrap=column != "notes")
    for fault in faults:
        labels = (f"[bold]{fault.name}[/bold]", f"[dim]{fault.says}[/dim]")
        of_fault = [case for case in cases if case.fault == fault.name]
        for label, case in zip(labels, of_fault, strict=False):  # the run may have broken off in between
            table.add_row(label, *_row(case))
        table.add_section()
    return table


def _row(case: FaultCase) -> tuple[str, ...]:
    return (
        case.executor,
        f"{case.containers} / {case.containers_needed}",
        str(case.right),
        f"[red]{case.wrong}[/red]" if case.wrong else "0",
        f"{case.longest_heartbeat_ms:,.0f} ms",
        f"{case.seconds:.0f} s",
        "; ".join(case.notes),
    )


if __name__ == "__main__":
    main()
