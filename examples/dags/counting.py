"""A task that runs for minutes and logs all the time: watch its log grow in the UI."""

from __future__ import annotations

import time

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async"], params={"seconds": 600})
def counting() -> None:
    """Logs a line every two seconds, for the seconds in its parameter."""

    @task
    def count(params: dict[str, int]) -> None:
        for second in range(0, params["seconds"], 2):
            print(f"{second} of {params['seconds']} seconds")
            time.sleep(2)

    count()


counting()
