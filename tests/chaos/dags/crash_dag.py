"""The Dag of the crash test: one mapped task of each expected outcome."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, timezone
from airflow.sdk.exceptions import AirflowRescheduleException

from tests.chaos import journal
from tests.chaos.expected_outcomes import EXPECTED, GROWING, outcome, shares


class Fated(BaseOperator):
    """Ends as expected of it. Only the real worker runs this; the light one does the same without importing Airflow."""

    def __init__(self, *, number: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.number = number

    def execute(self, context: Any) -> None:
        """Take some time, and end."""
        ti = context["ti"]
        journal.write("ran", {n: getattr(ti, n) for n in ("id", "task_id", "map_index", "try_number")})
        shortest, longest = map(float, os.environ["CHAOS_SECONDS"].split())
        time.sleep(random.uniform(shortest, longest))  # noqa: S311  no secret depends on it
        end = outcome(ti.task_id, ti.try_number, context["task_reschedule_count"])
        if end == "die":
            # The supervisor is the container's main process: nobody is left to tell.
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "raise":
            raise RuntimeError("It fails on purpose.")
        if end == "wait":
            raise AirflowRescheduleException(timezone.utcnow())


with DAG("crash_test", schedule=None, max_active_tasks=1000) as dag:
    for name, count in shares(int(os.environ["CHAOS_TASKS"])).items():
        Fated.partial(
            task_id=name,
            retries=EXPECTED[name].last_try - 1,
            retry_delay=timedelta(seconds=1),
            queue=GROWING if EXPECTED[name].grows else "default",
        ).expand(number=list(range(count)))
