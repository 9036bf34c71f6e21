"""Adds up what several threads have measured. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ecs_async_executor.measurements import Measurements, Series
from ecs_async_executor.metrics import OLDEST_WAIT


def all_counts(sources: Iterable[Measurements]) -> Counter[Series]:
    """Return the counts so far."""
    total: Counter[Series] = Counter()
    for source in sources:
        total.update(source.counts())
    return total


def all_gauges(sources: Iterable[Measurements]) -> dict[Series, float]:
    """Return the gauges: the sum of what each source has in hand, and the oldest wait of all."""
    total: dict[Series, float] = {}
    for source in sources:
        for series, value in source.gauges.items():
            before = total.get(series, 0.0)
            total[series] = max(before, value) if series[0] is OLDEST_WAIT else before + value
    return total


def by_tag(gauges: Mapping[Series, float], metric: object) -> Counter[str]:
    """Return a metric's values, summed up by its first tag."""
    total: Counter[str] = Counter()
    for (each, tags), value in gauges.items():
        if each is metric and value:
            total[tags[0]] += round(value)
    return total
