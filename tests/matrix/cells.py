"""The cells of the matrix: every two values of different columns meet in one of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
AIRFLOWS = ("3.2.2", "3.3.2")
"""The oldest and the newest that are supported."""
PROVIDERS = ("9.30.0", "newest")
"""apache-airflow-providers-amazon."""
OF_AIRFLOW = {"3.2.2": ["fastapi<0.156"]}
"""What Airflow's own constraints exclude, and pip doesn't know: its API server can't start with FastAPI 0.160 (0.155 works)."""
DATABASES = ("sqlite", "postgresql", "mysql")


@dataclass(frozen=True, slots=True)
class Cell:
    """One environment."""

    python: str
    airflow: str
    provider: str
    database: str

    def __str__(self) -> str:
        """Return the cell's name, as `--only` takes it."""
        return f"py{self.python}-airflow{self.airflow}-amazon{self.provider}-{self.database}"

    @property
    def requirements(self) -> list[str]:
        """What pip installs beside the wheel."""
        provider = "" if self.provider == "newest" else f"=={self.provider}"
        return [
            f"apache-airflow=={self.airflow}",
            f"apache-airflow-core=={self.airflow}",
            f"apache-airflow-providers-amazon{provider}",
            *OF_AIRFLOW.get(self.airflow, []),
            *(["mysqlclient"] if self.database == "mysql" else []),
        ]


CELLS = tuple(
    # Each Python meets each database once; Airflow and the provider alternate so that all pairs come up.
    Cell(python, AIRFLOWS[(row + column) % 2], PROVIDERS[(row // 2 + column) % 2], database)
    for (row, python), (column, database) in product(enumerate(PYTHONS), enumerate(DATABASES))
)
