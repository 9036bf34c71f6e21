"""Controls a local ECS, with the same methods whether it runs in this loop, a thread or a process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from ecs_async_executor.errors import EcsAsyncError
from ecs_async_executor.local.serving.admin import PREFIX

Send = Callable[[str, str, Mapping[str, Any]], dict[str, Any]]


class ControlError(EcsAsyncError):
    """The local ECS rejected a control call; the message says why."""


class Control:
    """A handle on a running local ECS.

    `endpoint_url` is ECS's, for AWS_ENDPOINT_URL_ECS; `logs_endpoint_url` and `s3_endpoint_url` are those of
    CloudWatch Logs and S3, or None. The modules of `local.conditions` describe the documents. Calls over HTTP block. With
    `serve`, which runs in the caller's own loop, calls don't use the network.

    Raises:
        ControlError: From every method, if the server rejects the call.
    """

    def __init__(
        self,
        endpoint_url: str,
        logs_endpoint_url: str | None = None,
        s3_endpoint_url: str | None = None,
        send: Send | None = None,
    ) -> None:
        self.endpoint_url = endpoint_url
        self.logs_endpoint_url = logs_endpoint_url
        self.s3_endpoint_url = s3_endpoint_url
        self._send = send or self._over_http

    def health(self) -> dict[str, Any]:
        """Return {"status": "ok", "runtime": ..., "logs": ..., "s3": ...}."""
        return self._call("GET", "health")

    def conditions(self) -> dict[str, Any]:
        """Return the conditions in force, including the faults."""
        return self._call("GET", "faults")

    def set_conditions(self, **conditions: Any) -> None:
        """Replace the named conditions: latency, throttling, consistency_lag, task_limit, room, faults."""
        self._call("PUT", "faults", conditions)

    def add_fault(self, kind: str, **fields: Any) -> None:
        """Add a fault."""
        self._call("POST", "faults", {"kind": kind, **fields})

    def clear_conditions(self) -> None:
        """Make ECS and S3 fast, unlimited and reliable again."""
        self._call("DELETE", "faults")

    def set_plan(self, *rules: Mapping[str, Any], **defaults: Any) -> None:
        """Replace the plan of simulated tasks, for launches from now on."""
        self._call("PUT", "plan", {"defaults": defaults, "rules": rules})

    def set_cluster(self, name: str, default_strategy: list[dict[str, Any]]) -> None:
        """Create a cluster, or change its defaultCapacityProviderStrategy."""
        body = {"defaultCapacityProviderStrategy": default_strategy}
        self._call("PUT", f"clusters/{quote(name, safe='')}", body)

    def tasks(self) -> list[dict[str, Any]]:
        """Return all tasks as DescribeTasks shows them, plus their clientToken, minus secret values."""
        return list(self._call("GET", "tasks")["tasks"])

    def calls(self) -> dict[str, dict[str, int]]:
        """Return the number of calls by action and outcome; S3's actions are `s3:PutObject` and so on.

        Outcomes are ok, an error's code, the kind of the fault that spoiled a response, and for RunTask also
        replayed, failures and empty.
        """
        return self._call("GET", "calls")

    def history(self) -> dict[str, dict[str, int]]:
        """Return {"tasks": ever launched, "ran": how many of them started running} by startedBy."""
        return self._call("GET", "history")

    def interrupt(self, task: str, kind: Literal["spot", "host"] = "spot") -> None:
        """Take away the capacity of `task` (id or ARN): a Spot interruption, or a host lost without exit codes."""
        self._call("POST", f"tasks/{task.rpartition('/')[2]}/interrupt", {"kind": kind})

    def reset(self) -> None:
        """Forget tasks, conditions, plan, calls and history, and kill running containers."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._send(method, PREFIX + path, document or {})

    def _over_http(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        address = urlsplit(self.endpoint_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(document), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(str(answer.get("message")))
        return answer
