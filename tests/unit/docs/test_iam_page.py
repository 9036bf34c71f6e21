"""The policies of docs/iam.md allow what the engine calls, and nothing else."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from ecs_async_executor.doctor.aws.actions import ACTIONS, MORE_ACTIONS
from ecs_async_executor.engine.aws import ecs, s3
from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, allow, remedy_of
from ecs_async_executor.engine.images import Revision
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.logs.problems import CALLS
from ecs_async_executor.operate import aws
from ecs_async_executor.operate.exec_checks import TASK_ROLE_POLICY

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "iam.md").read_text("utf-8")
SCHEDULER, IMAGES, API_SERVER, OPERATOR, EXECUTION, TASK, ECS_EXEC, TRUST, DOCTOR = (
    json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
)


def statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By action."""
    found: dict[str, dict[str, Any]] = {}
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        found |= dict.fromkeys([actions] if isinstance(actions, str) else actions, statement)
    return found


def calls(module: Any, service: str) -> set[str]:
    """Return the actions of the calls that a client of the engine makes."""
    model = get_session().get_service_model(service)
    action_of = {xform_name(name): f"{service}:{name}" for name in model.operation_names}
    names = re.findall(r"self\._(?:ask|try)\(\"(\w+)\"", inspect.getsource(module))
    return {action_of[name] for name in names}


def test_the_schedulers_policy_allows_what_the_engine_calls_and_what_run_task_needs_beside() -> None:
    called = calls(ecs, "ecs") | calls(s3, "s3")
    assert called >= {"ecs:RunTask", "ecs:DescribeTasks", "s3:PutObject"}
    of_images = {"ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"}
    assert statements(SCHEDULER).keys() == called - of_images | {"iam:PassRole", "ecs:TagResource"}
    assert statements(IMAGES).keys() == of_images | {"ecs:RunTask", "ecs:TagResource"}


@pytest.mark.parametrize("action", ["ecs:RunTask", "ecs:TagResource"])
def test_the_statement_for_a_denied_image_is_the_one_of_the_page_for_all_images(action: str) -> None:
    family = Revision(
        TaskDefinition(task_definition={"taskDefinitionArn": "arn:aws:ecs:r:1:task-definition/t:7"}),
        "a",
        "i",
        "d",
    ).family
    wanted = statements(IMAGES)[action]
    resource = wanted["Resource"].replace("ecs-async-image-*", family)
    for denied in (f"{resource}:1", f"{resource}:*", resource):
        message = f"User: arn:aws:iam::1:user/a is not authorized to perform: {action} on resource: {denied}"
        remedy = str(remedy_of(message))
        statement = json.loads(remedy[remedy.index("{") :])
        assert statement["Resource"] == wanted["Resource"]
        if action == "ecs:TagResource":
            assert statement["Condition"] == wanted["Condition"]


def test_the_api_servers_policy_allows_what_reading_a_log_needs() -> None:
    assert statements(API_SERVER).keys() == set(CALLS.values())


def test_the_operators_policy_allows_what_the_commands_of_operation_call() -> None:
    called = re.findall(r"self\._(ecs|s3)\(\s*\"(\w+)\"", inspect.getsource(aws))
    models = {service: get_session().get_service_model(service) for service in ("ecs", "s3")}
    names = {
        f"{service}:{name}"
        for service, model in models.items()
        for name in model.operation_names
        if (service, xform_name(name)) in called
    }
    assert statements(OPERATOR).keys() == {
        "s3:ListBucket" if name == "s3:ListObjectsV2" else name for name in names
    }


def test_the_statement_for_ecs_exec_is_the_one_that_messages_show() -> None:
    (statement,) = ECS_EXEC["Statement"]
    assert {name: value for name, value in statement.items() if name != "Sid"} == json.loads(TASK_ROLE_POLICY)


def test_the_doctors_policy_allows_what_the_doctor_asks() -> None:
    asked = {*ACTIONS.values(), *MORE_ACTIONS} - {"sts:GetCallerIdentity"}  # which needs no permission
    of_the_scheduler = {"ecs:ListTasks", "ecs:DescribeTasks"}
    assert statements(DOCTOR).keys() == asked - of_the_scheduler


def test_no_policy_allows_an_action_on_everything_that_can_be_narrowed() -> None:
    everything = {
        action
        for policy in (SCHEDULER, IMAGES, API_SERVER, OPERATOR, EXECUTION, TASK)
        for action, statement in statements(policy).items()
        if statement["Resource"] == "*" and "Condition" not in statement
    }
    assert everything == {
        "ecr:GetAuthorizationToken",
        "ecs:DeregisterTaskDefinition",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitionFamilies",
        "ecs:RegisterTaskDefinition",
    }


@pytest.mark.parametrize("action", ["iam:PassRole", "ecs:TagResource"])
def test_the_statement_in_a_message_has_the_conditions_of_the_page(action: str) -> None:
    assert allow(action, "arn:x")["Condition"] == statements(SCHEDULER)[action]["Condition"]


def test_the_statement_for_a_denied_launch_is_for_the_resource_of_the_page() -> None:
    resource = statements(SCHEDULER)["ecs:RunTask"]["Resource"]
    denied = resource.removesuffix("*") + "7"
    remedy = remedy_of(
        f"User: arn:aws:iam::1:user/a is not authorized to perform: ecs:RunTask on resource: {denied}"
    )
    assert json.loads(str(remedy)[str(remedy).index("{") :])["Resource"] == resource


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ecs:DescribeTasks", "arn:aws:ecs:eu-central-1:123456789012:task/my-cluster/0a1b2c"),
        (
            "logs:GetLogEvents",
            "arn:aws:logs:eu-central-1:123456789012:log-group:/ecs/airflow-task:log-stream:ecs/airflow/0a1b2c",
        ),
    ],
)
def test_the_statement_for_a_denied_log_is_for_the_resource_of_the_page(action: str, resource: str) -> None:
    assert allow(action, resource)["Resource"] == statements(API_SERVER)[action]["Resource"]


def test_the_trust_policy_is_the_one_that_messages_show() -> None:
    assert TRUST == TRUSTS_ECS_TASKS


@pytest.mark.parametrize("page", ["../README.md", "switching.md"])
def test_the_page_is_found_from_where_people_set_up(page: str) -> None:
    assert "iam.md" in (DOCS / page).read_text("utf-8")
