"""What an exception of a call tells: nothing there, or that it can't be told and what to allow."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from ecs_async_executor.doctor.aws import asking
from ecs_async_executor.doctor.aws.actions import service_of
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.aws.errors import ABSENT, fact_of
from ecs_async_executor.doctor.facts import Absent, Cause, Facts, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.findings import Severity
from ecs_async_executor.doctor.gather import gather, within
from ecs_async_executor.doctor.policies import decisions
from tests.unit.doctor.setups import a_setup, facts, found

SUBNET = Question(Kind.SUBNET, "subnet-1")


def refusal(code: str, message: str = "", operation: str = "DescribeSubnets") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


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
        (ProfileNotFound(profile="nope"), Cause.CREDENTIALS),
        (InvalidRegionError(region_name="us east"), Cause.CREDENTIALS),
        (
            refusal("AccessDenied", "not authorized to perform: sts:AssumeRole", "AssumeRole"),
            Cause.CREDENTIALS,
        ),
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


ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ALLOW = {"Effect": "Allow", "Action": ["ecs:Run*", "iam:PassRole"], "Resource": "arn:aws:iam::1:role/a*"}


@pytest.mark.parametrize(
    ("statements", "action", "resource", "decision"),
    [
        ([], "iam:PassRole", "arn:aws:iam::1:role/a", "implicitDeny"),
        ([ALLOW], "iam:PassRole", "arn:aws:iam::1:role/abc", "allowed"),
        ([{**ALLOW, "Condition": {"Bool": {}}}], "iam:PassRole", "arn:aws:iam::1:role/abc", "unknown"),
        (
            [{**ALLOW, "Resource": "arn:aws:iam::1:role/${aws:username}"}],
            "iam:PassRole",
            "arn:aws:iam::1:role/me",
            "unknown",
        ),
        ([{**ALLOW, "Resource": "arn:task/c/one"}], "ecs:RunTask", "arn:task/c/*", "unknown"),
        (
            [ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Resource": "arn:task/c/one"}],
            "ecs:StopTask",
            "arn:task/c/*",
            "unknown",
        ),
        (
            [ALLOW_ALL, {**ALLOW_ALL, "Effect": "Deny", "Condition": {"Bool": {}}}],
            "ecs:StopTask",
            "arn:x",
            "unknown",
        ),
        (
            [ALLOW_ALL, {"Effect": "Deny", "Action": "*", "NotResource": "arn:x"}],
            "ecs:StopTask",
            "arn:y",
            "explicitDeny",
        ),
        ([ALLOW], "iam:PassRole", "arn:aws:iam::1:role/b", "implicitDeny"),
        ([ALLOW], "iam:GetRole", "arn:aws:iam::1:role/a", "implicitDeny"),
        ([ALLOW, {**ALLOW, "Effect": "Deny"}], "iam:PassRole", "arn:aws:iam::1:role/a", "explicitDeny"),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], "iam:PassRole", "arn:x", "allowed"),
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
def test_policies_tell_what_they_allow_and_deny_for_certain(
    statements: list[Any], action: str, resource: str, decision: str
) -> None:
    assert decisions([{"Statement": statements}], [action], resource) == {action: decision}


@pytest.mark.parametrize("error", [EndpointConnectionError, ReadTimeoutError])
def test_a_service_that_cannot_be_reached_is_named_by_its_address(error: Any) -> None:
    fact = fact_of(error(endpoint_url="https://ecs.mars-north-1.amazonaws.com"), SUBNET)
    assert isinstance(fact, Unknown)
    assert "https://ecs.mars-north-1.amazonaws.com" in fact.why
    assert "Region" in fact.todo
    assert "executor" not in fact.todo


def test_a_proxys_page_is_not_shown() -> None:
    fact = fact_of(refusal("500", "<!doctype html>\n<html>"), SUBNET)
    assert fact == Unknown("DescribeSubnets answered 500.", Cause.OTHER)


class FakeClient:
    """Answers each operation with what is given, or raises it."""

    def __init__(self, **answers: Any) -> None:
        self.asked: list[str] = []
        self.meta = SimpleNamespace(endpoint_url="https://ecs.us-east-1.amazonaws.com")
        self._answers = answers

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append(operation)
            answer = self._answers[operation]
            answer = answer(request) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def get_paginator(self, operation: str) -> Any:
        pages = self._answers[operation]

        class Pages:
            def paginate(self, **_: Any) -> Any:
                return pages

        return Pages()


def ask(kind: Kind, client: FakeClient, name: str = "", of: str = "") -> Any:
    aws = Aws(None, "us-east-1")
    aws._clients.update({("ecs", "us-east-1"): FakeClient(), (service_of(kind), "us-east-1"): client})
    return asking.answer(aws, Question(kind, name, of))


def test_a_quota_that_was_never_raised_is_awss_default() -> None:
    default = {"Quota": {"Value": 6.0}}
    client = FakeClient(
        get_service_quota=refusal("NoSuchResourceException"), get_aws_default_service_quota=default
    )
    assert ask(Kind.QUOTA, client, "L-3032A538") == Known(6.0)


def test_a_raised_quota_is_the_accounts_own() -> None:
    client = FakeClient(get_service_quota={"Quota": {"Value": 4000.0}})
    assert ask(Kind.QUOTA, client, "L-3032A538") == Known(4000.0)
    assert client.asked == ["get_service_quota"]


def test_launch_rates_are_read_from_every_page() -> None:
    pages = [{"Quotas": [{"QuotaName": "a", "Value": 5.0}]}, {"Quotas": [{"QuotaName": "b", "Value": 20.0}]}]
    assert ask(Kind.RATES, FakeClient(list_service_quotas=pages)) == Known({"a": 5.0, "b": 20.0})


def test_a_provider_of_managed_instances_is_shown_only_with_its_cluster() -> None:
    def answer(request: Any) -> Any:
        return {"capacityProviders": [{"status": "ACTIVE"}] if request.get("cluster") == "c" else []}

    aws = Aws(None, "us-east-1")
    ecs = FakeClient(describe_capacity_providers=answer)
    aws._clients[("ecs", "us-east-1")] = ecs
    assert asking.answer(aws, Question(Kind.PROVIDER, "mi", "c")) == Known({"status": "ACTIVE"})
    assert isinstance(asking.answer(aws, Question(Kind.PROVIDER, "mi", "other")), Absent)


IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/airflow:1"


def test_the_processor_of_a_single_image_is_in_its_configuration(tmp_path: Path) -> None:
    blob = tmp_path / "configuration"
    blob.write_text(json.dumps({"architecture": "arm64", "os": "linux"}))
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:1"}})
    client = FakeClient(
        batch_get_image={"images": [{"imageManifest": manifest}]},
        get_download_url_for_layer={"downloadUrl": blob.as_uri()},
    )
    assert ask(Kind.PLATFORMS, client, IMAGE) == Known(("arm64",))


def test_an_image_whose_configuration_cannot_be_read_is_unknown() -> None:
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:1"}})
    client = FakeClient(
        batch_get_image={"images": [{"imageManifest": manifest}]},
        get_download_url_for_layer=refusal("AccessDeniedException"),
    )
    assert isinstance(ask(Kind.PLATFORMS, client, IMAGE), Unknown)


def simulated(decision: str, missing: list[str]) -> dict[str, Any]:
    return {
        "EvaluationResults": [
            {"EvalActionName": "ecs:StopTask", "EvalDecision": decision, "MissingContextValues": missing}
        ]
    }


ROLE = "arn:aws:iam::123456789012:role/airflow"


@pytest.mark.parametrize(
    ("decision", "missing", "policies", "told"),
    [
        ("allowed", [], None, "allowed"),
        ("implicitDeny", [], None, "implicitDeny"),
        ("explicitDeny", ["aws:SourceVpc"], None, "unknown"),
        ("implicitDeny", ["aws:SourceVpc"], [], "implicitDeny"),
        ("explicitDeny", ["aws:SourceVpc"], [{**ALLOW_ALL, "Effect": "Deny"}], "explicitDeny"),
    ],
)
def test_a_decision_that_depends_on_a_condition_is_unknown_unless_the_policies_tell(
    decision: str, missing: list[str], policies: list[Any] | None, told: str
) -> None:
    pages: Any = [{"PolicyNames": ["p"] if policies is not None else []}]
    client = FakeClient(
        simulate_principal_policy=simulated(decision, missing),
        list_role_policies=pages if policies is not None else [None],
        list_attached_role_policies=[{"AttachedPolicies": []}],
        get_role_policy={"PolicyDocument": {"Statement": policies or []}},
    )
    assert ask(Kind.PERMISSIONS, client, ROLE, "ecs:StopTask arn:x arn:cluster") == Known(
        {"ecs:StopTask": told}
    )


def test_policies_are_read_from_every_page() -> None:
    client = FakeClient(
        simulate_principal_policy=refusal("AccessDenied"),
        list_role_policies=[{"PolicyNames": []}, {"PolicyNames": ["second"]}],
        list_attached_role_policies=[{"AttachedPolicies": []}],
        get_role_policy={"PolicyDocument": {"Statement": ALLOW_ALL}},
    )
    assert ask(Kind.PERMISSIONS, client, ROLE, "ecs:StopTask arn:x") == Known({"ecs:StopTask": "allowed"})


def test_a_call_within_its_time_returns_or_raises_and_a_late_one_raises_timeout_error() -> None:
    from threading import Event  # noqa: PLC0415  only here

    never = Event()
    assert within(lambda: 1, 5.0) == 1
    with pytest.raises(ZeroDivisionError):
        within(lambda: 1 / 0, 5.0)
    with pytest.raises(TimeoutError):
        within(lambda: never.wait(5), 0.05)
    never.set()


@pytest.mark.parametrize(
    ("code", "what", "todo"),
    [
        ("RequestTimeTooSkewed", "clock is too far from AWS's", "NTP"),
        ("ExpiredTokenException", "credentials have expired", "Renew them"),
    ],
)
def test_what_any_service_says_of_clock_and_credentials_is_told_as_such(
    code: str, what: str, todo: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "No."}}, "GetCallerIdentity")
    fact = fact_of(error, Question(Kind.IDENTITY))
    assert isinstance(fact, Unknown)
    assert fact.cause is Cause.CREDENTIALS
    assert what in fact.why
    assert todo in fact.todo
