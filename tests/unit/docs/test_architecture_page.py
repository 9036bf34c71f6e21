"""docs/architecture.md lists the files as they are, and docs/glossary.md is found from where people need it."""

from __future__ import annotations

import re

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind
from tests.unit.docs.pages import PACKAGE, ROOT, code_blocks, name_of

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def listed() -> dict[str, list[str]]:
    """Return the files of each folder's listing, the folders as in the package."""
    found = {}
    for block in code_blocks(PAGE):
        folder, *lines = block.splitlines()
        if re.fullmatch(r"[\w/]+/", folder):
            name = "." if folder == f"{PACKAGE.name}/" else folder.removesuffix("/")
            found[name] = [line.split()[0] for line in lines]
    return found


def in_the_tree() -> dict[str, list[str]]:
    """Return the modules of the package's root and of the folders that are listed by file; what doctor/, local/ and ui/ hold."""
    found: dict[str, list[str]] = {}
    folders = (
        "executor",
        "engine",
        "config",
        "conformance",
        "doctor/aws",
        "fleet",
        "logs",
        "operate",
        "stack",
        "standby",
        "ui",
    )
    modules = [
        *PACKAGE.glob("*.py"),
        *(path for folder in folders for path in PACKAGE.glob(f"{folder}/**/*.py")),
    ]
    for path in sorted(modules):
        if path.name != "__init__.py":
            found.setdefault(str(path.parent.relative_to(PACKAGE)), []).append(path.name)
    for folder in ("doctor", "local", "ui"):
        found[folder] = sorted(
            f"{path.name}/" if path.is_dir() else path.name
            for path in (PACKAGE / folder).iterdir()
            if not path.name.startswith("__")
        )
    return found


def test_the_listings_and_the_tree_have_the_same_files() -> None:
    assert {folder: sorted(files) for folder, files in listed().items()} == in_the_tree()


def test_no_file_is_listed_twice() -> None:
    assert [files for files in listed().values() if len(set(files)) < len(files)] == []


def test_each_folder_of_the_package_has_a_heading() -> None:
    folders = [name_of(path) for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    headings = "\n".join(re.findall(r"^### .*$", PAGE, re.MULTILINE))
    assert [name for name in folders if f"{name.removeprefix(f'{PACKAGE.name}/')}/" not in headings] == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_glossary_is_linked(page: str) -> None:
    assert "glossary.md)" in (ROOT / page).read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the rows of a section's table, without the titles."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_thread_of_a_scheduler_is_in_the_table_of_threads() -> None:
    named = re.compile(r"""(?:name=|Repeating\()"(ecs-[a-z-]+)\"""")
    folders = ("engine", "executor", "logs")
    modules = [path for folder in folders for path in (PACKAGE / folder).rglob("*.py")]
    threads = {name for path in modules for name in named.findall(path.read_text("utf-8"))}
    assert threads >= {"ecs-engine", "ecs-database", "ecs-claims", "ecs-observer"}
    assert threads == {name for row in rows("Threads") for name in re.findall(r"^`([a-z-]+)`", row[0])}


def test_each_kind_of_failure_is_in_the_table_of_classes() -> None:
    assert {name for row in rows("Failure classes") for name in row[0].split(", ")} == {
        kind.value for kind in Kind
    }
