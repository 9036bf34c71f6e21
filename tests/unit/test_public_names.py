"""Packages with a façade offer the names they list, and load nothing before one is used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

FACADES = ["ecs_async_executor", "ecs_async_executor.engine", "ecs_async_executor.local"]


@pytest.mark.parametrize("package", FACADES)
def test_every_listed_name_exists(package: str):
    module = import_module(package)
    assert all(getattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", FACADES)
def test_any_other_name_raises_attribute_error(package: str):
    with pytest.raises(AttributeError, match="nonsense"):
        import_module(package).nonsense  # noqa: B018  reading it is the test


def test_importing_the_packages_loads_neither_airflow_nor_an_aws_client():
    code = (
        f"import sys, {', '.join(FACADES)}; print({{'airflow', 'aiobotocore', 'aiohttp'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
