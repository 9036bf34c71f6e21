"""How an operation begins, and how it is watched to its end."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import pytest

from ecs_async_executor.errors import OperationError
from ecs_async_executor.stack import operation
from ecs_async_executor.stack.cloud import Stack, UnreachableError
from ecs_async_executor.stack.operation import MISSES, Pace, check, delete, seen_before, watch
from ecs_async_executor.stack.progress import Event

STACK = "AWS::CloudFormation::Stack"


def stack(status: str, description: str = "") -> Stack:
    return Stack("id", "mine", status, {}, (), description)


def event(number: int, status: str, kind: str = "AWS::ECS::Cluster") -> Event:
    return Event(str(number), float(number), "mine" if kind == STACK else "Cluster", kind, status)


class FakeCloud:
    """AWS by script: each look gets the next state, or its error."""

    def __init__(self, *states: Any, events: list[Event] | None = None) -> None:
        self.states = iter(states)
        self.happened = events or []
        self.deleted = 0

    def stack(self, _name: str) -> Stack:
        state = next(self.states)
        if isinstance(state, Exception):
            raise state
        return stack(state)

    def events(self, _stack_id: str, _seen: object = ()) -> list[Event]:
        return list(self.happened)

    def delete(self, _name: str) -> None:
        self.deleted += 1


def look(cloud: Any, slept: list[float] | None = None) -> Stack:
    sleep = (slept if slept is not None else []).append
    return watch(cloud, "id", set(), lambda *_: None, Pace(sleep, 5.0))[0]


def test_a_throttle_or_a_lost_network_does_not_end_the_watch():
    slept: list[float] = []
    away = UnreachableError("Rate exceeded")
    cloud = FakeCloud("CREATE_IN_PROGRESS", away, away, "CREATE_COMPLETE")
    assert look(cloud, slept).status == "CREATE_COMPLETE"
    assert slept == [5.0, 5.0, 5.0]


def test_it_ends_if_aws_stays_away():
    slept: list[float] = []
    with pytest.raises(UnreachableError):
        look(FakeCloud(*repeat(UnreachableError("away"), MISSES + 1)), slept)
    assert len(slept) == MISSES


def test_expired_credentials_end_it_at_once():
    with pytest.raises(OperationError, match="expired"):
        look(FakeCloud("CREATE_IN_PROGRESS", OperationError("the AWS credentials have expired")))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("ROLLBACK_COMPLETE", "ecs-async stack down --name mine"),
        ("ROLLBACK_FAILED", "ecs-async stack down --name mine"),
        ("CREATE_FAILED", "ecs-async stack down --name mine"),
        ("DELETE_FAILED", "ecs-async stack down --name mine"),
        ("DELETE_IN_PROGRESS", "when it is gone"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name mine --region eu-central-1"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_what_to_do(status: str, says: str):
    with pytest.raises(OperationError, match=says):
        check(stack(status), "eu-central-1")


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"]
)
def test_others_can(status: str):
    check(stack(status), "eu-central-1")


@pytest.mark.parametrize(
    ("status", "works"),
    [
        ("CREATE_IN_PROGRESS", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("UPDATE_ROLLBACK_IN_PROGRESS", True),
        ("CREATE_COMPLETE", False),
        # It waits for people, for ever.
        ("REVIEW_IN_PROGRESS", False),
    ],
)
def test_aws_works_on_a_stack_in_progress(status: str, works: bool):
    assert stack(status).in_progress is works


def test_of_a_stack_in_progress_only_the_operation_under_way_is_new():
    events = [
        event(1, "CREATE_IN_PROGRESS", STACK),
        event(2, "CREATE_COMPLETE", STACK),
        event(3, "UPDATE_IN_PROGRESS", STACK),
        event(4, "UPDATE_FAILED"),
        event(5, "UPDATE_ROLLBACK_IN_PROGRESS", STACK),
    ]
    cloud: Any = FakeCloud(events=events)
    assert seen_before(cloud, stack("UPDATE_ROLLBACK_IN_PROGRESS")) == {"1", "2"}
    assert seen_before(cloud, stack("UPDATE_COMPLETE")) == {"1", "2", "3", "4", "5"}
    assert seen_before(cloud, None) == set()


def test_a_deletion_is_tried_again_while_ecs_tasks_end():
    told: list[str] = []
    slept: list[float] = []
    cloud: Any = FakeCloud("DELETE_FAILED", "DELETE_IN_PROGRESS", "DELETE_COMPLETE")
    after, _ = delete(cloud, stack("CREATE_COMPLETE"), lambda *_: None, Pace(slept.append, 5.0), told.append)
    assert (after.status, cloud.deleted) == ("DELETE_COMPLETE", 2)
    assert slept == [operation.PAUSE, 5.0]
    assert told == ["The stack is DELETE_FAILED.\nThis tries again in 60 seconds."]


def test_a_deletion_that_keeps_failing_is_given_up():
    told: list[str] = []
    cloud: Any = FakeCloud(*["DELETE_FAILED"] * operation.DELETIONS)
    after, _ = delete(cloud, stack("CREATE_COMPLETE"), lambda *_: None, Pace(lambda _: None), told.append)
    assert (after.status, cloud.deleted, len(told)) == ("DELETE_FAILED", 3, 2)
