"""The arguments of the commands that exist twice: as `ecs-async NAME` and as `airflow ecs-async NAME`.

Plain data: every `airflow` command imports this module.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_async_executor import argument_values

WATCH_SECONDS = 5.0
DOCTOR_SECONDS = 600.0
"""Seconds that a task launched by the doctor may take: most tasks that find capacity at all start within ten minutes."""
MOST_CENTS = 100.0
"""Default of `conformance --max-cents`."""
BURST = 400
"""Calls of `conformance --burst`: the bucket has 100 and gets 20 a second ("Request throttling for the Amazon ECS API")."""


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


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that share a first word. `ecs_async_executor.cli.<name>` has `run` and `run_in_airflow`."""

    name: str
    help: str
    description: str
    commands: tuple[Command, ...]


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


_JSON = _argument("--json", action="store_true", help="print JSON")
_TEAM = _argument("--team", metavar="NAME", help="use the options of this team")
_WATCH = (
    _argument("--watch", action="store_true", help="show it again and again, until Ctrl-C"),
    _argument(
        "--every",
        type=argument_values.positive_seconds,
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
            "--phase",
            type=argument_values.phase,
            metavar="PHASE",
            help=f"only tasks in this phase: {', '.join(argument_values.PHASES)}",
        ),
        _argument(
            "--state",
            type=argument_values.state,
            metavar="STATE",
            help="only tasks in this state of Airflow (queued, running) or of ECS (PENDING, RUNNING)",
        ),
        _argument(
            "--cost",
            action="store_true",
            help="sum by Dag what they have used, with those that ended in the last hour; beside it only --dag filters",
        ),
        _argument(
            "--prices",
            type=argument_values.prices,
            default=(),
            metavar="NAME:VCPU:GB,...",
            help="with --cost: US dollars for a vCPU-hour and a GB-hour, before those of the option task_prices",
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
            type=argument_values.grace,
            default=argument_values.GRACE_SECONDS,
            metavar="SECONDS",
            help=f"leave alone what is younger, or was over for less (default: {argument_values.GRACE_SECONDS:g})",
        ),
        _argument(
            "--gone",
            action="store_true",
            help="also stop containers that this Airflow's database knows nothing about; only if no other Airflow has "
            "the same `deployment` in these clusters",
        ),
        _argument(
            "--images",
            action="store_true",
            help="also deregister task definitions that were registered for an image, over a month ago, and that "
            "nothing uses or names",
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
        _argument(
            "--map-index",
            type=argument_values.map_index,
            metavar="N",
            help="which of a mapped task's instances",
        ),
        _argument("--container", metavar="NAME", help="the container (default: the one that runs Airflow)"),
        _TEAM,
        _argument("dag_id", metavar="DAG", help="the Dag's id"),
        _argument("task_id", metavar="TASK", help="the task's id"),
        _argument(
            "command",
            nargs="*",
            default=(),  # without one, argparse names it among the required arguments
            metavar="COMMAND",
            help="what to run (default: a shell); write it after `--`",
        ),
    ),
)
CONFIG = Command(
    "config",
    "show the RunTask request of a task, and where each value is set",
    "Check the options, and show the RunTask request they produce. Calls neither AWS nor the database. Values of environment "
    "variables and tags that look secret are masked.",
    (
        _argument(
            "--executor-config",
            metavar="JSON",
            help="the task's executor_config, which overrides everything else",
        ),
        _argument("--queue", default="", metavar="NAME", help="the task's Airflow queue"),
        _TEAM,
        _JSON,
    ),
)
DOCTOR = Command(
    "doctor",
    "find what is wrong with the set-up, before the first task",
    "Check the options, AWS and Airflow, for the default and every profile of `queues`, and say what to do. Without --launch, "
    "it only reads. The exit code is 1 if there are errors, 2 if nothing could be checked, else 0.",
    (
        _argument(
            "--launch",
            action="store_true",
            help="launch one ECS task that looks from the inside, and stop it",
        ),
        _argument(
            "--queue",
            default="",
            metavar="NAME",
            help="with --launch: the Airflow queue whose request it gets",
        ),
        _argument(
            "--timeout",
            type=argument_values.seconds,
            default=DOCTOR_SECONDS,
            metavar="SECONDS",
            help=f"with --launch: seconds until it is given up (default: {DOCTOR_SECONDS:g})",
        ),
        _TEAM,
        _JSON,
    ),
)
CONFORMANCE = Command(
    "conformance",
    "check on a real cluster whether ECS behaves as the executor assumes",
    "Start a handful of short ECS tasks, check whether ECS behaves as the executor assumes, stop them, and print a report to "
    "paste into an issue. Without --i-know-this-costs-cents it only prints what it would do. Exits with 0 if nothing differs, "
    "with 1 if something does, or if the run didn't get through.",
    (
        _argument("--cluster", required=True, metavar="NAME", help="the cluster's name or ARN"),
        _argument(
            "--task-definition",
            required=True,
            metavar="NAME",
            help="a family, family:revision or ARN; its image has python",
        ),
        _argument("--container", default="", metavar="NAME", help="default: the first essential one"),
        _argument(
            "--subnets",
            type=argument_values.ids,
            default=(),
            metavar="ID,...",
            help="for awsvpc task definitions",
        ),
        _argument(
            "--security-groups",
            type=argument_values.ids,
            default=(),
            metavar="ID,...",
            help="default: the VPC's",
        ),
        _argument(
            "--assign-public-ip",
            action="store_true",
            help="for subnets whose only way out is an internet gateway",
        ),
        _argument(
            "--launch-type",
            choices=("FARGATE", "EC2"),
            default="",
            help="default: FARGATE if the task definition allows it",
        ),
        _argument("--capacity-provider", default="", metavar="NAME", help="instead of --launch-type"),
        _argument(
            "--broken-task-definition",
            default="",
            metavar="NAME",
            help="a task definition whose image doesn't exist, to see how a failed pull ends",
        ),
        _argument(
            "--burst",
            action="store_true",
            help=f"call DescribeTasks {BURST} times at once, to see how AWS throttles; throttles others of this account, too",
        ),
        _argument(
            "--region", type=argument_values.region, metavar="NAME", help="default: as for the AWS CLI"
        ),
        _argument("--profile", metavar="NAME", help="a profile of the AWS CLI's configuration"),
        _argument(
            "--endpoint-url",
            type=argument_values.url,
            metavar="URL",
            help="another ECS, such as the one of `ecs-async local`",
        ),
        _argument(
            "--max-cents",
            type=argument_values.cents,
            default=MOST_CENTS,
            metavar="CENTS",
            help=f"refuse to start if it can cost more US cents (default: {MOST_CENTS:g})",
        ),
        _argument(
            "--i-know-this-costs-cents",
            action="store_true",
            help="start the tasks; not needed for an ECS on this machine",
        ),
        _JSON,
    ),
)
OPERATIONS = (STATUS, TASKS, SWEEP, STOP, EXEC)
"""The commands of operation, in the order of --help."""
COMMANDS = (CONFIG, DOCTOR, CONFORMANCE, *OPERATIONS)
"""All of them, in the order of --help."""


_STACK = (
    _argument(
        "--name",
        type=argument_values.stack_name,
        default="airflow",
        metavar="NAME",
        help="the stack (default: %(default)s)",
    ),
    _argument("--region", type=argument_values.region, metavar="NAME", help="default: as for the AWS CLI"),
    _argument("--profile", metavar="NAME", help="a profile of the AWS CLI's configuration"),
)
_FORM = _argument(
    "--format",
    choices=("shell", "docker", "json"),
    default="shell",
    help="shell: quoted, also for docker compose and systemd; docker: for `docker run --env-file` (default: %(default)s)",
)
_ENV_FILE = _argument(
    "--env-file", metavar="PATH", help="write the variables to a file that only you may read"
)
UP = Command(
    "up",
    "make the stack, or change it",
    "Make everything on AWS that the executor needs, with CloudFormation; or change a stack that is there. Shows what is "
    "made and what it costs, and asks. At the end it prints the variables to set, and the doctor looks at them.",
    (
        *_STACK,
        _argument(
            "--set",
            action="append",
            type=argument_values.pair,
            default=[],
            dest="given",
            metavar="PARAMETER=VALUE",
            help="a parameter; may be repeated. --dry-run lists them",
        ),
        _argument(
            "--dry-run",
            action="store_true",
            help="only show resources, parameters and a monthly cost estimate",
        ),
        _ENV_FILE,
        _FORM,
        _argument("--no-doctor", action="store_true", help="don't run the doctor at the end"),
        _YES,
    ),
)
ENV = Command(
    "env",
    "print the variables to set",
    "Print the environment variables of a stack, or write them to a file. None of them holds a secret.",
    (*_STACK, _ENV_FILE, _FORM),
)
DOWN = Command(
    "down",
    "delete the stack, and keep its data",
    "Delete the stack. Says first what is deleted and what is kept, and asks. Keeps both buckets, a snapshot of the "
    "database and the key to it, unless told otherwise.",
    (
        *_STACK,
        _argument(
            "--delete-data",
            action="store_true",
            help="also delete the buckets, the database's snapshot and the Fernet key, for ever",
        ),
        _YES,
    ),
)
STACK = Group(
    "stack",
    "make a whole set-up on AWS, print its variables, take it down",
    "Make what the executor needs on AWS with CloudFormation: network, image repository, cluster, task definition, roles, "
    "buckets, database and, unless you run it elsewhere, Airflow itself.",
    (UP, ENV, DOWN),
)
"""`ecs-async stack up`, `env` and `down`."""
