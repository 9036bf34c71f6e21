from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import botocore.exceptions as boto
import pytest

from ecs_async_executor.logs.location import Elsewhere, LogStream
from ecs_async_executor.logs.problems import SLOW
from ecs_async_executor.logs.reader import FRESH, SHARE, Page, Reader, Threads
from ecs_async_executor.task_arn import TaskArn
from tests.support.log_source import FakeAws

STREAM = LogStream("/ecs/airflow", "ecs/airflow/abc", "eu-central-1")


def arn(task: str = "abc") -> TaskArn:
    found = TaskArn.parse(f"arn:aws:ecs:eu-central-1:111122223333:task/my-cluster/{task}")
    assert found is not None
    return found


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def aws() -> FakeAws:
    aws = FakeAws()
    aws.printed.append("a")
    return aws


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run_now(work: Callable[[], None]) -> None:
    work()


def reader(aws: FakeAws, clock: Clock, **more: Any) -> Reader:
    """A reader that reads in the caller's thread, in virtual time."""
    options = {"container": "airflow", "lines": 5, "clock": clock, "sleep": clock.sleep, "submit": run_now}
    return Reader(aws, **options | more)  # type: ignore[arg-type]  # a test's shorthand


def events(page: Page) -> list[str]:
    return [json.loads(line)["event"] for line in page.shown]


def error(code: str, message: str = "", call: str = "GetLogEvents") -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, call)


def test_a_page_shows_the_containers_lines_and_where_they_are(aws: FakeAws, clock: Clock) -> None:
    aws.printed.append("b")
    page = reader(aws, clock).read(arn())
    assert events(page) == ["a", "b"]
    assert (page.where, page.problem) == (STREAM, None)
    assert aws.calls == {"DescribeTasks": 1, "DescribeTaskDefinition": 1, "GetLogEvents": 1}


def test_the_next_page_shows_the_new_lines_too_and_costs_one_call(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    logs.read(arn())
    aws.calls.clear()
    for number in range(3):
        aws.printed.append(f"new {number}")
        clock.now += 3
        assert events(logs.read(arn()))[-1] == f"new {number}"
    assert aws.calls == {"GetLogEvents": 3}
    assert events(logs.read(arn())) == ["a", "new 0", "new 1", "new 2"]


def test_a_page_that_is_asked_again_soon_gets_the_lines_at_hand(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    for _ in range(10):
        logs.read(arn())
    assert aws.calls["GetLogEvents"] == 1
    clock.now += FRESH
    logs.read(arn())
    assert aws.calls["GetLogEvents"] == 2


def test_a_long_log_shows_its_end_and_says_where_the_rest_is(aws: FakeAws, clock: Clock) -> None:
    aws.printed[:] = map(str, range(9))
    first, *rest = events(reader(aws, clock).read(arn()))
    assert rest == ["4", "5", "6", "7", "8"]
    assert first.startswith("Earlier lines are left out: these are the last 5 (option task_log_lines).")
    assert "log group /ecs/airflow, stream ecs/airflow/abc (eu-central-1)" in first


def test_fifty_users_of_one_page_are_one_reader(aws: FakeAws) -> None:
    aws.gate.clear()
    logs = Reader(aws, container="airflow", lines=5, clock=lambda: 1000.0, deadline=60.0)
    with ThreadPoolExecutor(50) as users:
        pages = [users.submit(logs.read, arn()) for _ in range(50)]
        wait_until(lambda: aws.calls["DescribeTasks"] == 1)
        aws.gate.set()
        assert [events(page.result()) for page in pages] == [["a"]] * 50
    assert aws.calls == {"DescribeTasks": 1, "DescribeTaskDefinition": 1, "GetLogEvents": 1}


def test_a_definition_is_asked_for_once_for_all_tasks(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    for task in "abc":
        logs.read(arn(task))
    assert aws.calls["DescribeTaskDefinition"] == 1


def test_a_process_keeps_to_its_share_of_the_rate(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock, deadline=1000.0)
    began = clock.now
    for number in range(100):
        logs.read(arn(str(number)))
    assert aws.calls["GetLogEvents"] == 100
    assert clock.now - began >= (100 - SHARE.burst) / SHARE.per_second - 0.001


def test_a_page_that_gets_no_permit_shows_the_lines_at_hand_and_says_so(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock, deadline=0.1, sleep=lambda _: None)
    logs.read(arn())
    for number in range(int(SHARE.burst)):
        logs.read(arn(str(number)))
    clock.now += FRESH
    for number in range(int(SHARE.burst)):
        logs.read(arn(f"again {number}"))
    shown = events(logs.read(arn()))
    assert shown[0] == "a"
    assert "Too many log pages are open" in shown[1]


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (error("ThrottlingException", "Rate exceeded"), "AWS throttles GetLogEvents"),
        (error("AccessDeniedException"), "AWS denied GetLogEvents"),
        (boto.NoCredentialsError(), "no usable AWS credentials"),
        (boto.ReadTimeoutError(endpoint_url="x"), "did not answer in time"),
        (
            error("ResourceNotFoundException", "The specified log group does not exist."),
            "check that the log group exists",
        ),
    ],
)
def test_lines_at_hand_stay_when_aws_fails_and_the_page_says_why(
    aws: FakeAws, clock: Clock, failure: Exception, words: str
) -> None:
    logs = reader(aws, clock)
    logs.read(arn())
    aws.error = failure
    clock.now += 3
    shown = events(logs.read(arn()))
    assert shown[0] == "a"
    assert words in " ".join(shown[1:])
    assert shown[1].endswith("The lines above are not the newest.")
    aws.error = None
    aws.printed.append("b")
    clock.now += 60
    assert events(logs.read(arn())) == ["a", "b"]


def test_a_stream_that_does_not_exist_yet_is_looked_for_again_soon(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    logs.where(arn(), 1.0)
    aws.error = error("ResourceNotFoundException", "The specified log stream does not exist.")
    assert "has not written anything" in events(logs.read(arn()))[0]
    aws.error = None
    clock.now += FRESH
    assert events(logs.read(arn())) == ["a"]


def test_what_does_not_pass_by_itself_is_asked_less_and_less_often(aws: FakeAws, clock: Clock) -> None:
    aws.error = error("AccessDeniedException", call="DescribeTasks")
    logs = reader(aws, clock)
    for _ in range(600):
        logs.read(arn())
        clock.now += 1
    assert 600 / 15 <= aws.calls["DescribeTasks"] <= 600 / 15 * 2 + 5


def test_throttles_make_the_process_slower_and_it_recovers(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    logs.read(arn())
    aws.error = error("ThrottlingException")

    def calls_in_a_minute() -> int:
        before = aws.calls["GetLogEvents"]
        for _ in range(20):
            for task in ("abc", "b", "c", "d", "e", "f"):
                logs.where(arn(task), 1.0)
                logs.read(arn(task))
            clock.now += 3
        return aws.calls["GetLogEvents"] - before

    throttled = calls_in_a_minute()
    aws.error = None
    for _ in range(3):
        recovered = calls_in_a_minute()
    assert throttled < recovered


def test_new_clients_are_made_when_credentials_are_rejected(aws: FakeAws, clock: Clock) -> None:
    aws.error = error("ExpiredTokenException")
    reader(aws, clock).read(arn())
    assert aws.calls["renew"] == 1


def test_a_token_that_cloudwatch_does_not_know_leads_to_the_last_lines_again(
    aws: FakeAws, clock: Clock
) -> None:
    logs = reader(aws, clock)
    logs.read(arn())
    aws.error = error("InvalidParameterException", "The specified nextToken is invalid.")
    clock.now += 3
    logs.read(arn())
    aws.error = None
    clock.now += 3
    assert events(logs.read(arn())) == ["a"]
    assert "limit" in aws.requests[-1]


def test_a_page_waits_no_longer_than_the_deadline(aws: FakeAws) -> None:
    aws.gate.clear()
    logs = Reader(aws, container="airflow", lines=5, deadline=1.0)
    began = time.monotonic()
    page = logs.read(arn())
    waited = time.monotonic() - began
    assert waited > 0.9
    assert "AWS has not answered yet" in events(page)[0]
    aws.gate.set()
    wait_until(lambda: events(logs.read(arn())) == ["a"])


def test_a_page_that_comes_after_the_deadline_of_the_call_under_way_does_not_wait_at_all(
    aws: FakeAws, clock: Clock
) -> None:
    logs = reader(aws, clock, deadline=3600.0, submit=lambda _: None)  # no call ever ends
    first = threading.Thread(target=logs.read, args=[arn()], daemon=True)
    first.start()
    wait_until(lambda: logs._source(arn()).flight is not None)
    clock.now += 3600.0
    assert "AWS has not answered yet" in events(logs.read(arn()))[0]
    source = logs._source(arn())
    assert source.flight is not None
    logs._land(source, source.flight, SLOW)
    first.join(60)
    assert not first.is_alive()


def test_after_a_time_out_a_page_does_not_wait_for_the_next_one(aws: FakeAws, clock: Clock) -> None:
    work: list[Callable[[], None]] = []
    aws.error = boto.ReadTimeoutError(endpoint_url="x")
    logs = reader(aws, clock)
    logs.read(arn())
    logs._submit = work.append
    clock.now += 60
    began = time.monotonic()
    page = logs.read(arn())
    assert time.monotonic() - began < 30
    assert "did not answer in time" in events(page)[0]
    aws.error = None
    work.pop()()
    assert events(logs.read(arn())) == ["a"]


def test_a_page_that_comes_while_the_next_try_is_under_way_does_not_wait_long_either(
    aws: FakeAws, clock: Clock
) -> None:
    aws.error = boto.ReadTimeoutError(endpoint_url="x")
    logs = reader(aws, clock)
    logs.read(arn())
    logs._submit = lambda _: None  # the next try hangs
    clock.now += 60
    began = time.monotonic()
    pages = [logs.read(arn()) for _ in range(3)]
    assert time.monotonic() - began < 30
    assert all("did not answer in time" in events(page)[0] for page in pages)


def test_without_a_thread_to_be_had_the_page_says_so_and_the_next_one_tries_again(
    aws: FakeAws, clock: Clock
) -> None:
    def fail(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    log = reader(aws, clock, submit=fail)
    page = log.read(arn())
    assert page.problem is not None
    assert "RuntimeError" in str(page.problem)
    log._submit = run_now
    clock.now += 60
    assert events(log.read(arn())) == ["a"]


def test_a_hanging_stream_does_not_keep_others_from_being_read(aws: FakeAws) -> None:
    hanging = FakeAws()
    hanging.gate.clear()
    aws.describe_task = lambda arn: (hanging if arn.task_id == "slow" else FakeAws()).describe_task(arn)  # type: ignore[method-assign]  # a test's fake
    logs = Reader(aws, container="airflow", lines=5, deadline=60.0)
    slow = threading.Thread(target=logs.read, args=[arn("slow")])
    slow.start()
    assert logs.read(arn()).problem is None
    hanging.gate.set()
    slow.join()


def test_a_task_that_logs_elsewhere_says_so_and_costs_no_more_calls(aws: FakeAws, clock: Clock) -> None:
    aws.options = {}
    logs = reader(aws, clock)
    for _ in range(3):
        page = logs.read(arn())
        clock.now += 60
    assert isinstance(page.where, Elsewhere)
    assert events(page) == [str(page.where)]
    assert aws.calls == {"DescribeTasks": 1, "DescribeTaskDefinition": 1}


def test_a_container_that_has_not_started_is_looked_at_again(aws: FakeAws, clock: Clock) -> None:
    aws.options = {"awslogs-group": "/ecs/airflow"}
    logs = reader(aws, clock)
    assert "has not started yet" in events(logs.read(arn()))[0]
    aws.runtime_id = "d0c4e4"
    clock.now += 3
    page = logs.read(arn())
    assert events(page) == ["a"]
    assert page.where == LogStream("/ecs/airflow", "d0c4e4", "eu-central-1")


def test_a_task_that_ecs_has_forgotten_logs_where_the_configured_definition_says(
    aws: FakeAws, clock: Clock
) -> None:
    aws.known = False
    assert reader(aws, clock, definition="airflow-task").where(arn(), 1.0) == STREAM
    gone = reader(aws, clock)
    assert gone.where(arn(), 1.0) is None
    assert "ECS does not know this task" in events(gone.read(arn()))[0]


def test_lines_are_read_at_once_after_only_their_place_was_asked_for(aws: FakeAws, clock: Clock) -> None:
    logs = reader(aws, clock)
    assert logs.where(arn(), 1.0) == STREAM
    assert aws.calls["GetLogEvents"] == 0
    assert events(logs.read(arn())) == ["a"]


def test_no_more_than_a_few_threads_are_started_and_none_keeps_the_process_alive() -> None:
    threads = Threads(2)
    release = threading.Event()
    ended: list[int] = []

    def work(number: int) -> None:
        release.wait(5)
        ended.append(number)

    for number in range(6):
        threads.submit(partial(work, number))
    mine = [each for each in threading.enumerate() if each.name == "ecs-logs"]
    assert all(each.daemon for each in mine)
    assert threads._started == 2
    release.set()
    wait_until(lambda: len(ended) == 6)


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)
