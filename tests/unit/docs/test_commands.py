"""Every block of commands on a page is run by a test, or says what it needs that no test has: tests/support/blocks.py."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ecs_async_executor.cli import main
from tests.support.blocks import (
    COMMANDS_OF_TESTS,
    LANGUAGES,
    PAGES,
    ROOT,
    Block,
    blocks,
    problem_of,
    run_by,
)

COMMANDS = [block for page in PAGES for block in blocks(page) if block.language in LANGUAGES]
HERE = [block for page in PAGES for block in run_by(__file__, page)]
GNU_ONLY = re.compile(r"\bsed -i |\breadlink -f|\bdate -d|\bbase64 -w|\bgrep -\w*P")
REQUIRED = {"CLUSTER": "c", "CONTAINER_NAME": "airflow", "TASK_DEFINITION": "t", "SUBNETS": "subnet-1"}


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_a_block_of_commands_is_run_by_a_test_or_says_what_it_needs(block: Block) -> None:
    assert problem_of(block) is None


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_no_command_needs_gnu_s_variant_because_a_mac_has_bsd_s(block: Block) -> None:
    assert GNU_ONLY.findall(block.code) == []


@pytest.mark.parametrize(
    ("command", "found"), [("sed -i 's/a/b/' x", True), ("sed -i.bak 's/a/b/' x", False)]
)
def test_gnu_s_variant_is_found(command: str, found: bool) -> None:
    assert bool(GNU_ONLY.search(command)) == found


@pytest.mark.parametrize(("command", "file"), COMMANDS_OF_TESTS.items())
def test_a_command_that_tests_start_anyway_is_in_their_file(command: str, file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    words = [
        word
        for word in re.split(r"\W+", command)
        if word not in {"make", "ecs", "async", "", "venv", "bin", "python", "m"}
    ]
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("block", HERE, ids=str)
def test_the_commands_of_this_package_do_without_aws_what_the_page_says(
    block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}", value)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", '{"gpu": {"launchType": "EC2"}}')
    for command in block.commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "ecs-async"
        assert main(arguments) == 0
        assert capsys.readouterr().out


def a_block(comment: str, code: str = "aws s3 ls\n") -> Block:
    (block,) = blocks(Path("x.md"), f"text\n\n<!-- {comment} -->\n```console\n{code}```\n")
    return block


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("needs AWS", None),
        ("needs AWS, Docker", None),
        ("run by tests/integration/test_aws_setup_page.py", None),
        ("needs luck", "nobody knows what it needs: ['luck']"),
        ("run by tests/integration/test_nothing.py", "no such test: tests/integration/test_nothing.py"),
        ("run by tests/unit/docs/test_pages.py", "no such test: tests/unit/docs/test_pages.py"),
        ("whatever", "an unknown comment: whatever"),
    ],
)
def test_a_comment_says_who_runs_a_block_or_what_it_needs(comment: str, problem: str | None) -> None:
    assert problem_of(a_block(comment)) == problem


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("make demo\n# a comment\n", None),
        ("$ make demo ARGS=--keep\nwhat it prints\n", None),
        ("make demo\nrm -rf somewhere\n", "no test runs: ['rm -rf somewhere']"),
    ],
)
def test_a_block_without_a_comment_needs_a_test_that_starts_each_of_its_commands(
    code: str, problem: str | None
) -> None:
    (block,) = blocks(Path("x.md"), f"```console\n{code}```\n")
    assert problem_of(block) == problem
