"""docs/index.md leads to every page, and names the versions that the matrix tests and that pip accepts."""

from __future__ import annotations

import re

import tomli
from packaging.requirements import Requirement

from tests.matrix.cells import AIRFLOWS, DATABASES, OF_AIRFLOW, PROVIDERS, PYTHONS
from tests.unit.docs.pages import PAGES, ROOT, relative_links

INDEX = ROOT / "docs" / "index.md"
TEXT = INDEX.read_text("utf-8")
VERSIONS = {
    cells[0]: cells[1:]
    for line in TEXT.partition("## Versions")[2].splitlines()
    if line.startswith("| ")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
PROJECT = tomli.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OLDEST = {
    requirement.name: spec.version
    for requirement in map(Requirement, PROJECT["dependencies"])
    for spec in requirement.specifier
    if spec.operator == ">="
}


def row(name: str) -> list[str]:
    """Return the cells of the row that begins with this name."""
    (cells,) = (cells for first, cells in VERSIONS.items() if first.startswith(name))
    return cells


def words(cell: str) -> list[str]:
    """Return what a cell lists, without what is in brackets."""
    return re.split(r", | and the ", re.sub(r" \(.*?\)", "", cell))


def test_it_links_every_page_of_the_documentation() -> None:
    linked = {(INDEX.parent / link.partition("#")[0]).resolve() for link in relative_links(TEXT)}
    pages = [page for page in PAGES if page.parent == INDEX.parent and page != INDEX]
    assert [page.name for page in pages if page not in linked] == []


def test_the_tested_versions_are_those_of_the_matrix() -> None:
    assert words(row("Airflow")[1]) == list(AIRFLOWS)
    assert words(row("Python")[1]) == list(PYTHONS)
    assert words(row("Amazon provider")[1]) == list(PROVIDERS)
    assert {each.lower() for each in words(row("database")[1])} == set(DATABASES)


def test_the_oldest_versions_are_those_that_pip_accepts() -> None:
    assert row("Airflow")[0] == OLDEST["apache-airflow-core"]
    assert row("Amazon provider")[0] == OLDEST["apache-airflow-providers-amazon"]
    assert row("aiobotocore")[0] == OLDEST["aiobotocore"]
    assert f">={row('Python')[0]}," in PROJECT["requires-python"]


def test_the_questions_name_the_same_versions() -> None:
    answer = (ROOT / "docs" / "questions.md").read_text("utf-8").partition("are tested?")[2]
    assert f"Airflow {' and '.join(AIRFLOWS)}, with Python {PYTHONS[0]} to {PYTHONS[-1]}" in answer


def test_what_an_airflow_needs_beside_it_is_told() -> None:
    for airflow, requirements in OF_AIRFLOW.items():
        (line,) = (line for line in TEXT.splitlines() if line.startswith(f"- **Airflow {airflow}**"))
        assert [each for each in requirements if f"`{each}`" not in TEXT[TEXT.index(line) :]] == []
