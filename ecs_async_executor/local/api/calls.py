"""How the local ECS handles a call, from the faults before it to the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecs_async_executor.local.api.actions import ACTION_FUNCTIONS
from ecs_async_executor.local.api.run_task import provider_of
from ecs_async_executor.local.conditions.buckets import needs_of
from ecs_async_executor.local.conditions.faults import Stage, refuse
from ecs_async_executor.local.conditions.match import launch_of
from ecs_async_executor.local.rules.protocol import AwsError, parse, validate

if TYPE_CHECKING:
    from ecs_async_executor.local.api.answers import Answer
    from ecs_async_executor.local.conditions.faults import Fault
    from ecs_async_executor.local.ecs import Ecs


def answer(ecs: Ecs, action: str, body: bytes) -> tuple[Answer, Fault | None]:
    """Handle one call; the returned fault, if any, spoils the response on its way to the caller.

    Raises:
        AwsError: The error response.
        LostRequestError: There is none.
    """
    now = ecs.clock()
    params = parse(body)
    launch = launch_of(params) if action == "RunTask" else None
    faults = ecs.conditions.faults
    if fault := faults.first(Stage.BEFORE, action, launch):
        refuse(fault)
    _throttle(ecs, action, params, now)
    validate(action, params)
    response = ACTION_FUNCTIONS[action](ecs, params, now)
    return response, faults.first(Stage.AFTER, action, launch)


def _throttle(ecs: Ecs, action: str, params: dict[str, Any], now: float) -> None:
    buckets = ecs.conditions.buckets
    if buckets is None:
        return
    provider, count = "", 1
    if action == "RunTask":
        validate(action, params)
        provider = provider_of(params, ecs.store.cluster(params.get("cluster")))
        count = params.get("count", 1)
    if not buckets.admit(needs_of(action, provider, count), now):
        raise AwsError("ThrottlingException", "Rate exceeded")
