"""The files of the task containers' image: what the Dockerfile says, and its scripts with an environment of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "ecs_async_executor" / "image"
TOKEN = "a-token-that-nobody-may-read-in-a-log"
# The AWS CLI of this environment comes first.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def start(
    script: str, *arguments: str | Path, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start one of the scripts, in a process group of its own; its environment is this and a PATH."""
    return subprocess.Popen(
        [SCRIPTS / script, *arguments],
        env={"PATH": PATH, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(
    script: str, *arguments: str | Path, environment: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Run one of the scripts: its exit code, its output and its errors."""
    with start(script, *arguments, environment=environment) as process:
        output, errors = process.communicate()
    return process.returncode, output, errors


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Split a Dockerfile into instructions and what they are given, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for line in joined.splitlines() if line for name, _, rest in [line.partition(" ")]]


def stages(dockerfile: str) -> dict[str, list[tuple[str, str]]]:
    """Group the instructions by stage; those before the first FROM are under "", the last stage under "image"."""
    found: dict[str, list[tuple[str, str]]] = {"": []}
    name = ""
    for instruction, rest in instructions(dockerfile):
        if instruction == "FROM":
            name = rest.partition(" AS ")[2] or "image"
            found[name] = []
        found[name].append((instruction, rest))
    return found
