"""The three calls that find and read a container's lines, over the executor's AWS connection.

They are synchronous, for a thread that may wait: the provider's hooks, and botocore with short time-outs and no retries.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Protocol

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.task_arn import TaskArn

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
"""Time-outs of one call: people wait for the page."""
_DEFAULT_CONN_ID = Settings.model_fields["conn_id"].default


class Aws(Protocol):
    """What the reader asks of AWS. Each raises what botocore raises."""

    def describe_task(self, arn: TaskArn) -> Mapping[str, Any] | None:
        """Return DescribeTasks' task; None if ECS doesn't know it."""

    def describe_task_definition(self, definition: str, region: str) -> Mapping[str, Any]:
        """Return DescribeTaskDefinition's `taskDefinition`, by ARN, family or family:revision."""

    def get_log_events(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        """Return GetLogEvents' answer."""

    def renew(self) -> None:
        """Make new clients for the next calls, with new credentials."""

    def endpoint_of(self, service: str, region: str) -> str | None:
        """Return the URL that a service's calls go to, if there has been one."""


class HookAws:
    """AWS through the Amazon provider. Safe for several threads: botocore's clients are.

    The Region is always the task's or its log group's, so the option `region_name` is not needed here.
    """

    def __init__(self, conn_id: str | None) -> None:
        self._conn_id = conn_id
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def describe_task(self, arn: TaskArn) -> Mapping[str, Any] | None:
        """Return DescribeTasks' task; None if ECS doesn't know it."""
        cluster = {"cluster": arn.cluster} if arn.cluster else {}
        answer = self._client("ecs", arn.region).describe_tasks(tasks=[arn.text], **cluster)
        tasks = answer.get("tasks") or [None]
        found: Mapping[str, Any] | None = tasks[0]
        return found

    def describe_task_definition(self, definition: str, region: str) -> Mapping[str, Any]:
        """Return DescribeTaskDefinition's `taskDefinition`."""
        answer = self._client("ecs", region).describe_task_definition(taskDefinition=definition)
        found: Mapping[str, Any] = answer["taskDefinition"]
        return found

    def get_log_events(self, request: Mapping[str, Any], region: str) -> Mapping[str, Any]:
        """Return GetLogEvents' answer."""
        answer: Mapping[str, Any] = self._client("logs", region).get_log_events(**request)
        return answer

    def renew(self) -> None:
        """Forget the clients: the next calls look the connection up again."""
        with self._lock:
            self._clients.clear()

    def endpoint_of(self, service: str, region: str) -> str | None:
        """Return the URL that a service's calls go to, if there has been one."""
        client = self._clients.get((service, region))
        return None if client is None else str(client.meta.endpoint_url)

    def _client(self, service: str, region: str) -> Any:
        client = self._clients.get((service, region))
        if client is None:
            client = self._connect(service, region)  # not under the lock: this may call STS
            with self._lock:
                client = self._clients.setdefault((service, region), client)
        return client

    def _connect(self, service: str, region: str) -> Any:
        # Imported late: the plug-in's links import this module wherever Airflow runs.
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook  # noqa: PLC0415  as above
        from botocore.config import Config  # noqa: PLC0415  as above

        hook: Any = AwsBaseHook(aws_conn_id=self._conn_id, client_type=service, region_name=region)
        # As in executor/connection.py: the provider only warns, and uses the environment's credentials instead.
        if self._conn_id not in {None, _DEFAULT_CONN_ID} and not hook.conn_config:
            raise ConfigurationError(
                f"The API server finds no Airflow connection {self._conn_id!r} (option conn_id). Give it the secrets backend, "
                "or the AIRFLOW_CONN_ variable, that the scheduler has."
            )
        quick = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        return hook.get_client_type(region_name=region, config=hook.config.merge(quick))
