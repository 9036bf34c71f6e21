"""`ecs-async doctor`: finds what is wrong with a set-up before the first task."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import redirect_stdout

from ecs_async_executor.errors import ConfigurationError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="find what is wrong with the set-up, before the first task",
        description="Check the options, AWS and Airflow, for the default and every profile of `queues`, and say what to do. "
        "Only reads. The exit code is 1 if there are errors, 2 if nothing could be checked, else 0.",
    )
    parser.add_argument("--team", metavar="NAME", help="use the options of this team")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 1 if one is an error, 2 if nothing could be checked."""
    from ecs_async_executor.doctor.examination import examine  # noqa: PLC0415  seconds of imports
    from ecs_async_executor.doctor.findings import exit_code  # noqa: PLC0415  as above
    from ecs_async_executor.doctor.report import as_json, as_text  # noqa: PLC0415  as above

    # Airflow logs to standard output, which is for the findings.
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(sys.stderr):
            done = examine(args.team)
    except ConfigurationError as error:
        sys.stderr.write(f"ecs-async doctor: {error}\n")
        return 2
    finally:
        logging.disable(logging.NOTSET)
    profiles = [each.name for each in done.setup.targets]
    sys.stdout.write(as_json(done.findings) if args.json else as_text(done.findings, profiles))
    return exit_code(done.findings)


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async doctor`: Airflow's commands return no exit code, so raise SystemExit."""
    if code := run(args):
        raise SystemExit(code)
