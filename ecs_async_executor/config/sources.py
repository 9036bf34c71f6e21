"""Finds options in Airflow's environment variables and airflow.cfg, and says where each value comes from."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from configparser import RawConfigParser
from dataclasses import dataclass
from typing import Any, Protocol

FORMS = ("", "_cmd", "_secret")
"""Airflow accepts the value itself, a command that prints it, or the name of a secrets backend's entry."""


class Conf(Protocol):
    """The part of Airflow's configuration we use: `conf`, or a team's `ExecutorConf`."""

    def get(self, section: str, key: str, *, fallback: str | None) -> str | None:
        """Look up an option, including its environment, _CMD and _SECRET forms."""


@dataclass(frozen=True, slots=True)
class Found:
    """An option that is set."""

    value: str
    section: str
    where: str
    """Such as `airflow.cfg`; never the value."""
    team: str | None = None
    """The team that owns the option; None for the general options."""

    def __repr__(self) -> str:
        """Omit the value: it may be a secret."""
        return f"Found({self.section!r}, {self.where!r})"


class UnreadableError(Exception):
    """Airflow can't read an option. The message only says where it is: Airflow's own may show a command's output."""


def look_up(conf: Conf, sections: Iterable[str], spellings: Iterable[str]) -> Found | None:
    """Return the first option that is set and not blank; raises `UnreadableError`."""
    for section in sections:
        for name in spellings:
            try:
                value = conf.get(section, name, fallback=None)
            except Exception as error:  # noqa: BLE001  commands and secrets backends raise anything
                origin = where(conf, section, name)
                raise UnreadableError(
                    f"{heading(section, team_of(conf))} {name} ({origin}): it can't be read: {type(error).__name__}. "
                    "If it is a command or a secret, check that Airflow can get it; in airflow.cfg, write %% for %."
                ) from None
            if value is not None and str(value).strip():
                return Found(str(value), section, where(conf, section, name), team_of(conf))
    return None


def seconds(airflow: Conf, section: str, name: str, default: float, problems: list[str]) -> float:
    """Return an option of Airflow's own; if it is no number, add that to `problems` and return the default.

    Some are read by workers only, so Airflow's scheduler starts with a wrong one.
    """
    try:
        found = look_up(airflow, (section,), (name,))
    except UnreadableError as error:
        problems.append(str(error))
        return default
    if found is None:
        return default
    try:
        value = float(found.value)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        problems.append(
            f"{heading(section, None)} {name} ({found.where}): it is not a number. It is in seconds, without a unit. "
            f"Example: {default:g}"
        )
        return default
    return value


def where(conf: Conf, section: str, name: str) -> str:
    """Say where an option is set, without running commands or calling a secrets backend."""
    spellings = {name + form for form in FORMS} if takes_commands(section, name) else {name}
    return next((origin for known, origin in names(conf, section) if known in spellings), "default")


def takes_commands(section: str, name: str) -> bool:
    """Tell whether Airflow reads an option's _CMD and _SECRET forms: only if it is declared as sensitive."""
    return (section, name) in airflow_conf().sensitive_config_values


def names(conf: Conf, section: str) -> Iterator[tuple[str, str]]:
    """Yield each name set in a section and where: first the environment, which takes precedence, then airflow.cfg."""
    prefix = _prefix(team_of(conf), section)
    for variable in sorted(os.environ):
        if variable.startswith(prefix):
            yield variable.removeprefix(prefix).lower(), variable
    in_file = heading(section, team_of(conf))[1:-1]
    if RawConfigParser.has_section(airflow_conf(), in_file):
        for name in airflow_conf()._sections[in_file]:  # noqa: SLF001  `options()` adds defaults, `items()` runs commands
            yield name, "airflow.cfg"


def team_of(conf: Conf) -> str | None:
    """Name the team whose options `conf` gives."""
    team: str | None = getattr(conf, "team_name", None)
    return team


def heading(section: str, team: str | None) -> str:
    """Format a section's header as in airflow.cfg, prefixed with the team's name if there is one."""
    return f"[{team}={section}]" if team else f"[{section}]"


def variable(section: str, team: str | None, name: str) -> str:
    """Return the name of an option's environment variable."""
    return f"{_prefix(team, section)}{name.upper()}"


def _prefix(team: str | None, section: str) -> str:
    return f"AIRFLOW__{f'{team.upper()}___' if team else ''}{section.upper()}__"


def known_teams() -> list[str]:
    """Return the teams with executors, from `[core] executor = Global;team=Executor`; none without `[core] multi_team`."""
    if not airflow_conf().getboolean("core", "multi_team", fallback=False):
        return []
    groups = str(airflow_conf().get("core", "executor", fallback="")).split(";")
    return [
        team.strip()
        for team, of_team, _ in (group.partition("=") for group in groups)
        if of_team and team.strip()
    ]


def strange_teams(sections: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield teams with options in these sections but no executor, and where; the environment comes first."""
    known = {team.upper() for team in known_teams()}
    found: dict[str, tuple[str, str]] = {}
    for section in sections:
        own = re.compile(rf"AIRFLOW__(?P<team>.+)___{section.upper()}__.+")
        for name in sorted(os.environ):
            if match := own.fullmatch(name):
                found.setdefault(match["team"], (match["team"].lower(), name))
        for name in airflow_conf().sections():
            team, of_team, rest = name.partition("=")
            if of_team and rest == section:
                found.setdefault(team.upper(), (team, f"the section [{name}] of airflow.cfg"))
    yield from (origin for team, origin in found.items() if team not in known)


def airflow_conf() -> Any:
    """Return Airflow's own configuration, without any team's options."""
    from airflow.configuration import conf  # noqa: PLC0415  it imports provider info, and through it this package

    return conf
