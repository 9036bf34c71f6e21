"""Which role needs which action on what: the rows of docs/iam.md that this set-up needs. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.doctor.effective import (
    EcrImage,
    Effective,
    account_of,
    effectives,
    region_of,
    role_name,
    secret_question,
)
from ecs_async_executor.doctor.facts import Facts, Kind, Question
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.diagnosis.iam import partition_of
from ecs_async_executor.engine.payloads import split, url_of

_OF_EXEC = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What ECS Exec's agent calls ("Using Amazon ECS Exec")."""

_NO_LAUNCH = "00000000-0000-0000-0000-000000000000"
_A_LOG = "dag_id=dag/run_id=run/task_id=task/attempt=1.log"
"""A log by Airflow's own `[logging] log_filename_template`."""


@dataclass(frozen=True, slots=True)
class Need:
    """Actions that one principal needs on one resource."""

    principal: str
    """The ARN of a role or user."""
    who: str
    """For people: `the execution role airflow-execution`."""
    actions: tuple[str, ...]
    resource: str
    """An ARN, or a pattern for all that it needs."""
    why: str
    """What fails without."""
    cluster: str = ""
    """The cluster's ARN, for conditions on `ecs:cluster`."""
    example: str = ""
    """The ARN of something that fits the pattern, as it is really named: IAM takes a pattern for a name, which no policy about a part
    of it fits. Empty: ask about `resource` itself."""

    @property
    def question(self) -> Question:
        """The question whose answer maps each action to IAM's decision."""
        return Question(
            Kind.PERMISSIONS,
            self.principal,
            f"{','.join(self.actions)} {self.example or self.resource} {self.cluster}".rstrip(),
        )

    @property
    def policy(self) -> Question | None:
        """The question for the resource's own policy, which may allow what IAM's don't; None for resources without one."""
        if ":kms:" in self.resource:
            return Question(Kind.KEY_POLICY, self.resource, region_of(self.resource))
        if ":secretsmanager:" in self.resource:
            return Question(Kind.SECRET_POLICY, self.resource, region_of(self.resource))
        if ":s3:::" in self.resource:
            return Question(Kind.BUCKET_POLICY, self.resource.partition(":::")[2].partition("/")[0])
        return None


def needs(setup: Setup, facts: Facts) -> Iterator[Need]:
    """Yield what each role needs, as far as it is known."""
    identity = facts.value(Kind.IDENTITY)
    caller = caller_arn(facts)
    account = str((identity or {}).get("Account") or "")
    partition = str((identity or {}).get("Arn") or f"arn:{partition_of(setup.region)}").split(":")[1]
    for each in effectives(setup, facts):
        if each.definition is not None:
            if caller:
                yield from _of_caller(each, caller, account)
            yield from _of_execution_role(each, facts, account, partition)
    yield from _of_logs(setup, facts, partition)
    if setup.settings and setup.settings.payload_bucket:
        yield from _of_bucket(setup, facts, setup.settings.payload_bucket, partition)


def _of_bucket(setup: Setup, facts: Facts, bucket: str, partition: str) -> Iterator[Need]:
    """Yield what workloads in S3 need: those that are too long for RunTask, and those of standbys."""
    folder = f"arn:{partition}:s3:::{bucket.removeprefix('s3://')}"
    objects, example = f"{folder}*", url_of(folder, _NO_LAUNCH)
    key = key_of(facts.value(Kind.ENCRYPTION, split(bucket)[0]))
    if caller := caller_arn(facts):
        who = caller_name(caller)
        why = "Without it, workloads that are too long for RunTask can't be stored, and their tasks fail."
        if setup.has_standbys:
            why += " No standby gets a task: all start cold."
        yield Need(caller, who, ("s3:PutObject", "s3:DeleteObject"), objects, why, example=example)
        if key:
            yield Need(caller, who, ("kms:GenerateDataKey",), key, f"The bucket is encrypted with it. {why}")
    for each in effectives(setup, facts):
        if not each.task_role:
            continue
        who = f"the task role {role_name(each.task_role)}"
        why = "Without it, containers can't fetch workloads that are too long for RunTask."
        if each.target.standby:
            why += " Standbys end as soon as they start: they can't look for a task."
        yield Need(each.task_role, who, ("s3:GetObject",), objects, why, example=example)
        if key:
            yield Need(each.task_role, who, ("kms:Decrypt",), key, f"The bucket is encrypted with it. {why}")


def key_of(encryption: Mapping[str, Any] | None) -> str:
    """Return the ARN of the key of a bucket's own encryption; empty for AWS's keys, which need no permission."""
    key = str((encryption or {}).get("KMSMasterKeyID") or "")
    return key if ":key/" in key else ""


def logs_in_s3(setup: Setup) -> str:
    """Return where workers store their logs with the task role's credentials; empty if they do otherwise."""
    folder = setup.option("logging.remote_base_log_folder").value
    by_role = not setup.option("logging.remote_log_conn_id").value
    return folder if setup.is_on("logging.remote_logging") and folder.startswith("s3://") and by_role else ""


def _of_logs(setup: Setup, facts: Facts, partition: str) -> Iterator[Need]:
    folder = logs_in_s3(setup)
    if not folder:
        return
    base = f"arn:{partition}:s3:::{folder.removeprefix('s3://').rstrip('/')}"
    why = "Without it, workers can't store their logs: after its end, a task's log page is empty."
    for each in effectives(setup, facts):
        if each.task_role:
            who = f"the task role {role_name(each.task_role)}"
            yield Need(each.task_role, who, ("s3:PutObject",), f"{base}/*", why, example=f"{base}/{_A_LOG}")


def caller_arn(facts: Facts) -> str:
    """Return the ARN of the role or user that calls AWS; empty if it isn't known, or needs no permission (root)."""
    arn = str((facts.value(Kind.IDENTITY) or {}).get("Arn") or "")
    if ":assumed-role/" in arn:
        role = facts.value(Kind.ROLE, assumed_role(arn))
        return str(role["Arn"]) if role else ""
    return arn if ":iam:" in arn and ":user/" in arn else ""


def assumed_role(arn: str) -> str:
    """Return the name of the role in an STS ARN; empty for anything else."""
    return arn.split("/")[1] if ":assumed-role/" in arn else ""


def caller_name(arn: str) -> str:
    """Name the caller for people."""
    return f"the {'role' if ':role/' in arn else 'user'} {role_name(arn)}"


def _of_caller(each: Effective, caller: str, account: str) -> Iterator[Need]:
    who = caller_name(caller)
    definition = each.launched
    cluster = str((each.cluster or {}).get("clusterArn") or "")
    if definition:
        # ECS authorizes the revision that it resolves the family to (RunTask).
        yield Need(caller, who, ("ecs:RunTask",), definition, "Without it, no task can be launched.", cluster)
    if each.image and definition:
        why = f"Without it, tasks with the image {each.image} can't be launched: the executor registers a revision for it."
        # AWS can't narrow the first two to resources.
        yield Need(caller, who, ("ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"), "*", why)
        yield Need(caller, who, ("ecs:TagResource",), definition, why)
    if cluster:
        tasks = f"{cluster.replace(':cluster/', ':task/')}/*"
        why = "Without it, the executor can't follow or stop its tasks."
        yield Need(caller, who, ("ecs:DescribeTasks", "ecs:StopTask"), tasks, why, cluster)
        if each.body.get("tags"):
            yield Need(
                caller,
                who,
                ("ecs:TagResource",),
                tasks,
                "Without it, tasks with tags can't be launched.",
                cluster,
            )
    if each.body.get("enableExecuteCommand") and each.task_role and account_of(each.task_role) == account:
        why = "Without it, ecs-async exec can't open a shell: ECS Exec's agent doesn't connect."
        task_role = f"the task role {role_name(each.task_role)}"
        yield Need(each.task_role, task_role, _OF_EXEC, "*", why)
    for _, role in each.roles:
        if account_of(role) == account:
            yield Need(
                caller, who, ("iam:PassRole",), role, "Without it, RunTask fails: it passes this role to ECS."
            )


def _of_execution_role(each: Effective, facts: Facts, account: str, partition: str) -> Iterator[Need]:
    role = each.execution_role
    if not role or not account or account_of(role) != account:
        return
    who = f"the execution role {role_name(role)}"
    for image in dict.fromkeys(each.images):
        ecr = EcrImage.parse(image)
        if ecr is not None:
            why = "Without it, ECS can't pull the image: CannotPullContainerError."
            yield Need(role, who, ("ecr:GetAuthorizationToken",), "*", why)
            pull = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
            arn = f"arn:{partition}:ecr:{ecr.region}:{ecr.account}:repository/{ecr.repository}"
            yield Need(role, who, pull, arn, why)
    for container, group, region in each.log_groups:
        arn = f"arn:{partition}:logs:{region}:{account}:log-group:{group}"
        options = (container.get("logConfiguration") or {}).get("options") or {}
        streams = f"{arn}:*"
        stream = f"{arn}:log-stream:{_stream_of(container, options)}"
        why = "Without it, the container doesn't start: its log driver can't write."
        yield Need(role, who, ("logs:CreateLogStream", "logs:PutLogEvents"), streams, why, example=stream)
        if str(options.get("awslogs-create-group", "")).lower() == "true":
            # AWS authorizes it on the stream without a name: so its denials say (docs/failures.md).
            why = "awslogs-create-group needs it."
            yield Need(role, who, ("logs:CreateLogGroup",), streams, why, example=f"{arn}:log-stream:")
    for file in dict.fromkeys(each.environment_files):
        why = "Without it, the task stops before it starts: it can't read its environment file."
        yield Need(role, who, ("s3:GetObject",), file, why)
    yield from _of_secrets(each, facts, who, account, partition)


def _stream_of(container: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Return a stream's name as the driver awslogs makes it: roles may be allowed only those with this prefix.

    Without a prefix, it is the container's id at Docker ("Send Amazon ECS logs to CloudWatch").
    """
    prefix = options.get("awslogs-stream-prefix")
    return f"{prefix}/{container.get('name')}/{'0' * 32}" if prefix else "0" * 64


def _of_secrets(each: Effective, facts: Facts, who: str, account: str, partition: str) -> Iterator[Need]:
    role = each.execution_role
    for variable, value_from in each.secrets:
        kind, name, region = secret_question(variable, value_from, each.setup.region)
        why = "Without it, the task stops before it starts: ResourceInitializationError."
        if kind is Kind.SECRET:
            secret = facts.value(kind, name, region) or {}
            # IAM compares the whole ARN, and `valueFrom` may lack the six characters that Secrets Manager adds.
            if arn := str(secret.get("arn") or ""):
                yield Need(role, who, ("secretsmanager:GetSecretValue",), arn, why)
            key = str(secret.get("key") or "")
            if ":key/" in key:
                yield Need(role, who, ("kms:Decrypt",), key, f"The secret is encrypted with it. {why}")
        else:
            parameter = f"arn:{partition}:ssm:{region}:{(region_of(value_from) and account_of(value_from)) or account}"
            yield Need(role, who, ("ssm:GetParameters",), f"{parameter}:parameter/{name.lstrip('/')}", why)
