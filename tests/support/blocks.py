"""The command blocks of the pages, and what becomes of each in the tests.

Each block of commands (```` ```console ````) in README.md and docs/ is accounted for in one of three ways:

- A comment in the line before it says which test runs it: `<!-- run by tests/integration/test_aws_setup_page.py -->`.
  That test takes it from the page with `run_by`, so the block that a reader copies is the one that is run.
- A comment says what it needs that no test has: `<!-- needs AWS -->`; also Docker, Kubernetes, Airflow (one that runs,
  with this executor), or several: `<!-- needs AWS, Docker -->`.
- It has no comment, and consists of commands that tests start anyway (`COMMANDS_OF_TESTS`): `make demo`, `pip install`.

Readers see no comment, neither on GitHub nor on the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LANGUAGES = {"console", "bash", "sh", "shell"}
NEEDS = {"AWS", "Docker", "Airflow", "Kubernetes"}

COMMANDS_OF_TESTS = {
    "make demo": "tests/end_to_end/test_demo.py",
    "make chaos": "tests/end_to_end/test_chaos.py",
    "make bench": "tests/end_to_end/test_benchmarks.py",
    ".venv/bin/python -m benchmarks": "tests/end_to_end/test_benchmarks.py",
    "make test": "Makefile",  # is what runs all this
    "pip install": "tests/end_to_end/test_install.py",
    "ecs-async local": "tests/integration/test_local_ecs_cli.py",
    "ecs-async stack": "tests/integration/test_stack.py",
    "ecs-async conformance": "tests/integration/test_conformance.py",
    "ecs-async image build-args": "tests/unit/image/test_image_command.py",
}
"""The beginnings of commands that a test starts, as a process or by its entry point, and where."""

_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<comment>[^\n]*?) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    comment: str
    code: str

    def __str__(self) -> str:
        """Name it as an editor finds it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def test(self) -> str | None:
        """The test that runs it, by its comment."""
        return self.comment.removeprefix("run by ") if self.comment.startswith("run by ") else None

    @property
    def needs(self) -> set[str]:
        """What it needs, by its comment."""
        if not self.comment.startswith("needs "):
            return set()
        return set(self.comment.removeprefix("needs ").split(", "))

    @property
    def commands(self) -> list[str]:
        """Its commands, each on one line, without comments and what a prompt's command prints."""
        lines = [line for line in self.code.replace("\\\n", " ").splitlines() if not line.startswith("#")]
        if any(line.startswith("$ ") for line in lines):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip()]


def blocks(page: Path, text: str | None = None) -> Iterator[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text("utf-8") if text is None else text
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        yield Block(page, line, match["language"], match["comment"] or "", dedent(match["code"]))


def run_by(test: str, page: Path) -> list[Block]:
    """Return the blocks of a page that this test (its `__file__`) must run, in their order."""
    name = str(Path(test).resolve().relative_to(ROOT))
    return [block for block in blocks(page) if block.test == name]


def block_of(page: Path, after: str, language: str) -> str:
    """Return the code of the first block of a language after this text, which a reader would save as a file."""
    text = page.read_text("utf-8")
    start = text.index(after)
    return next(each.code for each in blocks(page, text[start:]) if each.language == language)


def problem_of(block: Block) -> str | None:
    """Say why a block of commands is not accounted for; None if it is."""
    if block.test is not None:
        path = ROOT / block.test
        return (
            None if path.is_file() and "run_by(" in path.read_text("utf-8") else f"no such test: {block.test}"
        )
    if block.needs:
        unknown = block.needs - NEEDS
        return f"nobody knows what it needs: {sorted(unknown)}" if unknown else None
    if block.comment and not block.comment.startswith("made by "):
        return f"an unknown comment: {block.comment}"
    unrun = [each for each in block.commands if not each.startswith(tuple(COMMANDS_OF_TESTS))]
    return f"no test runs: {unrun}" if unrun else None
