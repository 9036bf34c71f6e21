"""Prints the notes of a release, from CHANGELOG.md, once the tag, the version and the changelog agree.

python .ci/release_notes.py v1.2.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_DECLARED = {
    "pyproject.toml": r'^version = "(.+)"$',
    "ecs_async_executor/__init__.py": r'^__version__ = "(.+)"$',
}


def release_notes(tag: str, root: Path = ROOT) -> str:
    """Return the changelog's section of a tag's version; raises `ValueError` if something disagrees."""
    version = tag.removeprefix("v")
    for name, pattern in _DECLARED.items():
        (declared,) = re.findall(pattern, (root / name).read_text("utf-8"), re.MULTILINE)
        if declared != version:
            raise ValueError(f"The tag is {tag}, but {name} says {declared}.")
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    head = rf"^## {re.escape(version)} - \d{{4}}-\d{{2}}-\d{{2}}\n"
    section = re.search(head + r"(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None:
        raise ValueError(f"CHANGELOG.md has no line `## {version} - YYYY-MM-DD`.")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(release_notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
