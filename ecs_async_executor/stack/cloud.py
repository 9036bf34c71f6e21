"""The calls to AWS, over boto3: each error becomes a sentence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import boto3
import botocore.exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError

from ecs_async_executor import aws_regions
from ecs_async_executor.engine.diagnosis.iam import remedy_of, summary_of
from ecs_async_executor.errors import ConfigurationError, OperationError
from ecs_async_executor.stack.progress import Event, read

_CAPABILITIES = ("CAPABILITY_IAM",)
"""The template makes roles, whose names CloudFormation chooses."""
_NOTHING_TO_DO = "No updates are to be performed"
_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 5})
_OURS = "ecs-async-executor"
"""What the description of our template contains."""
_PASSING = {
    "InternalError",
    "InternalFailure",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
"""Codes of errors that pass by themselves ("Common error types" of the CloudFormation API reference, and of EC2, ECS)."""
_REASON = "Stopped by ecs-async stack down."
_T = TypeVar("_T")


class UnreachableError(OperationError):
    """AWS doesn't answer, or throttles: another try may help."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack, as DescribeStacks shows it."""

    id: str
    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: tuple[Mapping[str, Any], ...]
    description: str = ""
    """The template's."""

    @property
    def in_progress(self) -> bool:
        """Whether AWS works on it (with REVIEW_IN_PROGRESS it waits for people)."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def ours(self) -> bool:
        """Whether it was made of our template."""
        return _OURS in self.description


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that a stack has made."""

    name: str
    """Its logical id."""
    kind: str
    id: str
    """Its physical id: a name, an ARN."""
    status: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of a database."""

    name: str
    at: float | None
    """When it was taken: seconds since 1970; None while it is being taken."""
    is_copy: bool = False


@dataclass(slots=True)
class Cloud:
    """AWS in one Region. Every method raises `OperationError`."""

    session: Any
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def connect(cls, region: str | None = None, profile: str | None = None) -> Cloud:
        """Connect as the AWS CLI does; raises `ConfigurationError` if there is no Region of that name."""
        try:
            session = boto3.Session(region_name=region, profile_name=profile)
        except boto.ProfileNotFound as error:
            raise OperationError(f"{error}. `aws configure list-profiles` lists them.") from None
        except boto.BotoCoreError as error:  # such as a configuration file that isn't one
            raise OperationError(f"the AWS CLI's configuration can't be read: {error}") from None
        if not session.region_name:
            raise OperationError("no AWS Region is set: add --region, or set AWS_DEFAULT_REGION.")
        if says := aws_regions.why_not(session.region_name):
            raise ConfigurationError(f"{says} Correct --region, AWS_DEFAULT_REGION or the profile's region.")
        return cls(session)

    @property
    def region(self) -> str:
        """The Region's name."""
        return str(self.session.region_name)

    # --- stacks -----------------------------------------------------------------------------------------------

    def stack(self, name: str) -> Stack | None:
        """Return the stack of a name or id; None if there is none (or, by name, if it was deleted)."""
        try:
            found = self._call("cloudformation", lambda client: client.describe_stacks(StackName=name))
        except OperationError as error:
            if "does not exist" in str(error.__cause__):
                return None
            raise
        each = found["Stacks"][0]
        return Stack(
            each["StackId"],
            each["StackName"],
            each["StackStatus"],
            {pair["ParameterKey"]: pair.get("ParameterValue", "") for pair in each.get("Parameters", ())},
            tuple(each.get("Outputs", ())),
            each.get("Description", ""),
        )

    def create(self, name: str, text: str, values: Mapping[str, str]) -> None:
        """Begin to make a stack."""
        request = self._request(name, text, values)
        self._call("cloudformation", lambda client: client.create_stack(**request))

    def update(self, name: str, text: str, values: Mapping[str, str]) -> bool:
        """Begin to change a stack; return False if there is nothing to change."""
        request = self._request(name, text, values)
        try:
            self._call("cloudformation", lambda client: client.update_stack(**request))
        except OperationError as error:
            if _NOTHING_TO_DO in str(error.__cause__):
                return False
            raise
        return True

    def delete(self, name: str) -> None:
        """Begin to delete a stack."""
        self._call("cloudformation", lambda client: client.delete_stack(StackName=name))

    def events(self, stack_id: str, seen: Collection[str] = ()) -> list[Event]:
        """Return a stack's events, the oldest first: all that aren't in `seen`, and perhaps some that are."""
        answer: list[Mapping[str, Any]] = []
        for page in self._raw_pages("cloudformation", "describe_stack_events", StackName=stack_id):
            answer += page["StackEvents"]
            # The newest come first. A stack soon has thousands, and AWS throttles those who ask for all of them.
            if any(each["EventId"] in seen for each in page["StackEvents"]):
                break
        return read(answer)

    def made(self, stack_id: str) -> list[Made]:
        """Return the resources of a stack."""
        found = self._pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack_id
        )
        return [
            Made(
                each["LogicalResourceId"],
                each["ResourceType"],
                each.get("PhysicalResourceId", ""),
                each["ResourceStatus"],
            )
            for each in found
        ]

    def _request(self, name: str, text: str, values: Mapping[str, str]) -> dict[str, Any]:
        pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        return {"StackName": name, "TemplateBody": text, "Capabilities": _CAPABILITIES, "Parameters": pairs}

    def make_service_linked_role(self) -> None:
        """Make the role by which ECS calls other services; raises `OperationError` if the account has it, too."""
        self._call(
            "iam", lambda client: client.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
        )

    # --- what a stack leaves, or what holds it up ---------------------------------------------------------------

    def running_tasks(self, cluster: str) -> list[str]:
        """Return the ARNs of a cluster's running ECS tasks that belong to no service."""
        try:
            arns = list(self._pages("ecs", "list_tasks", "taskArns", cluster=cluster))
        except OperationError as error:
            if "ClusterNotFound" in str(error.__cause__) or "cluster was not found" in str(error.__cause__):
                return []
            raise
        found: list[str] = []
        for start in range(0, len(arns), 100):
            some = arns[start : start + 100]
            answer = self._call("ecs", partial(_describe_tasks, cluster=cluster, tasks=some))
            found += [
                each["taskArn"]
                for each in answer["tasks"]
                if not str(each.get("group", "")).startswith("service:")
                and each.get("desiredStatus") != "STOPPED"
            ]
        return found

    def stop_task(self, cluster: str, arn: str) -> None:
        """Stop an ECS task."""
        self._call("ecs", lambda client: client.stop_task(cluster=cluster, task=arn, reason=_REASON))

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and all that is in it."""
        for page in self._raw_pages("s3", "list_object_versions", Bucket=name):
            gone = [
                {"Key": each["Key"], "VersionId": each["VersionId"]}
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
            ]
            if gone:
                what = {"Objects": gone, "Quiet": True}
                self._call("s3", partial(_delete_objects, bucket=name, what=what))
        self._call("s3", lambda client: client.delete_bucket(Bucket=name))

    def delete_secret(self, arn: str) -> None:
        """Delete a secret for ever."""
        self._call(
            "secretsmanager",
            lambda client: client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True),
        )

    def snapshots(self, database: str) -> list[Snapshot]:
        """Return a database's snapshots that aren't the automatic ones."""
        found = self._pages(
            "rds",
            "describe_db_snapshots",
            "DBSnapshots",
            DBInstanceIdentifier=database,
            SnapshotType="manual",
        )
        return [
            Snapshot(
                str(each["DBSnapshotIdentifier"]),
                each["SnapshotCreateTime"].timestamp() if "SnapshotCreateTime" in each else None,
                bool(each.get("SourceDBSnapshotIdentifier")),
            )
            for each in found
        ]

    def delete_snapshot(self, name: str) -> None:
        """Delete a database's snapshot."""
        self._call("rds", lambda client: client.delete_db_snapshot(DBSnapshotIdentifier=name))

    # --- how a call is made -------------------------------------------------------------------------------------

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_RETRIES)
        return self._clients[service]

    def _call(self, service: str, call: Callable[[Any], _T]) -> _T:
        try:
            return call(self._client(service))
        except boto.ClientError as error:
            raise _explained(error) from error
        except (boto.NoCredentialsError, boto.PartialCredentialsError) as error:
            raise OperationError(
                "there are no AWS credentials: run `aws configure` or `aws sso login`, or add --profile."
            ) from error
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise UnreachableError(f"AWS can't be reached: {error}") from error
        except ResponseParserError as error:  # which is no BotoCoreError; it quotes the whole answer
            raise UnreachableError(
                f"what answers instead of {service} is not AWS: check this host's proxy (HTTPS_PROXY) and AWS_ENDPOINT_URL*."
            ) from error
        except boto.BotoCoreError as error:
            raise OperationError(f"AWS can't be called: {error}") from error

    def _pages(self, service: str, operation: str, member: str, **request: Any) -> Iterator[Any]:
        for page in self._raw_pages(service, operation, **request):
            yield from page.get(member, ())

    def _raw_pages(self, service: str, operation: str, **request: Any) -> Iterator[Mapping[str, Any]]:
        """Yield each page of an answer, and ask for the next one only then."""
        pages = iter(self._call(service, lambda client: client.get_paginator(operation).paginate(**request)))
        while (page := self._call(service, lambda _: next(pages, None))) is not None:
            yield page


def _describe_tasks(client: Any, cluster: str, tasks: Sequence[str]) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = client.describe_tasks(cluster=cluster, tasks=tasks)
    return answer


def _delete_objects(client: Any, bucket: str, what: Mapping[str, Any]) -> None:
    """Delete objects; raises `OperationError` for those that S3 refuses, which it says only in its answer."""
    answer = client.delete_objects(Bucket=bucket, Delete=what)
    if errors := answer.get("Errors"):
        raise OperationError(f"S3 doesn't delete {errors[0]['Key']} in {bucket}: {errors[0].get('Message')}.")


def _explained(error: boto.ClientError) -> OperationError:
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", error))
    if remedy := remedy_of(message):
        # That page has the executor's policies; who deploys needs others.
        remedy = remedy.replace(" (docs/iam.md has all of it)", "")
        return OperationError(f"{summary_of(message) or 'AWS denies it.'} {remedy}")
    if code in {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}:
        return OperationError("the AWS credentials have expired: sign in again, as with `aws sso login`.")
    if code in {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}:
        return OperationError("AWS doesn't know these credentials: check the profile or the variables AWS_*.")
    kind = UnreachableError if code in _PASSING else OperationError
    return kind(f"{error.operation_name} failed: {message}")
