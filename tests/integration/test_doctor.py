"""The doctor against the local ECS and moto: nothing to say on a good set-up, and each planted fault named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ecs_async_executor.doctor.aws import asking
from ecs_async_executor.doctor.examination import examine
from ecs_async_executor.doctor.facts import Absent, Fact, Kind, Known, Question
from ecs_async_executor.doctor.findings import Finding, Severity
from ecs_async_executor.doctor.gather import Answer
from tests.support.doctor import API, HEALTHY, World, healthy_host, world

SECTION = "AIRFLOW__AWS_ECS_EXECUTOR__"
OURS = "AIRFLOW__ECS_ASYNC_EXECUTOR__"
BAD = {Severity.ERROR, Severity.WARNING}


@pytest.fixture(scope="module")
def aws() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture(autouse=True)
def _no_cache_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto has no DescribePullThroughCacheRules; an account without rules has an empty list."""
    functions: Any = asking._ASK
    monkeypatch.setitem(functions, Kind.CACHE_RULES, lambda *_: ())


def findings(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str | None], host: Answer = healthy_host
) -> list[Finding]:
    """Examine with these environment variables; None removes one."""
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return list(examine(ask_host=host).findings)


def bad(found: list[Finding]) -> list[Finding]:
    return [each for each in found if each.severity in BAD]


def test_nothing_is_wrong_with_a_good_set_up(aws: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = findings(monkeypatch, dict(aws.environment()))
    assert bad(found) == []
    fine = {each.what for each in found if each.severity is Severity.FINE}
    assert {
        "subnets",
        "a way out of the subnets",
        "the task definition",
        "log groups",
        "tasks' tokens",
    } <= fine


# --- planted misconfigurations: what is changed, what is said about it, and what to do --------------------------


Plant = Callable[[World], dict[str, str | None]]


def option(name: str, value: str | None) -> Plant:
    return lambda _: {f"{SECTION}{name}": value}


def ours(name: str, value: str | None) -> Plant:
    return lambda _: {f"{OURS}{name}": value}


def variable(name: str, value: str | None) -> Plant:
    return lambda _: {name: value}


def container(**members: Any) -> Plant:
    return lambda aws: {f"{SECTION}TASK_DEFINITION": aws.with_container(**members)}


def definition(**members: Any) -> Plant:
    return lambda aws: {f"{SECTION}TASK_DEFINITION": aws.register(**members)}


def image(name: str) -> Plant:
    return lambda aws: {
        f"{SECTION}TASK_DEFINITION": aws.with_container(image=f"{aws.image.rpartition('/')[0]}/{name}")
    }


def inactive(aws: World) -> dict[str, str | None]:
    arn = aws.ecs.describe_task_definition(taskDefinition=aws.definition)["taskDefinition"][
        "taskDefinitionArn"
    ]
    return {f"{SECTION}TASK_DEFINITION": arn.replace(":1", ":99") if arn.endswith(":1") else f"{arn}9"}


def other_vpc(aws: World) -> str:
    return str(aws.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])


def subnets_of_two_vpcs(aws: World) -> dict[str, str | None]:
    other = aws.subnet("a", other_vpc(aws), "10.9.1.0/24")
    return {f"{SECTION}SUBNETS": f"{aws.subnets[0]},{other}"}


def group_of_another_vpc(aws: World) -> dict[str, str | None]:
    return {f"{SECTION}SECURITY_GROUPS": aws.security_group(other_vpc(aws))}


def group_without_egress(aws: World) -> dict[str, str | None]:
    group = aws.security_group()
    rules = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    aws.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rules)
    return {f"{SECTION}SECURITY_GROUPS": group}


def public_subnets(aws: World) -> dict[str, str | None]:
    return {f"{SECTION}SUBNETS": ",".join(aws.public(aws.subnet(zone)) for zone in "ab")}


def isolated_subnets(aws: World) -> dict[str, str | None]:
    return {f"{SECTION}SUBNETS": f"{aws.subnet('a')},{aws.subnet('b')}"}


def role_without_trust(aws: World) -> dict[str, str | None]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = aws.role(f"untrusting-{aws.number()}", trust)
    return {f"{SECTION}TASK_DEFINITION": aws.register(executionRoleArn=role)}


def role_without_policies(aws: World) -> dict[str, str | None]:
    name = f"powerless-{aws.number()}"
    role = aws.role(name)
    aws.iam.delete_role_policy(RoleName=name, PolicyName="all")
    return {f"{SECTION}TASK_DEFINITION": aws.register(executionRoleArn=role)}


def limited_role(aws: World, *actions: str) -> str:
    name = f"limited-{aws.number()}"
    role = aws.role(name)
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    }
    aws.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(document))
    return role


def role_that_makes_no_log_group(aws: World) -> dict[str, str | None]:
    role = limited_role(aws, "ecr:*", "secretsmanager:*", "logs:CreateLogStream", "logs:PutLogEvents")
    options = {**NO_LOGS["options"], "awslogs-group": "/new", "awslogs-create-group": "true"}
    made = aws.container(logConfiguration={"logDriver": "awslogs", "options": options})
    return {f"{SECTION}TASK_DEFINITION": aws.register([made], executionRoleArn=role)}


def task_role_that_only_reads(aws: World) -> dict[str, str | None]:
    return {f"{SECTION}TASK_DEFINITION": aws.register(taskRoleArn=limited_role(aws, "s3:GetObject"))}


def deleted_secret(aws: World) -> dict[str, str | None]:
    arn = aws.secrets.create_secret(Name=f"s{aws.number()}", SecretString="x")["ARN"]
    aws.secrets.delete_secret(SecretId=arn)
    return {f"{SECTION}TASK_DEFINITION": aws.with_container(secrets=[{"name": "A", "valueFrom": arn}])}


def image_of_one_processor(aws: World) -> dict[str, str | None]:
    return {f"{SECTION}TASK_DEFINITION": aws.with_container(image=aws.push("mac", "1", ("arm64",)))}


def bucket_without_lifecycle(aws: World) -> dict[str, str | None]:
    return {f"{OURS}PAYLOAD_BUCKET": aws.bucket(f"kept-{aws.number()}")}


def bucket_with_versions(aws: World) -> dict[str, str | None]:
    name = aws.bucket(f"kept-{aws.number()}", days=1)
    aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return {f"{OURS}PAYLOAD_BUCKET": name}


NO_LOGS: dict[str, Any] = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "/nope", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "a"},
}
ELSEWHERE = {"awslogs-group": "/ecs/tasks", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "a"}
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nope-AbCdEf"
SPOT = {"q": {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}}

PLANTED: dict[str, tuple[Plant, str, str]] = {
    "no Region": (option("REGION_NAME", None), "No AWS Region is set", "region_name"),
    "unknown connection": (option("CONN_ID", "nobody"), "no Airflow connection 'nobody'", "airflow connections add"),
    "a Region that is none": (option("REGION_NAME", "us east"), "The AWS Region is not valid", "region_name"),
    "an AWS profile that isn't there": (
        variable("AIRFLOW_CONN_AWS_DEFAULT", "aws://?profile_name=nope"),
        "nope",
        "conn_id",
    ),
    "an endpoint where nothing listens": (
        variable("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:9"),
        "can't reach http://127.0.0.1:9",
        "AWS_ENDPOINT_URL",
    ),
    "unknown cluster": (option("CLUSTER", "nope"), "no cluster nope", "aws ecs create-cluster"),
    "cluster of another Region": (
        option("CLUSTER", "arn:aws:ecs:eu-west-1:123456789012:cluster/default"),
        "cluster is in eu-west-1",
        "region_name = eu-west-1",
    ),
    "another executor": (variable("AIRFLOW__CORE__EXECUTOR", "LocalExecutor"), "doesn't name AsyncEcsExecutor", "AIRFLOW__CORE__EXECUTOR="),
    "a misspelled option": (ours("PAYLOAD_BUKET", "x"), "no such option", "payload_bucket"),
    "unknown task definition": (option("TASK_DEFINITION", "nope"), "no task definition nope", "list-task-definition-families"),
    "a revision that isn't there": (inactive, "no task definition", "list-task-definition-families"),
    "unknown container": (option("CONTAINER_NAME", "airflo"), "has no container airflo; it has airflow", "container_name = airflow"),
    "container not essential": (
        lambda aws: {
            f"{SECTION}TASK_DEFINITION": aws.register(
                [aws.container(essential=False), aws.container(name="other", essential=True)]
            )
        },
        "airflow is not essential",
        '"essential": true',
    ),
    "bridge mode on Fargate": (
        definition(networkMode="bridge"),
        "Fargate only supports network mode",
        '"networkMode": "awsvpc"',
    ),
    "a size that Fargate lacks": (definition(cpu="1024", memory="512"), "No Fargate configuration exists", "task-cpu-memory-error"),
    "a size that an override makes": (
        option("RUN_TASK_KWARGS", '{"overrides": {"cpu": "256", "memory": "4096"}}'),
        "No Fargate configuration exists",
        "sizes",
    ),
    "Fargate's definition on EC2": (
        lambda aws: {
            f"{SECTION}LAUNCH_TYPE": "EC2",
            f"{SECTION}TASK_DEFINITION": aws.register(networkMode="bridge"),
        },
        "network mode bridge",
        "remove `subnets`",
    ),
    "a shell as entry point": (container(entryPoint=["sh", "-c"]), "entry point of the container airflow is sh -c", 'Remove "entryPoint"'),
    "an entry point that swallows the command": (container(entryPoint=["sleep"]), "entry point of the container airflow is sleep", 'Remove "entryPoint"'),
    "a user without a home": (container(user="nobody"), "runs as nobody", "50000:0"),
    "a database URL in the environment": (
        container(variables={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:hush@db/airflow"}),
        "environment has AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "Remove AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    ),
    "an image without Airflow": (container(image="python:3.12-slim"), "has no Airflow", "apache/airflow:"),
    "root": (container(user="root"), "runs as root", "50000:0"),
    "a read-only disk": (container(readonlyRootFilesystem=True), "read-only root file system", "readonlyRootFilesystem"),
    "little memory": (container(memory=256), "limit of 256 MiB", "Raise"),
    "stopTimeout on Spot": (
        lambda aws: {
            f"{OURS}QUEUES": json.dumps(SPOT),
            f"{SECTION}TASK_DEFINITION": aws.with_container(stopTimeout=None),
        },
        "30 s to end",
        '"stopTimeout": 120',
    ),
    "no log driver": (container(logConfiguration=None), "has no logConfiguration", "awslogs-group"),
    "unknown log group": (container(logConfiguration=NO_LOGS), "no log group /nope", "aws logs create-log-group"),
    "a log group of another Region": (
        container(logConfiguration={"logDriver": "awslogs", "options": ELSEWHERE}),
        "logs to CloudWatch Logs in eu-west-1, which has no such log group",
        'Set "awslogs-region": "us-east-1" in its logConfiguration.',
    ),
    "a secret by its bare name": (
        container(secrets=[{"name": "A", "valueFrom": "dsn"}]),
        "from dsn, the name of a secret of Secrets Manager",
        '"valueFrom" of A in the task definition to arn:aws:secretsmanager:',
    ),
    "unknown secret": (container(secrets=[{"name": "A", "valueFrom": ARN}]), "no secret", "valueFrom"),
    "unknown parameter": (container(secrets=[{"name": "A", "valueFrom": "/nope/x"}]), "no parameter /nope/x", "valueFrom"),
    "a secret about to be deleted": (deleted_secret, "scheduled for deletion", "restore-secret"),
    "unknown repository": (image("nope:1"), "no repository nope", "describe-repositories"),
    "unknown image": (image("airflow-task:nope"), "has no image nope", "list-images"),
    "an image for another processor": (image_of_one_processor, "is for arm64", "--platform linux/amd64"),
    "another Airflow": (container(image="apache/airflow:3.0.1-python3.12"), "has Airflow 3.0.1", "ecs-async image check"),
    "unknown subnet": (option("SUBNETS", "subnet-0123456789abcdef0"), "no subnet subnet-0123456789abcdef0", "describe-subnets"),
    "subnets of two VPCs": (subnets_of_two_vpcs, "several VPCs", "one VPC"),
    "one zone": (lambda aws: {f"{SECTION}SUBNETS": aws.subnets[0]}, "one Availability Zone", "another zone"),
    "unknown security group": (option("SECURITY_GROUPS", "sg-0123456789abcdef0"), "no security group sg-0123", "describe-security-groups"),
    "a group of another VPC": (group_of_another_vpc, "and the subnets are in", "security_groups"),
    "a group that lets nothing out": (group_without_egress, "let no traffic out to port 443", "authorize-security-group-egress"),
    "public subnets without addresses": (public_subnets, "get no public address", "assign_public_ip = True"),
    "no way out": (isolated_subnets, "has no way out", "create-vpc-endpoint"),
    "more tasks than addresses": (variable("AIRFLOW__CORE__PARALLELISM", "600"), "free addresses", "larger subnets"),
    "no execution role": (lambda aws: {
            f"{SECTION}TASK_DEFINITION": aws.register([aws.container(secrets=None)], executionRoleArn=None)
        }, "execution role", "executionRoleArn"),
    "unknown role": (
        definition(executionRoleArn="arn:aws:iam::123456789012:role/nope"),
        "no role nope",
        "aws iam create-role",
    ),
    "a role that ECS can't assume": (role_without_trust, "doesn't trust ecs-tasks.amazonaws.com", "update-assume-role-policy"),
    "a role without policies": (role_without_policies, "call ecr:GetAuthorizationToken", '"Effect": "Allow"'),
    "an execution role that may not make its log group": (role_that_makes_no_log_group, "call logs:CreateLogGroup", '"logs:CreateLogGroup"'),
    "a task role that may not store logs": (task_role_that_only_reads, "call s3:PutObject on arn:aws:s3:::logs-of-tests/airflow/*", '"s3:PutObject"'),
    "no task role for remote logs": (
        lambda aws: {f"{OURS}PAYLOAD_BUCKET": None, f"{SECTION}TASK_DEFINITION": aws.register(taskRoleArn=None)},
        "remote logs go to s3://logs-of-tests/airflow",
        "taskRoleArn",
    ),
    "a role by another path": (
        definition(taskRoleArn="arn:aws:iam::123456789012:role/team/task"),
        "isn't the role that IAM has",
        "role/task",
    ),
    "no task role for payloads": (definition(taskRoleArn=None), "has no task role", "taskRoleArn"),
    "an API address of localhost": (
        lambda aws: {
            f"{SECTION}TASK_DEFINITION": aws.with_container(
                variables={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://localhost:8080/execution/"}
            )
        },
        "http://localhost:8080/execution/",
        "an address that containers reach",
    ),
    "an API address without TLS": (
        container(variables={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": API.replace("https", "http")}),
        "without TLS",
        "https://airflow.example.com",
    ),
    "an API address without its path": (
        container(variables={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "https://airflow.example.com"}),
        "doesn't end in /execution/",
        "https://airflow.example.com/execution/",
    ),
    "no API address": (
        lambda aws: {
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": None,
            f"{SECTION}TASK_DEFINITION": aws.with_container(
                variables={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": ""}
            ),
        },
        "set neither here nor in the container's environment",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL=",
    ),
    "a base URL of localhost in the container": (
        container(variables={"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "", "AIRFLOW__API__BASE_URL": "http://localhost:8080"}),
        "http://localhost:8080/execution/ (the container's environment)",
        "an address that containers reach",
    ),
    "a private key that isn't there": (
        variable("AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH", "/nope.pem"),
        "jwt_private_key_path is /nope.pem",
        "Correct the path",
    ),
    "no JWT secret": (variable("AIRFLOW__API_AUTH__JWT_SECRET", None), "jwt_secret is not set", "openssl rand"),
    "a short JWT secret": (variable("AIRFLOW__API_AUTH__JWT_SECRET", "secret"), "has 6 bytes", "openssl rand"),
    "a short queued time-out": (
        variable("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT", "600"),
        "task_queued_timeout is 600 s",
        "TASK_QUEUED_TIMEOUT=5400",
    ),
    "a rate above AWS's": (ours("RUN_TASK_RATE", "100"), "run_task_rate is 100 calls a second", "run_task_rate"),
    "more standbys than tasks": (ours("STANDBY", "40"), "standby is 40, and [core] parallelism is 32", "Lower standby to 32"),
    "unknown payload bucket": (ours("PAYLOAD_BUCKET", "s3://nope-nope/x"), "no bucket nope-nope", "aws s3 mb"),
    "a payload bucket with versions": (bucket_with_versions, "keeps old versions of its objects", "Status=Suspended"),
    "a payload bucket without lifecycle": (bucket_without_lifecycle, "No lifecycle rule", "put-bucket-lifecycle-configuration"),
    "remote logging off": (variable("AIRFLOW__LOGGING__REMOTE_LOGGING", "False"), "remote_logging is off", "AIRFLOW__LOGGING__REMOTE_LOGGING=True"),
    "remote logs nowhere": (variable("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", ""), "remote_base_log_folder is not set", "s3://my-bucket/logs"),
    "remote logs in no bucket": (
        variable("AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", "s3://nope-logs/a"),
        "no bucket nope-logs",
        "aws s3 mb",
    ),
    "remote logs elsewhere than the containers'": (
        container(variables={"AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs-of-tests/other"}),
        "Containers store their logs in s3://logs-of-tests/other",
        "the same",
    ),
    "a profile's container": (
        ours("QUEUES", '{"gpu": {"container_name": "worker"}}'),
        "has no container worker",
        "container_name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_fault_is_named_with_its_remedy(
    aws: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plant, what, todo = PLANTED[name]
    # What only AWS would refuse is a note here: the stand-in for AWS counts as a local ECS.
    told = {*BAD, Severity.NOTE}
    found = [
        each for each in findings(monkeypatch, {**aws.environment(), **plant(aws)}) if each.severity in told
    ]
    assert any(what in each.what and todo in each.todo for each in found), found


@pytest.mark.parametrize(
    ("answers", "what", "todo"),
    [
        ({Kind.ADDRESS: Absent("Name or service not known")}, "doesn't resolve", "Route 53"),
        (
            {Kind.API: Known({"status": 0, "healthy": False, "problem": "refused"})},
            "Nothing listens",
            "airflow api-server",
        ),
        (
            {Kind.API: Known({"status": 404, "healthy": False, "problem": ""})},
            "isn't Airflow's execution API",
            "/execution/",
        ),
        (
            {
                Kind.API: Known(
                    {"status": 0, "healthy": False, "problem": "certificate: self-signed certificate"}
                )
            },
            "isn't trusted here (self-signed certificate)",
            "SSL_CERT_FILE",
        ),
        (
            {Kind.TOKEN: Known({"status": 403, "unknown_task": False, "problem": ""})},
            "rejects a token",
            "JWT_SECRET",
        ),
        ({Kind.POOL: Known({"slots": 8})}, "default_pool has 8 slots", "airflow pools set default_pool"),
    ],
)
def test_what_this_host_finds_wrong_is_named(
    aws: World, monkeypatch: pytest.MonkeyPatch, answers: dict[Kind, Fact], what: str, todo: str
) -> None:
    def host(question: Question) -> Fact:
        return {**HEALTHY, **answers}[question.kind]

    found = bad(findings(monkeypatch, dict(aws.environment()), host))
    assert any(what in each.what and todo in each.todo for each in found), found
