"""A Dag whose task waits to be stopped, and says how in the file in STOPPED_FILE."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow.sdk import DAG, BaseOperator, Context


class Stopped(BaseOperator):
    """It runs until SIGTERM."""

    _killed = False

    def execute(self, context: Context) -> None:  # noqa: ARG002  Airflow's signature
        """Wait."""
        Path(os.environ["STOPPED_FILE"]).write_text("started")
        while not self._killed:
            time.sleep(0.1)

    def on_kill(self) -> None:
        """Say so."""
        Path(os.environ["STOPPED_FILE"]).write_text("on_kill")
        self._killed = True


with DAG("stopped", schedule=None):
    Stopped(task_id="task")
