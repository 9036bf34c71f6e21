"""Why tasks start cold: every reason has a class of its own for the metrics."""

from __future__ import annotations

import pytest

from ecs_async_executor import cold_starts
from ecs_async_executor.cold_starts import CLASSES, class_of
from ecs_async_executor.metrics import STANDBY_TASKS, WARM


@pytest.mark.parametrize(
    ("why", "its"),
    [
        ("no standby was free", "none free"),
        ("it has fallen back to on-demand", "fallback"),
        ("its request differs from the standbys' in overrides.cpu, image", "request"),
        ("it has an executor_config", "executor_config"),
        ("something that a later version says", "other"),
    ],
)
def test_a_reason_s_class_follows_from_how_it_begins(why: str, its: str):
    assert class_of(why) == its


def test_each_reason_has_a_class_and_no_two_share_one():
    reasons = {
        value for name, value in vars(cold_starts).items() if name.isupper() and isinstance(value, str)
    }
    assert reasons == set(CLASSES)
    assert len({*CLASSES.values(), WARM}) == len(CLASSES) + 1


def test_no_reason_hides_another_one():
    assert [class_of(f"{words} x") for words in CLASSES] == [*CLASSES.values()]


def test_the_table_of_metrics_names_each_class():
    for each in CLASSES.values():
        assert f"`{each.replace(' ', '_')}`" in STANDBY_TASKS.meaning
