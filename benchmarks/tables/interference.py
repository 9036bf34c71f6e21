"""What the interference benchmark found, and its table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from benchmarks.report import Report, Table, Target, median, percentile

A_SECOND = 20
"""Tasks launched a second."""
LATENCY = 0.1
"""Of every API call, in seconds."""
QUIET = 0.03
"""What may be missing of the main thread's time where there is no executor, for the others to be judged."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the executor does meanwhile. `live` is None if there is no executor at all."""

    name: str
    live: int | None
    rest: float = 0.0
    """Seconds until it is measured."""
    launches: bool = False


NONE = Case("none", None)
"""The control: what is measured when there is nothing to be measured."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one window has shown. Time in which other processes had the cores is left out."""

    speed: float
    """Steps a second."""
    kept: float = 1.0
    """The share of the time in which the main thread ran, and not for a heartbeat."""
    others: float = 0.0
    """The CPU that the process's other threads took, as a share of one core."""


@dataclass(frozen=True, slots=True)
class Result:
    """Windows without an executor, and those beside it, of which each lies between two of the others."""

    alone: Sequence[Window]
    beside: Sequence[Window]
    task_bytes: float = 0.0
    """How long ECS's answer is for each task it describes."""

    @property
    def kept(self) -> float:
        """What the main thread kept of its time, the median."""
        return median([window.kept for window in self.beside])

    @property
    def shares(self) -> list[float]:
        """What the loop kept of its speed: each window beside an executor, of the two around it."""
        around = [(one.speed + next_one.speed) / 2 for one, next_one in pairwise(self.alone)]
        return [one.speed / speed for one, speed in zip(self.beside, around, strict=True)]


def report(results: Mapping[Case, Result]) -> Report:
    """Make the table; the control is measured first, and without it nothing is."""
    watching = max(
        (case for case in results if case.live), key=lambda case: (case.live or 0, case.rest), default=NONE
    )
    watched, control = results[watching], results[NONE]
    judged = control.kept >= 1 - QUIET
    windows = len(control.beside)
    return Report(
        "interference",
        [
            Table(
                "How much of its time the main thread keeps",
                ("executor in the process", "time, median", "worst window", "CPU of other threads", "speed, median", "speed, lower quartile"),
                [
                    (
                        case.name,
                        *(f"{100 * share:.1f} %" for share in (
                            result.kept,
                            min(window.kept for window in result.beside),
                            fmean(window.others for window in result.beside),
                            median(result.shares),
                            percentile(result.shares, 25),
                        )),
                    )
                    for case, result in results.items()
                ],
                f"{windows} windows each. Time: how much of it the main thread ran, rather than waiting for the engine or"
                " being in the executor's heartbeat (one per second); time taken by other processes is left out. CPU: percent"
                " of one core. Speed: steps per second, compared with the windows before and after in a process without an"
                " executor. It varies with the speed of the cores, too, which other tenants of the machine affect: the"
                " first row shows by how much. ECS's"
                f" answers have {watched.task_bytes / 1000:.1f} KB per task, API latency {LATENCY * 1000:.0f} ms."
                + ("" if judged else " **It was too noisy to judge.**"),
            )
        ],
        [] if watching is NONE else [_target(watching, watched.kept, control.kept, judged=judged)],
        {"watching": watched.kept, "control": control.kept, "watching_speed": median(watched.shares), "control_speed": median(control.shares)},
    )  # fmt: skip


def _target(watching: Case, share: float, control: float, *, judged: bool) -> Target:
    return Target(
        f"time the main thread keeps with {watching.live or 0:,} tasks watched, {watching.rest:.0f} s old or older",
        ">= 95 %",
        f"{100 * share:.1f} %"
        + ("" if judged else f", too noisy to judge: {100 * control:.1f} % without an executor"),
        judged and share >= 0.95,
    )
