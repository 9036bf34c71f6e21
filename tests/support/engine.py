"""What the engine's tests share: an ECS client that follows a script, and makers of orders and answers."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import anyio
import botocore.exceptions as boto

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.options import EngineOptions, Rate
from ecs_async_executor.engine.responses import Task, TaskFailure, Tasks
from ecs_async_executor.messages import Diagnosis, Launch, Payload, Report, Request
from tests.support.definitions import Definitions, document

UNLIMITED = Rate(0, 0)


def options(**changes: Any) -> EngineOptions:
    """Make engine options without rates."""
    defaults = {"run_task_rate": UNLIMITED, "modify_rate": UNLIMITED, "read_rate": UNLIMITED}
    return EngineOptions(**{**defaults, **changes})


def order(
    run_id: str, *, cluster: str = "default", build: Callable[[], Request] | None = None, **more: Any
) -> Launch:
    """Make a launch order."""
    request = Request({"cluster": cluster, "taskDefinition": "airflow-task"}, "airflow")
    build = build or partial(_same, request)
    return Launch(run_id, f"label of {run_id}", build, cluster, "airflow", **more)


def _same(request: Request) -> Request:
    return request


URL = "s3://bucket/airflow/run-001.json"


def fetching(url: str = URL) -> Callable[[], Request]:
    """Make a builder of requests whose container fetches something: each build has a token of its own."""
    tokens = count(1)

    def build() -> Request:
        body = {"cluster": "default", "taskDefinition": "t"}
        return Request(body, "airflow", payload=Payload(url, b"token %d" % next(tokens)))

    return build


ELSEWHERE: Mapping[str, str] = {
    "another account": "Identifier is for 222222222222. Your accountId is 111111111111",
    "another Region": "Invalid Region in ARN",
    "another cluster": "Invalid identifier: Identifier is for cluster test. Your cluster is default",
}
"""How AWS refuses a call because of an ARN of somewhere else."""


def error(
    code: str, message: str = "", *, status: int = 400, operation: str = "RunTask", **more: Any
) -> boto.ClientError:
    """Make the exception that an error answer of ECS becomes."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return boto.ClientError(answer, operation)


def started(arn: str) -> Tasks:
    """Make RunTask's answer."""
    return Tasks(tasks=(Task(task_arn=arn, last_status="PROVISIONING"),))


def refused(reason: str) -> Tasks:
    """Make RunTask's answer that starts nothing."""
    return Tasks(failures=(TaskFailure(reason=reason),))


class FakeClient:
    """Answers by script, in turn, and after that as an ECS on which tasks run for ever.

    A script's entry is an answer, an exception, or a function of the call's arguments that gives one.
    """

    def __init__(self) -> None:
        self.script: dict[str, deque[Any]] = defaultdict(deque)
        self.asked: list[tuple[str, Any]] = []
        self.times: list[float] = []
        self.latency = 0.0
        self.in_flight = 0
        self.most_in_flight = 0
        self.forgotten = 0
        self.closed = False
        self.region = "eu-central-1"
        self.definitions = Definitions()
        self.definitions.register(document())

    def forget(self) -> None:
        self.forgotten += 1

    async def aclose(self) -> None:
        self.closed = True

    def calls(self, operation: str) -> list[Any]:
        """Return the arguments of all calls of one operation."""
        return [arguments for name, arguments in self.asked if name == operation]

    async def run_task(self, body: Mapping[str, Any]) -> Any:
        return await self._answer("run_task", dict(body), lambda sent: started(f"arn:{sent['clientToken']}"))

    async def describe_tasks(self, cluster: str, arns: Sequence[str]) -> Any:
        return await self._answer(
            "describe_tasks",
            (cluster, list(arns)),
            lambda sent: Tasks(tasks=tuple(Task(task_arn=arn, last_status="RUNNING") for arn in sent[1])),
        )

    async def list_tasks_started_by(self, cluster: str, started_by: str) -> Any:
        return await self._answer("list_tasks", (cluster, started_by), lambda _: ())

    async def default_strategy(self, cluster: str) -> Any:
        return await self._answer("default_strategy", cluster, lambda _: [])

    async def describe_task_definition(self, name: str) -> Any:
        return await self._answer("describe_task_definition", name, self.definitions.find)

    async def register_task_definition(self, request: Mapping[str, Any]) -> Any:
        return await self._answer("register_task_definition", dict(request), self.definitions.register)

    async def stop_task(self, cluster: str, arn: str, reason: str) -> Any:
        return await self._answer("stop_task", (cluster, arn, reason), lambda _: None)

    async def _answer(self, operation: str, arguments: Any, default: Callable[[Any], Any]) -> Any:
        self.asked.append((operation, arguments))
        self.times.append(anyio.current_time())
        script = self.script[operation]
        answer = script.popleft() if script else default
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.sleep(self.latency)
        finally:
            self.in_flight -= 1
        if callable(answer):
            answer = answer(arguments)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class FakeS3:
    """A bucket that takes all; its script's entries are exceptions, or None for a call that goes well."""

    def __init__(self) -> None:
        self.script: deque[CallError | None] = deque()
        """For all calls, but for writes of leases."""
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, float]] = []
        self.latency = 0.0

    async def put(self, url: str, data: bytes) -> None:
        await self._answer("put", url)
        self.objects[url] = data

    async def put_once(self, url: str, data: bytes) -> bool:
        await self._answer("put_once", url)
        return self.objects.setdefault(url, data) is data

    async def delete(self, url: str) -> None:
        await self._answer("delete", url)
        self.objects.pop(url, None)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _answer(self, operation: str, url: str) -> None:
        self.asked.append((operation, url, anyio.current_time()))
        await anyio.sleep(self.latency)
        if "/lease-" not in url and self.script and (error := self.script.popleft()) is not None:
            raise error


def s3_error(kind: Kind) -> CallError:
    """Make what a call to S3 raises."""
    return CallError(Failure(kind, Diagnosis("S3 says no.")))


class Reports(list[Report]):
    """The reports that were emitted: call it to emit."""

    def __call__(self, report: Report) -> None:
        self.append(report)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the reports of one kind."""
        return [report for report in self if isinstance(report, kind)]
