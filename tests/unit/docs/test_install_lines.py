"""Every install line on a page, or in a comment of what people copy, works from a clone: the package is not on PyPI yet."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PAGES = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(path for path in sorted((ROOT / "examples").rglob("*")) if path.suffix in {".py", ".md"}),
    ROOT / "Dockerfile",
)
INSTALL = re.compile(
    r"(?:^|[`$#(]|RUN)\s*(?:python3? -m |uv )?pip install (?P<arguments>[^`\n]*)", re.MULTILINE
)
KEEPS_AIRFLOW = "apache-airflow-core==$(airflow version)"
NAME = "ecs-async-executor"
WITH_A_VALUE = {"-c", "--constraint", "-r", "--requirement"}


def lines_in(text: str) -> list[str]:
    """Return the arguments of each `pip install` in a text, but for comments after it."""
    return [match["arguments"].split(" #")[0].strip() for match in INSTALL.finditer(text)]


LINES = [(str(page.relative_to(ROOT)), line) for page in PAGES for line in lines_in(page.read_text("utf-8"))]
OURS = [(page, line) for page, line in LINES if page != "Dockerfile"]


def options_and_targets(line: str) -> tuple[dict[str, str], list[str]]:
    """Return the files that options name, and what is to be installed."""
    words = iter(shlex.split(line))
    options, targets = {}, []
    for word in words:
        if word in WITH_A_VALUE:
            options[word] = next(words)
        elif not word.startswith("-"):
            targets.append(word)
    return options, targets


def problems(line: str) -> list[str]:
    """Say what is wrong with an install line, for somebody in a clone."""
    options, targets = options_and_targets(line)
    found = [f"there is no {file}" for file in options.values() if not (ROOT / file).is_file()]
    for target in targets:
        try:
            name = canonicalize_name(Requirement(target.replace("$(airflow version)", "3.3.2")).name)
        except InvalidRequirement:
            if not (ROOT / target.partition("[")[0] / "pyproject.toml").is_file():
                found.append(f"there is no project in {target}")
        else:
            if name == NAME:
                found.append(f"{name} is not on PyPI")
    if "-c" not in options and KEEPS_AIRFLOW not in targets:
        found.append("nothing pins the versions")
    return found


@pytest.mark.parametrize(("page", "line"), OURS)
def test_an_install_line_works_from_a_clone_with_pinned_versions(page: str, line: str) -> None:
    assert problems(line) == [], page


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "pip install -c constraints.txt ecs-async-executor  # a comment",
            "ecs-async-executor is not on PyPI",
        ),
        ("pip install -c constraints.txt 'ecs_async_executor[local]'", "ecs-async-executor is not on PyPI"),
        ("`uv pip install .`", "nothing pins the versions"),
        ("$ pip install -c pins.txt .", "there is no pins.txt"),
        ("# pip install -c constraints.txt ./src", "there is no project in ./src"),
    ],
)
def test_a_line_that_does_not_work_is_found(text: str, problem: str) -> None:
    (line,) = lines_in(text)
    assert problems(line) == [problem]


def test_no_message_asks_to_install_what_is_not_on_pypi() -> None:
    asking = re.compile(r"install\w* ['\"]?ecs[-_]async[-_]executor")
    sources = (ROOT / "ecs_async_executor").rglob("*.py")
    assert [path.name for path in sources if asking.search(path.read_text("utf-8"))] == []


def test_there_are_lines_for_an_airflow_that_is_there_for_a_new_one_and_for_a_laptop() -> None:
    readme = [
        targets for page, line in OURS if page == "README.md" for _, targets in [options_and_targets(line)]
    ]
    assert [KEEPS_AIRFLOW, "."] in readme
    assert ["."] in readme
    assert [".[local]"] in readme
    assert {page for page, line in OURS if ".[local]" in line} == {"README.md", "docs/local-ecs.md"}
