"""The ECS client: the engine's seven calls, over one long-lived connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, ParamValidationError

from ecs_async_executor.engine.aws.client import AwsClient, Connection
from ecs_async_executor.engine.aws.serializer import install_fast_paths
from ecs_async_executor.engine.aws.validation import why_not
from ecs_async_executor.engine.responses import (
    Clusters,
    EcsResponseParserFactory,
    TaskArns,
    TaskDefinition,
    Tasks,
)
from ecs_async_executor.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping


_UNKNOWN_DEFINITION = "unable to describe task definition"
"""ECS's message, a ClientException, if it has no such revision, or no active one of the family."""


class EcsClient(AwsClient):
    """Makes the engine's ECS calls; raises what aiobotocore raises, and TimeoutError."""

    service = "ecs"
    region = ""
    """The Region it calls; empty before the first call."""

    async def run_task(self, body: Mapping[str, Any]) -> Tasks:
        """RunTask."""
        return cast("Tasks", await self._ask("run_task", **body))

    async def describe_tasks(self, cluster: str, arns: Sequence[str]) -> Tasks:
        """DescribeTasks of up to 100 tasks of one cluster."""
        return cast("Tasks", await self._ask("describe_tasks", cluster=cluster, tasks=list(arns)))

    async def list_tasks_started_by(self, cluster: str, started_by: str) -> tuple[str, ...]:
        """ListTasks: the ARNs of the tasks with this `startedBy` that nobody has told to stop."""
        answer = cast("TaskArns", await self._ask("list_tasks", cluster=cluster, startedBy=started_by))
        return answer.task_arns

    async def stop_task(self, cluster: str, arn: str, reason: str) -> None:
        """StopTask: SIGTERM, then SIGKILL after the container's stopTimeout."""
        await self._ask("stop_task", cluster=cluster, task=arn, reason=reason[:255])

    async def default_strategy(self, cluster: str) -> list[dict[str, str]]:
        """DescribeClusters: the capacity providers of the default strategy; none if there is no cluster."""
        answer = cast("Clusters", await self._ask("describe_clusters", clusters=[cluster]))
        return [
            {"capacityProvider": item.capacity_provider}
            for each in answer.clusters[:1]
            for item in each.default_capacity_provider_strategy
        ]

    async def describe_task_definition(self, name: str) -> TaskDefinition | None:
        """DescribeTaskDefinition, with tags: a revision, or a family's latest active one; None if there is none."""
        try:
            answer = await self._ask("describe_task_definition", taskDefinition=name, include=["TAGS"])
        except ClientError as error:
            if _UNKNOWN_DEFINITION in str(error.response.get("Error", {}).get("Message", "")).lower():
                return None
            raise
        return cast("TaskDefinition", answer)

    async def register_task_definition(self, request: Mapping[str, Any]) -> TaskDefinition:
        """RegisterTaskDefinition: the next revision of the request's family.

        Raises `InvalidRequestError` if the request, which is a copy of what ECS has sent, has members that botocore
        doesn't know yet. Left out in silence, a setting would be missing in some containers.
        """
        try:
            return cast("TaskDefinition", await self._ask("register_task_definition", **request))
        except ParamValidationError:
            model = (await self._ready()).meta.service_model
            wrong = why_not(request, model.operation_model("RegisterTaskDefinition").input_shape)
            raise InvalidRequestError(
                f"The task definition can't be copied: {' '.join(wrong)}",
                "Upgrade botocore, which has to know each of its settings; or register a task definition with this image "
                "and name that in taskDefinition.",
            ) from None

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return (await self._call(operation, **arguments))["parsed"]

    def _create(self, connection: Connection) -> Any:
        connection.session.register_component("response_parser_factory", EcsResponseParserFactory())
        return super()._create(connection)

    def _prepare(self, client: Any) -> None:
        install_fast_paths(client)
        self.region = client.meta.region_name
