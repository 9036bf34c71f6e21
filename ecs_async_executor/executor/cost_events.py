"""Writes what each ended ECS task has used into its task's Audit Log, if the option `log_cost` asks for it."""

from __future__ import annotations

from ecs_async_executor.event_names import EventName
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.executor.task_events import TaskEvents
from ecs_async_executor.messages import AnyRunReport, Stopped
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.task_cost import Prices, describe


class CostEvents:
    """Writes one row an ECS task, in the scheduler's thread; it never raises."""

    def __init__(self, task_events: TaskEvents, prices: Prices | None) -> None:
        """Take the prices; None: write nothing."""
        self._task_events = task_events
        self._prices = prices

    def note(self, run: Run, report: AnyRunReport) -> None:
        """Write what a run's ECS task has used, if this is the report of its end and ECS has shown that."""
        if self._prices is None or not isinstance(report, Stopped) or report.usage is None:
            return
        try:
            arn = TaskArn.parse(report.arn)
            cost = self._prices.cost(report.usage, arn.region if arn is not None else "")
            text = describe(report.usage, cost, report.arn.rpartition("/")[2])
            self._task_events.record(run, EventName.COST, text)
        except Exception:  # noqa: BLE001  it is logged, with its traceback; the run's end matters more
            self._task_events.exception("cost", f"Can't note what {run.label} has used.")
