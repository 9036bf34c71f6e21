"""A light stand-in for `airflow.sdk.execution_time.execute_workload`: the same command line, the same calls.

The real one takes seconds of CPU to import Airflow; this one takes milliseconds, so that hundreds of containers fit
on a small machine. It says to the Execution API what the real one says, in the same order, repeats what the real one
repeats, and exits with the same codes. If the command is a standby's, it waits first. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import sys
import time
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from tests.chaos import journal
from tests.chaos.expected_outcomes import Outcome, outcome
from tests.chaos.standby import play

_ATTEMPTS = 5  # [workers] execution_api_retries
_HEARTBEAT = 1.5  # seconds between two heartbeats
_API_VERSION = "2026-06-30"


class RefusedError(Exception):
    """The Execution API said no; `status` is the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class ExecutionApi:
    """The calls of one task instance."""

    def __init__(self, url: str, ti_id: str, token: str) -> None:
        self._url = urlsplit(url)
        self._ti_id = ti_id
        self._token = token

    def call(self, method: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a call; server errors and broken connections are repeated. Raises RefusedError, OSError."""
        for attempt in range(_ATTEMPTS):
            try:
                status, answer = self._once(method, what, body)
            except (OSError, http.client.HTTPException):
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                if status < 400:
                    return answer
                if status < 500:
                    raise RefusedError(status)
            time.sleep(0.5 * (attempt + 1))
        raise RefusedError(500)

    def _once(self, method: str, what: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=60)
        try:
            connection.request(
                method,
                f"{self._url.path}task-instances/{self._ti_id}/{what}",
                json.dumps(body),
                {
                    "Authorization": f"Bearer {self._token}",
                    "Content-Type": "application/json",
                    "airflow-api-version": _API_VERSION,
                },
            )
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        # `/run` swaps the workload's token for one that may do the rest.
        self._token = response.headers.get("Refreshed-API-Token") or self._token
        return response.status, json.loads(text) if text and response.status < 400 else {}


def main() -> int:
    """Run the workload of the command line."""
    workload = json.loads(sys.argv[sys.argv.index("--json-string") + 1])
    ti = workload["ti"]
    journal.write("began", ti)
    api = ExecutionApi(os.environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"], ti["id"], workload["token"])
    # A container has a host name of its own; here all share one, and process ids come again.
    me = {"hostname": f"container-{os.environ['ECS_LOCAL_TASK'].rpartition('/')[2]}", "pid": os.getpid()}
    try:
        context = api.call(
            "PATCH", "run", {"state": "running", "unixname": "worker", "start_date": _now(), **me}
        )
    except RefusedError as refused:
        journal.write(f"refused {refused.status}", ti)
        return 1
    journal.write("ran", ti)
    if not _rest(api, me):
        journal.write("killed", ti)
        return 0
    end = outcome(ti["task_id"], ti["try_number"], context.get("task_reschedule_count", 0))
    if end == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    result = _result(end, can_retry=bool(context.get("should_retry")))
    try:
        api.call("PATCH", "state", {**result, "end_date": _now()})
    except RefusedError as refused:
        journal.write(f"refused {result['state']} {refused.status}", ti)
        return 1
    journal.write(f"told {result['state']}", ti)
    return 0


def _result(end: Outcome, *, can_retry: bool) -> dict[str, Any]:
    if end == "succeed":
        return {"state": "success", "task_outlets": [], "outlet_events": []}
    if end == "wait":
        return {"state": "up_for_reschedule", "reschedule_date": _now()}
    return {"state": "up_for_retry" if can_retry else "failed"}


def _rest(api: ExecutionApi, me: dict[str, Any]) -> bool:
    """Be the user code: take some time, with heartbeats. False if Airflow says that it shall end."""
    shortest, longest = map(float, os.environ["CHAOS_SECONDS"].split())
    end = time.monotonic() + random.uniform(shortest, longest)  # noqa: S311  no secret depends on it
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _HEARTBEAT))
        if left > _HEARTBEAT:
            try:
                api.call("PUT", "heartbeat", me)
            except RefusedError:
                return False
    return True


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


if __name__ == "__main__":
    if "-c" in sys.argv:
        play(main)
    sys.exit(main())
