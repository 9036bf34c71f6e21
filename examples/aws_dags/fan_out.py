"""Fan-out: as many containers side by side as you ask for, with dynamic task mapping.

Trigger it with another number of `parts` to see how launches queue up. How many run at once is limited by Airflow before
it is limited by AWS: `[core] parallelism` (32), `max_active_tasks` (16 by default, so it is set here), the pool
(128 slots). Needs no queue.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, tags=["ecs-async", "aws"], params={"parts": 20}, max_active_tasks=100)
def aws_fan_out() -> None:
    """Adds up the numbers below `parts` thousand, each thousand in a container of its own."""

    @task
    def split() -> list[int]:
        return list(range(get_current_context()["params"]["parts"]))

    @task
    def work(part: int) -> int:
        return sum(range(1000 * part, 1000 * (part + 1)))

    @task
    def total(sums: list[int]) -> None:
        numbers = 1000 * get_current_context()["params"]["parts"]
        print(f"The sum is {sum(sums)}.")
        if sum(sums) != numbers * (numbers - 1) // 2:
            raise ValueError("A part is missing.")

    total(work.expand(part=split()))


aws_fan_out()
