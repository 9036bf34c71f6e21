"""The demo's client of the local ECS: whether it is up, and its ECS tasks."""

from __future__ import annotations

from typing import Any

import httpx
from typing_extensions import Self

from ecs_async_executor.demo.environment import CONTAINER, LOG_GROUP, LOG_PREFIX, REGION


class LocalEcs:
    """A client of the control endpoint of `ecs-async local`."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=5.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def logs_url(self) -> str | None:
        """Return the URL of its CloudWatch Logs; None until the local ECS answers."""
        try:
            answer = self._http.get("/_local/health")
        except httpx.TransportError:
            return None
        return str(answer.json()["logs"]) if answer.is_success else None

    def container_log(self, ecs_task_id: str, lines: int) -> list[str]:
        """Return a container's last lines from CloudWatch Logs. Raises httpx.HTTPError."""
        answer = self._http.post(
            self.logs_url() or "",
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "Logs_20140328.GetLogEvents",
                # moto doesn't check the signature, but takes the Region from it.
                "Authorization": f"AWS4-HMAC-SHA256 Credential=demo/20260101/{REGION}/logs/aws4_request",
            },
            json={
                "logGroupName": LOG_GROUP,
                "logStreamName": f"{LOG_PREFIX}/{CONTAINER}/{ecs_task_id}",
                "limit": lines,
            },
        )
        return [event["message"] for event in answer.raise_for_status().json()["events"]]

    def tasks(self) -> list[dict[str, Any]]:
        """Return every ECS task, as DescribeTasks shows it. Raises httpx.HTTPError."""
        found: list[dict[str, Any]] = self._http.get("/_local/tasks").raise_for_status().json()["tasks"]
        return found
