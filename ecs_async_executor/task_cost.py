"""What an ECS task has used and what that costs, and how it is written and read again in the Audit Log. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ecs_async_executor.fargate_prices import FARGATE, REGION
from ecs_async_executor.messages import Usage

Price: TypeAlias = tuple[str, float, float]
"""A capacity provider or launch type, and US dollars for a vCPU-hour and a GB-hour there."""
ARCHITECTURE = "ecs.cpu-architecture"
"""The attribute of an ECS task that names its processor."""
ON_DEMAND, SPOT = "FARGATE", "FARGATE_SPOT"
MINIMUM = 60
"""Seconds that a task on Fargate is billed at least (https://aws.amazon.com/fargate/pricing, Linux)."""
_WRITE = "write NAME:VCPU_HOUR:GB_HOUR, separated by commas, such as FARGATE:0.04048:0.004445"
_ITEM = re.compile(
    r"(?P<name>[A-Za-z0-9_-]{1,255}(?:/(?:X86_64|ARM64))?)\s*"
    r":\s*(?P<vcpu>[0-9]{1,6}(?:\.[0-9]{1,12})?)\s*:\s*(?P<gb>[0-9]{1,6}(?:\.[0-9]{1,12})?)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one task or several have used. GB are AWS's: 1,024 MiB."""

    vcpu_hours: float = 0.0
    gb_hours: float = 0.0
    dollars: float | None = None
    """US dollars; None: the price isn't known."""

    def __str__(self) -> str:
        price = "" if self.dollars is None else f", ${self.dollars:.6f}"
        return f"{_short(self.vcpu_hours)} vCPU-hours, {_short(self.gb_hours)} GB-hours{price}"


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices that were set, over those of `fargate_prices.py`."""

    own: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """US dollars for a vCPU-hour and a GB-hour, by capacity provider or launch type, with or without `/ARM64`."""

    @classmethod
    def of(cls, items: Iterable[Price]) -> Prices:
        """Take what `parse_prices` returns."""
        return cls({name: (vcpu, gb) for name, vcpu, gb in items})

    def price(self, usage: Usage, region: str) -> tuple[float, float] | None:
        """Return what an hour of a vCPU and of a GB costs where a task ran; None if that isn't known."""
        processor = usage.processor or "X86_64"
        for name in (f"{usage.capacity}/{processor}", usage.capacity):
            if name in self.own:
                return self.own[name]
        return FARGATE.get(processor) if usage.capacity == ON_DEMAND and region == REGION else None

    def cost(self, usage: Usage, region: str) -> Cost:
        """Return what a task has used, and what that costs."""
        hours = billed_seconds(usage) / 3600
        vcpu_hours, gb_hours = hours * usage.vcpus, hours * usage.gb
        price = self.price(usage, region)
        dollars = None if price is None else vcpu_hours * price[0] + gb_hours * price[1]
        return Cost(vcpu_hours, gb_hours, dollars)


@dataclass(slots=True)
class Sum:
    """The cost of several tasks."""

    tasks: int = 0
    unpriced: int = 0
    """Tasks without a price, which `dollars` leaves out."""
    vcpu_hours: float = 0.0
    gb_hours: float = 0.0
    dollars: float = 0.0

    def add(self, cost: Cost) -> None:
        """Add one task."""
        self.tasks += 1
        self.unpriced += cost.dollars is None
        self.vcpu_hours += cost.vcpu_hours
        self.gb_hours += cost.gb_hours
        self.dollars += cost.dollars or 0.0

    def merge(self, other: Sum) -> None:
        """Add another sum."""
        self.tasks += other.tasks
        self.unpriced += other.unpriced
        self.vcpu_hours += other.vcpu_hours
        self.gb_hours += other.gb_hours
        self.dollars += other.dollars

    @property
    def price(self) -> float | None:
        """US dollars of the tasks that have a price; None if none has."""
        return self.dollars if self.tasks > self.unpriced else None

    def as_json(self) -> dict[str, float | None]:
        """Return the numbers, rounded to a millionth."""
        return {
            "tasks": self.tasks,
            "unpriced": self.unpriced,
            "vcpu_hours": round(self.vcpu_hours, 6),
            "gb_hours": round(self.gb_hours, 6),
            "dollars": None if self.price is None else round(self.price, 6),
        }


def sum_by(costs: Iterable[tuple[str, Cost]]) -> dict[str, Sum]:
    """Return the sums by name, the dearest first; without prices, those that used the most."""
    sums: dict[str, Sum] = {}
    for name, cost in costs:
        sums.setdefault(name, Sum()).add(cost)
    return dict(sorted(sums.items(), key=lambda item: (-item[1].dollars, -item[1].vcpu_hours, item[0])))


def size_of(whole: str | None, containers: Iterable[str | None]) -> str | None:
    """Return the size of a task: its own, or else, as on EC2 it need have none, what its containers have together."""
    given = [each for each in containers if each]
    if whole or not given:
        return whole
    try:
        return str(sum(float(each) for each in given))
    except ValueError:
        return None


def make_usage(  # noqa: PLR0913  what ECS shows
    cpu: str | None,
    memory: str | None,
    *,
    capacity: str,
    architecture: str,
    pull_started_at: float | None,
    ended_at: float,
) -> Usage | None:
    """Make a task's usage of what DescribeTasks shows: sizes in CPU units and MiB, seconds since 1970.

    None if it pulled no image, or ECS shows no size.
    """
    if pull_started_at is None:
        return None
    try:
        vcpus, gb = float(cpu or "") / 1024, float(memory or "") / 1024
    except ValueError:
        return None
    processor = {"x86_64": "X86_64", "arm64": "ARM64"}.get(architecture.lower(), "")
    return Usage(vcpus, gb, max(0.0, ended_at - pull_started_at), capacity, processor)


def billed_seconds(usage: Usage) -> float:
    """Return the seconds that are paid for: on Fargate whole ones, and a minute at least, time as a standby included."""
    if usage.capacity in {ON_DEMAND, SPOT}:
        return max(MINIMUM - math.floor(usage.standby or 0.0), math.ceil(usage.seconds))
    return usage.seconds


def describe(usage: Usage, cost: Cost, task_id: str) -> str:
    """Return the text of the Audit Log, the same for each report of the same ECS task; `read` reads it."""
    where = " on ".join(part for part in (usage.capacity, usage.processor) if part)
    return (
        f"{cost}: {_short(usage.vcpus)} vCPU and {_short(usage.gb)} GB for {billed_seconds(usage):.0f} s"
        f"{f' ({where})' if where else ''}{_as_standby(usage)}, ECS task {task_id}."
    )


def _as_standby(usage: Usage) -> str:
    if usage.standby is None:
        return ", its time as a standby included"
    return f", after {usage.standby:.0f} s as a standby" if usage.standby else ""


def task_id_in(text: str) -> str:
    """Return the ECS task that a text of `describe` is about."""
    return text.rpartition("ECS task ")[2]


_TEXT = re.compile(r"(?P<vcpu>[0-9.]+) vCPU-hours, (?P<gb>[0-9.]+) GB-hours(?:, \$(?P<dollars>[0-9.]+))?:")


def read(text: str) -> Cost | None:
    """Return the cost in a text of `describe`; None if it is another text."""
    found = _TEXT.match(text)
    if found is None:
        return None
    try:
        dollars = found["dollars"]
        return Cost(float(found["vcpu"]), float(found["gb"]), None if dollars is None else float(dollars))
    except ValueError:
        return None


def parse_prices(value: object) -> tuple[Price, ...]:
    """Parse `FARGATE:0.04048:0.004445, ...`; raises ValueError."""
    if isinstance(value, tuple):
        return value
    parts = [part.strip() for part in str(value).split(",")]
    found = [_ITEM.fullmatch(part) for part in parts if part]
    items = [each for each in found if each is not None]
    if len(items) < len(found) or not items:
        raise ValueError(f"it is not a list of prices in US dollars; {_WRITE}")
    names = [each["name"] for each in items]
    if len({*names}) < len(names):
        raise ValueError("it has two prices for the same capacity")
    return tuple((each["name"], float(each["vcpu"]), float(each["gb"])) for each in items)


def _short(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
