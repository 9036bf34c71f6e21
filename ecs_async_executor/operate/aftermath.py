"""What Airflow makes of a stopped ECS task, by its row, as `executor/decisions.py` will decide: one table, one test per row. Pure."""

from __future__ import annotations

from ecs_async_executor.operate.ecs_task import EcsTask, WorkloadKind
from ecs_async_executor.operate.rows import FoundRow


def aftermath(task: EcsTask, row: FoundRow | None, *, shows_it: bool = True) -> str:
    """Return it in a sentence or two; `shows_it` is False if the row is live under another ECS task or run id."""
    if task.workload is WorkloadKind.CALLBACK:
        return "It runs a callback: Airflow counts it as failed."
    if row is None and task.standby is not None:
        return "It is a standby without a task: nothing changes in Airflow, and its scheduler starts another one."
    if row is None:
        return "No task instance of this Airflow shows it: nothing changes there."
    if not row.is_live:
        state = "an earlier try" if row.earlier_try else f"{row.state or 'cleared'} already"
        return f"{row.label} is {state}: nothing changes in Airflow."
    if not shows_it:
        return f"{row.label} is live under another ECS task or run id, and goes on there."
    if row.state == "queued" and task.standby is not None:
        return (
            f"{row.label} is queued, its code hasn't run: the executor starts it in a new container, at no cost. To end it, mark "
            "it as failed in Airflow."
        )
    if row.state == "queued":
        return (
            f"{row.label} is queued, its code hasn't run: the executor starts it again in a new container while it has "
            "start attempts (`max_run_task_attempts`), else Airflow fails this try. To end it, mark it as failed in Airflow."
        )
    if row.state == "restarting":
        return f"{row.label} was cleared while it ran: Airflow runs it again at once."
    last = row.try_number > row.max_tries
    then = "it was the last one" if last else "it has retries left, so Airflow runs it again"
    return f"{row.label} is running: Airflow fails try {row.try_number} of {row.max_tries + 1}; {then}."
