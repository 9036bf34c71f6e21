"""The metrics that the executor sends through Airflow's Stats: one table. docs/metrics.md is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SCHEDULER = "scheduler"
"""The tag of every gauge: the host of the scheduler that it is about, since each scheduler sends its own."""


class Type(Enum):
    """How Stats records a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMING = "timing"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric."""

    name: str
    type: Type
    unit: str
    """What a counter or a gauge counts; timings are sent in milliseconds."""
    own_tags: tuple[str, ...]
    """The names of its tags, in the order of their values; a gauge has `SCHEDULER` as well."""
    meaning: str

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of all of its tags."""
        return (*self.own_tags, SCHEDULER) if self.type is Type.GAUGE else self.own_tags


def _counter(name: str, unit: str, tags: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"ecs_async.{name}", Type.COUNTER, unit, tags, meaning)


def _gauge(name: str, unit: str, tags: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"ecs_async.{name}", Type.GAUGE, unit, tags, meaning)


def _timing(name: str, tags: tuple[str, ...], meaning: str) -> Metric:
    return Metric(f"ecs_async.{name}", Type.TIMING, "milliseconds", tags, meaning)


TASKS = _gauge(
    "tasks",
    "tasks",
    ("phase", "queue"),
    "Tasks that the executor has in hand, by phase (`waiting`, `launching`, `starting`, `running`, `ending`) "
    "and Airflow queue.",
)
WAITING = _gauge(
    "waiting",
    "tasks",
    ("reason",),
    "Tasks that wait for their launch, by reason: `rate_limit`, `throttle` (AWS gives less than the limit), `pause` "
    "(AWS can't be used), `upload` (of a long workload), `search` (ECS is asked first: for a task that an earlier launch may have started, its cluster's default, its image), "
    "`adoption` (its row is read first), a class of `ecs_async.relaunches`, or a failure class.",
)
OLDEST_WAIT = _gauge(
    "oldest_wait",
    "seconds",
    (),
    "How long the launch that was ordered first has been waiting; 0: none waits.",
)
RATE = _gauge(
    "launch.rate",
    "calls/s",
    (),
    "RunTask calls that the executor makes per second at most, now: less than the limit after throttles; 0: as many as "
    "it can.",
)
RATE_LIMIT = _gauge(
    "launch.rate_limit",
    "calls/s",
    (),
    "RunTask calls per second at most, by `run_task_rate`; 0, as there: no limit.",
)
PAUSED = _gauge(
    "paused",
    "0 or 1",
    (),
    "1 while AWS can't be used at all, because of credentials or the network.",
)
LAUNCHES = _counter(
    "launch.started",
    "ECS tasks",
    ("queue",),
    "ECS tasks that RunTask has started, standbys included.",
)
QUEUE_WAIT = _timing(
    "launch.queue_wait",
    ("queue",),
    "From the order to launch a task until its first RunTask call is sent.",
)
LAUNCH_LATENCY = _timing(
    "launch.latency",
    ("queue",),
    "From the order to launch a task until ECS has accepted it.",
)
START_TIME = _timing(
    "start.duration",
    ("phase", "queue"),
    "How long ECS takes to start a task, by its own times: `provisioning` (from RunTask to the pull of the "
    "image), `pull`, `activating` (from the pull to RUNNING), and `total`.",
)
DETECTION_LAG = _timing(
    "watch.detection_lag",
    ("event",),
    "From the time that ECS gives for an event (`running`, `stopped`) until a poll has shown it. Includes the "
    "difference between this host's clock and AWS's.",
)
API_LATENCY = _timing(
    "api.latency",
    ("action",),
    "Duration of a call to AWS, whatever its outcome.",
)
API_ERRORS = _counter(
    "api.errors",
    "calls",
    ("action", "class"),
    "Calls to AWS that failed, by failure class; RunTask's answers without a task among them.",
)
THROTTLES = _counter(
    "api.throttles",
    "calls",
    ("action",),
    "Calls that AWS has throttled.",
)
RELAUNCHES = _counter(
    "relaunches",
    "launches",
    ("class",),
    "Tasks to be launched again because their last launch came to nothing: for want of `capacity`, because Spot "
    "capacity was reclaimed (`spot`), because the container did not start (`start_failure`), because "
    "RunTask failed (`launch_failure`), or because the `standby` that was to run them never did.",
)
ADOPTIONS = _counter(
    "adoptions",
    "tasks",
    ("known_by",),
    "Tasks taken over from a scheduler that is gone, known by the `arn` of their ECS task or only by their `launch`.",
)
ENGINE_RESTARTS = _counter(
    "engine.restarts",
    "restarts",
    (),
    "Times that the engine died and was started again.",
)
LOOP_LAG = _timing(
    "engine.loop_lag",
    (),
    "How late the engine's event loop wakes up: the worst of each second.",
)
DATABASE_WAIT = _timing(
    "database.wait",
    (),
    "How long the row thread waits for the database's answer to one query.",
)
SYNC_TIME = _timing(
    "sync.duration",
    (),
    "What the executor's part of a heartbeat takes of the scheduler's time.",
)
PAYLOAD_PUTS = _counter(
    "payload.puts",
    "objects",
    (),
    "Workloads stored in S3, because they are too long for RunTask.",
)
STANDBYS = _gauge(
    "standbys",
    "standbys",
    ("stage", "pool"),
    "Standbys that no task has yet ([warm-start.md](warm-start.md)), by stage (`starting`; `ready`; `assigned`: about to get a "
    "task; `leaving`: being stopped, or too old for a task) and pool.",
)
STANDBY_TASKS = _counter(
    "standby.tasks",
    "tasks",
    ("start", "pool"),
    "Tasks of queues with standbys, by how they started: `warm`; or cold, because of `none_free`, `resting` (the pool does), "
    "`no_s3`, `executor_config`, `request` (it differs in something else), `memory` (it gets more), `fallback`, `relaunch` "
    "(only a first launch starts warm) or `no_run_id` (in its row).",
)
WARM = "warm"
"""The first tag of `STANDBY_TASKS` for a warm start."""
STANDBY_HAND_OVER = _timing(
    "standby.hand_over",
    ("pool",),
    "From the order to launch a task until a standby has it: its row is changed, its workload is in S3.",
)
STANDBY_AGE = _timing(
    "standby.age",
    ("pool",),
    "How long a standby had been running when it got its task.",
)
STANDBY_IDLE = _counter(
    "standby.idle",
    "container-seconds",
    ("pool",),
    "How long standbys have been paid for without a task, all together, from the pull of their image on, counted while they "
    "wait. Times the price of their size it is what they cost: [warm-start.md](warm-start.md#what-it-costs).",
)

METRICS = (
    TASKS,
    WAITING,
    OLDEST_WAIT,
    RATE,
    RATE_LIMIT,
    PAUSED,
    LAUNCHES,
    QUEUE_WAIT,
    LAUNCH_LATENCY,
    START_TIME,
    DETECTION_LAG,
    API_LATENCY,
    API_ERRORS,
    THROTTLES,
    RELAUNCHES,
    ADOPTIONS,
    ENGINE_RESTARTS,
    LOOP_LAG,
    DATABASE_WAIT,
    SYNC_TIME,
    PAYLOAD_PUTS,
    STANDBYS,
    STANDBY_TASKS,
    STANDBY_HAND_OVER,
    STANDBY_AGE,
    STANDBY_IDLE,
)
"""All of them, in the order of the page."""
