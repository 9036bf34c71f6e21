"""The fleet page's numbers for a terminal: what `ecs-async status` shows. Pure: its JSON in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ecs_async_executor.fleet.live import Event, Fleet
from ecs_async_executor.fleet.view import Filters, make_view
from ecs_async_executor.operate.text import Column, age, count, screen_width, table, wrapped

SHOWN = ("at", "total", "left_out", "phases", "queues", "schedulers", "standbys", "waits", "failures")
"""The members of the page's JSON that `status --json` has, in this order."""
GROUPS = 5
"""Reasons and failures on the screen; JSON has all."""


def make_status(fleet: Fleet, failures: Sequence[Event], now: float) -> dict[str, Any]:
    """Return what the page shows to somebody who may read every Dag: whoever reads the database may."""
    dags = frozenset(row.dag_id for row in fleet.tasks)
    view = make_view(fleet, dags, now, Filters(), failures)
    return {name: view[name] for name in SHOWN}


def as_text(status: Mapping[str, Any], width: int | None = None) -> list[str]:
    """Return the screen's lines."""
    columns = width or screen_width()
    at = datetime.fromtimestamp(status["at"], timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    phases = ", ".join(f"{number:,} {name}" for name, number in status["phases"].items())
    live = count(status["total"] + status["left_out"], "live task")
    lines = [*wrapped(f"{live}, {at}", columns), *wrapped(phases, columns)]
    if status["left_out"]:
        lines += wrapped(
            f"Of these, {status['left_out']:,} are not in the numbers below: too many to read.", columns
        )
    return [
        *lines,
        "",
        *_schedulers(status["schedulers"], columns),
        "",
        *_standbys(status["standbys"], columns),
        *_waits(status["waits"], columns),
        "",
        *_failures(status["failures"] or [], columns),
    ]


def _schedulers(schedulers: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    if not schedulers:
        return wrapped(
            "No scheduler has reported in the last 15 minutes. If one runs, its log says why it can't write its status.",
            width,
        )
    titles = [
        Column("SCHEDULER", shrinks_to=12),
        # The words of the fleet page.
        Column("LAUNCHED", right=True),
        Column("RATE", right=True),
        Column("THROTTLED", right=True),
        Column("WAITING", right=True),
        Column("WATCHED", right=True),
        Column("SLOTS", right=True),
        Column("UPDATED", right=True),
    ]
    lines = table(titles, [_cells(each) for each in schedulers], width)
    for each in schedulers:
        name = _name(each)
        if each["silent"]:
            lines += wrapped(
                f"{name} gives no sign of life. If it is dead, another one adopts its tasks.", width, "  "
            )
        if each["paused"]:
            lines += wrapped(
                f"{name} has paused for {age(each['paused_for'])}: {each['paused']}", width, "  "
            )
        if each["engine"] is None:
            lines += wrapped(f"{name}: its engine doesn't answer; its log says why.", width, "  ")
        if each["waiting_for_slot"]:
            wait = count(each["waiting_for_slot"], "task waits", "tasks wait")
            lines += wrapped(f"{name}: {wait} for a free slot (`[core] parallelism`).", width, "  ")
    return lines


def _standbys(pools: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return the table of the pools, and an empty line; nothing if there are none."""
    if not pools:
        return []
    titles = [
        Column("STANDBYS OF", shrinks_to=10),
        Column("READY", right=True),
        Column("STARTING", right=True),
        Column("OLDEST", right=True),
        Column("WARM", right=True),
        Column("COLD", right=True),
        Column("IDLE $", right=True),
        Column("$/MONTH", right=True),
    ]
    lines = table(titles, [_pool_cells(each) for each in pools], width)
    for each in pools:
        if each["silent"]:
            lines += wrapped(
                f"{_pool_name(each)}: its scheduler is silent; without it, they end within four minutes.",
                width,
                "  ",
            )
        if each["rests"]:
            lines += wrapped(f"{_pool_name(each)}: its tasks start cold. {each['rests']}", width, "  ")
        if each["why_cold"]:
            why = ", ".join(f"{cause['tasks']:,} because {cause['reason']}" for cause in each["why_cold"])
            lines += wrapped(f"{_pool_name(each)}: cold starts: {why}.", width, "  ")
    return [*lines, ""]


def _pool_name(pool: Mapping[str, Any]) -> str:
    team = f" team {pool['team']}" if pool["team"] else ""
    return f"{pool['pool']} (#{pool['scheduler']}{team})"


def _pool_cells(pool: Mapping[str, Any]) -> list[str]:
    def money(dollars: float | None) -> str:
        return "-" if dollars is None else f"{dollars:.2f}"

    return [
        _pool_name(pool),
        f"{pool['ready']}/{pool['wanted']}",
        str(pool["starting"]),
        age(pool["oldest"]),
        f"{pool['warm']:,}",
        f"{pool['cold']:,}",
        money(pool["dollars"]),
        money(pool["dollars_a_month"]),
    ]


def _name(scheduler: Mapping[str, Any]) -> str:
    parts = [
        f"#{scheduler['job_id']}",
        scheduler["host"],
        f"team {scheduler['team']}" if scheduler["team"] else "",
    ]
    return " ".join(part for part in parts if part)


def _cells(scheduler: Mapping[str, Any]) -> list[str]:
    engine = scheduler["engine"]
    numbers = ["-", "-", "-", "-", "-"]
    if engine is not None:
        limit = "" if engine["limit"] is None else f" of {engine['limit']:g}"
        numbers = [
            f"{engine['launches']:,}",
            # Without a limit by the options, throttles limit it all the same.
            "no limit" if engine["rate"] is None else f"{engine['rate']:.1f}{limit}",
            f"{engine['throttles']:,}",
            f"{engine['waiting']:,}",
            f"{engine['watched']:,}",
        ]
    slots = f"{scheduler['slots']}/{scheduler['parallelism']}"
    return [_name(scheduler), *numbers, slots, age(scheduler["age"])]


def _waits(waits: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    if not waits:
        return ["Nothing waits."]
    lines = ["Why tasks wait"]
    for each in waits[:GROUPS]:
        lines += wrapped(f"{each['count']:,}x {each['cause']}", width, "  ")
        lines += wrapped(f"oldest {age(each['oldest'])}: {_label(each['example'])}", width, "      ")
        rest = (each["detail"] or "").removeprefix(each["cause"])  # an event's text begins with its title
        lines += wrapped(rest, width, "      ")
    return [*lines, *_more(waits, "reason")]


def _failures(failures: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    if not failures:
        return ["No failures in the last 24 hours."]
    lines = ["Last failures (24 hours)"]
    for each in failures[:GROUPS]:
        lines += wrapped(f"{len(each['tasks']):,}x {each['title']}", width, "  ")
        last = each["tasks"][0]
        lines += wrapped(f"{age(last['age'])} ago: {_label(last)}, try {last['try']}", width, "      ")
    return [*lines, *_more(failures, "kind")]


def _more(groups: Sequence[object], what: str) -> list[str]:
    hidden = len(groups) - GROUPS
    return [f"  and {count(hidden, f'more {what}')}: --json shows all."] if hidden > 0 else []


def _label(names: Mapping[str, Any]) -> str:
    name = f"{names['dag']}/{names['run']}/{names['task']}"
    return name if names["map_index"] is None else f"{name}/{names['map_index']}"
