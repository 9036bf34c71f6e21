"""A Dag whose tasks run until a test lets them end."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator

from tests.chaos import journal


class Patient(BaseOperator):
    """Runs until the file `SWITCHING_RELEASE` exists."""

    def __init__(self, *, number: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.number = number

    def execute(self, context: Any) -> None:
        """Wait, and end."""
        ti = context["ti"]
        journal.write("ran", {n: getattr(ti, n) for n in ("id", "task_id", "map_index", "try_number")})
        while not Path(os.environ["SWITCHING_RELEASE"]).exists():
            time.sleep(0.2)


with DAG("switching", schedule=None) as dag:
    Patient.partial(task_id="patient", retries=int(os.environ.get("SWITCHING_RETRIES", "0"))).expand(
        number=list(range(int(os.environ["CHAOS_TASKS"])))
    )
