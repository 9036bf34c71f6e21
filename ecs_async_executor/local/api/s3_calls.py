"""What faults do to a call to S3, before S3 does the work and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_async_executor.local.conditions.faults import S3_ERRORS, Stage, refuse
from ecs_async_executor.local.rules.protocol import AwsError

if TYPE_CHECKING:
    from ecs_async_executor.local.conditions.faults import Fault
    from ecs_async_executor.local.ecs import Ecs
    from ecs_async_executor.local.rules.s3 import S3Call

_NOT_FOUND = 404


def admit(ecs: Ecs, call: S3Call) -> None:
    """Let a call through to S3.

    Raises:
        AwsError: A fault refuses it.
        LostRequestError: A fault loses it.
    """
    if fault := ecs.conditions.faults.first(Stage.BEFORE, call.action, None, call.key):
        refuse(fault)


def release(ecs: Ecs, call: S3Call, status: int) -> Fault | None:
    """Let S3's response with this status through; the returned fault, if any, spoils it on its way to the caller.

    Raises:
        AwsError: A fault replaces it.
    """
    faults = ecs.conditions.faults
    if status == _NOT_FOUND and faults.first(Stage.MISSING, call.action, None, call.key):
        code, denied, message = S3_ERRORS["access_denied"]
        raise AwsError(code, message, denied)
    return faults.first(Stage.AFTER, call.action, None, call.key)
