"""Two ways of waiting that hold no ECS task while nothing happens."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def waiting() -> None:
    """Waits half a minute, counted from the Dag run's start, in two ways.

    ``deferred`` hands the wait to the triggerer: one ECS task to begin, one to resume.
    ``rescheduled`` looks every few seconds: one ECS task per look.
    Both end as ``success``, then so does ``go``.
    """
    half_a_minute = timedelta(seconds=30)

    deferred = TimeDeltaSensor(task_id="deferred", delta=half_a_minute, deferrable=True)

    @task.sensor(mode="reschedule", poke_interval=12, timeout=600)
    def rescheduled() -> bool:
        return datetime.now(timezone.utc) >= get_current_context()["dag_run"].run_after + half_a_minute

    @task
    def go() -> None:
        print("The wait is over.")

    [deferred, rescheduled()] >> go()


waiting()
