"""What the interference benchmark found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.report import Report, Table, Target, median, percentile

A_SECOND = 20
"""Tasks launched a second."""
LATENCY = 0.1
"""Of every API call, in seconds."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the executor does meanwhile. `live` is None if there is no executor at all."""

    name: str
    live: int | None
    launches: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """What one window has shown."""

    speed: float
    """Steps a second."""
    others: float = 0.0
    """The CPU that the process's other threads took, as a share of one core."""


@dataclass(frozen=True, slots=True)
class Result:
    """Windows without an executor, and those beside it."""

    alone: Sequence[Window]
    beside: Sequence[Window]
    task_bytes: float = 0.0
    """How long ECS's answer is for each task it describes."""

    @property
    def shares(self) -> list[float]:
        """What the loop kept of its speed, pair by pair."""
        return [one.speed / other.speed for one, other in zip(self.beside, self.alone, strict=True)]


def report(results: Mapping[Case, Result]) -> Report:
    """Make the table."""
    watching, watched = max(results.items(), key=lambda item: item[0].live or 0)
    share = median(watched.shares)
    pairs = len(watched.shares)
    return Report(
        "interference",
        [
            Table(
                "What the main thread keeps of its speed",
                ("executor in the process", "median", "25 % of windows are below", "CPU of its other threads", "steps a second, alone"),
                [
                    (
                        case.name,
                        f"{100 * median(result.shares):.1f} %",
                        f"{100 * percentile(result.shares, 25):.1f} %",
                        f"{100 * sum(window.others for window in result.beside) / pairs:.1f} %",
                        f"{median([window.speed for window in result.alone]) / 1e6:.1f} million",
                    )
                    for case, result in results.items()
                ],
                f"{pairs} pairs of windows, in turns; the executor's heartbeat, one a second, counts as lost time. ECS's"
                f" answers have {watched.task_bytes / 1000:.1f} KB a task, API latency {LATENCY * 1000:.0f} ms. The first row"
                " shows the noise; CPU time, in percent of a core, is less sensitive to it.",
            )
        ],
        [
            Target(
                f"speed of the main thread with {watching.live or 0:,} tasks watched",
                ">= 95 %",
                f"{100 * share:.1f} %",
                share >= 0.95,
            )
        ],
        {"watching": share},
    )  # fmt: skip
