"""Dynamic task mapping: one Dag, twelve ECS tasks side by side."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def fan_out() -> None:
    """Squares twelve numbers, each in an ECS task of its own, and adds them up.

    Every task ends as ``success``: one ``numbers``, twelve ``square``, one ``total``.
    """

    @task
    def numbers() -> list[int]:
        return list(range(12))

    @task
    def square(number: int) -> int:
        return number * number

    @task
    def total(squares: list[int]) -> int:
        return sum(squares)

    total(square.expand(number=numbers()))


fan_out()
