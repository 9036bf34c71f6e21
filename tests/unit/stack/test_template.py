"""The template: what it makes with which parameters, and that its parts agree with each other and with the pages."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.stack.template import Values, read_template
from tests.support.stack import ELSEWHERE, EXISTING, SHAPES, policies

ROOT = Path(__file__).parents[3]
TEMPLATE = read_template()
RESOURCES = TEMPLATE.document["Resources"]


def kinds(given: Values) -> list[str]:
    return [each.kind for each in TEMPLATE.resources(TEMPLATE.values(given))]


@pytest.mark.parametrize(
    ("given", "kind", "count"),
    [
        ({}, "AWS::EC2::NatGateway", 1),
        ({}, "AWS::EC2::VPCEndpoint", 1),
        ({"Network": "new-endpoints"}, "AWS::EC2::NatGateway", 0),
        ({"Network": "new-endpoints"}, "AWS::EC2::InternetGateway", 0),
        ({"Network": "new-endpoints"}, "AWS::EC2::VPCEndpoint", 7),
        ({"Network": "new-endpoints", **ELSEWHERE}, "AWS::EC2::VPCEndpoint", 6),
        (EXISTING, "AWS::EC2::VPC", 0),
        (EXISTING, "AWS::EC2::SecurityGroup", 3),
        ({}, "AWS::ECS::Service", 4),
        (ELSEWHERE, "AWS::ECS::Service", 0),
        (ELSEWHERE, "AWS::ECS::TaskDefinition", 1),
        ({}, "AWS::RDS::DBInstance", 1),
        ({**ELSEWHERE, "Database": "none"}, "AWS::RDS::DBInstance", 0),
        ({**ELSEWHERE, "Database": "none"}, "AWS::SecretsManager::Secret", 2),
        (ELSEWHERE, "AWS::IAM::ManagedPolicy", 4),
    ],
)
def test_the_parameters_choose_what_is_made(given: Values, kind: str, count: int):
    assert kinds(given).count(kind) == count


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"Netwerk": "existing"}, "Did you mean Network?"),
        ({"Network": "exising"}, "Did you mean existing?"),
        ({"TaskCpu": "1000"}, "doesn't fit"),
        ({"Database": "t4g"}, "db.t4g"),
        ({"VpcCidr": "10.0.0.0/24"}, "/16 to /18"),
        ({"Network": "existing"}, "needs VpcId and SubnetIds"),
        ({"Network": "existing", "VpcId": "vpc-1"}, "needs VpcId and SubnetIds"),
        ({"TaskMemory": "1024"}, "2048 to 8192 in steps of 1024"),
        ({"TaskCpu": "256", "TaskMemory": "3072"}, "512, 1024, 2048"),
        ({"TaskCpu": "8192", "TaskMemory": "18432"}, "in steps of 4096"),
        ({"Airflow": "elsewhere"}, "needs ExecutionApiUrl"),
        ({"ExecutionApiUrl": "https://airflow.example.com"}, "/execution/"),
        ({"Database": "none"}, "needs a Database"),
    ],
)
def test_a_wrong_parameter_is_reported_before_aws_is_asked(given: Values, says: str):
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        TEMPLATE.values(given)


def test_a_stacks_own_parameters_are_kept_and_the_given_ones_win():
    before = {"Spot": "yes", "ImageTag": "1", "OfAnOlderTemplate": "x"}
    values = TEMPLATE.values({"ImageTag": "2"}, before)
    assert (values["Spot"], values["ImageTag"], values["Network"]) == ("yes", "2", "new-nat")
    assert "OfAnOlderTemplate" not in values


def test_cloudformation_takes_it_without_a_bucket():
    assert len(TEMPLATE.text.encode()) <= 51_200  # CreateStack's TemplateBody


@pytest.mark.parametrize(
    ("cpu", "least", "most", "step"),
    [
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
        (512, 1024, 4096, 1024),
        (1024, 2048, 8192, 1024),
        (2048, 4096, 16384, 1024),
        (4096, 8192, 30720, 1024),
        (8192, 16384, 61440, 4096),
        (16384, 32768, 122880, 8192),
    ],
)
def test_a_tasks_memory_is_what_fargate_gives_with_its_cpu(cpu: int, least: int, most: int, step: int):
    (rule,) = TEMPLATE.document["Rules"][f"MemoryFor{cpu}"]["Assertions"]
    assert rule["Assert"]["Fn::Contains"][0] == [str(each) for each in range(least, most + 1, step)]


def test_every_size_of_cpu_has_its_memory():
    assert {name for name in TEMPLATE.document["Rules"] if name.startswith("MemoryFor")} == {
        f"MemoryFor{each}" for each in TEMPLATE.parameters["TaskCpu"].allowed
    }


def test_in_china_ecrs_endpoints_and_no_others_have_another_name():
    names = {
        name: each["Properties"]["ServiceName"]
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::EC2::VPCEndpoint"
    }
    assert {name for name, each in names.items() if "China" in json.dumps(each)} == {
        "EcrApiEndpoint",
        "EcrDockerEndpoint",
    }


def test_a_service_reaches_only_the_ports_that_it_needs():
    ports = {
        (each["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0], each["Properties"]["FromPort"])
        for each in RESOURCES.values()
        if each["Type"] == "AWS::EC2::SecurityGroupIngress"
    }
    # The execution API for tasks, the triggerer's log server for the API server.
    assert ports == {("TaskGroup", 8080), ("AirflowGroup", 8794)}


def test_every_output_has_the_name_of_a_variable_and_no_secret():
    outputs = TEMPLATE.document["Outputs"].values()
    names = [each["Description"] for each in outputs]
    assert all(re.fullmatch(r"AIRFLOW__[A-Z_]+__[A-Z_]+|AWS_DEFAULT_REGION", name) for name in names)
    assert len(set(names)) == len(names)
    assert "resolve:" not in json.dumps([*outputs])


@pytest.mark.parametrize("service", ["ApiServer", "Scheduler"])
def test_the_services_that_use_the_executor_have_the_variables_of_the_outputs(service: str):
    outputs = {each["Description"]: each["Value"] for each in TEMPLATE.document["Outputs"].values()}
    handed = {
        name: value
        for name, value in outputs.items()
        if not name.endswith("_SECRET") and "SECRETS__" not in name and name != "AWS_DEFAULT_REGION"
    }
    environment = _environment(service)
    # Of the two addresses of the API server only one can be meant on ECS.
    address = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
    assert handed.pop(address)["Fn::If"][1] == environment.pop(address)
    assert {name: environment.get(name) for name in handed} == handed


@pytest.mark.parametrize("service", ["ApiServer", "Scheduler", "DagProcessor", "Triggerer"])
def test_every_service_gets_its_secrets_from_secrets_manager_by_the_outputs_names(service: str):
    container = RESOURCES[f"{service}Definition"]["Properties"]["ContainerDefinitions"][-1]
    secrets = {
        each["Name"]: each["ValueFrom"]
        for each in (each.get("Fn::If", [None, each])[1] for each in container["Secrets"])
    }
    outputs = {each["Description"]: each["Value"] for each in TEMPLATE.document["Outputs"].values()}
    assert {f"{name}_SECRET": value for name, value in secrets.items()} == {
        name: value for name, value in outputs.items() if name.endswith("_SECRET")
    }


def _environment(service: str) -> dict[str, Any]:
    container = RESOURCES[f"{service}Definition"]["Properties"]["ContainerDefinitions"][-1]
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def test_an_old_scheduler_launches_the_old_image():
    revision = {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "TaskDefinition"}]}]}
    assert _environment("Scheduler")["AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION"] == revision
    # Revisions that are in use are not deregistered.
    assert RESOURCES["TaskDefinition"]["UpdateReplacePolicy"] == "Retain"
    assert RESOURCES["Scheduler"]["DependsOn"] == "ApiServer"


def test_tasks_get_neither_database_nor_secrets():
    (container,) = RESOURCES["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert "Secrets" not in container
    assert not [
        each for each in container["Environment"] if "DATABASE" in each["Name"] or "SECRET" in each["Name"]
    ]


# --- policies -----------------------------------------------------------------------------------------------


def by_sid(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {
        each["Sid"]: (
            sorted([each["Action"]] if isinstance(each["Action"], str) else each["Action"]),
            _shape(each),
        )
        for each in policy["Statement"]
    }


def _shape(statement: Mapping[str, Any]) -> Any:
    """What a condition asks, whatever the names."""
    return {
        test: {name: re.sub(r"arn:.*", "an ARN", str(value)) for name, value in asked.items()}
        for test, asked in statement.get("Condition", {}).items()
    }


@pytest.mark.parametrize(
    ("policy", "number"),
    [("SchedulerPolicy", 0), ("ContainerLogsPolicy", 2), ("ExecutionRole.start-tasks", 4)],
)
def test_the_policies_are_those_of_the_page(policy: str, number: int):
    page = (ROOT / "docs" / "iam.md").read_text("utf-8")
    documents = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert by_sid(dict(policies(TEMPLATE))[policy]) == by_sid(documents[number])


def found_by_a_checker(policy: Mapping[str, Any]) -> list[tuple[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        from parliament import analyze_policy_string  # noqa: PLC0415  only here

    return [(each.issue, each.detail) for each in analyze_policy_string(json.dumps(policy)).findings]


@pytest.mark.parametrize(("name", "policy"), [pytest.param(*each, id=each[0]) for each in policies(TEMPLATE)])
def test_a_policy_checker_finds_nothing(name: str, policy: Mapping[str, Any]):
    # ListTasks is narrowed by its condition, which the checker doesn't look at: its resources are container instances.
    accepted = [("RESOURCE_STAR", ["ecs:ListTasks"])] if name == "SchedulerPolicy" else []
    assert found_by_a_checker(policy) == accepted


def test_the_policy_checker_finds_a_wrong_action_and_a_wrong_resource():
    statement = {"Effect": "Allow", "Action": "s3:GetObjekt", "Resource": "*"}
    wrong = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}
    policy = {"Version": "2012-10-17", "Statement": [statement, wrong]}
    assert {issue for issue, _ in found_by_a_checker(policy)} >= {"UNKNOWN_ACTION", "RESOURCE_MISMATCH"}


def test_only_what_aws_cannot_narrow_is_allowed_on_everything():
    everything = {
        action
        for _, policy in policies(TEMPLATE)
        for each in policy["Statement"]
        if each["Resource"] == "*" and "Condition" not in each
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    assert {each for each in everything if not each.startswith("ssmmessages:")} == {
        "ecr:GetAuthorizationToken",
        "ecs:DescribeTaskDefinition",
    }


def test_tasks_may_not_list_payloads():
    statements = dict(policies(TEMPLATE))["TaskRole.tasks"]["Statement"]
    listing = [each["Resource"] for each in statements if "s3:ListBucket" in each["Action"]]
    assert listing == ["arn:aws:s3:::logbucket"]


# --- data ----------------------------------------------------------------------------------------------------


def test_what_holds_data_is_kept_when_the_stack_goes():
    kept = {each.name for each in TEMPLATE.resources(TEMPLATE.values({})) if each.kept}
    assert kept == {"PayloadBucket", "LogBucket", "FernetKey", "MetadataDatabase"}


def test_buckets_are_private_encrypted_and_forget():
    for name in ("PayloadBucket", "LogBucket"):
        properties = RESOURCES[name]["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        assert properties["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"]


# --- the README ------------------------------------------------------------------------------------------------


def test_the_readme_lists_the_inputs_and_the_outputs():
    page = (ROOT / "examples" / "cloudformation" / "README.md").read_text("utf-8")
    inputs = [
        f"| `{each.name}` | {f'`{each.default}`' if each.default else ''} | {each.description} |"
        for each in TEMPLATE.parameters.values()
    ]
    outputs = [
        f"| `{name}` | `{each['Description']}` |" for name, each in TEMPLATE.document["Outputs"].items()
    ]
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == inputs + outputs


@pytest.mark.parametrize("given", SHAPES.values(), ids=SHAPES)
def test_every_shape_has_the_executors_variables(given: Values):
    names = TEMPLATE.variables(TEMPLATE.values(given))
    assert "AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER" in names
    with_database = given.get("Database") != "none"
    assert ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET" in names) == with_database
