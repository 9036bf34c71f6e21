from __future__ import annotations

from ecs_async_executor.suggestions import did_you_mean


def test_the_closest_known_name_is_suggested() -> None:
    assert did_you_mean("clustr", ["cluster", "subnets"]) == "Did you mean cluster?"


def test_without_a_close_name_the_alternative_is_returned() -> None:
    assert did_you_mean("xyz", ["cluster"], "See --help.") == "See --help."
    assert not did_you_mean("xyz", ())
