"""Airflow's Stats: how metrics are named and tagged for the backend that is configured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow.configuration import conf
from airflow.observability.stats import Stats
from airflow.utils.net import get_hostname

from ecs_async_executor.measurements import Series
from ecs_async_executor.metrics import SCHEDULER

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IN_TAGS = re.compile(r"[\s,:|=#]+")
"""What would end a tag, or a line, in InfluxDB's or Datadog's format."""
_NOT_IN_STATSD = re.compile(r"[^A-Za-z0-9_./-]+")
"""Airflow's StatsD drops a metric that has any of these in a tag, with a traceback each time (`validate_stat`)."""
LONGEST = 60
"""Characters of a value that StatsD gets: Airflow drops names of more than 250 characters, tags included."""


class Backend(Protocol):
    """What of Airflow's Stats is used. Any method may raise, or hang."""

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, str] | None = None) -> Any:
        """Add to a counter."""

    def gauge(self, stat: str, value: float, *, tags: dict[str, str] | None = None) -> Any:
        """Set a gauge."""

    def timing(self, stat: str, dt: float, *, tags: dict[str, str] | None = None) -> Any:
        """Record a duration, in milliseconds."""


def airflow_stats() -> Backend:
    """Return the Stats of the scheduler's process; airflow.sdk has others, which only workers set up."""
    backend: Backend = Stats
    return backend


def is_on() -> bool:
    """Return whether Airflow sends metrics anywhere."""
    options = ("statsd_on", "statsd_datadog_enabled", "otel_on")
    return any(conf.getboolean("metrics", option, fallback=False) for option in options)


def carries_tags() -> bool:
    """Return whether the backend sends tags: StatsD does only in InfluxDB's format."""
    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):  # Airflow's order
        return conf.getboolean("metrics", "statsd_datadog_metrics_tags", fallback=True)
    if conf.getboolean("metrics", "statsd_on", fallback=False):
        return conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)
    return True


def takes_any_text() -> bool:
    """Return whether tags may have any letters: Airflow's StatsD takes a few characters only, and not many of them."""
    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):
        return True
    return not conf.getboolean("metrics", "statsd_on", fallback=False)


def hostname() -> str:
    """Return this scheduler's host, as Airflow names it."""
    return str(get_hostname())  # type: ignore[no-untyped-call]  # Airflow's


@dataclass(frozen=True, slots=True)
class Naming:
    """Names series for a backend."""

    scheduler: str
    """The host, for gauges."""
    tagged: bool = True
    """False: the backend drops tags, so their values become parts of the name."""
    any_text: bool = True
    """False: StatsD, which takes few characters in tags."""
    common: Mapping[str, str] = field(default_factory=dict)
    """More tags of all series."""

    def name(self, series: Series) -> tuple[str, dict[str, str]]:
        """Return a series' name and tags."""
        metric, own = series
        values = (*own, self.scheduler) if SCHEDULER in metric.tags else own
        if self.tagged:
            tags = dict(zip(metric.tags, values, strict=True))
            return metric.name, {tag: self._value(value) for tag, value in {**self.common, **tags}.items()}
        parts = (_NOT_IN_NAMES.sub("_", value)[:LONGEST] or "_" for value in (*values, *self.common.values()))
        return ".".join((metric.name, *parts)), {}

    def _value(self, text: str) -> str:
        if self.any_text:
            return _NOT_IN_TAGS.sub("_", text)
        return _NOT_IN_STATSD.sub("_", text)[:LONGEST] or "_"
