"""A task whose container is killed, as by ECS for lack of memory: its last lines and the reason are in its log."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def killed() -> None:
    """Kills its own container on its first try and works on its second, three seconds later.

    Airflow in the container had no chance to store try 1's log or to report its end. The executor does both: see the log
    of try 1 and the Audit Log. ``killed_once`` ends as ``success`` on try 2, after two ECS tasks.
    """

    @task(retries=1, retry_delay=timedelta(seconds=3))
    def killed_once() -> None:
        print("Loading forty gigabytes into memory ...")
        if get_current_context()["ti"].try_number == 1:
            time.sleep(1)  # until the line above is printed
            os.kill(os.getppid(), signal.SIGKILL)  # the container's main process, which is what ECS kills
            time.sleep(60)

    killed_once()


killed()
