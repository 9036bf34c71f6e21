"""The GitHub workflows run commands that exist, with no more rights than they need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.matrix.cells import PYTHONS

ROOT = Path(__file__).parents[3]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


COMMANDS = [step["run"] for workflow in WORKFLOWS.values() for step in steps(workflow) if "run" in step]
ACTIONS = [step["uses"] for workflow in WORKFLOWS.values() for step in steps(workflow) if "uses" in step]


def test_there_is_one_for_each_occasion():
    assert set(WORKFLOWS) == {"test", "nightly", "docs", "release"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_what_exists(command: str):
    assert set(re.findall(r"\bmake ([a-z-]+)", command)) <= TARGETS
    for file in re.findall(r"(?<![\w/])\.ci/\S+", command):
        assert (ROOT / file).is_file()
    assert "${{" not in command, "what GitHub puts into a script can be code: pass it in `env`"


@pytest.mark.parametrize("action", ACTIONS)
def test_actions_come_from_github_or_pypa(action: str):
    assert re.fullmatch(r"(actions/[\w-]+@v\d+|pypa/gh-action-pypi-publish@release/v1)", action)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_unless_a_job_says_what_it_writes(name: str):
    workflow = WORKFLOWS[name]
    assert set(workflow["permissions"].values()) <= {"read"} if workflow["permissions"] else True
    writers = {
        (job_name, right)
        for job_name, job in workflow["jobs"].items()
        for right, level in job.get("permissions", {}).items()
        if level == "write"
    }
    assert writers == {
        "release": {("publish", "id-token"), ("announce", "contents")},
        "docs": {("deploy", "id-token"), ("deploy", "pages")},
    }.get(name, set())


def test_every_job_ends_and_no_checkout_keeps_its_token():
    for workflow in WORKFLOWS.values():
        assert all(job["timeout-minutes"] <= 350 for job in workflow["jobs"].values())
        for step in steps(workflow):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_nightly_covers_every_cell_of_the_matrix():
    assert tuple(WORKFLOWS["nightly"]["jobs"]["matrix"]["strategy"]["matrix"]["python"]) == PYTHONS


def test_what_is_released_has_been_tested_and_built_from_the_tag():
    jobs = WORKFLOWS["release"]["jobs"]
    assert [jobs[name].get("needs") for name in ("test", "build", "publish", "announce")] == [
        None,
        "test",
        "build",
        "publish",
    ]


def test_security_and_templates_are_where_github_looks():
    folder = ROOT / ".github"
    assert "Report a vulnerability" in (folder / "SECURITY.md").read_text("utf-8")
    for form in ("bug.yml", "idea.yml"):
        assert yaml.safe_load((folder / "ISSUE_TEMPLATE" / form).read_text("utf-8"))["body"]
