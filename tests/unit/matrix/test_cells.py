"""The matrix is small, leaves no pair of values out, and agrees with what the package declares."""

from __future__ import annotations

import re
from itertools import combinations, product
from pathlib import Path

import pytest

from tests.matrix.cells import AIRFLOWS, CELLS, DATABASES, PROVIDERS, PYTHONS

PYPROJECT = Path(__file__).parents[3].joinpath("pyproject.toml").read_text("utf-8")
CONSTRAINTS = Path(__file__).parents[3].joinpath("constraints.txt").read_text("utf-8")
COLUMNS = {"python": PYTHONS, "airflow": AIRFLOWS, "provider": PROVIDERS, "database": DATABASES}


@pytest.mark.parametrize(("one", "other"), list(combinations(COLUMNS, 2)))
def test_every_two_values_of_different_columns_meet(one: str, other: str):
    met = {(getattr(cell, one), getattr(cell, other)) for cell in CELLS}
    assert met == set(product(COLUMNS[one], COLUMNS[other]))


def test_no_cell_stands_twice():
    assert len({str(cell) for cell in CELLS}) == len(CELLS)


def test_the_oldest_versions_are_those_that_the_package_asks_for():
    (python,) = re.findall(r'^requires-python = ">=(3\.\d+),', PYPROJECT, re.MULTILINE)
    (airflow,) = re.findall(r'"apache-airflow-core>=([\d.]+)"', PYPROJECT)
    (provider,) = re.findall(r'"apache-airflow-providers-amazon>=([\d.]+)"', PYPROJECT)
    assert python == PYTHONS[0]
    assert airflow == AIRFLOWS[0]
    assert PROVIDERS[0].startswith(provider)


def test_the_newest_versions_are_those_that_constraints_pin():
    (upper,) = re.findall(r'^requires-python = ".*<3\.(\d+)"', PYPROJECT, re.MULTILINE)
    assert f"3.{int(upper) - 1}" == PYTHONS[-1]
    assert re.findall(r"^apache-airflow-core==([\d.]+)", CONSTRAINTS, re.MULTILINE) == [AIRFLOWS[-1]]


def test_mysql_gets_its_driver_and_the_newest_provider_no_pin():
    (cell,) = (each for each in CELLS if each.python == "3.10" and each.database == "mysql")
    assert "mysqlclient" in cell.requirements
    newest = next(each for each in CELLS if each.provider == "newest")
    assert "apache-airflow-providers-amazon" in newest.requirements
