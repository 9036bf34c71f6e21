"""ECS's answers, parsed: only the members the engine needs, by pydantic, in a tenth of botocore's time.

botocore's own parser walks its model in Python and holds the GIL for 18-37 ms per DescribeTasks of 100 tasks,
which would slow the scheduler's thread; see `EcsResponseParser`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiobotocore.parsers import AioJSONParser, AioResponseParserFactory
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json


class _Shape(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,  # an answer repeats the task's command, and with it its token
    )


class Container(_Shape):
    """One container of a task."""

    name: str = ""
    last_status: str | None = None
    exit_code: int | None = None
    """Absent if it never started or the agent could not tell."""
    reason: str | None = None


class Task(_Shape):
    """One ECS task (API reference: Task). Times are epoch seconds."""

    task_arn: str
    cluster_arn: str | None = None
    last_status: str = ""
    desired_status: str | None = None
    created_at: float | None = None
    started_at: float | None = None
    """When it went from PENDING to RUNNING; absent if it never ran."""
    stopped_at: float | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    containers: tuple[Container, ...] = ()


class TaskFailure(_Shape):
    """One entry of an answer's `failures` (API reference: Failure)."""

    arn: str | None = None
    reason: str | None = None
    detail: str | None = None


class Tasks(_Shape):
    """The answer to RunTask and DescribeTasks."""

    tasks: tuple[Task, ...] = ()
    failures: tuple[TaskFailure, ...] = ()


class TaskArns(_Shape):
    """The answer to ListTasks."""

    task_arns: tuple[str, ...] = ()
    next_token: str | None = None


def parse_tasks(body: bytes) -> Tasks:
    """Parse an answer of RunTask or DescribeTasks; one malformed record never spoils the others (it is left out)."""
    try:
        return Tasks.model_validate_json(body)
    except ValidationError:
        raw = from_json(body)
        if not isinstance(raw, dict):
            raise
    return Tasks(
        tasks=_each_valid(Task, raw.get("tasks")),
        failures=_each_valid(TaskFailure, raw.get("failures")),
    )


def _each_valid(model: type[Any], records: object) -> tuple[Any, ...]:
    valid = []
    for record in records if isinstance(records, list) else []:
        try:
            valid.append(model.model_validate(record))
        except ValidationError:
            continue
    return tuple(valid)


_PARSERS: dict[str, Callable[[bytes], Any]] = {
    "RunTaskResponse": parse_tasks,
    "DescribeTasksResponse": parse_tasks,
    "ListTasksResponse": TaskArns.model_validate_json,
    "StopTaskResponse": lambda _body: None,
}


class EcsResponseParser(AioJSONParser):
    """Gives ``{"parsed": <model>}`` for the four operations the engine calls; errors are parsed as ever."""

    def _do_parse(self, response: dict[str, Any], shape: Any) -> Any:
        parse: Callable[[bytes], Any] | None = _PARSERS.get(shape.name) if shape is not None else None
        if parse is None:
            return super()._do_parse(response, shape)
        return {"parsed": parse(response["body"])}


class EcsResponseParserFactory(AioResponseParserFactory):
    """Register on a session as component `response_parser_factory`, before its clients are made."""

    def create_parser(self, protocol_name: str) -> Any:
        """Make ours for ECS's protocol, the stock one for all others (STS speaks `query`)."""
        if protocol_name == "json":
            return EcsResponseParser(**self._defaults)
        return super().create_parser(protocol_name)
