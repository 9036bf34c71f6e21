"""What schedulers and containers write down as they go, each line at once: a crash can't unwrite it.

Standard library only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "CHAOS_JOURNAL"
"""The environment variable that says where it is."""
_CONTAINER = "ECS_LOCAL_TASK"  # the local ECS marks its containers: <server>/<task id>
SENT = "sent"
HANDED = "handed over"


@dataclass(frozen=True)
class Line:
    """One event about a task instance.

    In a container: "began", "ran" (the user code), "refused ..." (by the Execution API), "told ...", "killed".
    In a scheduler: "sent" (a RunTask call is about to be made), "handed over" (a standby's object is about to be written).
    """

    event: str
    task_id: str
    map_index: int
    try_number: int
    ti_id: str
    container: str
    """Its ECS task's id; of "sent" the clientToken, of "handed over" the object's URL."""
    at: float


def write(event: str, ti: Mapping[str, Any], container: str | None = None) -> None:
    """Append one line about a workload's `ti`, in a single write, so that lines of several processes never mix."""
    if container is None:
        container = os.environ.get(_CONTAINER, "").rpartition("/")[2]
    line = Line(
        event, ti["task_id"], ti["map_index"], ti["try_number"], str(ti["id"]), container, time.time()
    )
    file = os.open(os.environ[FILE], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(file, (json.dumps(asdict(line)) + "\n").encode())
    finally:
        os.close(file)


def read(file: Path) -> list[Line]:
    """All lines written so far."""
    return [Line(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
