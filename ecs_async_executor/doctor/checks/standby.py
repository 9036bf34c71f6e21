"""Standbys: Fargate has room for them, tasks need so many, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ecs_async_executor.doctor.checks.rates import NAMES, kinds_of, vcpus_of
from ecs_async_executor.doctor.effective import Effective, effectives
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, note, warning
from ecs_async_executor.doctor.questions import QUOTAS
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.standby.pool import REPLACED_AHEAD
from ecs_async_executor.fargate_prices import FARGATE, MONTH, REGION
from ecs_async_executor.messages import Usage
from ecs_async_executor.task_cost import Prices
from ecs_async_executor.task_sizes import cpu_units, mebibytes

_GET = 0.0004 / 1000
"""US dollars for a GET of S3 Standard in us-east-1 (https://aws.amazon.com/s3/pricing)."""
_GETS = 3600
"""GETs of a standby in an hour: one a second (`standby/waiting.py`)."""


def vcpus(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Fargate's quotas of vCPUs are enough for all standbys of one scheduler."""
    pools = [
        (each.name, {*kinds_of(each)}, each.target.standby * vcpus_of(each))
        for each in effectives(setup, facts)
        if each.target.standby and each.on_fargate
    ]
    # A pool of two providers takes what the pools of one leave, so each quota must do alone, and all of them together.
    every = list(QUOTAS)
    for kinds in (*([kind] for kind in every), every):
        needed = {name: size for name, of_pool, size in pools if of_pool <= {*kinds}}
        used = [
            kind for kind in kinds if any(kind in of_pool for name, of_pool, _ in pools if name in needed)
        ]
        quotas = [facts.value(Kind.QUOTA, QUOTAS[kind]) for kind in used]
        if not used or None in quotas:
            continue
        have, want = sum(map(float, quotas)), sum(needed.values())
        if want > have:
            yield warning(
                f"The standbys of {', '.join(needed)} need {want:g} vCPUs, and the account's quota of "
                f"{' and '.join(NAMES[kind] for kind in used)} vCPUs is {have:g}.",
                "Some of them never start, and tasks that start cold find less room.",
                f"aws service-quotas request-service-quota-increase --service-code fargate --quota-code {QUOTAS[used[0]]} "
                f"--desired-value {round(want + 0.5)}; or lower standby.",
            )
            return


def number(setup: Setup, each: Effective) -> Iterator[Finding]:
    """A profile has no more standbys than tasks may run at once."""
    parallelism = setup.number("core.parallelism", 32)
    if 0 < parallelism < each.target.standby:
        yield warning(
            f"standby is {each.target.standby}, and [core] parallelism is {parallelism}.",
            "A scheduler runs no more tasks at once than that: the other standbys only cost.",
            f"Lower standby to {parallelism} or less, or raise [core] parallelism.",
        )


@dataclass(frozen=True, slots=True)
class _Idle:
    """The standbys of a profile that never get a task."""

    count: int
    name: str
    vcpus: float
    gb: float
    dollars: float | None
    """US dollars a month, of all; None: the price isn't known."""
    is_guess: bool
    """Whether that is by the prices of another Region, or of another capacity."""
    overlap: float
    """How many there are in one place, on average: each has its replacement beside it before it ends."""

    def __str__(self) -> str:
        price = "" if self.dollars is None else f"${self.dollars:.2f} for "
        return f"{price}{self.count} of {self.name} ({self.vcpus:g} vCPU, {self.gb:g} GB)"


def cost(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Say what the standbys cost in a month."""
    if setup.local:
        return
    found = [
        idle for each in effectives(setup, facts) if each.target.standby and (idle := _idle(setup, each))
    ]
    priced = [each for each in found if each.dollars is not None]
    if priced:
        total = sum(each.dollars or 0.0 for each in priced)
        requests = sum(each.count * each.overlap for each in found) * MONTH * _GETS * _GET
        yield note(
            f"The standbys of one scheduler cost ${total:.2f} in a month in which none of them gets a task: "
            f"{', '.join(map(str, priced))}.",
            f"Asking S3 for a task costs ${requests:.2f} more ({REGION}).",
            f"These are Fargate's prices on demand in {REGION}: set your own in the option task_prices (docs/cost.md)."
            if any(each.is_guess for each in priced)
            else "",
        )
    if rest := [each for each in found if each.dollars is None]:
        yield note(
            f"The standbys of one scheduler always take room on your instances: {', '.join(map(str, rest))}.",
            "The option task_prices has no price for them.",
        )


def _idle(setup: Setup, each: Effective) -> _Idle | None:
    """Return what a profile's standbys cost; None if their size isn't known."""
    vcpus, gb = _size(each, "cpu"), _size(each, "memory")
    if not (vcpus or gb) or not each.is_placed or setup.settings is None:
        return None
    processor = str((each.document.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64")
    prices, count = Prices.of(setup.settings.task_prices), each.target.standby
    places = each.providers or (each.launch_type,)
    found = [prices.price(Usage(vcpus, gb, 0.0, place, processor), setup.region) for place in places]
    known = [price for price in found if price is not None]
    is_guess = len(known) < len(places) and each.on_fargate
    if is_guess:
        known = [FARGATE[processor]] if processor in FARGATE else []
    elif len(known) < len(places):
        known = []
    # Which provider gets how many depends on its weight and on AWS: the dearest is the most it can be.
    hourly = max((vcpus * of_vcpu + gb * of_gb for of_vcpu, of_gb in known), default=None)
    max_age = each.target.standby_max_age
    overlap = max_age / (max_age - REPLACED_AHEAD)
    dollars = None if hourly is None else count * overlap * hourly * MONTH
    return _Idle(count, each.name, vcpus, gb, dollars, is_guess, overlap)


def _size(each: Effective, name: str) -> float:
    """Return the vCPUs or GB of a task; 0 if they aren't known. On EC2, a task may have only what its containers have."""
    if of_task := each.document.get(name):
        return ((cpu_units if name == "cpu" else mebibytes)(str(of_task)) or 0) / 1024
    return (
        sum(
            int(container.get(name) or container.get(f"{name}Reservation") or 0)
            for container in each.containers
        )
        / 1024
    )
