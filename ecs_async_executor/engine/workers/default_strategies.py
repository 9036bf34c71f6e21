"""What clusters do with a task that says neither launch type nor capacity providers. Each cluster is asked once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind

log = logging.getLogger(__name__)
_NO_ANSWER = frozenset({Kind.CONFIGURATION, Kind.DENIED, Kind.NOT_FOUND})


class DefaultStrategies:
    """Knows the default capacity provider strategy of each cluster for as long as the engine lives."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.known: dict[str, Sequence[Mapping[str, Any]]] = {}
        """What was asked before."""
        self._asking: dict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def default_strategy(self, cluster: str) -> Sequence[Mapping[str, Any]]:
        """Give it; empty if there is none, or ECS won't tell. Raises `CallError` if asking again may help."""
        async with self._asking[cluster]:
            if cluster not in self.known:
                self.known[cluster] = await self._ask(cluster)
        return self.known[cluster]

    async def _ask(self, cluster: str) -> Sequence[Mapping[str, Any]]:
        # DescribeClusters shares the bucket of ListTasks ("Cluster resource read").
        permit = await self._calls.permit(Action.LIST_TASKS)
        try:
            return await self._calls.make(permit, lambda: self._calls.client.default_strategy(cluster))
        except CallError as error:
            if error.failure.kind not in _NO_ANSWER:
                raise
            log.warning(
                "Tasks run on Fargate: neither a launch type nor capacity providers are set, and whether the cluster "
                "%s has default ones can't be seen. Set launch_type or capacity_provider_strategy, or allow "
                "ecs:DescribeClusters. %s",
                cluster,
                error.failure.diagnosis,
            )
            return ()
