"""Asks each cluster once for its default capacity provider strategy.

The default applies to tasks that set neither a launch type nor capacity providers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_async_executor.backoff import Random
from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Kind
from ecs_async_executor.engine.workers.shared_answers import until_answered

log = logging.getLogger(__name__)
_NO_ANSWER = frozenset({Kind.CONFIGURATION, Kind.DENIED, Kind.NOT_FOUND})


class DefaultStrategies:
    """Caches the default capacity provider strategy of each cluster for the life of the engine."""

    def __init__(self, calls: Calls, random: Random) -> None:
        self._calls = calls
        self._random = random
        self.known: dict[str, Sequence[Mapping[str, Any]]] = {}
        """The strategies fetched so far, by cluster."""

    async def default_strategy(self, cluster: str) -> Sequence[Mapping[str, Any]]:
        """Return the cluster's strategy; empty if it has none, or ECS won't say. One caller asks for all (`SharedAnswers`).

        Raises `CallError` if code in this process raised.
        """
        if cluster not in self.known:
            self.known[cluster] = await self._fetch(cluster)
        return self.known[cluster]

    async def _fetch(self, cluster: str) -> Sequence[Mapping[str, Any]]:
        try:
            # DescribeClusters and ListTasks share a bucket ("Cluster resource read").
            return await until_answered(
                lambda: self._calls.call(
                    Action.LIST_TASKS, lambda: self._calls.client.default_strategy(cluster)
                ),
                f"DescribeClusters of {cluster}",
                self._calls.digest,
                self._random,
            )
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
