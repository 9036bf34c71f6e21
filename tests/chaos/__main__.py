"""`python -m tests.chaos`: kill the scheduler again and again, and see that every task runs exactly once."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from ecs_async_executor.demo.components import adopt_orphans, kill_leftovers
from ecs_async_executor.demo.interruption import Interrupted, Interruption
from tests.chaos.airflow import Airflow, Setting, airflow
from tests.chaos.debug_report import debug_report
from tests.chaos.kill_plan import ALL, plan_kills
from tests.chaos.observations import Container, Observations, StandbyCounts
from tests.chaos.report import Verdict, judge
from tests.chaos.scheduler_killer import LifeCycles, OutOfTimeError, SchedulerKiller

# Seconds for the last containers to end, once Airflow has nothing left to do: with standbys, until the lease of a killed
# scheduler has run out (180 s, light ones: a tenth), they have looked at it (30 s), and their ECS tasks have ended.
_LAST_CONTAINERS, _LAST_STANDBYS, _LAST_LIGHT_STANDBYS = 15.0, 230.0, 40.0


@dataclass(frozen=True)
class Result:
    """A whole run of it."""

    tasks: int
    lives: LifeCycles
    verdict: Verdict
    failed_starts: int
    refusals: int
    standbys: StandbyCounts
    seconds: float
    complaints: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The report, as a table."""
        verdict, lives = self.verdict, self.lives
        for name, value in (
            ("tasks", self.tasks),
            ("schedulers killed", lives.kills.total()),
            *((f"  {place}", count) for place, count in sorted(lives.kills.items())),
            ("  of these with SIGTERM", lives.leaves),
            ("  frozen and thawed before", lives.freezes),
            ("schedulers that ended by themselves", len(lives.crashes)),
            ("processes that outlived their scheduler", len(lives.orphans)),
            ("launches refused for lack of capacity", self.refusals),
            ("containers that failed to start", self.failed_starts),
            ("other containers per queueing, at most", verdict.containers_per_queueing),
            ("containers alive at once per queueing, at most", verdict.alive_at_once),
            ("user-code runs per try, at most", verdict.runs_per_try),
            ("wrong end states", verdict.wrong_ends),
            ("containers stopped by a scheduler", verdict.stopped_containers),
            ("containers left running", verdict.live_containers),
            ("user-code runs", self.standbys.all),
            ("  of these warm, in a standby", self.standbys.warm),
            ("  standbys started", self.standbys.started),
            ("  reclaimed while they waited", self.standbys.reclaimed),
            ("  stopped by a scheduler while they waited", self.standbys.stopped),
            ("  ended by themselves without a task", self.standbys.left),
            ("seconds", round(self.seconds)),
        ):
            yield f"{name:<48}{value:>6}"

    @property
    def is_good(self) -> bool:
        """Whether the executor has kept its promise, and the test has put it to the proof."""
        return not self.complaints and not self.verdict.violations


def main(argv: list[str] | None = None) -> int:
    """Run it.

    Returns:
        0 if every task was started once, ran once and ended as it must, 1 if not, 128 + n after signal n.
    """
    options = _parser().parse_args(argv)
    root = Path(tempfile.mkdtemp(prefix="ecs-async-chaos-")).resolve()
    interruption = Interruption()
    not_ours = psutil.Process().children(recursive=True)
    adopt_orphans()
    code = 1
    with interruption.noted():
        try:
            code = _run(options, root, interruption)
        except Interrupted as signal:
            _say(f"Stopped by {signal}.")
            code = 128 + signal.number
        finally:
            kill_leftovers(root, spare=not_ours)
            if code == 1 or options.keep:
                _say(f"Logs are in {root}")
            else:
                shutil.rmtree(root, ignore_errors=True)
    return code


def _run(options: argparse.Namespace, root: Path, interruption: Interruption) -> int:
    began = time.monotonic()
    setting = Setting(
        tasks=options.tasks,
        parallelism=options.parallelism,
        seconds=tuple(options.seconds),
        worker=options.worker,
        seed=options.seed,
        standbys=options.standbys,
        calm=options.calm,
        # So that some always wait for room. Where tasks wait, no standby is kept: with standbys, there is room for all.
        room=options.parallelism + options.standbys
        if options.standbys
        else max(1, options.parallelism * 2 // 3),
    )
    _say(f"seed {options.seed}")
    with airflow(root, setting) as running:
        _say(f"Airflow is ready after {time.monotonic() - began:.0f} s")
        rng = random.Random(options.seed)  # noqa: S311  it shall be repeatable
        killer = SchedulerKiller(
            running,
            plan_kills(
                rng, kills=options.kills, freezes=options.freezes, life=options.life, places=options.at or ALL
            ),
            schedulers=options.schedulers,
            timeout=options.timeout,
            check=interruption.check,
            say=_say,
        )
        complaints = []
        try:
            killer.reap()
        except OutOfTimeError as error:
            complaints.append(str(error))
        lives = killer.lives
        complaints += [*lives.crashes, *lives.orphans]
        if lives.kills.total() < options.kills:
            complaints.append(
                f"All was over after {lives.kills.total()} of {options.kills} kills: more tasks!"
            )
        result = _judge(setting, running, lives, time.monotonic() - began, tuple(complaints))
    return _report(result, options)


def _judge(
    setting: Setting, running: Airflow, lives: LifeCycles, seconds: float, complaints: tuple[str, ...]
) -> Result:
    last_standbys = _LAST_LIGHT_STANDBYS if setting.worker == "light" else _LAST_STANDBYS
    deadline = time.monotonic() + (last_standbys if setting.standbys else _LAST_CONTAINERS)
    while True:
        ecs_tasks = running.ecs.tasks()
        containers = [Container.of(task) for task in ecs_tasks]
        if all(each.stopped for each in containers) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    database = running.database
    found = Observations(containers, running.journal, database.queueings(), database.ends())
    verdict = judge(setting.tasks, found)
    explained = set()
    for violation in verdict.violations:
        _say(f"✗ {violation.task}: {violation.what}")
        if violation.task is None or violation.task not in explained:
            explained.add(violation.task)
            for line in debug_report(violation, running, ecs_tasks):
                _say(f"    {line}")
    answers = running.ecs.calls().get("RunTask", {})
    refusals = answers.get("failures", 0) + answers.get("ClientException", 0)
    failed = sum(each.failed_to_start for each in containers)
    return Result(setting.tasks, lives, verdict, failed, refusals, found.standbys(), seconds, complaints)


def _report(result: Result, options: argparse.Namespace) -> int:
    for complaint in result.complaints:
        _say(f"✗ {complaint}")
    for line in result.lines():
        _say(line)
    if result.is_good:
        kills = sum(result.lives.kills.values())
        _say(f"✓ {result.tasks} tasks, {kills} kills: each ran exactly once, and ended as it should.")
    if options.json:
        document: dict[str, Any] = {
            "seed": options.seed,
            "tasks": result.tasks,
            "kills": dict(result.lives.kills),
            "freezes": result.lives.freezes,
            **asdict(result.verdict),
            "standbys": asdict(result.standbys),
            "complaints": result.complaints,
            "seconds": result.seconds,
            "good": result.is_good,
        }
        options.json.write_text(json.dumps(document, indent=2))
    return 0 if result.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--kills", type=int, default=30, help="kill schedulers so many times")
    parser.add_argument("--schedulers", type=int, default=1, help="schedulers at a time")
    parser.add_argument("--freezes", type=int, default=0, help="freeze so many of these before")
    parser.add_argument(
        "--life", type=float, default=10, help="seconds that a scheduler may live untouched at most"
    )
    parser.add_argument(
        "--at", action="append", metavar="PLACE", choices=ALL, help="only there (may be repeated)"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))  # noqa: S311  no secret
    parser.add_argument("--parallelism", type=int, default=20, help="tasks at a time")
    parser.add_argument("--standbys", type=int, default=8, help="standbys of the default queue (0: none)")
    parser.add_argument(
        "--calm", action="store_true", help="ECS refuses launches seldom: more tasks start in standbys"
    )
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.5, 3.0), help="how long user code runs")
    parser.add_argument("--worker", choices=("light", "airflow"), default="light")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for all of it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    parser.add_argument(
        "--keep", action="store_true", help="keep the working folder (kept on failure anyway)"
    )
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
