"""Two ways of waiting that hold no ECS task while nothing happens."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Context, dag, get_current_context, task


class Pause(BaseOperator):
    """Waits in the triggerer: the first ECS task ends at once, a second one goes on when the time has come."""

    def execute(self, context: Context) -> None:  # noqa: ARG002  Airflow's signature
        """Hand over to the trigger."""
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=10)), method_name="resume")

    def resume(self, context: Context, event: object = None) -> None:  # noqa: ARG002  Airflow's signature
        """Go on, in another container: nothing of the first one's memory and disk is left."""
        self.log.info("The wait is over: %s", event)


@dag(schedule=None, catchup=False, tags=["ecs-async"])
def waiting() -> None:
    """Waits by deferring and by rescheduling, two ECS tasks each.

    ``deferred`` waits ten seconds in the triggerer; ``rescheduled`` looks, finds nothing, and looks again later.
    Both end as ``success``, then so does ``go``.
    """
    deferred = Pause(task_id="deferred")

    @task.sensor(mode="reschedule", poke_interval=5, timeout=600)
    def rescheduled() -> bool:
        context = get_current_context()
        return context["ti"].get_first_reschedule_date(context) is not None  # None at the first look

    @task
    def go() -> None:
        print("The wait is over.")

    [deferred, rescheduled()] >> go()


waiting()
