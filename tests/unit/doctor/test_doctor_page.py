"""docs/doctor.md shows what the report really looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_async_executor.doctor.facts import Absent, Cause, Facts, Kind, Question, Unknown
from ecs_async_executor.doctor.findings import Severity, error, exit_code
from ecs_async_executor.doctor.launch.observation import Observation
from ecs_async_executor.doctor.report import as_json, as_text, launch_text
from tests.unit.docs.pages import code_blocks
from tests.unit.doctor.setups import DEFINITION, a_setup, facts, found

PAGE = Path(__file__).parents[3] / "docs" / "doctor.md"


def example() -> Facts:
    container = {**DEFINITION["containerDefinitions"][0], "name": "worker"}
    answers = dict(facts(definition={**DEFINITION, "containerDefinitions": [container]}).answers)
    answers[Question(Kind.LOG_GROUP, "/ecs/airflow-task", "eu-central-1")] = Absent()
    todo = 'Add to the policy of the role airflow: {"Effect": "Allow", "Action": "ec2:DescribeSubnets", "Resource": "*"}'
    answers[Question(Kind.SUBNET, "subnet-1")] = Unknown(
        "AWS denies ec2:DescribeSubnets.", Cause.DENIED, todo
    )
    return Facts(answers)


def shown() -> str:
    of = {"the container's name", "log groups", "everything asked was answered"}
    said = [each for each in found(a_setup(), example()) if each.check in of]
    return as_text(said, ["default"])


def test_the_page_shows_the_report() -> None:
    assert code_blocks(PAGE.read_text("utf-8"), "text") == [shown()]


def test_errors_come_first_and_decide_the_exit_code() -> None:
    said = found(a_setup(), example())
    severities = [each.severity for each in said]
    assert severities[0] is Severity.ERROR
    assert exit_code(said) == 1
    assert exit_code([each for each in said if each.severity is not Severity.ERROR]) == 0


def test_no_report_holds_a_password_of_a_url() -> None:
    said = found(a_setup(api_url="http://me:hush@api.example.com/execution/"), facts())
    assert any("hush" in each.what for each in said)
    assert "hush" not in as_text(said)
    assert "hush" not in as_json(said)


def test_no_report_holds_a_token() -> None:
    token = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxIn0xxx.c2lnbmF0dXJlxxx"
    said = found(a_setup(problems=(f"an option: {token}",)), facts())
    assert token not in as_text(said)
    assert token not in as_json(said)


COMMAND = "aws ecs list-clusters --region eu-central-1 --query 'clusterArns[]' --output text --no-cli-pager"
STATEMENT = (
    '{"Effect": "Allow", "Action": "ec2:DescribeSubnets", "Resource": "*", "Condition": {"Bool": {"a": "b"}}}'
)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_fit_the_terminal_and_what_people_copy_stays_in_one(width: int) -> None:
    text = (
        "one word after the other, more than a line of any terminal holds, and then still some more of them"
    )
    said = [error(text, f"{text}, {text}", f"{text} ({COMMAND}), or: {COMMAND}; {text}: {STATEMENT}")]
    lines = as_text(said, width=width).splitlines()
    assert sum(line.count(COMMAND) for line in lines) == 2
    assert any(STATEMENT in line for line in lines)
    assert all(len(line) <= width or COMMAND in line or STATEMENT in line for line in lines)


def test_the_name_of_a_container_is_no_command() -> None:
    said = [error("x", "", f"Set it for airflow in {'the task definition ' * 9}")]
    assert all(len(line) <= 80 for line in as_text(said, width=80).splitlines())


def test_no_report_holds_what_a_terminal_obeys() -> None:
    seen = Observation("airflow", arn="arn", lines=("\x1b[2Jgone\rover",))
    assert launch_text(seen).splitlines()[-2] == "    [2Jgoneover"
    assert "\x1b" not in as_text([error("entry point \x1b[31m")])


def test_a_command_follows_its_heading_and_no_full_stop_follows_a_command() -> None:
    text = as_text([error("x", "", f"List them: {COMMAND}."), error("y", "", COMMAND)], width=60)
    assert f"\n       {COMMAND}\n" in text
    assert f"\n  Do:  {COMMAND}\n" in text
    assert "Correct it.\n" in as_text([error("x", "", "Correct it.")])
