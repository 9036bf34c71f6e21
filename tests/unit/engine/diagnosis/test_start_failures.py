"""AWS's reasons why a task can't start mean the same wherever AWS gives them."""

from __future__ import annotations

import pytest

from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify, classify_run_task_failure
from ecs_async_executor.engine.diagnosis.stopped_tasks import Verdict, judge
from ecs_async_executor.engine.responses import Container, Task, TaskFailure
from ecs_async_executor.messages import Diagnosis
from tests.support.engine import error

SERVICE_LINKED = (
    "Unable to assume the service linked role. Please verify that the ECS service linked role exists."
)
ROLE = (
    "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/task' that was provided for this task. Please"
    " verify that the role being passed has the proper trust relationship and permissions and that your IAM user has"
    " permissions to pass this role."
)
INFRASTRUCTURE = (
    "ECS was unable to assume the configured ECS Infrastructure Role 'arn:aws:iam::123456789012:role/ebs'. Please verify"
    " that the role being passed has the proper trust relationship with Amazon ECS."
)
NO_INSTANCES = "No Container Instances were found in your cluster."


def never_ran(reason: str) -> Verdict:
    container = Container(name="airflow")
    task = Task(
        task_arn="arn:task/1",
        last_status="STOPPED",
        stop_code="TaskFailedToStart",
        stopped_reason=reason,
        containers=(container,),
    )
    return judge(task, "airflow")


def kind_of(verdict: Verdict) -> Kind:
    if verdict.capacity:
        return Kind.CAPACITY
    return Kind.CONFIGURATION if verdict.permanent else Kind.START


@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        ("RESOURCE:CPU", Kind.CAPACITY),
        ("RESOURCE:MEMORY", Kind.CAPACITY),
        ("RESOURCE:ENI", Kind.CAPACITY),
        ("RESOURCE:GPU", Kind.CAPACITY),
        ("RESOURCE:PORTS_UDP", Kind.CAPACITY),
        ("AGENT", Kind.CAPACITY),
        ("EMPTY CAPACITY PROVIDER", Kind.CAPACITY),
        ("NO ACTIVE INSTANCES", Kind.CAPACITY),
        ("ATTRIBUTE", Kind.CAPACITY),
        ("LOCATION", Kind.CAPACITY),
        ("MemberOf placement constraint unsatisfied", Kind.CAPACITY),
        ("MemberOf placement constraint unsatisfied.", Kind.CAPACITY),
    ],
)
def test_a_placement_keyword_means_the_same_from_run_task_and_in_a_stopped_task(
    keyword: str, kind: Kind
) -> None:
    answered = classify_run_task_failure(TaskFailure(reason=keyword))
    stopped = never_ran(f"TaskFailedToStart: {keyword}")
    assert answered.kind is kind_of(stopped) is kind
    assert answered.diagnosis.summary == stopped.diagnosis.summary
    assert answered.diagnosis.remedy == stopped.diagnosis.remedy


@pytest.mark.parametrize(
    "text", ["AGENTS ARE TIRED", "LOCATIONS", "the AGENT of the ATTRIBUTE", "resource:cpu", "RESOURCE: none"]
)
def test_a_text_that_only_resembles_a_keyword_is_not_taken_for_one(text: str) -> None:
    assert classify_run_task_failure(TaskFailure(reason=text)).kind is Kind.START
    assert kind_of(never_ran(f"TaskFailedToStart: {text}")) is Kind.START


SSM = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
    " retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User:"
    " arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform: ssm:GetParameters on resource:"
    " arn:aws:ssm:eu-west-1:123456789012:parameter/db because no identity-based policy allows the ssm:GetParameters action"
)
ECR = (
    "CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not"
    " authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the"
    " ecr:GetAuthorizationToken action"
)
LOGS = (
    "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create"
    " Cloudwatch log stream: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized"
    " to perform: logs:CreateLogStream on resource: arn:aws:logs:eu-west-1:123456789012:log-group:airflow:log-stream:a"
)


@pytest.mark.parametrize(
    ("reason", "action"),
    [(SSM, "ssm:GetParameters"), (ECR, "ecr:GetAuthorizationToken"), (LOGS, "logs:CreateLogStream")],
)
def test_a_denial_costs_a_start_attempt_since_iam_takes_a_while_and_its_remedy_is_the_missing_statement(
    reason: str, action: str
) -> None:
    verdict = never_ran(reason)
    assert kind_of(verdict) is Kind.START
    assert f'"Action": "{action}"' in verdict.diagnosis.remedy
    assert "the role exec" in verdict.diagnosis.remedy


@pytest.mark.parametrize("reason", ["CannotPullContainerError: registry/OutOfMemory/RESOURCE:CPU: not found"])
def test_keywords_in_the_name_of_an_image_are_ignored(reason: str) -> None:
    assert never_ran(reason).diagnosis.summary == "The registry has no image."


@pytest.mark.parametrize(
    ("code", "text", "remedy"),
    [
        (
            "InvalidParameterException",
            SERVICE_LINKED,
            "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
        ),
        ("ClientException", ROLE, '"Principal": {"Service": "ecs-tasks.amazonaws.com"}'),
        ("InvalidParameterException", INFRASTRUCTURE, "ecs.amazonaws.com"),
    ],
)
def test_a_role_that_ecs_can_not_assume_yet_costs_a_start_attempt_and_the_remedy_says_what_to_set(
    code: str, text: str, remedy: str
) -> None:
    refused = classify(error(code, text))
    stopped = never_ran(text)
    assert refused.kind is kind_of(stopped) is Kind.START
    for diagnosis in (refused.diagnosis, stopped.diagnosis):
        assert remedy in diagnosis.remedy
        assert text.rstrip(".") in diagnosis.detail


def test_a_launch_type_on_a_cluster_without_instances_waits_and_its_remedy_is_a_capacity_provider() -> None:
    failure = classify(error("InvalidParameterException", NO_INSTANCES))
    assert failure.kind is Kind.CAPACITY
    assert failure.members == ("launchType",)
    assert failure.diagnosis == Diagnosis(
        "The cluster has no container instances.",
        f"InvalidParameterException: {NO_INSTANCES}",
        "A launch type doesn't start any: use a capacity provider (`capacity_provider_strategy`) instead of `launch_type`,"
        " or register instances.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        "You've reached the limit on the number of vCPUs you can run concurrently",
        (
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1':"
            " InsufficientFreeAddressesInSubnet"
        ),
    ],
)
def test_lack_of_capacity_is_one_kind_wherever_aws_reports_it(text: str) -> None:
    assert classify(error("ClientException", text)).kind is Kind.CAPACITY
    assert classify_run_task_failure(TaskFailure(reason=text)).kind is Kind.CAPACITY
    assert kind_of(never_ran(text)) is Kind.CAPACITY
