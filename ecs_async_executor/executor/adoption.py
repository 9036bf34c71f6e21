"""What the row of a task tells of a scheduler that is gone: under which id its launch is found again. Pure.

A row's `external_executor_id` is, in this order: the run id that core committed together with QUEUED; the same with the
launch number behind it, once a launch has failed; the ARN, once the task is launched. AwsEcsExecutor's is the ARN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(r"arn:aws[a-z-]*:ecs:[^:]+:[^:]+:task/(?:(?P<cluster>[^/]+)/)?(?P<task>[^/]+)")
# A UUID; or a token's `jti`, which stands there only with a number.
_RUN_ID = re.compile(
    r"(?P<run>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}(?=-))"
    r"(?:-(?P<number>\d+))?"
)


@dataclass(frozen=True, slots=True)
class AdoptedId:
    """What is left of a run."""

    run_id: str
    """The run's own; of a launched task ECS's, since its row does not know the run's any more."""
    number: int = 1
    arn: str | None = None
    cluster: str | None = None
    """None in ARNs of the old format, which do not name it."""


def parse_external_id(external_id: str | None) -> AdoptedId | None:
    """Read a row's external executor id; None if it names neither an ECS task nor a run of ours."""
    if arn := _ARN.fullmatch(external_id or ""):
        return AdoptedId(arn["task"], arn=external_id, cluster=arn["cluster"])
    if run := _RUN_ID.fullmatch(external_id or ""):
        return AdoptedId(run["run"], int(run["number"] or 1))
    return None
