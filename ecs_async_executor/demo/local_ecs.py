"""The demo's side of the local ECS: is it there, and which ECS tasks are there?"""

from __future__ import annotations

from typing import Any

import httpx
from typing_extensions import Self


class LocalEcs:
    """The control endpoint of `ecs-async local`."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=5.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def logs_url(self) -> str | None:
        """Where its CloudWatch Logs is; None until it answers."""
        try:
            answer = self._http.get("/_local/health")
        except httpx.TransportError:
            return None
        return str(answer.json()["logs"]) if answer.is_success else None

    def tasks(self) -> list[dict[str, Any]]:
        """Every ECS task, shaped as DescribeTasks answers. Raises httpx.HTTPError."""
        found: list[dict[str, Any]] = self._http.get("/_local/tasks").raise_for_status().json()["tasks"]
        return found
