"""What containers print to CloudWatch Logs, and what Airflow's log page shows of it."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient

GROUP = "/ecs/airflow-task"
"""The log group of the local ECS's task definition `airflow-task`."""


class Container:
    """Prints to a task's log stream, as the awslogs driver does."""

    def __init__(self, client: Any, ti: Any) -> None:
        self.client = client
        self.stream = f"ecs/airflow/{ti.external_executor_id.rpartition('/')[2]}"
        client.create_log_stream(logGroupName=GROUP, logStreamName=self.stream)

    def prints(self, *lines: str, at: int = 1_795_768_491_500) -> None:
        events = [{"timestamp": at, "message": line} for line in lines]
        self.client.put_log_events(logGroupName=GROUP, logStreamName=self.stream, logEvents=events)


def page_of(api: TestClient, ti: Any, *, ndjson: bool = True) -> list[dict[str, Any]]:
    """Load the page as the UI does: each refresh is a new request, without a token."""
    path = f"/dags/{ti.dag_id}/dagRuns/{ti.run_id}/taskInstances/{ti.task_id}/logs/{ti.try_number}"
    answer = api.get(path, headers={"accept": "application/x-ndjson" if ndjson else "application/json"})
    assert answer.status_code == 200, answer.text
    if ndjson:
        return [json.loads(line) for line in answer.text.splitlines()]
    content: list[dict[str, Any]] = answer.json()["content"]
    return content


def texts(page: list[dict[str, Any]]) -> list[str]:
    """The lines after the group of sources."""
    events = [line["event"] for line in page]
    return events[events.index("::endgroup::") + 1 :]
