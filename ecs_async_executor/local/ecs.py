"""The whole state of one local ECS: what it stores, its conditions, its runtime and its counts."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.conditions.conditions import Conditions
from ecs_async_executor.local.conditions.plan import Plan
from ecs_async_executor.local.rules.protocol import AwsError, validate
from ecs_async_executor.local.state.definitions import AIRFLOW_TASK, Registry
from ecs_async_executor.local.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ecs_async_executor.local.options import Options
    from ecs_async_executor.local.state.runtime import Runtime


class Clock:
    """Epoch seconds that follow an event loop's clock, so that tests in virtual time control ECS too."""

    def __init__(self, loop_time: Callable[[], float]) -> None:
        self._loop_time = loop_time
        self._offset = time.time() - loop_time()

    def __call__(self) -> float:
        """Return the current epoch seconds."""
        return self._loop_time() + self._offset


class Ecs:
    """The whole state of one local ECS. Only the event loop's thread may use it.

    Raises:
        ConfigurationError: An option is wrong.
    """

    def __init__(
        self, options: Options, clock: Callable[[], float], runtime: Runtime, logs_url: str | None = None
    ) -> None:
        self.clock = clock
        self.runtime = runtime
        self.runtime_name = options.runtime
        self.logs_url = logs_url
        self.s3_url: str | None = None
        self.rng = random.Random(options.seed)  # noqa: S311  faults and durations, not secrets
        self.store = Store(options.region, options.account, options.clusters)
        self.registry = Registry(options.region, options.account)
        self.conditions = Conditions(self.rng, clock())
        self.conditions.update(options.conditions, clock())
        self.plan = Plan.from_json(options.plan, self.rng)
        self.calls: Counter[tuple[str, str]] = Counter()
        for definition in (AIRFLOW_TASK, *options.task_definitions):
            self._register(dict(definition))

    def count(self, action: str, outcome: str) -> None:
        """Count a call by its outcome."""
        self.calls[action, outcome] += 1

    def seen_at(self, now: float) -> float:
        """Return the time as of which eventually consistent reads see the state."""
        return now - self.conditions.consistency_lag

    def reset(self) -> None:
        """Forget all tasks, faults, plans and counts; keep clusters and task definitions."""
        self.runtime.kill_all()
        self.store.forget_tasks()
        self.conditions.clear(self.clock())
        self.plan = Plan()
        self.calls.clear()

    def _register(self, request: dict[str, Any]) -> None:
        try:
            validate("RegisterTaskDefinition", request)
            self.registry.register(request)
        except AwsError as error:
            raise ConfigurationError(f"task definition {request.get('family')}: {error.message}") from None
