"""`ecs-async doctor`: finds what is wrong with a set-up before the first task."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from ecs_async_executor.cli.values import seconds
from ecs_async_executor.errors import ConfigurationError

if TYPE_CHECKING:
    from ecs_async_executor.doctor.examination import Examination
    from ecs_async_executor.doctor.launch.observation import Observation

TIMEOUT = 600.0
"""Seconds that a launched task may take: most tasks that find capacity at all start within ten minutes."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="find what is wrong with the set-up, before the first task",
        description="Check the options, AWS and Airflow, for the default and every profile of `queues`, and say what to do. "
        "Without --launch, it only reads. The exit code is 1 if there are errors, 2 if nothing could be checked, else 0.",
    )
    add = parser.add_argument
    add("--launch", action="store_true", help="launch one ECS task that looks from the inside, and stop it")
    add("--queue", default="", metavar="NAME", help="with --launch: the Airflow queue whose request it gets")
    add(
        "--timeout",
        type=seconds,
        default=TIMEOUT,
        metavar="SECONDS",
        help="with --launch: seconds until it is given up (default: %(default)s)",
    )
    add("--team", metavar="NAME", help="use the options of this team")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 1 if one is an error, 2 if nothing could be checked, 130 after Ctrl-C."""
    # Airflow logs to standard output, which is for the findings.
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(sys.stderr):
            text, code = _examine(args)
    except ConfigurationError as error:
        sys.stderr.write(f"ecs-async doctor: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("ecs-async doctor: interrupted.\n")
        return 130
    finally:
        logging.disable(logging.NOTSET)
    sys.stdout.write(text)
    return code


def _examine(args: argparse.Namespace) -> tuple[str, int]:
    """Return what to print, and the exit code."""
    from ecs_async_executor.doctor.examination import examine  # noqa: PLC0415  seconds of imports
    from ecs_async_executor.doctor.findings import exit_code, merged  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.report import as_json, as_text, launch_text  # noqa: PLC0415  as above

    done = examine(args.team)
    seen, more = _launch(done, args) if args.launch else (None, [])
    findings = merged([*done.findings, *more])
    if args.json:
        return as_json(findings, seen), exit_code(findings)
    launched = launch_text(seen) if seen is not None else ""
    profiles = [each.name for each in done.setup.targets]
    return launched + as_text(findings, profiles), exit_code(findings)


def _launch(done: Examination, args: argparse.Namespace) -> tuple[Observation | None, list[Any]]:
    """Launch a task; return what it has shown, and what that means."""
    from ecs_async_executor.doctor.findings import error  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.launch.launch import launch  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.launch.verdict import verdict  # noqa: PLC0415  as above

    if done.configuration is None or done.aws is None or not done.setup.region:
        return None, []  # the findings say what is missing
    if done.setup.jwt.problem:
        return None, [error("Nothing was launched: without a JWT secret, there is no token to try.")]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C: the task is stopped first
    seen = launch(
        done.configuration,
        done.aws,
        done.facts,
        queue=args.queue,
        timeout=args.timeout,
        say=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201  a command's progress
    )
    return seen, list(verdict(done.setup, seen))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async doctor`: Airflow's commands return no exit code, so raise SystemExit."""
    if code := run(args):
        raise SystemExit(code)
