"""Progress as lines: a line an event without a terminal, a few lines that are drawn again on one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_async_executor.fargate_prices import DATE, REGION
from ecs_async_executor.stack.prices import NOT_COUNTED, Item, per_task_hour, total
from ecs_async_executor.stack.progress import Event, Progress
from ecs_async_executor.stack.template import Resource, Template, Values

_WORDS = {
    "CREATE_IN_PROGRESS": "making",
    "CREATE_COMPLETE": "made",
    "CREATE_FAILED": "FAILED",
    "UPDATE_IN_PROGRESS": "changing",
    "UPDATE_COMPLETE": "changed",
    "UPDATE_FAILED": "FAILED",
    "DELETE_IN_PROGRESS": "deleting",
    "DELETE_COMPLETE": "deleted",
    "DELETE_FAILED": "FAILED",
    "DELETE_SKIPPED": "kept",
}
_ROWS = 10
"""Resources under way that the live display shows; AWS works on some dozens at once."""


def event_line(event: Event) -> str:
    """Return the line of an event."""
    word = _WORDS.get(event.status, event.status.lower().replace("_", " "))
    reason = f": {event.reason}" if event.failed and event.reason else ""
    return f"{word:<9} {event.name} ({short(event.kind)}){reason}"


def live_lines(progress: Progress, total_count: int, elapsed: float, now: float, width: int) -> list[str]:
    """Return the live display: how far it is, and what AWS works on, the longest first."""
    rows = sorted(progress.under_way, key=lambda each: progress.began[each.name])
    lines = [f"{len(progress.done)} of {max(total_count, len(progress.latest))} resources, {_clock(elapsed)}"]
    lines += [f"  {event_line(each)} {_clock(progress.seconds(each.name, now))}" for each in rows[:_ROWS]]
    if len(rows) > _ROWS:
        lines.append(f"  and {len(rows) - _ROWS} more")
    return [line[: width - 1] for line in lines]


def redraw(before: int, lines: Sequence[str]) -> str:
    """Return what replaces the last `before` lines on a terminal by these."""
    up = f"\x1b[{before}A" if before else ""
    return f"{up}\r\x1b[J" + "".join(f"{line}\n" for line in lines)


def resource_lines(resources: Sequence[Resource]) -> list[str]:
    """Return a line a kind: how many, and which."""
    kinds: dict[str, list[str]] = {}
    for each in resources:
        kinds.setdefault(short(each.kind), []).append(each.name)
    width = max(map(len, kinds))
    return [f"  {len(names):>2} {kind:<{width}}  {', '.join(names)}" for kind, names in kinds.items()]


def change_lines(template: Template, before: Values, after: Values) -> list[str]:
    """Return which parameters change from one set of values to another, and which resources come and go with them."""
    changed = [name for name in template.parameters if before[name] != after[name]]
    if not changed:
        return ["No parameter changes."]
    was, will = ({each.name: each for each in template.resources(values)} for values in (before, after))
    lines = [
        "Changes:",
        *(f"  {name}: {before[name] or '(empty)'} -> {after[name] or '(empty)'}" for name in changed),
    ]
    new = ", ".join(name for name in will if name not in was)
    gone = ", ".join(
        f"{name} (its data is kept)" if each.kept else name for name, each in was.items() if name not in will
    )
    return [*lines, *([f"New: {new}."] if new else ()), *([f"Deleted: {gone}."] if gone else ())]


def estimate_lines(items: Sequence[Item], values: Values, region: str) -> list[str]:
    """Return the estimate: its items, the sum, where the prices are from and what isn't counted."""
    shown = [
        (item.what, "not in the table" if item.dollars is None else f"${item.dollars:.2f}") for item in items
    ]
    shown.append(("in all", f"${total(items):.2f}"))
    width = max(len(what) for what, _ in shown)
    lines = [f"  {what:<{width}}  {price:>10}" for what, price in shown]
    lines.append(f"  and ${per_task_hour(values):.4f} for an hour of a task")
    elsewhere = "" if region == REGION else f" Prices in {region or 'your Region'} differ."
    lines += [
        f"AWS's on-demand prices of {REGION}, {DATE}.{elsewhere} See https://calculator.aws for exact ones.",
        f"Not counted: {', '.join(NOT_COUNTED)}.",
    ]
    return lines


def short(kind: str) -> str:
    """Return a resource's kind without `AWS::`: `ECS Cluster`."""
    return kind.removeprefix("AWS::").replace("::", " ")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
