"""EC2 instances and GPUs: queues whose tasks run on your own instances.

Needs the queues `ec2` and `gpu` of `queues.json`, the task definition `airflow-ec2`
(`examples/task_definitions/airflow-ec2.json`), container instances in the cluster, and for `gpu` a capacity provider
`gpu-instances` with the GPU-optimized AMI. Fargate has no GPUs. Tasks that find no instance wait for `capacity_timeout`.
"""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"])
def aws_gpu() -> None:
    """Prepares on any instance, trains on one with a GPU, and reports on Fargate."""

    @task(queue="ec2")
    def prepare() -> int:
        return 3

    @task.bash(queue="gpu")
    def train() -> str:
        return "nvidia-smi"

    @task
    def report(epochs: int) -> None:
        print(f"{epochs} epochs")

    epochs = prepare()
    epochs >> train() >> report(epochs)


aws_gpu()
