"""What a run will do and what it can cost, shown before it starts. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ecs_async_executor.conformance.limits import SECONDS, TASKS
from ecs_async_executor.conformance.target import LIFE, Target

PRICES = "https://aws.amazon.com/fargate/pricing/"
VCPU_HOUR, GIB_HOUR = 0.04048, 0.004445
"""US dollars; Linux on x86 in us-east-1 (`PRICES`)."""
ADDRESS_HOUR = 0.005
"""US dollars for a public IPv4 address (https://aws.amazon.com/vpc/pricing/)."""
DEAREST = 2.0
"""No Region costs more than this many times us-east-1's price; sa-east-1, the dearest, 1.72 times."""
USUAL_SECONDS = 120.0
"""How long a task usually lives: the image's pull, and its end."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks, time and money. Cents are US cents."""

    tasks: int
    cents: float
    most_cents: float
    text: str


def plan(target: Target, *, burst: int = 0, here: bool = False) -> Plan:
    """Return what a run on this target does.

    `burst` is the number of calls that try to be throttled; `here`: ECS is on this machine, and costs nothing.
    """
    tasks = 6 if target.broken_task_definition else 5
    hour = target.cpu * VCPU_HOUR + target.memory * GIB_HOUR + (ADDRESS_HOUR if target.public_ip else 0.0)
    cents = round(tasks * USUAL_SECONDS / 3600 * hour * 100, 2) if target.on_fargate and not here else 0.0
    # Every task of the limit, in the dearest Region, for as long as a run and its clean-up may last.
    most = (
        math.ceil(TASKS * (SECONDS + LIFE) / 3600 * hour * DEAREST * 100)
        if target.on_fargate and not here
        else 0
    )
    return Plan(
        tasks,
        cents,
        most,
        _text(target, tasks, cents, most, burst) if not here else _text_here(target, tasks),
    )


def _text_here(target: Target, tasks: int) -> str:
    started = f"{tasks} ECS tasks of {target.task_definition} in the cluster {target.cluster}"
    return f"  {started}, on this machine: it costs nothing, and takes seconds.\n"


def _text(target: Target, tasks: int, cents: float, most: float, burst: int) -> str:
    where = target.capacity_provider or target.launch_type
    size = f"{target.cpu:g} vCPU and {target.memory:g} GiB" if target.cpu else "no size of its own"
    cost = (
        f"Cost: about {cents:g} US cents; at most {most:g}, if every limit is reached in the dearest Region ({PRICES})."
        if target.on_fargate
        else "Cost: none beside your container instances, which must have room for them."
    )
    lines = [
        f"{tasks} ECS tasks of {target.task_definition} in the cluster {target.cluster} ({where}, {size} each),",
        f"each for about two minutes, none longer than {LIFE} s after its start; never more than {TASKS} tasks.",
        f"Usually five minutes in all; after {SECONDS / 60:g} minutes it stops asking. It stops every task it started.",
        cost,
    ]
    if burst:
        lines.append(
            f"{burst} DescribeTasks calls at once, to be throttled: others of this account and Region are throttled with it."
        )
    return "".join(f"  {line}\n" for line in lines)
