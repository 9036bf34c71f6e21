"""Quotas, rates, and Airflow's own limits."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.config.configuration import LONGEST_QUEUED
from ecs_async_executor.doctor.effective import Effective, effectives
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.questions import QUOTAS
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.task_sizes import cpu_units

_LIMITS = EngineOptions()
LAUNCH_RATES = {
    "FARGATE": "Fargate On-Demand Sustained Launch Rate",
    "FARGATE_SPOT": "Fargate Spot Sustained Launch Rate",
}
"""Service Quotas' names (AWS General Reference, "Amazon ECS endpoints and quotas"): tasks a second, 20 in old Regions, 5 in new."""
NAMES = {"FARGATE": "Fargate On-Demand", "FARGATE_SPOT": "Fargate Spot"}


def kinds_of(each: Effective) -> list[str]:
    """Return whose quotas the tasks of a profile on Fargate take from: FARGATE, FARGATE_SPOT or both."""
    return [name for name in each.providers if name in QUOTAS] or ["FARGATE"]


def vcpus_of(each: Effective) -> float:
    """Return the vCPUs of a task; 0 if they aren't known."""
    return (cpu_units(str(each.document.get("cpu", ""))) or 0) / 1024


def vcpus(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Fargate's vCPUs are enough for all tasks at once."""
    if not each.on_fargate:
        return
    kinds = kinds_of(each)
    quotas = {kind: facts.value(Kind.QUOTA, QUOTAS[kind]) for kind in kinds}
    known = {kind: float(value) for kind, value in quotas.items() if value is not None}
    if len(known) < len(kinds):
        return
    size = vcpus_of(each)
    parallelism = setup.number("core.parallelism", 32)
    for kind, quota in known.items():
        todo = (
            f"aws service-quotas request-service-quota-increase --service-code fargate --quota-code {QUOTAS[kind]} "
            f"--desired-value {max(1, round(size * parallelism + 0.5))}"
        )
        if quota < max(size, 0.25):
            yield error(
                f"The account's quota of {NAMES[kind]} vCPUs is {quota:g}.",
                "Not one task can start: You've reached the limit on the number of vCPUs.",
                todo,
            )
            return
    total = sum(known.values())
    if size and total < size * parallelism:
        fit = int(total / size)
        yield warning(
            f"The account's quota of {' and '.join(NAMES[kind] for kind in kinds)} vCPUs is {total:g}: {fit} tasks of {size:g} "
            f"vCPU at once, and [core] parallelism is {parallelism}.",
            "Tasks beyond that wait for capacity, up to capacity_timeout.",
            f"aws service-quotas request-service-quota-increase --service-code fargate --quota-code {QUOTAS[kinds[0]]} "
            f"--desired-value {round(size * parallelism + 0.5)}; or lower [core] parallelism to {fit}.",
        )


def launch_rate(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """`run_task_rate` is not above what AWS grants in this Region."""
    settings = setup.settings
    profiles = effectives(setup, facts)
    if settings is None or not any(each.on_fargate for each in profiles):
        return
    on_spot = any(each.on_spot for each in profiles)
    on_demand = any(each.on_fargate and set(each.providers) != {"FARGATE_SPOT"} for each in profiles)
    used = [name for name, is_used in (("FARGATE", on_demand), ("FARGATE_SPOT", on_spot)) if is_used]
    quotas = facts.value(Kind.RATES) or {}
    granted = {kind: quotas[LAUNCH_RATES[kind]] for kind in used if LAUNCH_RATES[kind] in quotas}
    rate = settings.engine_options.run_task_rate.per_second
    if not granted:
        if rate > _LIMITS.run_task_rate.per_second or not rate:
            yield _too_fast("run_task_rate", rate, _LIMITS.run_task_rate.per_second)
        return
    kind, most = min(granted.items(), key=lambda item: item[1])
    if rate > most or not rate:
        is_default = settings.run_task_rate is None
        yield warning(
            f"run_task_rate is {_a_second(rate)}{' by default' if is_default else ''}; this account may start {most:g} tasks of "
            f"{NAMES[kind]} a second here.",
            "AWS throttles what is above it. The executor slows down by itself, but other users of the account suffer.",
            f"Set [ecs_async_executor] run_task_rate = {most:g}, or have the quota raised (Service Quotas, AWS Fargate: "
            f'"{LAUNCH_RATES[kind]}").',
        )


def _a_second(rate: float) -> str:
    return f"{rate:g} calls a second" if rate else "0, no limit"


def _too_fast(name: str, rate: float, most: float) -> Finding:
    return warning(
        f"{name} is {_a_second(rate)}; AWS allows {most:g} unless it has raised your quota.",
        "AWS throttles what is above it. The executor slows down by itself, but other users of the account suffer.",
        f"Remove [ecs_async_executor] {name}, or set it to what AWS has granted in this Region.",
    )


def limits(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The configured rates of ECS's API are not above AWS's; Service Quotas doesn't have them."""
    settings = setup.settings
    if settings is None:
        return
    rows = (
        (
            "run_task_rate",
            None if any(each.on_fargate for each in effectives(setup, facts)) else settings.run_task_rate,
            _LIMITS.modify_rate.per_second,
        ),
        ("modify_rate", settings.modify_rate, _LIMITS.modify_rate.per_second),
        ("read_rate", settings.read_rate, _LIMITS.read_rate.per_second),
    )
    for name, value, most in rows:
        if value is not None and (value > most or value == 0):
            yield _too_fast(name, value, most)


def slots(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Airflow queues as many tasks as the executor can launch and run."""
    settings = setup.settings
    parallelism = setup.number("core.parallelism", 32)
    if parallelism <= 0 or not setup.is_number("core.parallelism"):
        yield error(
            f"[core] parallelism is {setup.option('core.parallelism').value}.",
            "The scheduler doesn't start with it: Airflow wants a number above 0.",
            "Set AIRFLOW__CORE__PARALLELISM to the number of tasks that may run at once, such as 512.",
        )
        return
    pool = facts.value(Kind.POOL, "default_pool")
    if pool and 0 <= int(pool["slots"]) < parallelism:
        yield warning(
            f"The pool default_pool has {pool['slots']} slots, and [core] parallelism is {parallelism}.",
            "Tasks without a pool of their own wait in the scheduler, though ECS has room for them.",
            f"airflow pools set default_pool {parallelism} 'Default pool'",
        )
    at_once = setup.number("scheduler.max_tis_per_query", 16)
    if settings is None:
        return
    if at_once > parallelism:
        yield warning(
            f"[scheduler] max_tis_per_query is {at_once}, more than [core] parallelism ({parallelism}).",
            "The scheduler reads tasks that it can't queue.",
            f"Set [scheduler] max_tis_per_query to {parallelism} or less, or raise parallelism.",
        )
    rate = settings.engine_options.run_task_rate.per_second
    # The scheduler's loop takes about a second when it is busy, so this is what it queues in one.
    if rate and parallelism >= 10 * rate and 0 < at_once < rate:
        yield warning(
            f"[scheduler] max_tis_per_query is {at_once}: the scheduler queues {at_once} tasks a loop, and the executor can launch "
            f"{rate:g} a second.",
            f"With [core] parallelism = {parallelism}, filling all slots takes longer than AWS needs.",
            f"Set [scheduler] max_tis_per_query to {round(4 * rate)}.",
        )


def times(setup: Setup, _: Facts) -> Iterator[Finding]:
    """Airflow waits as long as the executor does."""
    if setup.settings is not None and setup.queued_timeout < setup.longest_queued:
        yield warning(
            f"[scheduler] task_queued_timeout is {setup.queued_timeout:.0f} s, and a task may be queued for "
            f"{setup.longest_queued:.0f} s and still start: {LONGEST_QUEUED}.",
            "Airflow requeues a task that is queued for longer than its timeout, and fails it the third time.",
            f"Set AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT={setup.longest_queued:.0f} for the scheduler, or lower capacity_timeout and launch_timeout.",
        )
