from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from ecs_async_executor.ui.links import LINKS
from ecs_async_executor.ui.plugin import EcsAsyncPlugin


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = (each for each in entry_points(group="airflow.plugins") if each.name == "ecs_async_executor")
    assert found.load() is EcsAsyncPlugin


def test_airflow_takes_the_plugin_and_its_links() -> None:
    EcsAsyncPlugin.validate()
    assert [link.name for link in EcsAsyncPlugin.global_operator_extra_links] == ["ECS task", "Container log"]
    assert EcsAsyncPlugin.global_operator_extra_links == list(LINKS)


def test_importing_the_plugin_brings_nothing_that_airflow_has_not_imported() -> None:
    program = (
        "import sys, airflow.plugins_manager; before = set(sys.modules); import ecs_async_executor.ui.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=150
    )
    new = result.stdout.splitlines()[-1].split()
    assert [name for name in new if not name.startswith("ecs_async_executor")] == []
    assert not any(
        name.startswith(("ecs_async_executor.logs", "ecs_async_executor.executor")) for name in new
    )
