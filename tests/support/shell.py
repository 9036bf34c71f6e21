"""A shell that runs a page's command blocks one after the other, as a reader's does: variables and folder stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_DONE = "--- done, and its variables are kept ---"


class BlockFailedError(AssertionError):
    """A command of a block failed, and ended the shell."""


class Shell:
    """A bash, which ends at the first command that fails."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.run("set -eo pipefail")

    def run(self, code: str) -> str:
        """Run a block to its end, and return what it prints."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(f"{code}\necho; echo '{_DONE}'\n")
            stdin.flush()
        except BrokenPipeError:
            raise BlockFailedError(f"The shell has ended before:\n{code}") from None
        lines: list[str] = []
        for line in stdout:
            if line.rstrip("\n") == _DONE:
                return "".join(lines).removesuffix("\n")
            lines.append(line)
        raise BlockFailedError(f"{code}\n{''.join(lines)}")


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Start one in a folder."""
    with subprocess.Popen(
        ["bash"],  # noqa: S607  the reader's own
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Shell(process)
        finally:
            process.kill()
