"""`ecs-async image`: checks that the task containers' image has the scheduler's Airflow and Python."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version

from ecs_async_executor.errors import EcsAsyncError

# Runs in any Airflow image with the image's own Python, so it imports nothing but the standard library.
_PROBE = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
try:
    airflow = version("apache-airflow-core")
except PackageNotFoundError:
    airflow = None
print(json.dumps({"airflow": airflow, "python": "%d.%d" % sys.version_info[:2]}))
"""


_PATIENCE = 900.0
"""In seconds; the engine may have to pull the image first."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that an image and its scheduler must share."""

    airflow: str
    """The version of apache-airflow-core, such as 3.3.2."""
    python: str
    """Without the patch level, such as 3.12."""

    def __str__(self) -> str:
        """Return both versions as text."""
        return f"Airflow {self.airflow} on Python {self.python}"

    @property
    def build_args(self) -> str:
        """The arguments of `docker build` that produce such an image."""
        return f"--build-arg airflow_version={self.airflow} --build-arg python_version={self.python}"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `image`."""
    parser = subparsers.add_parser(
        "image",
        help="build or check the image of the task containers",
        description="The task containers need the same Airflow and Python versions as the scheduler.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    here = Versions(version("apache-airflow-core"), f"{sys.version_info.major}.{sys.version_info.minor}")

    build_args = commands.add_parser(
        "build-args",
        help="print the build arguments for a matching image",
        description="Print the build arguments for an image with the Airflow and Python versions of this environment. "
        "Run it where the scheduler runs.",
    )
    build_args.set_defaults(run=_build_args, airflow_version=here.airflow, python_version=here.python)

    check = commands.add_parser(
        "check",
        help="check whether an image matches the scheduler",
        description="Compare an image's Airflow and Python versions with the scheduler's. The exit code is 0 if they match, and 1 if they don't, or if the versions can't be read.",
    )
    add = check.add_argument
    add("image", metavar="IMAGE", help="name and tag of the image")
    add(
        "--airflow-version",
        type=_version,
        default=here.airflow,
        metavar="VERSION",
        help="the scheduler's Airflow version (default: this environment's, %(default)s)",
    )
    add(
        "--python-version",
        type=_version,
        default=here.python,
        metavar="VERSION",
        help="the scheduler's Python version (default: this environment's, %(default)s)",
    )
    add(
        "--engine",
        default="docker",
        metavar="PROGRAM",
        help="the container engine: docker, podman, finch, ... (default: %(default)s)",
    )
    check.set_defaults(run=_check)


def _version(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\S*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a version, such as 3.12")
    return text


def _build_args(args: argparse.Namespace) -> int:
    sys.stdout.write(f"{_expected(args).build_args}\n")
    return 0


def _check(args: argparse.Namespace) -> int:
    expected = _expected(args)
    try:
        found = _versions_in(args.image, args.engine)
    except EcsAsyncError as error:
        sys.stderr.write(f"ecs-async image check: {error}\n")
        return 1
    if found == expected:
        sys.stdout.write(f"{args.image} matches: {found}.\n")
        return 0
    sys.stderr.write(
        f"{args.image} doesn't match: it has {found}; the scheduler has {expected}.\n"
        f"Build it with {expected.build_args}\n"
    )
    return 1


def _expected(args: argparse.Namespace) -> Versions:
    # Accept 3.12.4 as 3.12.
    return Versions(args.airflow_version, ".".join(args.python_version.split(".")[:2]))


def _versions_in(image: str, engine: str) -> Versions:
    command = [engine, "run", "--rm", "--network", "none", "--entrypoint", "python", image, "-c", _PROBE]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)  # noqa: S603  what the user named
    except subprocess.TimeoutExpired:
        raise EcsAsyncError(
            f"Can't inspect {image}: {engine} didn't answer within {_PATIENCE:.0f} s."
        ) from None
    except OSError as error:
        raise EcsAsyncError(
            f"Can't run {engine} ({error.strerror}). Name another container engine with --engine; or run this where one is installed, "
            "and pass the scheduler's versions with --airflow-version and --python-version."
        ) from None
    if answer.returncode:
        output = (
            answer.stderr.strip() or f"{engine} exited with code {answer.returncode} and printed no error."
        )
        raise EcsAsyncError(f"Can't inspect {image}: {output}")
    try:
        # The image may print other lines first.
        document = json.loads(answer.stdout.splitlines()[-1])
        airflow, python = document["airflow"], document["python"]
    except (IndexError, KeyError, TypeError, ValueError):
        raise EcsAsyncError(f"Can't inspect {image}: its Python printed no versions.") from None
    if airflow is None:
        raise EcsAsyncError(
            f"{image} has no Airflow 3 (apache-airflow-core) that its Python {python} can import."
        )
    return Versions(airflow, python)
