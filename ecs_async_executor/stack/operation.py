"""Begins an operation on a stack, and watches it to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack.cloud import Cloud, Made, Stack, UnreachableError
from ecs_async_executor.stack.progress import Event, Progress, before_the_last_operation
from ecs_async_executor.stack.template import Template, Values

EVERY = 5.0
"""Seconds between two looks: CloudFormation works for minutes, and its own console looks as seldom."""
MISSES = 60
"""Looks in a row that may fail, five minutes: a laptop's network comes back, and so does AWS after a throttle."""
DELETIONS = 3
"""Times that a stack is deleted, with `PAUSE` between them, if AWS can't delete a part of it."""
PAUSE = 60.0
"""Seconds. A cluster can't be deleted while ECS tasks end, which takes up to two minutes (stopTimeout on Fargate)."""
_CLUSTER = "AWS::ECS::Cluster"
_DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""States of a stack that can only be deleted."""


class Show(Protocol):
    """Shows progress: the new events, and all that is known."""

    def __call__(self, new: Sequence[Event], progress: Progress) -> None:
        """Show it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, and how to wait."""

    sleep: Callable[[float], None]
    every: float = EVERY


def check(stack: Stack, region: str) -> None:
    """Check that a stack can be changed, or is being changed.

    Raises:
        OperationError: It can't; the message says what to do.
    """
    name = stack.name
    if stack.status in _DEAD:
        raise OperationError(
            f"the stack {name} is {stack.status}, and can only be deleted: run `ecs-async stack down --name {name}`, and "
            "then this again."
        )
    if stack.status == "DELETE_IN_PROGRESS":
        raise OperationError(f"the stack {name} is being deleted. Run this again when it is gone.")
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise OperationError(f"the stack {name} is {stack.status}. {how_to_continue(name, region)}")


def how_to_continue(name: str, region: str) -> str:
    """Return what to do with a stack that AWS couldn't put back as it was.

    Source: "Continue rolling back from failed nested stack updates" of the CloudFormation user guide.
    """
    return (
        "AWS couldn't put it back as it was. Remove the cause, which its events show, run `aws cloudformation "
        f"continue-update-rollback --stack-name {name} --region {region}`, and then this again."
    )


def begin(cloud: Cloud, template: Template, name: str, values: Values, before: Stack | None) -> bool:
    """Begin to make or to change a stack; return False if there is nothing to change.

    Raises:
        OperationError: AWS refuses.
    """
    if before is None:
        # Without it, a new account's first cluster fails (docs/iam.md). Most accounts have it, and AWS makes it otherwise.
        with suppress(OperationError):
            cloud.make_service_linked_role()
        cloud.create(name, template.text, values)
        return True
    return cloud.update(name, template.text, values)


def seen_before(cloud: Cloud, stack: Stack | None) -> set[str]:
    """Return the ids of the events that a stack has already; those of an operation under way are still to be seen."""
    if stack is None:
        return set()
    events = cloud.events(stack.id)
    return before_the_last_operation(events) if stack.in_progress else {each.id for each in events}


def watch(cloud: Cloud, stack_id: str, seen: set[str], show: Show, pace: Pace) -> tuple[Stack, Progress]:
    """Show the events that are not in `seen`, until AWS is done with the stack; return how it is then.

    Raises:
        OperationError: AWS can't be asked any more.
    """
    progress = Progress(set(seen))
    missed = 0
    while True:
        try:
            # The state first: events of an end come no later than the state.
            stack = cloud.stack(stack_id) or Stack(stack_id, "", "DELETE_COMPLETE", {}, ())
            new = progress.take(cloud.events(stack_id, progress.seen))
        except UnreachableError:
            missed += 1
            if missed > MISSES:
                raise
        else:
            missed = 0
            show(new, progress)
            if not stack.in_progress:
                return stack, progress
        pace.sleep(pace.every)


def delete(
    cloud: Cloud, stack: Stack, show: Show, pace: Pace, tell: Callable[[str], None]
) -> tuple[Stack, Progress]:
    """Delete a stack, and show that, until it is gone or AWS has failed `DELETIONS` times; return how it is then."""
    seen = seen_before(cloud, stack)
    for left in reversed(range(DELETIONS)):
        cloud.delete(stack.id)
        after, progress = watch(cloud, stack.id, seen, show, pace)
        if after.status != "DELETE_FAILED" or not left:
            break
        tell(f"{failed(after, progress)}\nThis tries again in {PAUSE:.0f} seconds.")
        pace.sleep(PAUSE)
        seen = progress.seen
    return after, progress


def failed(stack: Stack, progress: Progress) -> str:
    """Return why an operation failed, by the first resource that did; empty if it went well."""
    if stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"}:
        return ""
    first = progress.failure
    if first is None:
        return f"The stack is {stack.status}."
    return f"{first.name} ({first.kind}) failed: {first.reason or first.status}"


def stop_tasks(cloud: Cloud, made: Sequence[Made]) -> int:
    """Stop the ECS tasks of the stack's cluster, which can't be deleted before; return how many were told to stop."""
    count = 0
    for cluster in (each.id for each in made if each.kind == _CLUSTER):
        for arn in cloud.running_tasks(cluster):
            cloud.stop_task(cluster, arn)
            count += 1
    return count


def count_tasks(cloud: Cloud, made: Sequence[Made]) -> int:
    """Return how many ECS tasks run in the stack's cluster."""
    return sum(len(cloud.running_tasks(each.id)) for each in made if each.kind == _CLUSTER)
