"""The plug-in: what Airflow's UI gets from this package.

Airflow loads it in each of its processes, so importing it costs next to nothing; what it needs is imported at first use.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from ecs_async_executor.ui.links import LINKS


class EcsAsyncPlugin(AirflowPlugin):
    """Links to the AWS console on every task."""

    name = "ecs_async_executor"
    global_operator_extra_links: list[Any] = list(LINKS)  # noqa: RUF012  as the base class declares it
