"""What an exception of a call tells: nothing there, or that it can't be told and what to allow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
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
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from ecs_async_executor.doctor.aws import asking
from ecs_async_executor.doctor.aws.actions import service_of
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.aws.errors import ABSENT, fact_of
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Facts, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.findings import Severity
from ecs_async_executor.doctor.gather import gather, within
from ecs_async_executor.doctor.policies import decisions
from ecs_async_executor.doctor.setup import Setup, Target
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Request
from tests.unit.doctor.setups import BODY, DEFINITION, a_setup, facts, found
from tests.unit.doctor.setups import SUBNET as SUBNET_1

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


DENIED = Unknown("AWS denies it.", Cause.DENIED, "Add a statement.")
OF_THE_CLUSTER = {"the cluster", "capacity providers", "container instances", "permissions"}
OF_THE_PLACE = {
    "launch type, network mode and sizes",
    "the platform",
    "stopTimeout against Spot",
    "placement",
}


def with_cluster(answer: Fact, more: dict[Question, Fact], setup: Setup) -> tuple[set[str], list[str]]:
    """Return what is fine, and the errors and warnings, if the question for the cluster has this answer."""
    said = found(setup, Facts({**facts().answers, Question(Kind.CLUSTER, "prod"): answer, **more}))
    fine = {each.what for each in said if each.severity is Severity.FINE}
    return fine, [each.what for each in said if each.severity in {Severity.ERROR, Severity.WARNING}]


@pytest.mark.parametrize("answer", [DENIED, Absent("MISSING")])
def test_an_answer_that_is_missing_keeps_only_those_checks_from_being_fine_that_need_it(answer: Fact) -> None:
    known, before = with_cluster(facts().answers[Question(Kind.CLUSTER, "prod")], {}, a_setup())
    fine, after = with_cluster(answer, {}, a_setup())
    assert known - fine <= OF_THE_CLUSTER | {"everything asked was answered"}
    assert "the cluster" not in fine
    assert fine >= OF_THE_PLACE | {"the task definition", "the container's name"}
    assert [each for each in after if each not in before] == (
        ["ECS has no cluster prod in eu-central-1."] if isinstance(answer, Absent) else []
    )


@pytest.mark.parametrize("answer", [DENIED, Absent("MISSING")])
def test_a_second_fault_is_named_although_the_cluster_is_not_known(answer: Fact) -> None:
    group = Question(Kind.LOG_GROUP, "/ecs/airflow-task", "eu-central-1")
    _, wrong = with_cluster(answer, {group: Absent()}, a_setup())
    assert "CloudWatch Logs has no log group /ecs/airflow-task in eu-central-1." in wrong


def open_setup(settle: Any) -> Setup:
    body = {name: value for name, value in BODY.items() if name != "launchType"}
    target = Target("default", "prod", "airflow", Request(body, "airflow", settle))
    return replace(a_setup(), targets=(target,))


def test_where_the_cluster_decides_on_the_place_nothing_of_the_place_is_known_without_it() -> None:
    def settle(_: Any) -> Request:
        raise InvalidRequestError("Fargate tasks need at least one subnet.", "Set the option subnets.")

    of_ec2 = {**DEFINITION, "networkMode": "awsvpc", "compatibilities": ["EC2"], "cpu": "7", "memory": "7"}
    more: dict[Question, Fact] = {Question(Kind.DEFINITION, "airflow-task"): Known(of_ec2)}
    fine, wrong = with_cluster(DENIED, more, open_setup(settle))
    assert not fine & {*OF_THE_PLACE, "the profiles' requests"}
    assert not [each for each in wrong if "Fargate" in each or "no subnets" in each]
    assert "the container's name" in fine
    _, wrong = with_cluster(Known({"status": "ACTIVE"}), more, open_setup(settle))
    assert "Fargate tasks need at least one subnet." in wrong


def test_the_way_out_of_a_public_subnet_is_not_judged_while_it_is_not_known_who_uses_it() -> None:
    internet = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
    table = {"RouteTableId": "rtb-1", "Associations": [{"Main": True}], "Routes": [internet]}
    more: dict[Question, Fact] = {
        Question(Kind.SUBNET, "subnet-1"): Known(SUBNET_1),
        Question(Kind.SUBNET, "subnet-2"): Known(
            {**SUBNET_1, "SubnetId": "subnet-2", "AvailabilityZone": "b"}
        ),
        Question(Kind.ROUTES, "vpc-1"): Known([table]),
        Question(Kind.ENDPOINTS, "vpc-1"): Known([]),
    }
    fine, wrong = with_cluster(DENIED, more, open_setup(lambda _: Request(BODY, "airflow")))
    assert "a way out of the subnets" not in fine
    assert not [each for each in wrong if "subnet-1" in each]


def test_a_question_that_takes_too_long_is_unknown_and_holds_up_no_other() -> None:
    from threading import Event  # noqa: PLC0415  only here

    never = Event()

    def answer(question: Question) -> Any:
        if question.name == "hangs":
            never.wait(60)
        return Known(question.name)

    asked = [Question(Kind.SUBNET, "hangs"), Question(Kind.SUBNET, "quick")]
    seen = gather(a_setup(), answer, limit=2.0, plan=lambda _setup, _facts: asked)
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


def test_all_pages_of_a_registrys_cache_rules_are_read() -> None:
    client: Any = boto3.client(
        "ecr", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    registry = {"registryId": "123456789012"}
    with Stubber(client) as stubber:
        for token, prefix in (("more", "docker-hub"), (None, "ROOT")):
            answer: dict[str, Any] = {"pullThroughCacheRules": [{"ecrRepositoryPrefix": prefix}]}
            request = registry if token else {**registry, "nextToken": "more"}
            stubber.add_response(
                "describe_pull_through_cache_rules", answer | ({"nextToken": token} if token else {}), request
            )
        assert ask(Kind.CACHE_RULES, client, "123456789012") == Known(("docker-hub", "ROOT"))


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
def test_what_any_service_says_of_clock_and_credentials_is_reported_as_such(
    code: str, what: str, todo: str
) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "No."}}, "GetCallerIdentity")
    fact = fact_of(error, Question(Kind.IDENTITY))
    assert isinstance(fact, Unknown)
    assert fact.cause is Cause.CREDENTIALS
    assert what in fact.why
    assert todo in fact.todo


def test_what_is_no_answer_of_aws_is_reported_without_its_text() -> None:
    fact = fact_of(ResponseParserError("invalid XML received: b'<html>Sign in'"), SUBNET)
    assert isinstance(fact, Unknown)
    assert fact.cause is Cause.NETWORK
    assert "proxy" in fact.todo
    assert "html" not in fact.why
