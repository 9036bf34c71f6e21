"""Which rows are this executor's, by what `[core] executor` says."""

from __future__ import annotations

import pytest
from airflow.executors import executor_loader

from ecs_async_executor import AsyncEcsExecutor
from ecs_async_executor.fleet.executors import find_our_executors

OURS = "ecs_async_executor.AsyncEcsExecutor"


class TheirOwn(AsyncEcsExecutor):
    """A user's subclass."""


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow reads `[core] executor` once: make it read it for each test, and forget it afterwards."""
    for name, value in vars(executor_loader).copy().items():
        if name.startswith("_") and isinstance(value, dict | list) and "executor" in name:
            monkeypatch.setattr(
                executor_loader, name, type(value)() if isinstance(value, list) else value.copy()
            )


def configured(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", value)


@pytest.mark.parametrize(
    ("value", "names", "default"),
    [
        (OURS, {OURS, "AsyncEcsExecutor"}, True),
        (f"ecs:{OURS}", {OURS, "AsyncEcsExecutor", "ecs"}, True),
        (f"LocalExecutor,ecs:{OURS}", {OURS, "AsyncEcsExecutor", "ecs"}, False),
        (f"{OURS},LocalExecutor", {OURS, "AsyncEcsExecutor"}, True),
        ("LocalExecutor", set(), False),
        (f"mine:{__name__}.TheirOwn", {f"{__name__}.TheirOwn", "TheirOwn", "mine"}, True),
        (f"no.such.Executor,{OURS}", {OURS, "AsyncEcsExecutor"}, False),
    ],
)
def test_names_and_the_default_come_from_the_option(
    value: str, names: set[str], default: bool, monkeypatch: pytest.MonkeyPatch
):
    configured(monkeypatch, value)
    ours = find_our_executors()
    assert (ours.names, ours.is_default_of(None), ours.any_default) == (frozenset(names), default, default)
    assert not ours.depends_on_team


def test_a_team_has_its_own_default_and_other_teams_have_the_general_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    configured(monkeypatch, f"LocalExecutor;red={OURS}")
    ours = find_our_executors()
    assert [ours.is_default_of(team) for team in (None, "red", "blue")] == [False, True, False]
    assert ours.any_default
    assert ours.depends_on_team
    assert ours.teams == {"red"}


def test_the_teams_are_those_that_have_this_executor_as_their_default_or_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")
    configured(monkeypatch, f"{OURS};red=LocalExecutor,ecs:{OURS};blue=LocalExecutor")
    assert find_our_executors().teams == {None, "red"}
