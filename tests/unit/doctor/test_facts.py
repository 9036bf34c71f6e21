"""What an exception of a call tells: nothing there, or that it can't be told and what to allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError

from ecs_async_executor.doctor.aws import ABSENT, fact_of
from ecs_async_executor.doctor.facts import Absent, Cause, Facts, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.findings import Severity
from ecs_async_executor.doctor.gather import gather
from ecs_async_executor.doctor.policies import decisions
from tests.unit.doctor.setups import a_setup, facts, found

SUBNET = Question(Kind.SUBNET, "subnet-1")


def refusal(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeSubnets")


@pytest.mark.parametrize("code", sorted(ABSENT))
def test_a_code_for_nothing_there_is_absent(code: str) -> None:
    assert isinstance(fact_of(refusal(code), SUBNET), Absent)


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"])
def test_a_denial_is_unknown_and_says_which_statement_is_missing(code: str) -> None:
    fact = fact_of(refusal(code, "You are not authorized to perform this operation."), SUBNET)
    assert isinstance(fact, Unknown)
    assert fact.cause is Cause.DENIED
    assert json.loads(fact.todo[fact.todo.index("{") :])["Action"] == "ec2:DescribeSubnets"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NoCredentialsError(), Cause.CREDENTIALS),
        (refusal("ExpiredToken", "The security token included in the request is expired"), Cause.CREDENTIALS),
        (ConnectTimeoutError(endpoint_url="https://ec2.eu-central-1.amazonaws.com"), Cause.NETWORK),
        (refusal("RequestLimitExceeded", "Request limit exceeded."), Cause.OTHER),
        (ValueError("odd"), Cause.OTHER),
    ],
)
def test_other_errors_are_unknown_with_their_cause(error: Exception, cause: Cause) -> None:
    fact = fact_of(error, SUBNET)
    assert isinstance(fact, Unknown)
    assert fact.cause is cause


def test_partial_permissions_are_no_false_alarm() -> None:
    denied = Unknown("AWS denies it.", Cause.DENIED, "Add a statement.")
    answers = dict(facts().answers)
    known = {Kind.IDENTITY, Kind.CLUSTER, Kind.DEFINITION}

    def answer(question: Question) -> Any:
        return answers.get(question, denied) if question.kind in known else denied

    said = found(a_setup(), gather(a_setup(), answer))
    about_aws = [
        each
        for each in said
        if each.severity in {Severity.ERROR, Severity.WARNING}
        and each.check not in {"remote logs", "the execution API's address"}
    ]
    assert about_aws == []
    assert [each.todo for each in said if each.severity is Severity.UNKNOWN] == ["Add a statement."]


def test_a_question_that_takes_too_long_is_unknown_and_holds_up_no_other() -> None:
    from threading import Event  # noqa: PLC0415  only here

    never = Event()

    def answer(question: Question) -> Any:
        if question.name == "hangs":
            never.wait(5)
        return Known(question.name)

    asked = [Question(Kind.SUBNET, "hangs"), Question(Kind.SUBNET, "quick")]
    seen = gather(a_setup(), answer, limit=0.2, plan=lambda _setup, _facts: asked)
    never.set()
    slow = seen.get(asked[0])
    assert isinstance(slow, Unknown)
    assert slow.cause is Cause.TIME
    assert seen.get(asked[1]) == Known("quick")


def test_a_check_that_missed_an_answer_does_not_say_that_all_is_fine() -> None:
    said = found(a_setup(), Facts({}))
    fine = {each.what for each in said if each.severity is Severity.FINE}
    assert fine.isdisjoint({"the cluster", "subnets", "the roles' trust", "the clock"})


ALLOW = {"Effect": "Allow", "Action": ["ecs:Run*", "iam:PassRole"], "Resource": "arn:aws:iam::1:role/a*"}


@pytest.mark.parametrize(
    ("statements", "action", "resource", "decision"),
    [
        ([], "iam:PassRole", "arn:aws:iam::1:role/a", "implicitDeny"),
        ([ALLOW], "iam:PassRole", "arn:aws:iam::1:role/abc", "unknown"),
        ([ALLOW], "iam:PassRole", "arn:aws:iam::1:role/b", "implicitDeny"),
        ([ALLOW], "iam:GetRole", "arn:aws:iam::1:role/a", "implicitDeny"),
        ([ALLOW, {**ALLOW, "Effect": "Deny"}], "iam:PassRole", "arn:aws:iam::1:role/a", "explicitDeny"),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], "iam:PassRole", "arn:x", "unknown"),
        (
            [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            "iam:PassRole",
            "arn:x",
            "implicitDeny",
        ),
        (
            [{"Effect": "Allow", "Action": "*", "NotResource": "arn:x"}],
            "iam:PassRole",
            "arn:x",
            "implicitDeny",
        ),
    ],
)
def test_policies_tell_what_they_surely_deny(
    statements: list[Any], action: str, resource: str, decision: str
) -> None:
    assert decisions([{"Statement": statements}], [action], resource) == {action: decision}
