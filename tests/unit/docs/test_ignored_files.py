"""The files of secrets that pages tell people to write stay out of images and commits."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from tests.unit.docs.pages import PAGES, ROOT

WRITTEN = sorted(
    {
        name
        for page in (*PAGES, ROOT / "examples" / "README.md")
        for name in re.findall(r"(?:cat >>? ?|--env-file |cp \S+ )([\w.]*\.env)\b", page.read_text("utf-8"))
    }
)
"""Environment files in the reader's folder, by the commands of pages."""


def test_pages_write_environment_files() -> None:
    assert {".env", "airflow.env", "database.env"} <= {*WRITTEN}


@pytest.mark.parametrize("ignoring", [".dockerignore", ".gitignore"])
@pytest.mark.parametrize("name", WRITTEN)
def test_an_environment_file_is_left_out(name: str, ignoring: str) -> None:
    patterns = (ROOT / ignoring).read_text("utf-8").splitlines()
    assert any(fnmatch(name, pattern.removeprefix("**/").removeprefix("/")) for pattern in patterns)
