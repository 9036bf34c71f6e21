"""The executor's own options, and whether this Airflow uses the executor."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.setup import Setup

_PACKAGE = "ecs_async_executor"
_OURS = "ecs_async_executor.AsyncEcsExecutor"
_CLASSES = (_OURS, "ecs_async_executor.executor.executor.AsyncEcsExecutor")


def options(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Options that can't be used, and probable mistakes."""
    del facts  # they need none
    for problem in setup.problems:
        what, _, meaning = problem.partition(" Meaning: ")
        what, _, meant = what.partition(" Did you mean ")
        todo = (
            f"Did you mean {meant}" if meant else "Correct the option (docs/configuration.md describes it)."
        )
        yield error(what, "The scheduler doesn't start with it.", f"Meaning: {meaning}" if meaning else todo)
    if setup.problems:
        yield unknown(
            "AWS was not asked anything: what to look for depends on these options.",
            "",
            "Correct them, and run ecs-async doctor again.",
        )
    for text in setup.warnings:
        yield warning(text)


def requests(_: Setup, each: Effective) -> Iterator[Finding]:
    """Profiles whose tasks can't be launched."""
    if each.problem:
        yield error(each.problem, "Tasks fail unless their executor_config changes that.", each.todo)


def executor(setup: Setup, _: Facts) -> Iterator[Finding]:
    """Whether `[core] executor` names this executor."""
    named = setup.option("core.executor")
    ours = [path for path in _paths(named.value) if path.startswith(_PACKAGE)]
    for path in ours:
        if path not in _CLASSES:
            yield error(
                f"[core] executor names {path} ({named.where}), and there is no such class.",
                "The scheduler doesn't start.",
                f"Write {_OURS} instead.",
            )
    if not ours:
        yield error(
            f"[core] executor is {named.value or 'not set'} ({named.where}): it doesn't name AsyncEcsExecutor.",
            "No task of this Airflow runs on ECS through this executor.",
            f"Set AIRFLOW__CORE__EXECUTOR={_OURS} for the scheduler and the API server.",
        )


def _paths(executors: str) -> list[str]:
    """Return the classes in `[core] executor`: `Class,alias:Class;team=Class`."""
    items = (item for group in executors.split(";") for item in group.rpartition("=")[2].split(","))
    return [item.strip().rpartition(":")[2] for item in items]
