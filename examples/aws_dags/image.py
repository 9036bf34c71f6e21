"""An image of its own: one task runs another image than the others.

Needs the default task definition, no queue, and more permissions for the scheduler's role
(`docs/iam.md`, "For tasks with an image of their own"). The image must have the scheduler's Airflow and Python. Replace its name.
"""

from __future__ import annotations

from airflow.sdk import dag, task

ML = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/airflow-ml:2.1"


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_image() -> None:
    """Loads with the task definition's own image, and trains with one that has more libraries."""

    @task
    def load() -> list[float]:
        return [1.0, 2.0, 4.0]

    @task(executor_config={"image": ML})
    def train(values: list[float]) -> float:
        return sum(values) / len(values)

    train(load())


aws_image()
