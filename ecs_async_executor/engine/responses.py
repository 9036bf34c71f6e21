"""Parses ECS's answers with msgspec: only the members the engine needs, in a fiftieth of botocore's time.

botocore's own parser walks its model in Python and holds the GIL for 18-37 ms per DescribeTasks call for 100
tasks, which would slow the scheduler's thread; see `EcsResponseParser`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from sys import intern
from typing import Any, TypeVar

from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from msgspec import MsgspecError, Raw, Struct
from msgspec.json import Decoder

from ecs_async_executor.errors import UnreadableAnswerError
from ecs_async_executor.task_cost import ARCHITECTURE

_AnyShape = TypeVar("_AnyShape", bound="_Shape")


# gc=False: these structs can't form cycles, so the garbage collector needn't track them.
class _Shape(Struct, frozen=True, rename="camel", gc=False):
    """Unknown members, by far the larger part of an answer, are skipped without being parsed."""


class Container(_Shape, frozen=True):
    """One container of a task."""

    name: str = ""
    image: str = ""
    exit_code: int | None = None
    """Absent if the container never started or the agent didn't know."""
    reason: str | None = None
    cpu: str | None = None
    memory: str | None = None
    """Its own limit in MiB; absent if only the task's counts."""
    memory_reservation: str | None = None


class Task(_Shape, frozen=True):
    """One ECS task (API reference: Task). Times are epoch seconds."""

    task_arn: str
    last_status: str = ""
    desired_status: str | None = None
    started_at: float | None = None
    """When it went from PENDING to RUNNING; absent if it never ran."""
    stop_code: str | None = None
    stopped_reason: str | None = None
    task_definition_arn: str = ""
    cpu: str | None = None
    memory: str | None = None
    launch_type: str | None = None
    capacity_provider_name: str | None = None
    created_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    stopped_at: float | None = None
    containers: tuple[Container, ...] = ()
    overrides: Raw = Raw()
    """Not parsed: the engine needs it of few tasks."""
    attributes: Raw = Raw()
    """Not parsed either: `architecture` reads them."""

    def __repr__(self) -> str:
        """Omit the overrides: a command contains a token."""
        return f"Task({self.task_arn!r}, {self.last_status!r})"

    @property
    def family(self) -> str:
        """The family of its task definition."""
        return self.task_definition_arn.rpartition("/")[2].partition(":")[0]

    @property
    def architecture(self) -> str:
        """Its processor as ECS names it, x86_64 or arm64; empty if ECS doesn't say."""
        try:
            found = _ATTRIBUTES.decode(self.attributes)
        except _UNREADABLE:
            return ""
        return next((each.value or "" for each in found if each.name == ARCHITECTURE), "")

    @property
    def capacity(self) -> str:
        """Its size and where it runs, for people to read; empty if ECS doesn't say."""
        where = self.capacity_provider_name or self.launch_type
        parts = (self.cpu and f"{self.cpu} CPU units", self.memory and f"{self.memory} MiB", where)
        return intern(", ".join(part for part in parts if part))  # ten thousand runs share it


class Attribute(_Shape, frozen=True):
    """One attribute of a task (API reference: Attribute)."""

    name: str = ""
    value: str | None = None


class TaskFailure(_Shape, frozen=True):
    """One entry of an answer's `failures` (API reference: Failure)."""

    reason: str | None = None
    detail: str | None = None


class Tasks(_Shape, frozen=True):
    """The answer to RunTask and DescribeTasks."""

    tasks: tuple[Task, ...] = ()
    failures: tuple[TaskFailure, ...] = ()


class TaskArns(_Shape, frozen=True):
    """The answer to ListTasks."""

    task_arns: tuple[str, ...] = ()
    next_token: str | None = None


class StrategyItem(_Shape, frozen=True):
    """One capacity provider of a strategy (API reference: CapacityProviderStrategyItem)."""

    capacity_provider: str = ""


class Cluster(_Shape, frozen=True):
    """One cluster (API reference: Cluster)."""

    default_capacity_provider_strategy: tuple[StrategyItem, ...] = ()


class Clusters(_Shape, frozen=True):
    """The answer to DescribeClusters, which omits unknown clusters."""

    clusters: tuple[Cluster, ...] = ()


class TaskDefinition(_Shape, frozen=True):
    """The answer to DescribeTaskDefinition and RegisterTaskDefinition: the whole document, and its tags."""

    task_definition: dict[str, Any]
    """API reference: TaskDefinition."""
    tags: tuple[dict[str, str], ...] = ()

    def __repr__(self) -> str:
        """Omit the document: its environment may hold secrets."""
        return f"TaskDefinition({self.arn!r})"

    @property
    def arn(self) -> str:
        """Its ARN, with the revision."""
        return str(self.task_definition.get("taskDefinitionArn", ""))

    @property
    def name(self) -> str:
        """`family:revision`."""
        return self.arn.rpartition("/")[2]

    @property
    def is_active(self) -> bool:
        """Whether tasks can be launched from it."""
        return str(self.task_definition.get("status", "ACTIVE")) == "ACTIVE"


_UNREADABLE = (MsgspecError, ValueError)
"""Invalid UTF-8 raises UnicodeDecodeError; all other errors become ValueErrors only in a newer msgspec."""
_TASK, _FAILURE, _TASKS, _TASK_ARNS = Decoder(Task), Decoder(TaskFailure), Decoder(Tasks), Decoder(TaskArns)
_CLUSTERS, _TASK_DEFINITION = Decoder(Clusters), Decoder(TaskDefinition)
_ATTRIBUTES = Decoder(tuple[Attribute, ...])


def parse_tasks(body: bytes) -> Tasks:
    """Parse an answer to RunTask or DescribeTasks, leaving out malformed records.

    Raises `MsgspecError` or ValueError. Neither quotes the answer, which contains the command and its token.
    """
    try:
        return _TASKS.decode(body)
    except _UNREADABLE:
        raw = json.loads(body.decode(errors="replace"))
        if not isinstance(raw, dict):
            raise
    return Tasks(
        tasks=_each_valid(_TASK, raw.get("tasks")),
        failures=_each_valid(_FAILURE, raw.get("failures")),
    )


def parse_task_arns(body: bytes) -> TaskArns:
    """Parse an answer to ListTasks; raises what `parse_tasks` raises."""
    return _TASK_ARNS.decode(body)


def parse_clusters(body: bytes) -> Clusters:
    """Parse an answer to DescribeClusters; raises what `parse_tasks` raises."""
    return _CLUSTERS.decode(body)


def parse_task_definition(body: bytes) -> TaskDefinition:
    """Parse an answer to DescribeTaskDefinition or RegisterTaskDefinition; raises what `parse_tasks` raises."""
    return _TASK_DEFINITION.decode(body)


def _each_valid(decoder: Decoder[_AnyShape], records: object) -> tuple[_AnyShape, ...]:
    valid = []
    for record in records if isinstance(records, list) else []:
        try:
            # AWS may have cut a text inside a character: half a surrogate pair becomes a question mark.
            valid.append(decoder.decode(json.dumps(record, ensure_ascii=False).encode(errors="replace")))
        except _UNREADABLE:
            continue
    return tuple(valid)


_PARSERS: dict[str, Callable[[bytes], object]] = {
    "RunTaskResponse": parse_tasks,
    "DescribeTasksResponse": parse_tasks,
    "ListTasksResponse": parse_task_arns,
    "DescribeClustersResponse": parse_clusters,
    "DescribeTaskDefinitionResponse": parse_task_definition,
    "RegisterTaskDefinitionResponse": parse_task_definition,
    "StopTaskResponse": lambda _body: None,
}


class EcsResponseParser(AioJSONParser):
    """Returns ``{"parsed": <shape>, "ResponseMetadata": ...}`` for the operations the engine calls.

    The stock parser parses errors.
    """

    async def parse(self, response: dict[str, Any], shape: Any) -> Any:
        """Parse an answer; raises `UnreadableAnswerError`.

        `ResponseMetadata` comes from the stock parser, because agents that wrap the client's calls read it
        (ddtrace raises KeyError without it).
        """
        parse = _PARSERS.get(shape.name) if shape is not None else None
        if parse is None or response["status_code"] >= 300:
            return await super().parse(response, shape)
        answer = await super().parse(response, None)  # without a shape, it reads only the headers
        try:
            answer["parsed"] = parse(response["body"])
        except _UNREADABLE as error:
            raise UnreadableAnswerError(f"ECS's answer can't be read: {error}") from error
        return answer


class EcsResponseParserFactory(AioResponseParserFactory):
    """Register it on a session as component `response_parser_factory`, before creating clients."""

    def create_parser(self, protocol_name: str) -> Any:
        """Create our parser for ECS's protocol, the stock one for all others (STS speaks `query`)."""
        if protocol_name == "json":
            return EcsResponseParser(**self._defaults)
        return super().create_parser(protocol_name)
