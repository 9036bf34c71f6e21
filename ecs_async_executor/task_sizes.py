"""Task sizes: parses CPU units and MiB as ECS does, and knows the pairs that Fargate offers. Pure.

Sources: Amazon ECS API Reference, "RegisterTaskDefinition" (cpu, memory); Developer Guide, "Task size".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ecs_async_executor.ecs_rules import CPU, MEMORY

# The minimum and maximum CPU units of a task: 0.125 and 192 vCPUs.
MIN_CPU, MAX_CPU = 128, 196_608
# CPU units: the memory sizes in MiB that Fargate allows with them.
FARGATE: Mapping[int, frozenset[int]] = {
    256: frozenset({512, 1024, 2048}),
    512: frozenset(range(1024, 4096 + 1, 1024)),
    1024: frozenset(range(2048, 8192 + 1, 1024)),
    2048: frozenset(range(4096, 16_384 + 1, 1024)),
    4096: frozenset(range(8192, 30_720 + 1, 1024)),
    8192: frozenset(range(16_384, 61_440 + 1, 4096)),
    16_384: frozenset(range(32_768, 122_880 + 1, 8192)),
}


def cpu_units(text: str) -> int | None:
    """Parse a task's `cpu` ("256", ".25 vCPU") as CPU units; None if ECS rejects it."""
    units = _read(text, CPU)
    return units if units is not None and MIN_CPU <= units <= MAX_CPU else None


def mebibytes(text: str) -> int | None:
    """Parse a task's `memory` ("512", "0.5 GB") as MiB; None if ECS rejects it."""
    return _read(text, MEMORY) or None


def _read(text: str, form: re.Pattern[str]) -> int | None:
    """Parse a whole number, or a number with a unit, multiplied by 1,024."""
    if (match := form.fullmatch(text)) is None:
        return None
    if match["whole"]:
        return int(match["whole"])
    size = float(match["number"]) * 1024
    return int(size) if size.is_integer() else None


def fargate_has(cpu: int, memory: int) -> bool:
    """Tell whether Fargate offers this combination of CPU units and MiB."""
    return memory in FARGATE.get(cpu, ())
