"""What Airflow in a container must know about the scheduler's `[core] executor`. Only reads Airflow's options."""

from __future__ import annotations

from ecs_async_executor.config.sources import Conf


def executor_names(conf: Conf) -> dict[str, str]:
    """Return the environment variables that make a container accept the `executor=` of every task.

    A container parses the whole file of its Dag, and Airflow drops a Dag if one of its tasks names an executor that is
    not in `[core] executor` (`_validate_executor_fields` of airflow/dag_processing/dagbag.py, the same in 3.2.2 and
    3.3.2). It compares names and imports no class, so the image doesn't need the executor. It ignores teams' executors
    (`team=...`) unless `[core] multi_team` is on. `conf` is Airflow's own, because a team has no `[core]` options.
    """
    executors = conf.get("core", "executor", fallback=None)
    if not executors:
        return {}
    multi_team = conf.get("core", "multi_team", fallback=None)
    with_teams = {"AIRFLOW__CORE__MULTI_TEAM": multi_team} if multi_team and "=" in executors else {}
    return {"AIRFLOW__CORE__EXECUTOR": executors, **with_teams}
