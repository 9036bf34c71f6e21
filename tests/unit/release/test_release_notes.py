"""A release goes out only if its tag, its version and its changelog agree."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from ecs_async_executor import __version__

ROOT = Path(__file__).parents[3]
_SPEC = spec_from_file_location("release_notes", ROOT / ".ci" / "release_notes.py")
assert _SPEC is not None
assert _SPEC.loader is not None
MODULE = module_from_spec(_SPEC)
_SPEC.loader.exec_module(MODULE)

CHANGELOG = """# Changelog

## 1.2.0 - 2027-01-31

### Fixed

- A thing.

## 1.1.0 - 2026-12-24

- Older.
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "ecs_async_executor").mkdir()
    (tmp_path / "ecs_async_executor" / "__init__.py").write_text('__version__ = "1.2.0"\n', "utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n', "utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    return tmp_path


def test_the_notes_are_the_version_s_own_section(repository: Path):
    assert MODULE.release_notes("v1.2.0", repository) == "### Fixed\n\n- A thing.\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("pyproject.toml", "1.2.0", "1.3.0", r"The tag is v1\.2\.0, but pyproject\.toml says 1\.3\.0\."),
        ("ecs_async_executor/__init__.py", "1.2.0", "1.1.9", r"__init__\.py says 1\.1\.9"),
        ("CHANGELOG.md", " - 2027-01-31", " - unreleased", r"no line `## 1\.2\.0 - YYYY-MM-DD`"),
        ("CHANGELOG.md", "1.2.0", "1.2.0rc1", r"no line `## 1\.2\.0"),
    ],
)
def test_what_disagrees_is_named(repository: Path, file: str, old: str, new: str, problem: str):
    path = repository / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(ValueError, match=problem):
        MODULE.release_notes("v1.2.0", repository)


def test_pyproject_and_the_package_have_one_version():
    (declared,) = re.findall(
        r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert declared == __version__
