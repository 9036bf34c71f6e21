"""The parts of an ECS task's ARN. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):ecs:(?P<region>[a-z0-9-]+):(?P<account>[^:/]+):task/(?:(?P<cluster>[^/]+)/)?(?P<task>[^/]+)"
)

_ID_LENGTHS = frozenset({32, 36})
"""ECS refuses a whole DescribeTasks call for an id of another length: "taskId length should be one of [32,36]"."""


@dataclass(frozen=True, slots=True)
class TaskArn:
    """An ECS task's ARN, parsed. `str` gives the text."""

    text: str
    partition: str
    """`aws`, `aws-cn`, `aws-us-gov`, or one of AWS's closed partitions."""
    region: str
    account: str
    cluster: str | None
    """The cluster's name; None for ARNs of the old format, which don't contain it."""
    task_id: str

    @property
    def is_whole(self) -> bool:
        """Whether it can be a task's: its id has the length that ECS's ids have."""
        return len(self.task_id) in _ID_LENGTHS

    def __str__(self) -> str:
        """Return the ARN as AWS wrote it."""
        return self.text

    @classmethod
    def parse(cls, text: str | None) -> TaskArn | None:
        """Parse an ARN; None if the text is something else."""
        found = _PATTERN.fullmatch(text or "")
        if found is None:
            return None
        return cls(
            found.string,
            found["partition"],
            found["region"],
            found["account"],
            found["cluster"],
            found["task"],
        )
