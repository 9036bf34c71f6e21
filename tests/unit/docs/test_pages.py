"""The pages are true: each link, command, option, file and make target that they name exists."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest
from airflow.configuration import conf

from ecs_async_executor.cli import main
from ecs_async_executor.cli.parser import Parser
from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option
from tests.unit.docs.pages import (
    PACKAGE,
    PAGES,
    ROOT,
    anchors,
    broken_links,
    code_blocks,
    command_lines,
    name_of,
    relative_links,
    spans,
)

OF_OTHERS = {
    "docs/aws-setup.md": {"--final-db-snapshot-identifier", "--skip-final-snapshot"},  # the AWS CLI's
    "docs/task-definition.md": {"--platform"},  # docker's
    "docs/image.md": {"--build-arg", "--platform", "--progress", "--secret"},  # docker's
    "CHANGELOG.md": {"--network-configuration"},  # the AWS CLI's
}
"""Options in backticks that are another program's, by page."""
_ECS_ASYNC = re.compile(r"(?:^|[\s(/])(?:airflow )?ecs-async(?: |$)")
_ENVIRONMENT = re.compile(r"\bAIRFLOW__(?:TEAM___)?([A-Z]+(?:_[A-Z]+)*)__(\w+)")
_IN_SECTION = re.compile(r"\[([a-z_]+)\] ([a-z][a-z_]*)")
_FILE = re.compile(r"(?:[\w.-]+/)*[\w.-]*\w\.(?:py|md|toml|sh|svg)|Makefile|Dockerfile|constraints\.txt")
_FOLDER = re.compile(r"(?:[\w-]+/)+")

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


# --- links --------------------------------------------------------------------------------------------


@every_page
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert list(broken_links(page, page.read_text("utf-8"))) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, to_follow = set(), [ROOT / "README.md"]
    while to_follow:
        page = to_follow.pop()
        if page not in reached and page.suffix == ".md" and page.is_file():
            reached.add(page)
            links = relative_links(page.read_text("utf-8"))
            to_follow += [(page.parent / link.partition("#")[0]).resolve() for link in links]
    assert [name_of(page) for page in PAGES if page not in reached] == []


# --- lists --------------------------------------------------------------------------------------------


def outside_of_their_lists(text: str) -> Iterator[str]:
    """Return the lines of lists that leave them on the site, but not on GitHub: Python-Markdown is stricter."""
    fenced, blank_before, paragraph_before = False, True, False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        new_block = not fenced and (fence or blank_before)
        if new_block and re.match(r" {1,3}\S", line):
            yield line
        if paragraph_before and re.match(r"(?:-|\d+\.) ", line):
            yield line
        paragraph_before = (
            not fenced and not fence and line.startswith("    ") and (blank_before or paragraph_before)
        )
        fenced ^= fence
        blank_before = not line


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=name_of)
def test_blocks_in_lists_are_indented_by_the_four_spaces_that_the_site_needs(page: Path) -> None:
    assert list(outside_of_their_lists(page.read_text("utf-8"))) == []


def test_blocks_and_items_that_leave_their_list_are_found() -> None:
    text = """\
1. Set it:

   ```ini
   [core]
   ```

  Go on.

2. As here:

    ```ini
    a = 1
    ```

    And so on.
- This is no item, but part of the paragraph.

- one
  line
"""
    assert list(outside_of_their_lists(text)) == [
        "   ```ini",
        "  Go on.",
        "- This is no item, but part of the paragraph.",
    ]


# --- ecs-async ----------------------------------------------------------------------------------------


@cache
def parser() -> Parser:
    """Return the parser of `ecs-async` as `main` makes it."""
    made: list[Parser] = []

    def parse_args(self: Parser, _args: object = None) -> argparse.Namespace:
        made.append(self)
        return argparse.Namespace(run=lambda _: 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Parser, "parse_args", parse_args)
        main([])
    return made[0]


def subcommands(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {
        name: command
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, command in action.choices.items()
    }


def options(of: argparse.ArgumentParser) -> set[str]:
    """Return the options of a parser and of its subcommands."""
    return {
        *of._option_string_actions,
        *(name for command in subcommands(of).values() for name in options(command)),
    }


def unknown_words(command: str) -> Iterator[str]:
    """Return the subcommands and options that a mention of `ecs-async ...` has wrong; its values may be left out."""
    here: argparse.ArgumentParser = parser()
    for word in shlex.split(command.partition("ecs-async")[2]):
        commands = subcommands(here)
        if word.startswith("-"):
            if word.partition("=")[0] not in here._option_string_actions:
                yield word
        elif commands and word != "COMMAND":
            if word not in commands:
                yield word
                return
            here = commands[word]


@every_page
def test_every_ecs_async_command_that_is_mentioned_exists_with_its_options(page: Path) -> None:
    mentioned = [span for span in spans(page.read_text("utf-8")) if _ECS_ASYNC.search(span)]
    assert [(span, list(unknown_words(span))) for span in mentioned if list(unknown_words(span))] == []


@every_page
def test_every_ecs_async_line_to_copy_is_parsed(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = []
    for line in command_lines(page.read_text("utf-8")):
        if re.match(r"(\.venv/bin/|airflow )?ecs-async ", line):
            try:
                parser().parse_args(shlex.split(line.partition("ecs-async")[2], comments=True))
            except SystemExit:
                refused.append((line, capsys.readouterr().err))
    assert refused == []


@every_page
def test_every_option_in_backticks_is_one_of_a_command(page: Path) -> None:
    known = options(parser()) | OF_OTHERS.get(name_of(page), set())
    named = [re.split(r"[ =]", span)[0] for span in spans(page.read_text("utf-8")) if span.startswith("--")]
    assert [name for name in named if name not in known] == []


# --- options of the configuration ---------------------------------------------------------------------


def is_option(section: str, name: str) -> bool:
    """Tell whether a section has an option of this name, `_cmd` and `_secret` forms of sensitive ones included."""
    name = {"region": "region_name"}.get(name, name)
    plain = re.sub(r"_(cmd|secret)$", "", name)
    if section not in {SECTION, DROP_IN_SECTION}:
        # In variables, a dot of a section's name is an underscore.
        described = {each.replace(".", "_"): found for each, found in conf.configuration_description.items()}
        options = described.get(section, {"options": {}})["options"]
        return name in options or options.get(plain, {}).get("sensitive", False)
    field = Settings.model_fields.get(plain)
    if field is None or (plain != name and not of_option(field, "sensitive")):
        return False
    return section == SECTION or is_drop_in(field)


def named_options(text: str) -> Iterator[tuple[str, str]]:
    """Return section and name of each option that a page names with its section, Airflow's own included."""
    for section, name in _ENVIRONMENT.findall(text):
        yield section.lower(), name.lower()
    for span in spans(text):
        for section, name in _IN_SECTION.findall(span):
            yield section, name
    for block in code_blocks(text, "ini"):
        ini = ConfigParser(interpolation=None)
        ini.read_string(dedent(block))
        for section in ini.sections():
            for name in ini[section]:
                yield section, name


@every_page
def test_every_option_that_is_named_with_its_section_exists(page: Path) -> None:
    assert [option for option in named_options(page.read_text("utf-8")) if not is_option(*option)] == []


# --- files --------------------------------------------------------------------------------------------


@cache
def files() -> frozenset[str]:
    """Return the files of the repository, but for what tools have put there: each as a path from its root, `/` first."""
    found = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in {"__pycache__", "build", "dist"}
        ]
        found |= {f"/{(Path(folder) / name).relative_to(ROOT)}" for name in names}
    return frozenset(found)


def missing_files(names: Iterable[str]) -> Iterator[str]:
    """Return the names that are no file or folder: as paths from the root or the package, or as a path's last parts."""
    for name in names:
        if _FOLDER.fullmatch(name):
            if not (ROOT / name).is_dir() and not (PACKAGE / name).is_dir():
                yield name
        elif _FILE.fullmatch(name) and not any(file.endswith(f"/{name}") for file in files()):
            yield name


@every_page
def test_every_file_in_backticks_is_in_the_repository(page: Path) -> None:
    assert list(missing_files(spans(page.read_text("utf-8")))) == []


@every_page
def test_every_name_that_is_said_to_be_in_a_file_is_there(page: Path) -> None:
    said = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", page.read_text("utf-8"))
    paths = [(name, PACKAGE / file.removeprefix(f"{PACKAGE.name}/")) for name, file in said]
    assert [(name, path) for name, path in paths if name not in path.read_text("utf-8")] == []


# --- make and python -m -------------------------------------------------------------------------------


def makefile() -> str:
    return (ROOT / "Makefile").read_text("utf-8")


def unknown_to_make(command: str) -> Iterator[str]:
    """Return the targets and variables of `make ...` that the Makefile does not have."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile(), re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) [?:]=|\$\(([A-Z]+)\)", makefile(), re.MULTILINE))
    known = targets | {name for pair in variables for name in pair}
    words = shlex.split(command, comments=True)[1:]
    for word in words:
        name, _, value = word.partition("=")
        if name not in known:
            yield word
        elif name == "ARGS" and "demo" in words:
            yield from unknown_words(f"ecs-async demo {value}")


def commands_in(text: str, start: str) -> list[str]:
    """Return the commands that begin with this, in backticks and in lines to copy."""
    return [each for each in [*spans(text), *command_lines(text)] if each.startswith(start)]


@every_page
def test_every_make_target_is_in_the_makefile(page: Path) -> None:
    commands = [each.partition(";")[0] for each in commands_in(page.read_text("utf-8"), "make ")]
    assert [(each, list(unknown_to_make(each))) for each in commands if list(unknown_to_make(each))] == []


@every_page
def test_every_module_that_is_to_be_run_exists(page: Path) -> None:
    modules = [each.split()[2] for each in commands_in(page.read_text("utf-8"), "python -m ")]
    ours = [
        name.replace(".", "/") for name in modules if name.split(".")[0] in {"benchmarks", "tests", SECTION}
    ]
    assert [name for name in ours if not {f"/{name}.py", f"/{name}/__main__.py"} & files()] == []


# --- and mistakes are found -----------------------------------------------------------------------------


def test_a_wrong_link_and_a_wrong_anchor_are_found() -> None:
    text = "# Title: a `b`\n[x](docs/nowhere.md) [y](#title-a-b) [z](#nothing) [w](https://example.com/x)\n"
    assert anchors(text) == {"title-a-b"}
    assert list(broken_links(ROOT / "README.md", text)) == [
        "docs/nowhere.md: there is no such file",
        "#nothing: there is no such heading",
    ]


@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        ("ecs-async config --queue gpu", []),
        ("ecs-async image check --engine=podman", []),
        ("ecs-async confg", ["confg"]),
        ("airflow ecs-async config --queu gpu", ["--queu"]),
        ("ecs-async local --queue", ["--queue"]),
    ],
)
def test_a_wrong_command_is_found(command: str, unknown: list[str]) -> None:
    assert list(unknown_words(command)) == unknown


def test_a_wrong_option_is_found() -> None:
    text = """`[ecs_async_executor] rate_shares` AIRFLOW__AWS_ECS_EXECUTOR__CONCURRENCY
`AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES_CMD` `[scheduler] task_queued_timeout`
```ini
[aws_ecs_executor]
cluster = c
clusters = c
```
"""
    assert [option for option in named_options(text) if not is_option(*option)] == [
        (DROP_IN_SECTION, "concurrency"),
        (SECTION, "rate_shares"),
        (DROP_IN_SECTION, "clusters"),
    ]


def test_a_wrong_file_is_found() -> None:
    named = [
        "engine/thread.py",
        "thread.py",
        "README.md",
        "engine/messages.py",
        "tests/unit/",
        "tests/units/",
    ]
    assert list(missing_files(named)) == ["engine/messages.py", "tests/units/"]


def test_a_wrong_make_target_is_found() -> None:
    assert list(unknown_to_make("make lint tests ARGS=-x WORKER=1")) == ["tests", "WORKER=1"]
    assert list(unknown_to_make("make demo ARGS=--keepp")) == ["--keepp"]
