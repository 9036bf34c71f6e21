"""A branch: what is skipped costs no ECS task at all."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def branching() -> None:
    """Takes one of two branches and joins them again.

    ``choose``, ``taken`` and ``join`` end as ``success``, ``not_taken`` ends as ``skipped``.
    """

    @task.branch
    def choose() -> str:
        return "taken"

    @task
    def taken() -> None:
        print("Chosen.")

    @task
    def not_taken() -> None:
        raise RuntimeError("Nobody should run this.")

    @task(trigger_rule="none_failed_min_one_success")
    def join() -> None:
        print("Together again.")

    choose() >> [taken(), not_taken()] >> join()


branching()
