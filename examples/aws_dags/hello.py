"""Hello: one task in one container on ECS.

Shows that everything is connected: the scheduler launches, the container finds this file, reaches the API server and
reports. Needs only the required options (`examples/config/minimal.cfg`), and no queue.
"""

from __future__ import annotations

import os
import platform

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_hello() -> None:
    """Prints where it runs."""

    @task
    def hello() -> str:
        print(f"Hello from {platform.node()}: Python {platform.python_version()}, {os.cpu_count()} CPUs.")
        return platform.node()

    hello()


aws_hello()
