"""What the containers write down as they go, each line at once: a crash can't unwrite it. Standard library only."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "CHAOS_JOURNAL"
"""The environment variable that says where it is."""
_CONTAINER = "ECS_LOCAL_TASK"  # the local ECS marks its containers: <server>/<task id>


@dataclass(frozen=True)
class Line:
    """One event: "began" (the container), "ran" (the user code), "refused ..." (by the Execution API), "told ..."."""

    event: str
    task_id: str
    map_index: int
    try_number: int
    ti_id: str
    container: str
    at: float


def write(event: str, task_id: str, map_index: int, try_number: int, ti_id: str) -> None:
    """Append one line, in a single write, so that lines of several containers never mix."""
    container = os.environ.get(_CONTAINER, "").rpartition("/")[2]
    line = Line(event, task_id, map_index, try_number, ti_id, container, time.time())
    file = os.open(os.environ[FILE], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.write(file, (json.dumps(asdict(line)) + "\n").encode())
    finally:
        os.close(file)


def read(file: Path) -> list[Line]:
    """All lines written so far."""
    return [Line(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
