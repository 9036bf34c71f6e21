"""What the memory benchmark found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.report import Report, Table, Target

FEW = 100
"""Live tasks at the start, so that all that is made once is there already."""
WANTED = 4096.0
"""Bytes a task."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that `live` tasks have added."""

    live: int
    allocated: int | None
    """By Python, and not freed; None if that was not traced."""
    resident: int | None
    """Of the process; None if allocations were traced, which takes memory itself."""


def report(results: Sequence[Memory]) -> Report:
    """Make the table."""
    rows = [
        (f"{live:,}", _a_task(results, "allocated", live), _a_task(results, "resident", live))
        for live in sorted({each.live for each in results})
    ]
    worst = max((each.allocated / each.live for each in results if each.allocated is not None), default=None)
    return Report(
        "memory",
        [
            Table(
                "Memory per live task",
                ("live tasks", "allocated by Python", "resident in the process"),
                rows,
                f"What they add to a process with {FEW} live tasks, after garbage collection. Allocated: as tracemalloc"
                " measures it. Resident: in a second run without tracing; it includes what the allocator keeps for later.",
            )
        ],
        [] if worst is None else [_target(worst)],
        {} if worst is None else {"allocated": worst},
    )


def _target(worst: float) -> Target:
    return Target(
        "memory per live task",
        f"<= {WANTED:,.0f} bytes",
        f"{worst:,.0f} bytes allocated",
        worst <= WANTED,
    )


def _a_task(results: Sequence[Memory], what: str, live: int) -> str:
    found = [getattr(each, what) for each in results if each.live == live]
    return next((f"{value / live:,.0f} bytes" for value in found if value is not None), "-")
