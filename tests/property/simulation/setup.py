"""The configurations that are simulated: queues of every kind, with and without standbys."""

from __future__ import annotations

from functools import cache

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.config.delivery import Bucket
from ecs_async_executor.config.heartbeats import Heartbeats
from ecs_async_executor.config.profiles import make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.standby import pools_of

QUEUES = (
    "default",
    "default",
    "default",
    "long",
    "long",
    "spot-a",
    "spot-b",
    "growing",
    "growing",
    "image",
    "image",
)
"""The tasks' queues."""
LARGEST = 8192
"""MiB of the largest size that tasks grow to."""
MAX_AGE = 360.0
"""Seconds; of the standbys."""
QUEUED_TIMEOUT = 600.0
IMAGES = {
    "default": {"airflow:1"},
    "long": {"airflow:long"},
    "growing": {"airflow:growing"},
    "image": {"airflow:image"},
    "spot-a": {"airflow:1", "airflow:on-demand"},
    "spot-b": {"airflow:1", "airflow:on-demand"},
}
"""Which images may run the tasks of each queue."""


@cache
def configuration(standby: int) -> Configuration:
    """Make the executor's configuration; `standby` is how many of them each profile keeps that may have any."""
    settings = Settings(
        cluster="default",
        container_name="airflow",
        task_definition="t",
        subnets=("s",),
        max_run_task_attempts=10,
        missing_grace=60,
        payload_bucket="s3://bucket/",
        standby=standby,
        standby_max_age=MAX_AGE,
        queues={
            "spot-*": {
                "capacityProviderStrategy": "FARGATE_SPOT:1",
                "fallback": "on-demand",
                "fallback_after": 2,
                "capacity_timeout": 60,
                "standby": standby,
            },
            # Long enough to send the workload through S3.
            "long": {"environment": {"A": "x" * 6900}, "image": "airflow:long"},
            "growing": {
                "cpu": 1024,
                "memory": [2048, 4096, LARGEST],
                "image": "airflow:growing",
                "standby": standby,
            },
            "image": {"image": "airflow:image", "standby": standby},
            "on-demand": {"launchType": "FARGATE", "max_run_task_attempts": 20, "image": "airflow:on-demand"},
        },
    )
    profiles = make_profiles(settings)
    bucket = Bucket(str(settings.payload_bucket))
    return Configuration(
        settings, {}, profiles, bucket, QUEUED_TIMEOUT, Heartbeats(), (), pools_of(profiles, bucket)
    )
