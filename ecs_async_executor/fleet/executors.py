"""Which task instances are this executor's, by the column `executor` of their rows."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow._shared.module_loading import import_string
from airflow.executors.executor_loader import ExecutorLoader
from airflow.executors.executor_utils import ExecutorName

log = logging.getLogger(__name__)

EXECUTOR = "ecs_async_executor.AsyncEcsExecutor"
NOT_OURS = "`[core] executor` here names no AsyncEcsExecutor, so no task would count as one of its tasks."
"""What to say instead of zeros where `OurExecutors.names` is empty."""


@dataclass(frozen=True, slots=True)
class OurExecutors:
    """The names under which `[core] executor` knows this executor."""

    names: frozenset[str]
    """What `executor=` of a task may be: an alias, a module path or a class name."""
    defaults: Mapping[str | None, bool]
    """By team (None: the general one): whether tasks without `executor=` are this executor's."""
    teams: frozenset[str | None] = frozenset()
    """The teams that have this executor; None: all tasks may name it."""

    @property
    def any_default(self) -> bool:
        """Whether any task without `executor=` is this executor's."""
        return any(self.defaults.values())

    @property
    def depends_on_team(self) -> bool:
        """Whether it depends on the team whose tasks without `executor=` are this executor's."""
        return len(set(self.defaults.values())) > 1

    def is_default_of(self, team: str | None) -> bool:
        """Return whether this team's tasks without `executor=` are this executor's."""
        return self.defaults.get(team, self.defaults.get(None, False))


def find_our_executors() -> OurExecutors:
    """Read `[core] executor`; executors that can't be imported here are not ours."""
    return _ours(ExecutorLoader.get_executor_names(validate_teams=False))


def _ours(configured: Iterable[ExecutorName]) -> OurExecutors:
    names: set[str | None] = set()
    defaults: dict[str | None, bool] = {}
    teams: set[str | None] = set()
    for each in configured:
        is_ours = _is_ours(each.module_path)
        defaults.setdefault(each.team_name, is_ours)
        if is_ours:
            teams.add(each.team_name)
            names |= {each.alias, each.module_path, each.module_path.rpartition(".")[2]}
    return OurExecutors(frozenset(name for name in names if name), defaults, frozenset(teams))


def _is_ours(module_path: str) -> bool:
    """Tell whether it is this executor or a subclass; imports only what may be one, because that takes a while."""
    if module_path == EXECUTOR or module_path.startswith("airflow."):
        return module_path == EXECUTOR
    try:
        found, executor = import_string(module_path), import_string(EXECUTOR)
    except Exception as error:  # noqa: BLE001  another executor's problem is not this page's
        log.debug("Can't import the executor %s: %s", module_path, type(error).__name__)
        return False
    return isinstance(found, type) and issubclass(found, executor)
