"""One ECS task: starts it, follows it, reads what it prints, and always stops it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.engine.diagnosis.call_failures import Kind as FailureKind
from ecs_async_executor.engine.diagnosis.call_failures import classify, classify_run_task_failure
from ecs_async_executor.engine.diagnosis.callers import THIS_HOST
from ecs_async_executor.engine.responses import TaskFailure
from ecs_async_executor.logs.location import LogStream, locate
from ecs_async_executor.logs.problems import problem_of
from ecs_async_executor.messages import Diagnosis
from ecs_async_executor.task_arn import TaskArn
from ecs_async_executor.tokens import without_tokens

POLL_SECONDS = 2.0
LOG_SECONDS = 20.0
"""How long after a container's end its last lines may take to be in CloudWatch Logs."""
_STOPS = 3
_FAILURES = 5
_LINES = 100


class LaunchError(Exception):
    """RunTask started nothing, or the task can't be followed."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.summary)
        self.diagnosis = diagnosis


class LiveTask:
    """The task of one request. `ident` makes its clientToken and startedBy, which no executor's can equal."""

    def __init__(  # noqa: PLR0913  two clocks for tests
        self,
        aws: Aws,
        body: Mapping[str, Any],
        container: str,
        ident: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ecs = aws.client("ecs")
        self._aws = aws
        # An executor's clientToken begins with a UUID, its startedBy with `airflow/`.
        self._request = {**body, "clientToken": f"doctor-{ident}", "startedBy": f"ecs-async-doctor/{ident}"}
        self._cluster = str(body.get("cluster", "default"))
        self._container = container
        self._sleep = sleep
        self._clock = clock
        self.arn = ""
        self.task: Mapping[str, Any] = {}
        self.stop_problem = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it; however the block ends, stop it. Raises `LaunchError` if RunTask started nothing."""
        try:
            self._start()
            yield
        finally:
            with _uninterrupted():
                self._stop()

    def _start(self) -> None:
        self.stop_problem = "RunTask has not answered."
        try:
            answer = self._ecs.run_task(**self._request)
        except Exception as error:  # noqa: BLE001  botocore and credential processes raise anything
            failure = classify(error, THIS_HOST)
            if failure.kind not in {FailureKind.UNKNOWN, FailureKind.FAULT}:
                self.stop_problem = ""  # it has started nothing
            raise LaunchError(failure.diagnosis) from None
        self._take(answer)
        if not self.arn:
            self.stop_problem = ""
            failures = [
                TaskFailure(each.get("reason"), each.get("detail")) for each in answer.get("failures") or ()
            ]
            diagnosis = classify_run_task_failure(failures[0] if failures else TaskFailure()).diagnosis
            raise LaunchError(diagnosis)

    def _take(self, answer: Mapping[str, Any]) -> None:
        for task in answer.get("tasks") or ():
            self.task, self.arn = task, str(task["taskArn"])
            self.stop_problem = ""

    def follow(self, timeout: float, say: Callable[[str], None]) -> bool:
        """Poll until the task is STOPPED, and say each new status; return False if the time is over first."""
        until, status, failures = self._clock() + timeout, "", 0
        while True:
            try:
                answer = self._ecs.describe_tasks(cluster=self._cluster, tasks=[self.arn])
                failures = 0
                self.task = next(iter(answer.get("tasks") or ()), self.task)  # it may be MISSING at first
            except Exception as error:  # noqa: BLE001  as in `_start`
                failures += 1
                if failures == _FAILURES:
                    raise LaunchError(classify(error, THIS_HOST).diagnosis) from None
            if (now := str(self.task.get("lastStatus", ""))) != status:
                status = now
                say(status)
            if status == "STOPPED":
                return True
            if self._clock() >= until:
                return False
            self._sleep(POLL_SECONDS)

    def lines(
        self, definition: Mapping[str, Any], done: Callable[[list[str]], bool]
    ) -> tuple[list[str], str]:
        """Return the last lines of the container once they are `done`, and why there are none, if so."""
        arn = TaskArn.parse(self.arn)
        if arn is None:
            return [], "The task's ARN can't be read."
        ids = {each.get("name"): each.get("runtimeId") for each in self.task.get("containers") or ()}
        where = locate(arn, definition, self._container, ids.get(self._container))
        if not isinstance(where, LogStream):
            return [], str(where)
        until, problem, found = self._clock() + LOG_SECONDS, "", list[str]()
        while True:
            try:
                answer = self._aws.client("logs", where.region).get_log_events(
                    logGroupName=where.group, logStreamName=where.stream, limit=_LINES
                )
                found, problem = [without_tokens(str(each["message"])) for each in answer["events"]], ""
            except Exception as error:  # noqa: BLE001  botocore and credential processes raise anything
                problem = without_tokens(str(problem_of(error, where, "doctor")))
            if done(found) or self._clock() >= until:
                return found, problem
            self._sleep(1.0)

    def _stop(self) -> None:
        """Stop the task; if RunTask's outcome is unknown, ask for it with the same clientToken, which starts no second one."""
        if self.task.get("lastStatus") == "STOPPED":
            return
        for attempt in range(_STOPS):
            try:
                if not self.arn and self.stop_problem:
                    self._take(self._ecs.run_task(**self._request))
                if self.arn:
                    self._ecs.stop_task(
                        cluster=self._cluster, task=self.arn, reason="ecs-async doctor --launch is done"
                    )
            except Exception as error:  # noqa: BLE001  as above
                self.stop_problem = classify(error, THIS_HOST).diagnosis.summary
                if attempt + 1 < _STOPS:
                    self._sleep(1.0)
            else:
                self.stop_problem = ""
                return


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal wait for the block, which botocore's time-outs keep short."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
