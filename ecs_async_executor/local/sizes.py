"""Task sizes: what ECS reads as CPU units and MiB, and which pairs Fargate has. Pure.

Sources: Amazon ECS API Reference, "RegisterTaskDefinition" (cpu, memory); Developer Guide, "Task size".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# The least and the most CPU units of a task: 0.125 and 192 vCPUs.
MIN_CPU, MAX_CPU = 128, 196_608
_NUMBER = r"(\d+|\d*\.\d+)"
_CPU = re.compile(rf"{_NUMBER}\s*vcpu", re.IGNORECASE)
_MEMORY = re.compile(rf"{_NUMBER}\s*gb", re.IGNORECASE)
# CPU units: the MiB of memory that go with them.
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
    """Read a task's `cpu` ("256", ".25 vCPU") as CPU units; None if ECS refuses it."""
    units = _read(text, _CPU)
    return units if units is not None and MIN_CPU <= units <= MAX_CPU else None


def mebibytes(text: str) -> int | None:
    """Read a task's `memory` ("512", "0.5 GB") as MiB; None if ECS refuses it."""
    return _read(text, _MEMORY) or None


def _read(text: str, with_unit: re.Pattern[str]) -> int | None:
    """Read a whole number, or 1,024 times the number before a unit."""
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    if (match := with_unit.fullmatch(text.strip())) and (size := float(match[1]) * 1024).is_integer():
        return int(size)
    return None


def fargate_has(cpu: int, memory: int) -> bool:
    """Say whether Fargate runs tasks of so many CPU units and MiB."""
    return memory in FARGATE.get(cpu, ())
