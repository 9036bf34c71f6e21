"""The calls of the commands of operation, over the executor's AWS connection: paced, repeated if throttled, explained.

They are synchronous, for a process that may wait. botocore repeats throttles and 5xx by itself: each call here only reads,
or may be made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import botocore.exceptions as boto
from botocore.config import Config

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify
from ecs_async_executor.engine.diagnosis.callers import THIS_HOST, named
from ecs_async_executor.engine.diagnosis.iam import arn_of, missing, remedy_of
from ecs_async_executor.engine.diagnosis.s3_failures import classify_s3
from ecs_async_executor.engine.payloads import split
from ecs_async_executor.errors import EcsAsyncError, OperationError
from ecs_async_executor.executor.connection import look_up
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.operate.ecs_task import EcsTask, ecs_task
from ecs_async_executor.operate.pace import Pace
from ecs_async_executor.task_arn import TaskArn

HUNDRED = 100
"""Tasks in one answer of ListTasks and one call of DescribeTasks ("Amazon ECS API reference")."""
_ATTEMPTS = 5
_NOT_CONNECTED = "TargetNotConnectedException"
"""ExecuteCommand's error if the agent doesn't run or can't reach Systems Manager."""
_WHO = "your role or user"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in S3."""

    url: str
    """`s3://bucket/key`."""
    changed_at: float
    """Seconds since 1970."""
    size: int
    """Bytes."""


class _NotHereError(OperationError):
    """ECS was asked about a task or a cluster that it doesn't know, or that is of another account, Region or cluster."""


class _DeniedError(OperationError):
    """ECS doesn't let this caller ask."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What ECS told about ARNs of any origin."""

    tasks: list[EcsTask]
    """Those that it knows."""
    elsewhere: frozenset[str]
    """The ARNs that this connection can't ask it about: whether their tasks live is not known here."""


class _NoDefinitionError(OperationError):
    """ECS knows no such task definition."""


class Aws:
    """AWS as the executor sees it: the same connection, Region and endpoints. Every method raises `OperationError`."""

    def __init__(self, settings: Settings, pace: Pace | None = None) -> None:
        self._settings = settings
        self._pace = pace or Pace()
        self._hook: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str:
        """The Region that calls go to."""
        return str(self._client("ecs").meta.region_name)

    @property
    def endpoint(self) -> str:
        """The URL of ECS."""
        return str(self._client("ecs").meta.endpoint_url)

    def list_tasks(self, cluster: str, desired_status: str = "") -> Iterator[str]:
        """Yield the ARNs of a cluster's tasks that nobody has told to stop, or of this `desiredStatus`, whoever started them.

        ListTasks filters by `startedBy` only for one exact value, so one of the callers picks out ours.
        """
        request = {"cluster": cluster, "maxResults": HUNDRED}
        if desired_status:
            request["desiredStatus"] = desired_status
        while True:
            answer = self._ecs("list_tasks", **request)
            yield from answer.get("taskArns") or ()
            if not (token := answer.get("nextToken")):
                return
            request["nextToken"] = token

    def describe(self, cluster: str, tasks: Iterable[str]) -> list[EcsTask]:
        """Return tasks of one cluster, by ARN or id; those that ECS doesn't know, or that are elsewhere, are left out."""
        found: list[EcsTask] = []
        for place, wanted in _by_place(tasks).items():
            try:
                found += self._describe(cluster, wanted)
            except _NotHereError:
                if not place:  # the cluster is the caller's word, and not the ARNs'
                    raise
        return found

    def seek(self, arns: Iterable[str]) -> Sought:
        """Look up ARNs that others may have written, of any cluster, Region and account; texts that are none are left out."""
        found: list[EcsTask] = []
        elsewhere: set[str] = set()
        whole = [task for arn in arns if (task := TaskArn.parse(arn)) is not None and task.is_whole]
        clusters = {arn.text: arn.cluster or "default" for arn in whole}  # ARNs of the old format name none
        for wanted in _by_place(clusters).values():
            try:
                found += self._describe(clusters[wanted[0]], wanted)
            except (_NotHereError, _DeniedError):
                elsewhere.update(wanted)
        return Sought(found, frozenset(elsewhere))

    def _describe(self, cluster: str, wanted: list[str]) -> list[EcsTask]:
        found: list[EcsTask] = []
        for start in range(0, len(wanted), HUNDRED):
            answer = self._ecs("describe_tasks", cluster=cluster, tasks=wanted[start : start + HUNDRED])
            found += map(ecs_task, answer.get("tasks") or ())
        return found

    def stop(self, task: EcsTask, reason: str) -> None:
        """Tell a task to stop; ECS shows the first 255 characters of the reason as its stopped reason."""
        self._ecs("stop_task", cluster=task.cluster_arn, task=task.arn, reason=reason[:255])

    def open_session(self, task: EcsTask, container: str, command: str) -> dict[str, Any]:
        """Return ExecuteCommand's `session`: an id, a URL, and a token that opens the shell."""
        answer = self._ecs(
            "execute_command",
            cluster=task.cluster_arn,
            task=task.arn,
            container=container,
            command=command,
            interactive=True,
        )
        session: dict[str, Any] = answer["session"]
        return session

    def families(self, prefix: str) -> Iterator[str]:
        """Yield the families of task definitions that begin with `prefix` and have an active revision."""
        request = {"familyPrefix": prefix, "status": "ACTIVE", "maxResults": HUNDRED}
        while True:
            answer = self._ecs("list_task_definition_families", **request)
            yield from answer.get("families") or ()
            if not (token := answer.get("nextToken")):
                return
            request["nextToken"] = token

    def definition(self, name: str) -> Mapping[str, Any]:
        """Return DescribeTaskDefinition's answer, with tags: a revision, or a family's latest active one."""
        return self._ecs("describe_task_definition", taskDefinition=name, include=["TAGS"])

    def latest(self, family: str) -> str | None:
        """Return a family's latest active revision, as `family:revision`; None if ECS knows no such family here."""
        try:
            arn = str(self.definition(family)["taskDefinition"]["taskDefinitionArn"])
        except _NoDefinitionError:
            return None
        return arn.rpartition("/")[2]

    def deregister(self, arn: str) -> None:
        """Make a revision INACTIVE: tasks that run it go on."""
        self._ecs("deregister_task_definition", taskDefinition=arn)

    def objects(self, location: str) -> Iterator[StoredObject]:
        """Yield the objects right at a location (`s3://bucket/prefix/`), not those in folders below it."""
        bucket, prefix = split(location)
        request = {"Bucket": bucket, "Prefix": prefix, "Delimiter": "/"}
        while True:
            answer = self._s3("list_objects_v2", f"s3://{bucket}", **request)
            for each in answer.get("Contents") or ():
                changed: datetime = each["LastModified"]
                yield StoredObject(f"s3://{bucket}/{each['Key']}", changed.timestamp(), int(each["Size"]))
            if not (token := answer.get("NextContinuationToken")):
                return
            request["ContinuationToken"] = token

    def delete(self, url: str) -> None:
        """Delete one object; deleting one that is gone already is no error."""
        bucket, key = split(url)
        self._s3("delete_object", url, Bucket=bucket, Key=key)

    def _ecs(self, method: str, **request: Any) -> Mapping[str, Any]:
        self._pace.wait()
        return self._explained(lambda: getattr(self._client("ecs"), method)(**request), "ECS", None)

    def _s3(self, method: str, url: str, **request: Any) -> Mapping[str, Any]:
        return self._explained(lambda: getattr(self._client("s3"), method)(**request), "S3", url)

    def _explained(self, call: Callable[[], _T], service: str, url: str | None) -> _T:
        try:
            return call()
        except EcsAsyncError:  # the connection's: it is explained already
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, its traceback would show a request with a token
            diagnosis = explain(error, service, *self._place_of(service), url)
            raise _kind_of(error)(str(diagnosis)) from None

    def _place_of(self, service: str) -> tuple[str, str]:
        """Return endpoint and Region of a service's client; empty without one."""
        client = self._clients.get(service.lower())
        return ("", "") if client is None else (str(client.meta.endpoint_url), str(client.meta.region_name))

    def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            if self._hook is None:
                self._hook = look_up(self._settings.conn_id, self._settings.region_name)
            hook = self._hook
            session = hook.get_session(region_name=hook.region_name)
            client = session.client(
                service,
                region_name=hook.region_name,
                endpoint_url=hook.conn_config.get_service_endpoint_url(service),
                verify=hook.verify,
                config=hook.config.merge(
                    Config(
                        connect_timeout=5,
                        read_timeout=30,
                        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                    )
                ),
            )
            self._clients[service] = client
        return client


def _kind_of(error: Exception) -> type[OperationError]:
    failure = classify(error)
    if failure.kind is Kind.NOT_FOUND or failure.is_elsewhere:
        return _NotHereError
    if failure.cause == "definition-missing":
        return _NoDefinitionError
    return _DeniedError if failure.kind is Kind.DENIED else OperationError


def explain(error: Exception, service: str, endpoint: str, region: str, url: str | None = None) -> Diagnosis:
    """Return what an exception of a call means for the person at the terminal; `url` is the S3 object's or bucket's."""
    where = f" at {endpoint}" if endpoint else ""
    if isinstance(error, boto.ReadTimeoutError):
        return Diagnosis(f"{service}{where} did not answer in time.", remedy="Try again in a minute.")
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return Diagnosis(
            f"This host can't reach {service}{where} ({type(error).__name__}).",
            remedy="Check its network and proxy, the Region, the connection's `endpoint_url` and AWS_ENDPOINT_URL_*.",
        )
    if isinstance(error, boto.ClientError) and error.response.get("Error", {}).get("Code") == _NOT_CONNECTED:
        return Diagnosis(
            "ECS Exec's agent in the container is not connected to AWS.",
            remedy="If the task has only just started, try again in some seconds. Else the task role lacks the four "
            "ssmmessages actions, or the task has no way to ssmmessages: docs/iam.md.",
        )
    failure = classify(error, THIS_HOST) if url is None else classify_s3(error, url, region)
    if failure.kind is Kind.THROTTLE:
        remedy = "Others use up the rate of this account and Region: try again in a minute."
        return Diagnosis(f"AWS throttled the call {_ATTEMPTS} times.", remedy=remedy)
    if failure.kind is Kind.DENIED and isinstance(error, boto.ClientError):
        message = str(error.response.get("Error", {}).get("Message", ""))
        return replace(
            failure.diagnosis, remedy=remedy_of(message) or _allow(error.operation_name, url, region)
        )
    return named(failure.diagnosis, THIS_HOST)


def _allow(operation: str, url: str | None, region: str) -> str:
    if url is None:
        return missing(_WHO, f"ecs:{operation}", "*")
    action = {"ListObjectsV2": "ListBucket"}.get(operation, operation)
    return missing(_WHO, f"s3:{action}", arn_of(url, region))


def _by_place(tasks: Iterable[str]) -> dict[str, list[str]]:
    """Group ARNs and ids by Region, account and cluster: one of elsewhere spoils the call for all that stand beside it."""
    places: dict[str, list[str]] = {}
    for task in tasks:
        places.setdefault(task.rpartition("/")[0], []).append(task)
    return places
