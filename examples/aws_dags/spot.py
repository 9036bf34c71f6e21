"""Fargate Spot with a fallback: the cheaper capacity while there is some, the ordinary one if not.

Needs the queues `spot` and `on-demand` of `queues.json`, and a cluster with the capacity providers FARGATE and
FARGATE_SPOT. AWS takes Spot capacity back with two minutes' notice; Airflow retries the task, so give it `retries`, and
make it small or let it go on where it stopped. After two interruptions, or ten minutes without capacity, it runs on-demand.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_spot() -> None:
    """Works on Spot; only the last step, which must not be interrupted, doesn't."""

    @task(queue="spot", retries=4, retry_delay=timedelta(seconds=30))
    def work(part: int) -> int:
        return part * part

    @task(queue="on-demand")
    def publish(results: list[int]) -> None:
        print(f"{len(results)} results, {sum(results)} in all")

    publish(work.expand(part=list(range(8))))


aws_spot()
