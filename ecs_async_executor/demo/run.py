"""Runs the demo from start to end, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from ecs_async_executor.demo import display
from ecs_async_executor.demo.airflow_api import AirflowApi
from ecs_async_executor.demo.components import adopt_orphans, kill_leftovers, stop_all
from ecs_async_executor.demo.environment import USER, Home, Stage, whereabouts
from ecs_async_executor.demo.expectations import complaints
from ecs_async_executor.demo.home import free_ports, furnish, new_secrets
from ecs_async_executor.demo.interruption import Interrupted, Interruption
from ecs_async_executor.demo.local_ecs import LocalEcs
from ecs_async_executor.demo.observer import Observer
from ecs_async_executor.demo.processes import make_processes
from ecs_async_executor.demo.runner import Runner
from ecs_async_executor.demo.screen import LiveScreen, PlainScreen, Screen
from ecs_async_executor.errors import EcsAsyncError

if TYPE_CHECKING:
    from rich.console import Console

    from ecs_async_executor.demo.snapshot import Snapshot

_GRACE = 3.0  # seconds from SIGTERM to SIGKILL: we discard whatever they would still write


@dataclass(frozen=True)
class Options:
    """The command line's options. `timeout` is in seconds, from the start to the end of the last Dag run."""

    timeout: float = 300.0
    live: bool = True
    keep: bool = False
    keep_home: bool = False


def run(options: Options, console: Console) -> int:
    """Run the demo.

    Returns:
        0 if every task ended as its author expects, 1 if one didn't or the demo failed, 128 + n after signal n.
    """
    home = Home(Path(tempfile.mkdtemp(prefix="ecs-async-demo-")).resolve())
    interruption = Interruption()
    not_ours = psutil.Process().children(recursive=True)
    adopt_orphans()
    code = 1
    with interruption.noted():
        try:
            code = _run(options, console, home, interruption)
        except Interrupted as signal:
            console.print(f"Stopped by {signal}.")
            code = 128 + signal.number
        except EcsAsyncError as error:
            console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        finally:
            kill_leftovers(home.root, spare=not_ours)
            if code == 1 or options.keep_home:
                console.print(f"Logs are in {home.root}", markup=False, highlight=False, soft_wrap=True)
            else:
                shutil.rmtree(home.root, ignore_errors=True)
    return code


def _run(options: Options, console: Console, home: Home, interruption: Interruption) -> int:
    ports, secrets = free_ports(), new_secrets()
    stage = Stage(home, ports, secrets, _parallelism(), keep=options.keep)
    furnish(stage, os.environ)
    processes = make_processes(os.environ, stage)
    address = f"{ports.airflow_url} ({USER} / {secrets.password})"
    screen: Screen = LiveScreen(console) if options.live and console.is_terminal else PlainScreen(console)
    with ExitStack() as stack:
        stack.callback(stop_all, processes.everything, _GRACE)
        stack.callback(console.print, "Stopping everything ...")
        ecs = stack.enter_context(LocalEcs(ports.ecs_url))
        api = stack.enter_context(AirflowApi(ports.airflow_url, USER, secrets.password))
        runner = Runner(
            processes=processes,
            ecs=ecs,
            api=api,
            observer=Observer(home.database, ecs.tasks),
            screen=screen,
            interruption=interruption,
            address=address,
            timeout=options.timeout,
        )
        with screen:
            snapshot = runner.perform()
        code = _judge(snapshot, ecs, console)
        if options.keep:
            runner.start_long_run()
            console.print(
                whereabouts(stage, runner.run_ids, keeps_home=options.keep_home),
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
            with suppress(Interrupted):
                runner.keep()
    return code


def _judge(snapshot: Snapshot, ecs: LocalEcs, console: Console) -> int:
    """Print the summary and every deviation, and return the exit code."""
    console.print(display.summary(snapshot))
    console.print(display.LEGEND, style="dim", highlight=False)
    found = complaints(snapshot)
    for complaint in found:
        console.print(f"✗ {complaint.text}", style="red", markup=False, highlight=False, soft_wrap=True)
        for ecs_task in complaint.ecs_tasks:
            if ecs_task.exit_code != 0:
                console.print(
                    _last_words(ecs, ecs_task.short_id), markup=False, highlight=False, soft_wrap=True
                )
    if compared := display.warm_and_cold(snapshot):
        console.print(compared, highlight=False)
    if not found:
        console.print(display.verdict(snapshot), style="green", highlight=False)
    return 1 if found else 0


def _last_words(ecs: LocalEcs, ecs_task_id: str) -> str:
    try:
        lines = ecs.container_log(ecs_task_id, lines=8)
    except httpx.HTTPError as error:
        lines = [f"(no log: {error})"]
    return "\n".join(
        [f"  The last log lines of ECS task {ecs_task_id}:", *(f"    {line[:300]}" for line in lines)]
    )


def _parallelism() -> int:
    """Return the number of tasks at a time: each imports Airflow, which takes about two seconds of CPU."""
    return max(4, min(16, 4 * (os.cpu_count() or 1)))
