from __future__ import annotations

from docs.write_metrics import MAPPING, PAGE, mapping, metrics_page
from ecs_async_executor.metrics import METRICS


def test_the_page_and_the_mapping_show_the_table_as_it_is():
    assert PAGE.read_text("utf-8") == metrics_page(), "run `make format`"
    assert MAPPING.read_text("utf-8") == mapping(), "run `make format`"


def test_the_page_has_a_row_for_each_metric():
    page = metrics_page()
    assert [
        metric.name for metric in METRICS if f"\n| `{metric.name}` | {metric.type.value} |" not in page
    ] == []
