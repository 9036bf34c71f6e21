"""docs/architecture.md lists the files as they are, and docs/glossary.md is found from where people need it."""

from __future__ import annotations

import re

import pytest

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
