"""Queues: the same image on machines of different size."""

from __future__ import annotations

import os

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def queues() -> None:
    """Runs one task per queue; a queue's profile says how its ECS tasks look (CPU, memory, subnets ...).

    ``light`` (queue ``small``) and ``heavy`` (queue ``large``) both end as ``success``.
    A queue without a profile runs with the executor's defaults.
    """

    @task(queue="small")
    def light() -> None:
        print(f"{os.cpu_count()} CPUs here.")

    @task(queue="large")
    def heavy() -> None:
        print(f"{os.cpu_count()} CPUs here.")

    light()
    heavy()


queues()
