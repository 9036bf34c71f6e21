"""Reads containers' lines for many threads at once: one call a stream, within CloudWatch's rate, each within a deadline.

GetLogEvents may be called 10 times a second per account and Region in most Regions, which can't be raised ("CloudWatch Logs
quotas"). All processes that read logs share that, so a stream is read by one thread at a time, whoever else asks for it gets
the same lines, and a token bucket keeps this process to a small part.

A page's thread never calls AWS. Threads of the reader do, so the deadline holds whatever hangs: a name server, STS.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from ecs_async_executor.backoff import backoff
from ecs_async_executor.engine.admission.adaptive_bucket import AdaptiveBucket
from ecs_async_executor.engine.diagnosis.faults import stack_of
from ecs_async_executor.engine.options import Rate
from ecs_async_executor.logs.aws import Aws
from ecs_async_executor.logs.lines import notice
from ecs_async_executor.logs.location import Elsewhere, Location, LogStream, airflow_container, locate
from ecs_async_executor.logs.problems import API_SERVER, BUSY, SLOW, Problem, gone, problem_of
from ecs_async_executor.logs.tail import Tail
from ecs_async_executor.task_arn import TaskArn

log = logging.getLogger(__name__)

DEADLINE = 3.0
"""Seconds that a page may wait."""
RETRY_DEADLINE = 0.5
"""Seconds that a page may wait after the last read failed: if AWS is slow for long, API servers must stay quick."""
FRESH = 2.0
"""Seconds for which lines are not read again. Airflow's UI asks every 3 seconds."""
SHARE = Rate(2.0, 4.0)
"""GetLogEvents calls per second of this process, and its burst: a fifth of the quota in most Regions."""
STREAMS = 128
"""Streams whose lines are kept, the last ones that somebody looked at."""
DEFINITIONS = 256
"""Task definitions that are kept. A revision never changes."""
THREADS = 4
_RETRY_CAP = 15.0
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Page:
    """What the log page shows of a container."""

    lines: tuple[str, ...] = ()
    """What the container printed, each as `lines.shown` makes it, the oldest first."""
    before: tuple[str, ...] = ()
    """A line of ours, if earlier lines are left out."""
    after: tuple[str, ...] = ()
    """Lines of ours, if lines can't be read, or are kept elsewhere."""
    where: Location | None = None
    """None if it isn't known."""
    problem: Problem | None = None
    """Why there are no lines, or no new ones."""

    @property
    def shown(self) -> tuple[str, ...]:
        """All lines of the page."""
        return (*self.before, *self.lines, *self.after)


@dataclass(slots=True)
class _Flight:
    """One read that is under way."""

    began: float
    landed: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Source:
    """What is known about one ECS task's lines. Only its flight writes here, and `Reader._lock` guards the rest."""

    arn: TaskArn
    where: Location | None = None
    tail: Tail | None = None
    page: Page = field(default_factory=Page)
    problem: Problem | None = None
    failures: int = 0
    due: float = float("-inf")
    """When it may be read again."""
    flight: _Flight | None = None


_Read: TypeAlias = Callable[[_Source], "Problem | None"]


class _Recent(Generic[_Key, _Value]):
    """The values used last. The caller holds a lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: _Key, value: _Value) -> _Value:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


class Threads:
    """A few daemon threads that start when there is work, and don't keep a process from exiting."""

    def __init__(self, most: int = THREADS) -> None:
        self._most = most
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._idle = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Run this soon; it must not raise. Raises RuntimeError if there can be no more threads."""
        with self._lock:
            if self._idle == 0 and self._started < self._most:
                threading.Thread(target=self._run, name="ecs-logs", daemon=True).start()
                self._started += 1
            elif self._idle:
                self._idle -= 1
            self._work.put(work)

    def _run(self) -> None:
        while True:
            self._work.get()()
            with self._lock:
                self._idle += 1


class Reader:
    """The lines of ECS tasks over one AWS connection. All methods may be called by any thread, and none raises."""

    def __init__(  # noqa: PLR0913  three options; the others are for tests
        self,
        aws: Aws,
        *,
        container: str,
        lines: int,
        definition: str | None = None,
        asker: str = API_SERVER,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        submit: Callable[[Callable[[], None]], None] | None = None,
        deadline: float = DEADLINE,
        retry_deadline: float = RETRY_DEADLINE,
    ) -> None:
        self.aws = aws
        self._container = container
        self._most = lines
        self._definition = definition
        """Stands in for that of a task that ECS has forgotten."""
        self._asker = asker
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._submit = submit or Threads().submit
        self._deadline = deadline
        self._retry_deadline = min(deadline, retry_deadline)
        self._lock = threading.Lock()
        self._sources: _Recent[str, _Source] = _Recent(STREAMS)
        self._definitions: _Recent[str, Mapping[str, Any]] = _Recent(DEFINITIONS)
        self._buckets: dict[str, AdaptiveBucket] = {}

    def read(self, arn: TaskArn) -> Page:
        """Return the last lines of a task's container, read at most `FRESH` seconds ago if AWS allows."""
        source = self._source(arn)
        patience = self._deadline if source.problem is None else self._retry_deadline
        until = self._clock() + patience
        # Twice, because the flight under way may only find out where the lines are.
        while (flight := self._board(source, self._read)) is not None:
            if not flight.landed.wait(max(0.0, min(until, flight.began + patience) - self._clock())):
                return self._page(source, source.problem or SLOW)
            if source.page.where is not None or source.problem is not None:
                break
        return self._page(source, source.problem)

    def where(self, arn: TaskArn, wait: float) -> Location | None:
        """Return where a task's lines are; None if that can't be found out within `wait` seconds."""
        source = self._source(arn)
        if source.where is None:
            flight = self._board(source, self._find)
            if flight is not None:
                flight.landed.wait(max(0.0, min(wait, flight.began + wait - self._clock())))
        return source.where

    # --- in the page's thread --------------------------------------------------------------------------------

    def _source(self, arn: TaskArn) -> _Source:
        with self._lock:
            return self._sources.get(arn.text) or self._sources.put(arn.text, _Source(arn))

    def _board(self, source: _Source, read: _Read) -> _Flight | None:
        """Return the flight to wait for: the one under way, or a new one if it is time; else None."""
        now = self._clock()
        with self._lock:
            if source.flight is not None or now < source.due:
                return source.flight
            flight = source.flight = _Flight(now)
        try:
            self._submit(lambda: self._fly(source, flight, read))
        except RuntimeError as error:  # there can be no more threads
            self._land(source, flight, problem_of(error, asker=self._asker))
        return flight

    def _page(self, source: _Source, problem: Problem | None) -> Page:
        page = source.page
        if problem is None:
            return page
        at = self._now()
        summary = f"{problem.summary}{' The lines above are not the newest.' if page.lines else ''}"
        level = "info" if problem.usual else "warning"
        ours = tuple(notice(text, at, level) for text in (summary, problem.remedy) if text)
        return replace(page, after=(*page.after, *ours), where=source.where, problem=problem)

    # --- in a thread of the reader ---------------------------------------------------------------------------

    def _fly(self, source: _Source, flight: _Flight, read: _Read) -> None:
        try:
            problem = read(source)
        except Exception as error:  # noqa: BLE001  the page shows it
            where = source.where if isinstance(source.where, LogStream) else None
            problem = problem_of(error, where, self._asker)
            if problem.renew:
                self.aws.renew()
            if problem.fault:
                log.error("Can't read a container's log: %s\n%s", type(error).__name__, stack_of(error))  # noqa: TRY400  its message may hold anything
        self._land(source, flight, problem)

    def _land(self, source: _Source, flight: _Flight, problem: Problem | None) -> None:
        source.problem = problem
        source.failures = source.failures + 1 if problem else 0
        if (
            source.page.where is not None or problem is not None
        ):  # else it was only found: it may be read at once
            wait = FRESH
            if problem is not None and not problem.usual:
                wait = backoff(source.failures, base=2 * FRESH, cap=_RETRY_CAP, random=random.random)
            source.due = self._clock() + wait
        with self._lock:
            source.flight = None
        flight.landed.set()

    def _read(self, source: _Source) -> Problem | None:
        """Read what is new, and make a page of it; return what keeps it from that."""
        problem, where = self._find(source), source.where
        if not isinstance(where, LogStream):
            return problem
        tail = source.tail = source.tail or Tail(where, self._most)
        pages = 1
        while True:
            if not self._permitted(where.region):
                return BUSY
            sent_at = self._clock()
            try:
                answer = self.aws.get_log_events(tail.request(sent_at), where.region)
            except Exception as error:
                problem = problem_of(error, where, self._asker)
                self._report(where.region, sent_at, accepted=not problem.throttled)
                if problem.restart:
                    tail.forget()
                raise
            self._report(where.region, sent_at, accepted=True)
            if not tail.take(answer, self._clock(), pages):
                break
            pages += 1
        source.page = Page(tuple(tail.lines), self._left_out(tail), where=where)
        return None

    def _left_out(self, tail: Tail) -> tuple[str, ...]:
        if not tail.left_out:
            return ()
        first = (
            f"Earlier lines are left out: these are the last {len(tail.lines)} (option task_log_lines). "
            f"CloudWatch Logs has all of them: {tail.where}."
        )
        return (notice(first),)

    def _find(self, source: _Source) -> Problem | None:
        """Find out where the lines are; return what keeps it from that."""
        if isinstance(source.where, LogStream) or (source.where is not None and source.where.for_good):
            return None
        task = self.aws.describe_task(source.arn)
        named = self._definition if task is None else str(task.get("taskDefinitionArn", ""))
        if not named:
            return gone(self._asker)
        container = self._container if task is None else airflow_container(task, self._container)
        runtime_ids = {each.get("name"): each.get("runtimeId") for each in (task or {}).get("containers", ())}
        definition = self._definition_of(named, source.arn.region)
        source.where = locate(source.arn, definition, container, runtime_ids.get(container))
        if isinstance(source.where, Elsewhere):
            source.page = Page(after=(notice(str(source.where)),), where=source.where)
        return None

    def _definition_of(self, name: str, region: str) -> Mapping[str, Any]:
        with self._lock:
            known = self._definitions.get(name)
        if known is not None:
            return known
        definition = self.aws.describe_task_definition(name, region)
        if name.startswith("arn:"):  # a family means its latest revision, which changes
            with self._lock:
                self._definitions.put(name, definition)
        return definition

    def _permitted(self, region: str) -> bool:
        """Wait for a permit to call GetLogEvents; False if there is none within the deadline."""
        until = self._clock() + self._deadline
        while True:
            now = self._clock()
            with self._lock:
                bucket = self._bucket(region, now)
                wait = bucket.wait()
                bucket.wanted = wait > 0
                if wait == 0:
                    bucket.take()
                    return True
            if now + wait > until:
                return False
            self._sleep(wait)

    def _report(self, region: str, sent_at: float, *, accepted: bool) -> None:
        with self._lock:
            bucket = self._bucket(region, self._clock())
            if accepted:
                bucket.accepted(sent_at)
            else:
                bucket.throttled(sent_at)

    def _bucket(self, region: str, now: float) -> AdaptiveBucket:
        bucket = self._buckets.setdefault(region, AdaptiveBucket(SHARE, now))
        bucket.advance(now)
        return bucket
