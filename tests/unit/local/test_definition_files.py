"""Task definitions as people have them in files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.definition_files import read_definitions

REQUEST: dict[str, Any] = {
    "family": "mine",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "airflow",
            "image": "airflow:3",
            "essential": True,
            "memoryReservation": 128,
            "environment": [{"name": "A", "value": "1"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/mine"}},
        }
    ],
}
READ_ONLY: dict[str, Any] = {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/mine:7",
    "revision": 7,
    "status": "ACTIVE",
    "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
    "compatibilities": ["EC2", "FARGATE"],
    "registeredAt": "2026-01-01T00:00:00+00:00",
    "registeredBy": "arn:aws:iam::123456789012:user/me",
}
EMPTY: dict[str, Any] = {
    "taskRoleArn": None,
    "executionRoleArn": "",
    "volumes": [],
    "placementConstraints": None,
    "runtimePlatform": {"cpuArchitecture": "", "operatingSystemFamily": None},
    "inferenceAccelerators": [{"deviceName": "", "deviceType": ""}],
}
CLOUDFORMATION: dict[str, Any] = {
    "Type": "AWS::ECS::TaskDefinition",
    "Properties": {
        "Family": "mine",
        "NetworkMode": "awsvpc",
        "Cpu": 256,
        "Memory": "512",
        "ContainerDefinitions": [
            {
                "Name": "airflow",
                "Image": "airflow:3",
                "Essential": "true",
                "MemoryReservation": "128",
                "Environment": [{"Name": "A", "Value": 1}],
                "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "/ecs/mine"}},
            }
        ],
    },
}
CONTAINER = REQUEST["containerDefinitions"][0]


def changed(**fields: Any) -> dict[str, Any]:
    return {**REQUEST, "containerDefinitions": [{**CONTAINER, **fields}]}


TAKEN = {
    "a request": REQUEST,
    "what the console shows": {**REQUEST, **READ_ONLY, **EMPTY},
    "what DescribeTaskDefinition answers": {"taskDefinition": {**REQUEST, **READ_ONLY, **EMPTY}, "tags": []},
    "empty members of containers": changed(command=[], entryPoint=None, user="", healthCheck={}),
    "a CloudFormation resource": CLOUDFORMATION,
    "its properties": CLOUDFORMATION["Properties"],
    "a CloudFormation template": {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Task": CLOUDFORMATION}
    },
    "a list of one": [REQUEST],
}


@pytest.mark.parametrize("document", TAKEN.values(), ids=TAKEN)
def test_a_task_definition_is_read_from(document: Any) -> None:
    (definition,) = read_definitions(json.dumps(document))
    assert definition.request == REQUEST


def test_what_only_aws_sets_is_left_out_and_reported() -> None:
    (definition,) = read_definitions(json.dumps({**REQUEST, **READ_ONLY, **EMPTY}))
    assert definition.left_out == tuple(READ_ONLY)
    (definition,) = read_definitions(json.dumps(REQUEST))
    assert definition.left_out == ()


def test_tags_beside_the_definition_are_its_own() -> None:
    tags = [{"key": "team", "value": "data"}]
    (definition,) = read_definitions(json.dumps({"taskDefinition": REQUEST, "tags": tags}))
    assert definition.request == {**REQUEST, "tags": tags}


def test_an_empty_text_inside_a_command_stays() -> None:
    (definition,) = read_definitions(json.dumps(changed(command=["echo", ""])))
    assert definition.request["containerDefinitions"][0]["command"] == ["echo", ""]


def test_a_file_may_hold_several() -> None:
    other = {**REQUEST, "family": "other"}
    definitions = read_definitions(json.dumps([REQUEST, {"taskDefinition": other}]))
    assert [definition.request["family"] for definition in definitions] == ["mine", "other"]


def test_what_has_no_effect_on_this_machine_is_reported() -> None:
    document = {
        **changed(secrets=[{"name": "S", "valueFrom": "arn"}], user="airflow"),
        "volumes": [{"name": "v"}],
    }
    (definition,) = read_definitions(json.dumps(document))
    assert definition.ineffective == ["volumes", "secrets", "user"]


REFUSED = {
    "nothing": ("", "the file is empty"),
    "an empty list": ("[]", "the file is empty"),
    "a broken line": ('{"family": "mine",\n}', "line 2, column 1: it is not JSON"),
    "YAML": ("family: mine", "it is not JSON, which starts with { or [. `aws ecs describe-task-definition"),
    "a text": ('["mine"]', "[0] is not a JSON object"),
    "a task definition's name": (
        '{"taskDefinition": "mine:7"}',
        "taskDefinition only names a task definition",
    ),
    "a container": (json.dumps(CONTAINER), "it is a container. Write it as a task definition"),
    "a list of containers": (
        json.dumps([CONTAINER]),
        "it is a list of containers. Write it as a task definition",
    ),
    "a misspelled member": (
        json.dumps({**REQUEST, "famly": "x"}),
        "famly: RegisterTaskDefinition has no such member. Did you mean family?",
    ),
    "a misspelled member of a container": (
        json.dumps([REQUEST, changed(imge="x")]),
        "[1].containerDefinitions[0].imge: RegisterTaskDefinition has no such member. Did you mean image?",
    ),
    "CloudFormation's references": (
        json.dumps({**CLOUDFORMATION, "Properties": {"Family": {"Ref": "Name"}}}),
        "Properties.family is CloudFormation's Ref, which only AWS can resolve. Write the value itself.",
    ),
    "CloudFormation's functions": (
        json.dumps({"Family": "f", "ContainerDefinitions": [{"Image": {"Fn::Sub": "${Repository}:3"}}]}),
        "containerDefinitions[0].image is CloudFormation's Fn::Sub",
    ),
    "a number instead of a text": (json.dumps({**REQUEST, "cpu": 256}), "cpu: it must be a text, in quotes."),
    "a text instead of a number": (
        json.dumps(changed(memory="512")),
        "containerDefinitions[0].memory: it must be a whole number, without quotes.",
    ),
    "a text instead of a truth": (
        json.dumps(changed(essential="yes")),
        "containerDefinitions[0].essential: it must be true or false, without quotes.",
    ),
    "a text instead of a list": (
        json.dumps(changed(command="date")),
        "containerDefinitions[0].command: it must be a list, [...].",
    ),
    "a text instead of a container": (
        json.dumps({**REQUEST, "containerDefinitions": ["airflow"]}),
        "containerDefinitions[0]: it must be an object, {...}.",
    ),
    "a list instead of options": (
        json.dumps(changed(logConfiguration={"logDriver": "awslogs", "options": []})),
        "containerDefinitions[0].logConfiguration.options: it must be an object, {...}.",
    ),
    "a list instead of CloudFormation's properties": (
        json.dumps({"Type": "AWS::ECS::TaskDefinition", "Properties": ["Family"]}),
        "Properties: it must be an object",
    ),
    "a resource without properties": (
        '{"Type": "AWS::ECS::TaskDefinition", "Properties": null}',
        "the file is empty",
    ),
    "lists of nothing": ("[[]]", "the file is empty"),
    "a template without a task definition": (
        json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}),
        "Resources has no AWS::ECS::TaskDefinition",
    ),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_task_definition_is_refused_where_it_is_wrong(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_definitions(text)
    assert words in str(caught.value)
