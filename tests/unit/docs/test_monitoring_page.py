"""docs/monitoring.md has the alerts of examples/observability, with their numbers, and names metrics as CloudWatch does."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from docs.write_metrics import prometheus_name
from ecs_async_executor.metrics import METRICS, Type
from tests.unit.docs.pages import ROOT
from tests.unit.docs.test_observability import RULES, metrics_of

TEXT = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
ROWS = {
    cells[0].strip("`"): cells[1:]
    for line in TEXT.splitlines()
    if line.startswith("| `EcsAsync")
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
}
WHO = {"critical": "page", "warning": "ticket"}


def numbers(text: str) -> set[float]:
    """Return the numbers that stand alone."""
    return {float(each) for each in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", text)}


def test_the_page_has_the_alerts_of_the_example_in_their_order() -> None:
    assert list(ROWS) == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_has_the_metrics_the_threshold_and_the_time_of_its_rule(rule: dict[str, Any]) -> None:
    when, who, *_ = ROWS[rule["alert"]]
    assert {f"`{metric.name}`" for metric in metrics_of(rule["expr"])} <= set(re.findall(r"`[a-z_.]+`", when))
    if minutes := rule.get("for", "").removesuffix("m"):
        assert f" for {minutes} min" in when
    else:
        assert "[1h]" in rule["expr"]
        assert "within an hour" in when
    if threshold := re.search(r"(?:>|==) ([\d.]+)", rule["expr"]):
        assert float(threshold[1]) in numbers(when)
    if quantile := re.search(r"histogram_quantile\(0\.(\d\d)", rule["expr"]):
        assert f"the {quantile[1]} % quantile" in when
    for left_out in re.findall(r'class!="([a-z ]+)"', rule["expr"]):
        assert f"but `{left_out}`" in when
    assert who == WHO[rule["labels"]["severity"]]


@pytest.mark.parametrize("alert", ROWS)
def test_an_alert_says_what_it_means_and_what_to_do_first(alert: str) -> None:
    meaning, first = ROWS[alert][2:]
    assert len(meaning) > 20
    assert len(first) > 10


def test_the_questions_count_the_alerts() -> None:
    answer = (ROOT / "docs" / "questions.md").read_text("utf-8").partition("Prometheus or CloudWatch?")[2]
    assert "On two things that should wake somebody, and ten that can wait" in answer
    assert Counter(cells[1] for cells in ROWS.values()) == {"page": 2, "ticket": 10}


def test_an_alarm_of_cloudwatch_asks_for_a_metric_as_the_agent_names_it_and_adds_counters_up() -> None:
    # The agent has no `_total` and no seconds: those are statsd_exporter's.
    types = {f"airflow_{each.name.replace('.', '_')}": each.type for each in METRICS}
    asked = re.findall(r"SELECT (MAX|SUM)\((\w+)\) FROM Airflow", TEXT)
    assert len(asked) == 3
    assert [
        (name, how) for how, name in asked if how != ("SUM" if types[name] is Type.COUNTER else "MAX")
    ] == []
    gauge = next(each for each in METRICS if each.name == "ecs_async.paused")
    assert prometheus_name(gauge) in types
