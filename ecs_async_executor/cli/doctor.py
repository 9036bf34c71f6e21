"""`ecs-async doctor`: finds what is wrong with a set-up before the first task."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Any

from ecs_async_executor.cli.operation import INTERRUPTED, add_command, exit_with, quiet
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
    try:
        with quiet():
            text, code = _examine(args)
    except ConfigurationError as error:
        sys.stderr.write(f"ecs-async doctor: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("ecs-async doctor: interrupted.\n")
        return INTERRUPTED
    sys.stdout.write(text)
    sys.stdout.flush()
    return code


def _examine(args: argparse.Namespace) -> tuple[str, int]:
    """Return what to print, and the exit code."""
    from ecs_async_executor.doctor.examination import examine  # noqa: PLC0415  seconds of imports
    from ecs_async_executor.doctor.findings import Finding, exit_code, merged, unknown  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.report import as_json, as_text, launch_text  # noqa: PLC0415  as above
    from ecs_async_executor.operate.text import screen_width  # noqa: PLC0415  as above

    done = examine(args.team)
    interrupted = False
    seen, more = None, list[Finding]()
    try:
        if args.launch:
            seen, more = _launch(done, args)
    except KeyboardInterrupt:  # the task is stopped; what was found before it is worth as much as ever
        interrupted = True
        more = [
            unknown("The launch was interrupted, so what a container sees is not known.", "", "Run it again.")
        ]
    findings = merged([*done.findings, *more])
    code = INTERRUPTED if interrupted else exit_code(findings)
    if args.json:
        return as_json(findings, seen), code
    launched = launch_text(seen) if seen is not None else ""
    profiles = [each.name for each in done.setup.targets]
    return launched + as_text(findings, profiles, screen_width()), code


def _launch(done: Examination, args: argparse.Namespace) -> tuple[Observation | None, list[Any]]:
    """Launch a task; return what it has shown, and what that means."""
    from ecs_async_executor.doctor.findings import error  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.launch.launch import launch  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.launch.verdict import verdict  # noqa: PLC0415  as above

    if done.configuration is None or done.aws is None or not done.setup.region:
        return None, []  # the findings say what is missing
    if done.setup.jwt.problem:
        return None, [error("Nothing was launched: without a JWT secret, there is no token to try.")]
    ending = (signal.SIGTERM, signal.SIGHUP)
    # As Ctrl-C: the task is stopped first, and the findings are printed.
    before = [signal.signal(number, signal.default_int_handler) for number in ending]
    try:
        seen = launch(
            done.configuration,
            done.aws,
            done.facts,
            queue=args.queue,
            timeout=args.timeout,
            say=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201  a command's progress
        )
    finally:
        for number, handler in zip(ending, before, strict=True):
            signal.signal(number, handler)
    return seen, list(verdict(done.setup, seen))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async doctor`."""
    exit_with(run(args))
