"""`ecs-async doctor`: finds what is wrong with a set-up before the first task."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from ecs_async_executor.cli.operation import add_command, exit_with
from ecs_async_executor.commands import DOCTOR
from ecs_async_executor.errors import ConfigurationError

if TYPE_CHECKING:
    from ecs_async_executor.doctor.examination import Examination
    from ecs_async_executor.doctor.launch.observation import Observation


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `doctor`."""
    add_command(DOCTOR, subparsers, run)


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
    from ecs_async_executor.operate.text import screen_width  # noqa: PLC0415  as above

    done = examine(args.team)
    seen, more = _launch(done, args) if args.launch else (None, [])
    findings = merged([*done.findings, *more])
    if args.json:
        return as_json(findings, seen), exit_code(findings)
    launched = launch_text(seen) if seen is not None else ""
    profiles = [each.name for each in done.setup.targets]
    return launched + as_text(findings, profiles, screen_width()), exit_code(findings)


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
    """Run as `airflow ecs-async doctor`."""
    exit_with(run(args))
