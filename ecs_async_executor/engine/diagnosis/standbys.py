"""What a standby's own exit codes mean: it ended without a workload. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ecs_async_executor.engine.diagnosis.iam import arn_of, missing
from ecs_async_executor.engine.diagnosis.stopped_tasks import Verdict
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.standby.command import BROKEN, LEFT, NO_ACCESS, location_of


def _look(_url: str, _region: str) -> str:
    return "Nothing to do. The last line that it wrote to its log says why it left."


def _allow(url: str, region: str) -> str:
    needed = missing("the task role", "s3:GetObject", arn_of(f"{location_of(url)}*", region))
    return (
        "Check the last line of the container's log. If it says that S3 can't be reached, check how the task's subnets reach S3. "
        f"Otherwise: {needed}"
    )


def _import(_url: str, _region: str) -> str:
    return (
        "The container's log says which module can't be imported. The image needs the scheduler's Airflow version, and "
        "botocore, which the Amazon provider brings."
    )


_MEANINGS: Mapping[int, tuple[str, Callable[[str, str], str]]] = {
    LEFT: ("The standby ended before it had a workload.", _look),
    NO_ACCESS: ("The standby can't read its lease in S3.", _allow),
    BROKEN: ("The standby can't import Airflow or botocore.", _import),
}


def of_standby(verdict: Verdict, url: str, region: str) -> Verdict:
    """Return the verdict on a task of a Region whose command is the standby's that looks at `url`.

    With an exit code of the standby's own, no task's code ever ran. What says more than an exit code, such as a Spot
    interruption, stays as it is. With any other exit code, the verdict is the same as on a cold start.
    """
    meaning = _MEANINGS.get(verdict.exit_code) if verdict.exit_code is not None else None
    if meaning is None:
        return verdict
    if not verdict.unexplained:
        return replace(verdict, ran=False)
    summary, remedy = meaning
    diagnosis = Diagnosis(summary, verdict.diagnosis.detail, remedy(url, region))
    return replace(verdict, ran=False, unexplained=False, diagnosis=diagnosis)
