"""What a row's external executor id tells about a run."""

from __future__ import annotations

import pytest

from ecs_async_executor.executor.adoption import AdoptedId, parse_external_id
from ecs_async_executor.launch_id import LaunchId

RUN_ID = "12345678-1234-4234-8234-123456789012"
TASK = "0123456789abcdef0123456789abcdef"
ARN = f"arn:aws:ecs:eu-central-1:123456789012:task/my-cluster/{TASK}"

TRACES = {
    "the run id that core committed": (RUN_ID, AdoptedId(RUN_ID, 1)),
    "a launch id": (str(LaunchId(RUN_ID, 17)), AdoptedId(RUN_ID, 17)),
    "an ARN": (ARN, AdoptedId(TASK, arn=ARN, cluster="my-cluster")),
    "an ARN in China": (
        ARN.replace("aws:", "aws-cn:"),
        AdoptedId(TASK, arn=ARN.replace("aws:", "aws-cn:"), cluster="my-cluster"),
    ),
    "an ARN of the old format": (
        ARN.replace("my-cluster/", ""),
        AdoptedId(TASK, arn=ARN.replace("my-cluster/", ""), cluster=None),
    ),
    "nothing": (None, None),
    "an empty string": ("", None),
    "another executor's id": ("celery-task-42", None),
    "a UUID followed by more text": (f"{RUN_ID}-x", None),
    "an ECS task's id with a number of one digit": (f"{TASK}-2", None),
    "a UUID without hyphens": (RUN_ID.replace("-", ""), None),
    "the ARN of a Batch job": ("arn:aws:batch:eu-central-1:123456789012:job/x", None),
    "the ARN of an ECS service": ("arn:aws:ecs:eu-central-1:123456789012:service/c/s", None),
    "an ARN followed by more text": (f"{ARN}/more", None),
    "an ARN that was cut off": (ARN[:-1], None),
    "an ARN with a UUID": (
        ARN.replace(TASK, RUN_ID),
        AdoptedId(RUN_ID, arn=ARN.replace(TASK, RUN_ID), cluster="my-cluster"),
    ),
}


@pytest.mark.parametrize(("external_id", "trace"), TRACES.values(), ids=TRACES)
def test_the_adopted_id_of(external_id: str | None, trace: AdoptedId | None) -> None:
    assert parse_external_id(external_id) == trace
