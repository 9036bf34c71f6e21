"""What CloudFormation's events tell: how far it is, and why it failed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import count

from ecs_async_executor.stack.display import event_line, live_lines, redraw
from ecs_async_executor.stack.progress import Event, Progress, read

_numbers = count()
STACK = "AWS::CloudFormation::Stack"


def event(
    name: str, status: str, reason: str = "", at: float = 0.0, kind: str = "AWS::ECS::Cluster"
) -> Event:
    return Event(str(next(_numbers)), at, name, kind, status, reason)


def test_events_are_read_the_oldest_first():
    start = datetime(2026, 6, 1, tzinfo=timezone.utc)
    answer = [
        {
            "EventId": str(n),
            "Timestamp": start + timedelta(seconds=n),
            "LogicalResourceId": "Cluster",
            "ResourceType": "AWS::ECS::Cluster",
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for n in (2, 1)
    ]
    assert [each.id for each in read(answer)] == ["1", "2"]
    assert read(answer)[0].at == start.timestamp() + 1


def test_each_event_is_new_once_and_those_of_the_stack_are_no_resources():
    first, second = event("Cluster", "CREATE_IN_PROGRESS"), event("Cluster", "CREATE_COMPLETE")
    whole = event("airflow", "CREATE_IN_PROGRESS", kind=STACK)
    progress = Progress()
    assert progress.take([whole, first]) == [first]
    assert progress.under_way == [first]
    assert progress.take([whole, first, second]) == [second]
    assert (progress.under_way, progress.done) == ([], [second])


def test_events_of_an_earlier_operation_are_not_seen():
    old, new = event("Cluster", "CREATE_FAILED", "old"), event("Cluster", "DELETE_COMPLETE")
    progress = Progress({old.id})
    assert progress.take([old, new]) == [new]
    assert progress.failure is None


def test_the_failure_is_the_first_one_that_is_not_the_consequence_of_another():
    cancelled = event("Vpc", "CREATE_FAILED", "Resource creation cancelled")
    cause = event("Database", "CREATE_FAILED", "The instance class db.t9 isn't offered.")
    later = event("Cluster", "DELETE_FAILED", "in use")
    progress = Progress()
    progress.take([cancelled, cause, later])
    assert progress.failure is cause


def test_a_line_names_what_where_and_why():
    assert event_line(event("Cluster", "CREATE_COMPLETE")) == "made      Cluster (ECS Cluster)"
    assert event_line(event("PayloadBucket", "DELETE_SKIPPED", kind="AWS::S3::Bucket")).startswith("kept ")
    assert event_line(event("Database", "CREATE_FAILED", "no capacity")).endswith(": no capacity")


def test_the_live_display_shows_what_takes_longest_first_within_the_width():
    progress = Progress()
    progress.take(
        [event("Done", "CREATE_COMPLETE", at=1.0)]
        + [event(f"R{n:02}", "CREATE_IN_PROGRESS", at=100.0 - n) for n in range(12)]
    )
    lines = live_lines(progress, 40, elapsed=125.0, now=160.0, width=60)
    assert lines[0] == "1 of 40 resources, 2:05"
    assert lines[1] == "  making    R11 (ECS Cluster) 1:11"
    assert lines[-1] == "  and 2 more"
    assert all(len(line) < 30 for line in live_lines(progress, 40, 0.0, 160.0, width=30))


def test_a_drawing_replaces_the_one_before():
    assert redraw(0, ["a", "b"]) == "\r\x1b[Ja\nb\n"
    assert redraw(2, ["c"]) == "\x1b[2A\r\x1b[Jc\n"
