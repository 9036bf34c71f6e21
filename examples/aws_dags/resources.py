"""Resources of one task: sizes, disk, environment and tags by `executor_config`.

`overrides.cpu` and `overrides.memory` are the ECS task's, which Fargate bills; it has only certain pairs of them. If
several tasks want the same, give them a queue instead: `large` in `queues.json` is one. The tags need `ecs:TagResource`.
"""

from __future__ import annotations

import os
import shutil

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_resources() -> None:
    """Runs three tasks: with the task definition's sizes, with sizes of its own, and with those of a queue."""

    @task
    def as_defined() -> None:
        print(f"{os.cpu_count()} CPUs")

    @task(executor_config={"overrides": {"cpu": "2048", "memory": "8192"}, "tags": {"team": "data"}})
    def two_cpus() -> None:
        print(f"{os.cpu_count()} CPUs")

    @task(
        queue="large",
        executor_config={
            "overrides": {"ephemeralStorage": {"sizeInGiB": 100}},
            "environment": {"OMP_NUM_THREADS": "4"},
        },
    )
    def large_disk() -> None:
        print(f"{shutil.disk_usage('/').free >> 30} GiB free")

    as_defined()
    two_cpus()
    large_disk()


aws_resources()
