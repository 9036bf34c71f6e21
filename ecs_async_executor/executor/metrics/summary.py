"""One line about all that waits and lives: in the scheduler's log, and in the debug dump. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ecs_async_executor.executor.metrics.series import by_tag
from ecs_async_executor.measurements import Series
from ecs_async_executor.metrics import OLDEST_WAIT, PAUSED, RATE, RATE_LIMIT, STANDBYS, TASKS, WAITING

LIVE = ("launching", "starting", "running", "ending")
"""The phases of a task that doesn't wait, in their order."""


def has_work(gauges: Mapping[Series, float]) -> bool:
    """Return whether anything waits or lives."""
    return bool(by_tag(gauges, TASKS))


def summary(
    gauges: Mapping[Series, float], launched: int, throttled: int, warm: int = 0, cold: int = 0
) -> str:
    """Return the line; the numbers are the last minute's: RunTask calls, and starts of tasks whose queue has standbys."""
    phases, reasons = by_tag(gauges, TASKS), by_tag(gauges, WAITING)
    parts = []
    if waiting := phases["waiting"]:
        why = _list((count, reason) for reason, count in reasons.most_common())
        oldest = gauges.get((OLDEST_WAIT, ()), 0.0)
        parts.append(f"{_tasks(waiting)} ({why}; the oldest for {oldest:.0f} s).")
    else:
        parts.append("No task waits for its launch.")
    live = [(phases[phase], phase) for phase in LIVE if phases[phase]]
    parts.append(f"{sum(count for count, _ in live):,} live{f' ({_list(live)})' if live else ''}.")
    if (PAUSED, ()) in gauges:  # always among the engine's
        now, limit = gauges.get((RATE, ())), gauges.get((RATE_LIMIT, ()))
        of = f" of {limit:g}" if limit else ""
        rate = f"{now:.1f}{of} calls/s" if now else "no limit"
        parts.append(f"RunTask: {rate}; in the last minute {launched:,} launched, {throttled:,} throttled.")
    else:
        parts.append("The engine does not report.")
    if any(metric is STANDBYS for metric, _ in gauges):
        standbys = by_tag(gauges, STANDBYS)
        kept = _list((standbys[stage], stage) for stage in ("ready", "starting"))
        parts.append(
            f"Standbys: {kept}; in the last minute {warm:,} warm start{'s' * (warm != 1)}, {cold:,} cold."
        )
    if gauges.get((PAUSED, ())):
        parts.append("AWS can't be used.")
    return " ".join(parts)


def _tasks(count: int) -> str:
    return "1 task waits for its launch" if count == 1 else f"{count:,} tasks wait for their launch"


def _list(counts: Iterable[tuple[int, str]]) -> str:
    return ", ".join(f"{count:,} {name}" for count, name in counts)
