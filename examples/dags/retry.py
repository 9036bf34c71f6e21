"""A task that fails at first: Airflow's retry is a new ECS task."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def retry() -> None:
    """Fails on its first try and works on its second, three seconds later.

    ``fails_once`` ends as ``success`` on try 2, after two ECS tasks. Both tries' logs are in the UI.
    """

    @task(retries=1, retry_delay=timedelta(seconds=3))
    def fails_once() -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("The first try fails on purpose.")

    fails_once()


retry()
