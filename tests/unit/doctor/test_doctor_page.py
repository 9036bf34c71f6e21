"""docs/doctor.md shows what the report really looks like."""

from __future__ import annotations

from pathlib import Path

from ecs_async_executor.doctor.facts import Absent, Cause, Facts, Kind, Question, Unknown
from ecs_async_executor.doctor.findings import Severity, exit_code
from ecs_async_executor.doctor.report import as_json, as_text
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
