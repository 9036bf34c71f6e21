"""examples/observability: what Prometheus and Grafana read there is right, and names only metrics of the table."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from docs.write_metrics import prometheus_name
from ecs_async_executor.executor.metrics.stats import Naming
from ecs_async_executor.metrics import METRICS, Metric, Type
from tests.support.statsd import KINDS, Line, to_prometheus
from tests.unit.docs.pages import ROOT

PROMTOOL = shutil.which("promtool")
FOLDER = ROOT / "examples" / "observability"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
BY_NAME = {prometheus_name(metric): metric for metric in METRICS}


def dashboard_queries() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


QUERIES = [*dashboard_queries(), *((rule["alert"], rule["expr"]) for rule in RULES)]


def metrics_of(query: str) -> list[Metric]:
    """Return the metrics of a query; fails for a name that is not in the table."""
    names = re.findall(r"\bairflow_\w+", query)
    return [BY_NAME[name.removesuffix("_bucket")] for name in names]


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_a_query_can_be_parsed_and_names_metrics_and_tags_of_the_table(name: str, query: str):
    promql_parser.parse(query)
    metrics = metrics_of(query)
    assert metrics
    tags = {tag for metric in metrics for tag in metric.tags}
    grouped = {tag for group in re.findall(r"by \(([^)]*)\)", query) for tag in re.split(r",\s*", group)}
    matched = set(re.findall(r"(\w+)!?=~?\"", query))
    assert grouped | matched <= tags | {"le"}


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_counters_are_rated_timings_are_quantiles_and_gauges_are_neither(name: str, query: str):
    for metric in metrics_of(query):
        named = prometheus_name(metric)
        within = re.search(rf"(\w+)\({named}(_bucket)?\b", query) or re.search(
            rf"(\w+) \([^()]*{named}\b", query
        )
        rated = bool(re.search(rf"(rate|increase)\({named}(_bucket)?[{{\[]", query))
        assert rated == (metric.type is not Type.GAUGE), within
        assert (f"{named}_bucket" in query and "histogram_quantile" in query) == (metric.type is Type.TIMING)


def test_every_metric_has_a_place_on_the_dashboard():
    shown = {metric.name for _, query in dashboard_queries() for metric in metrics_of(query)}
    assert shown == {metric.name for metric in METRICS}


def test_no_two_panels_share_an_id_or_a_place():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


@pytest.mark.parametrize("tagged", [True, False], ids=["tags", "names"])
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_mapping_gives_each_series_its_name_and_labels_with_and_without_tags(
    metric: Metric, tagged: bool
):
    values = tuple(f"value-{number}" for number, _ in enumerate(metric.own_tags))
    name, tags = Naming("host", tagged=tagged).name((metric, values))
    assert metric.type.value in KINDS.values()
    mapped = to_prometheus(Line(f"airflow.{name}", tags, 1.0, metric.type.value))
    scheduler = ("host",) * (len(metric.tags) - len(values))
    assert mapped == (prometheus_name(metric), dict(zip(metric.tags, (*values, *scheduler), strict=True)))


def test_each_alert_has_a_case_that_shows_when_it_fires():
    cases = yaml.safe_load((FOLDER / "alerts_test.yml").read_text("utf-8"))["tests"]
    assert [case["name"] for case in cases] == [rule["alert"] for rule in RULES]


def test_each_alert_says_how_bad_it_is_and_what_to_do():
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert all(rule["annotations"][part].endswith(".") for part in ("summary", "description"))


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, of the Debian package prometheus")
def test_prometheus_itself_takes_the_alerts_and_fires_each():
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        subprocess.run([PROMTOOL or "", *command], cwd=FOLDER, check=True, timeout=60)
