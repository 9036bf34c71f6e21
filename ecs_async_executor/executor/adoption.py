"""Reads from a row how to find the launch of a scheduler that is gone. Pure.

A row's `external_executor_id` starts as the run id, which core commits together with QUEUED. Once a launch
has failed, it is the launch id of the next one; once the task is launched, it is the ARN.
AwsEcsExecutor writes the ARN.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecs_async_executor.launch_id import LaunchId
from ecs_async_executor.task_arn import TaskArn


@dataclass(frozen=True, slots=True)
class AdoptedId:
    """The identity of an earlier scheduler's run, as its row shows it."""

    run_id: str
    """The run's own id; for a launched task the ECS task's id, because its row no longer holds the run's."""
    number: int = 1
    arn: str | None = None
    cluster: str | None = None
    """None for ARNs of the old format, which don't contain it."""


def parse_external_id(external_id: str | None) -> AdoptedId | None:
    """Parse a row's `external_executor_id`; None if it names neither an ECS task nor one of our runs."""
    if (arn := TaskArn.parse(external_id)) and arn.is_whole:
        return AdoptedId(arn.task_id, arn=arn.text, cluster=arn.cluster)
    launch_id = LaunchId.parse(external_id or "")
    return AdoptedId(launch_id.run_id, launch_id.number) if launch_id else None
