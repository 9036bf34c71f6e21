"""Memory that grows: each size of a profile has room in its task definition, and is what limits the container."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.findings import Finding, error, warning
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.task_sizes import mebibytes


def growth(_: Setup, each: Effective) -> Iterator[Finding]:
    """No limit keeps a larger size from having an effect."""
    sizes = each.target.memory
    if not sizes or each.container is None:
        return
    name, largest = each.target.container, sizes[-1]
    of_task = mebibytes(str(each.document.get("memory") or "")) or 0
    limit = int(each.container.get("memory") or 0)
    if of_task == sizes[0] and limit not in {0, sizes[0]} and limit < largest:
        yield warning(
            f"The memory of queue {each.name} grows to {largest} MiB, and its container {name} has a limit of {limit} MiB.",
            "A larger size costs more, and the container is killed for lack of memory as before.",
            f'Leave "memory" out of the container {name} in the task definition {each.definition_name}.',
        )
    elif limit == sizes[0] and 0 < of_task < largest:
        yield error(
            f"The memory of the container {name} grows to {largest} MiB in queue {each.name}, and its ECS task has {of_task} MiB.",
            "RunTask fails for the larger sizes: a container can't have more memory than its task.",
            f'Leave "memory" of the task out of the task definition {each.definition_name}, or raise it to {largest} or more.',
        )
