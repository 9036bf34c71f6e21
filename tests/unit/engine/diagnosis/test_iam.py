from __future__ import annotations

import json
from pathlib import Path

import botocore
import pytest

from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, allow, partition_of, remedy_of

ROLE = "arn:aws:sts::123456789012:assumed-role/airflow-scheduler/i-0123456789"
TASKS = "arn:aws:ecs:eu-west-1:123456789012:task-definition/airflow"


def statement_in(remedy: str | None) -> dict[str, object]:
    assert remedy is not None
    start = remedy.index("{")
    statement, _ = json.JSONDecoder().raw_decode(remedy[start:])
    assert isinstance(statement, dict)
    return statement


@pytest.mark.parametrize(
    ("message", "statement"),
    [
        (
            (
                f"User: {ROLE} is not authorized to perform: ecs:RunTask on resource: {TASKS}:7 because no identity-based"
                " policy allows the ecs:RunTask action"
            ),
            {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": f"{TASKS}:*"},
        ),
        (
            f"User: {ROLE} is not authorized to perform: ecs:RunTask on resource: {TASKS}:7",
            {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": f"{TASKS}:*"},
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: ecs:ListTasks on resource: * because no identity-based policy"
                " allows the ecs:ListTasks action"
            ),
            {"Effect": "Allow", "Action": "ecs:ListTasks", "Resource": "*"},
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/task"
                " because no identity-based policy allows the iam:PassRole action"
            ),
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "arn:aws:iam::123456789012:role/task",
                "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            },
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: ecs:TagResource on resource:"
                " arn:aws:ecs:eu-west-1:123456789012:task/prod/* because no identity-based policy allows the"
                " ecs:TagResource action"
            ),
            {
                "Effect": "Allow",
                "Action": "ecs:TagResource",
                "Resource": "arn:aws:ecs:eu-west-1:123456789012:task/prod/*",
                "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
            },
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: ecs:TagResource on resource:"
                " arn:aws:ecs:eu-west-1:123456789012:task-definition/ecs-async-image-airflow-task-7-0a1b:* because no"
                " identity-based policy allows the ecs:TagResource action"
            ),
            {
                "Effect": "Allow",
                "Action": "ecs:TagResource",
                "Resource": "arn:aws:ecs:eu-west-1:123456789012:task-definition/ecs-async-image-*",
                "Condition": {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}},
            },
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: ecs:RegisterTaskDefinition on resource: * because no"
                " identity-based policy allows the ecs:RegisterTaskDefinition action"
            ),
            {"Effect": "Allow", "Action": "ecs:RegisterTaskDefinition", "Resource": "*"},
        ),
        (
            (
                f'User: {ROLE} is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/airflow/run-001.json"'
                " because no identity-based policy allows the s3:PutObject action"
            ),
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/airflow/*"},
        ),
        (
            (
                f"User: {ROLE} is not authorized to perform: kms:GenerateDataKey on resource:"
                " arn:aws:kms:eu-west-1:123456789012:key/k because no identity-based policy allows the"
                " kms:GenerateDataKey action"
            ),
            {
                "Effect": "Allow",
                "Action": "kms:GenerateDataKey",
                "Resource": "arn:aws:kms:eu-west-1:123456789012:key/k",
            },
        ),
    ],
)
def test_a_denials_remedy_is_the_missing_statement_and_whose_policy_needs_it(
    message: str, statement: dict[str, object]
) -> None:
    remedy = remedy_of(message)
    assert statement_in(remedy) == statement
    assert "the role airflow-scheduler" in str(remedy)


@pytest.mark.parametrize(
    ("why", "remedy"),
    [
        (
            "with an explicit deny in a service control policy",
            "Remove the Deny of ecs:RunTask from a service control policy",
        ),
        (
            "with an explicit deny in an identity-based policy",
            "Remove the Deny of ecs:RunTask from an identity-based policy",
        ),
        ("with an explicit deny", "Remove the Deny of ecs:RunTask from a policy"),
        ("because no service control policy allows the ecs:RunTask action", "organization"),
        ("because no resource control policy allows the ecs:RunTask action", "organization"),
        (
            "because no permissions boundary allows the ecs:RunTask action",
            "permissions boundary of the role airflow-scheduler",
        ),
        ("because no session policy allows the ecs:RunTask action", "session policy"),
        ("because no VPC endpoint policy allows the ecs:RunTask action", "VPC endpoint"),
        ("because no resource-based policy allows the ecs:RunTask action", "policy of the resource"),
    ],
)
def test_the_remedy_names_the_denying_policy_if_a_statement_for_the_role_would_not_help(
    why: str, remedy: str
) -> None:
    found = remedy_of(f"User: {ROLE} is not authorized to perform: ecs:RunTask on resource: {TASKS}:7 {why}")
    assert found is not None
    assert remedy in found
    assert "{" not in found
    assert "ecs:RunTask" in found


def test_an_encoded_messages_remedy_is_the_command_that_decodes_it() -> None:
    remedy = remedy_of(
        "You are not authorized to perform this operation. Encoded authorization failure message: 0l-KPW_x"
    )
    assert remedy is not None
    assert remedy.startswith("See what was denied: aws sts decode-authorization-message")
    assert remedy.endswith("--encoded-message 0l-KPW_x")


@pytest.mark.parametrize("message", ["", "Access Denied", "not authorized"])
def test_a_message_that_names_no_action_has_no_remedy(message: str) -> None:
    assert remedy_of(message) is None


def test_a_user_is_named_by_its_arn() -> None:
    user = "arn:aws:iam::123456789012:user/airflow"
    remedy = remedy_of(f"User: {user} is not authorized to perform: ecs:StopTask on resource: arn:t")
    assert f"the policy of {user}" in str(remedy)


def test_a_statement_for_one_object_covers_its_folder() -> None:
    assert allow("s3:GetObject", "arn:aws:s3:::b/run-001.json")["Resource"] == "arn:aws:s3:::b/*"


def test_the_trust_policy_lets_ecs_tasks_assume_the_role() -> None:
    (statement,) = TRUSTS_ECS_TASKS["Statement"]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}


def test_each_region_that_the_sdk_knows_is_in_its_partition() -> None:
    text = (Path(botocore.__file__).parent / "data" / "partitions.json").read_text("utf-8")
    partitions = {
        region: each["id"]
        for each in json.loads(text)["partitions"]
        for region in each["regions"]
        if not region.startswith("aws-")  # which stands for all of a partition
    }
    assert {"eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"} <= partitions.keys()
    assert {region: partition_of(region) for region in partitions} == partitions
