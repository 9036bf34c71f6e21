"""The arguments of the commands that exist twice: as `ecs-async NAME` and as `airflow ecs-async NAME`.

Plain data: every `airflow` command imports this module.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.suggestions import did_you_mean

PHASES = ("waiting", "launching", "starting", "running", "ending", "leftover")
"""What `tasks --phase` takes: the fleet page's phases, and ECS tasks that no live task instance has."""
AIRFLOW_STATES = ("queued", "running", "restarting")
"""The states of Airflow that `tasks --state` takes: those of live rows."""
ECS_STATES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
    "DELETED",
    "MISSING",
)
"""The states of ECS that it takes (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html),
and that of a container which ECS doesn't know."""
WATCH_SECONDS = 5.0
GRACE_SECONDS = 600.0
"""Default of `sweep --older-than`. The executor itself gives such a container two minutes and
`[core] task_success_overtime` to end, and ECS takes at most another two to stop it (stopTimeout on Fargate)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command, in argparse's words."""

    flags: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `ecs_async_executor.cli.<name>` has its `run` and `run_in_airflow`."""

    name: str
    help: str
    description: str
    arguments: tuple[Argument, ...]

    def add_to(
        self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]
    ) -> argparse.ArgumentParser:
        """Add it as a subcommand, and return its parser."""
        parser = subparsers.add_parser(self.name, help=self.help, description=self.description)
        for argument in self.arguments:
            parser.add_argument(*argument.flags, **argument.options)
        return parser


def positive_seconds(text: str) -> float:
    """Parse a positive number of seconds; raises `ArgumentTypeError`."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def _grace(text: str) -> float:
    value = _number(text)
    if not GRACE_SECONDS / 2 <= value < math.inf:
        raise argparse.ArgumentTypeError(
            f"write at least {GRACE_SECONDS / 2:.0f} seconds: until then the executor may still stop the container itself"
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _phase(text: str) -> str:
    if text not in PHASES:
        known = f"Phases are: {', '.join(PHASES)}."
        raise argparse.ArgumentTypeError(f"unknown phase {text!r}. {did_you_mean(text, PHASES, known)}")
    return text


def _state(text: str) -> str:
    known = (*AIRFLOW_STATES, *ECS_STATES)
    if text.casefold() not in {each.casefold() for each in known}:
        listed = f"Airflow's are: {', '.join(AIRFLOW_STATES)}; ECS's are: {', '.join(ECS_STATES)}."
        raise argparse.ArgumentTypeError(f"unknown state {text!r}. {did_you_mean(text, known, listed)}")
    return text


def _map_index(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a map index: write 0, 1, 2, ...")
    return int(text)


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


_JSON = _argument("--json", action="store_true", help="print JSON")
_TEAM = _argument("--team", metavar="NAME", help="use the options of this team")
_WATCH = (
    _argument("--watch", action="store_true", help="show it again and again, until Ctrl-C"),
    _argument(
        "--every",
        type=positive_seconds,
        default=WATCH_SECONDS,
        metavar="SECONDS",
        help=f"how often --watch shows it (default: {WATCH_SECONDS:g})",
    ),
)
_YES = _argument("--yes", action="store_true", help="don't ask")

STATUS = Command(
    "status",
    "show what runs, what waits and why, and how fast launches go",
    "Show on one screen what the fleet page shows: launches, throttles, phases, why tasks wait, the last failures. "
    "Reads Airflow's database, and calls neither AWS nor a scheduler, so it works on any host that reaches the database.",
    (_JSON, *_WATCH),
)
TASKS = Command(
    "tasks",
    "list this Airflow's ECS tasks with their task instances",
    "List this Airflow's live ECS tasks, joined with Airflow's rows; what waits is listed with its reason. Changes "
    "nothing. Makes at most 5 calls a second to ECS, a quarter of what AWS allows for all reads of an account and Region.",
    (
        _argument("--dag", metavar="DAG", help="only tasks of this Dag"),
        _argument("--task", metavar="TASK", help="only tasks of this id"),
        _argument("--queue", metavar="NAME", help="only tasks of this Airflow queue"),
        _argument(
            "--phase", type=_phase, metavar="PHASE", help=f"only tasks in this phase: {', '.join(PHASES)}"
        ),
        _argument(
            "--state",
            type=_state,
            metavar="STATE",
            help="only tasks in this state of Airflow (queued, running) or of ECS (PENDING, RUNNING)",
        ),
        _TEAM,
        _JSON,
        *_WATCH,
    ),
)
SWEEP = Command(
    "sweep",
    "find containers that outlived their task instance, and old payloads",
    "Find containers of this Airflow whose task instance is over, and payloads in S3 that nothing will fetch. Only "
    "lists them, with the reason for each; with --yes it stops and deletes.",
    (
        _argument("--yes", action="store_true", help="stop and delete what is listed"),
        _argument(
            "--older-than",
            type=_grace,
            default=GRACE_SECONDS,
            metavar="SECONDS",
            help=f"leave alone what is younger, or was over for less (default: {GRACE_SECONDS:g})",
        ),
        _argument(
            "--gone",
            action="store_true",
            help="also stop containers that this Airflow's database knows nothing about; only if no other Airflow has "
            "the same `deployment` in these clusters",
        ),
        _TEAM,
        _JSON,
    ),
)
STOP = Command(
    "stop",
    "stop one ECS task, and say what Airflow makes of it",
    "Stop one ECS task of this Airflow. Says first what Airflow will make of it, and asks.",
    (
        _argument(
            "what",
            metavar="WHAT",
            help="an ARN, an ECS task id (or its first 8 characters), or DAG/RUN/TASK[/MAP_INDEX]",
        ),
        _YES,
        _TEAM,
    ),
)
EXEC = Command(
    "exec",
    "open a shell in a running task's container",
    "Open a shell, or run a command, in a running task's container by ECS Exec. Checks what ECS Exec needs, and says "
    "how to enable what is missing. Write a command after `--`, and with `airflow` options before DAG.",
    (
        _argument(
            "--run", metavar="RUN", dest="run_id", help="the Dag run's id, if the task runs in several"
        ),
        _argument("--map-index", type=_map_index, metavar="N", help="which of a mapped task's instances"),
        _argument("--container", metavar="NAME", help="the container (default: the one that runs Airflow)"),
        _TEAM,
        _argument("dag_id", metavar="DAG", help="the Dag's id"),
        _argument("task_id", metavar="TASK", help="the task's id"),
        _argument(
            "command",
            nargs="*",
            default=[],  # without it, argparse calls the argument required
            metavar="COMMAND",
            help="what to run (default: a shell); write it after `--`",
        ),
    ),
)
OPERATIONS = (STATUS, TASKS, SWEEP, STOP, EXEC)
"""The commands of operation, in the order of --help."""
