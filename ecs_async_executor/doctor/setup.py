"""What the options say: the profiles' requests, and Airflow's own options that matter here. Plain data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_async_executor.config.settings import Settings
from ecs_async_executor.messages import Request

_WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class Target:
    """One profile, and the request that its tasks get."""

    name: str
    """`default`, or the queue's name or pattern."""
    cluster: str
    container: str
    request: Request | None
    """None if none can be built; then `problem` says why."""
    problem: str = ""
    todo: str = ""
    origin: Callable[[str], str | None] = lambda _: None
    """Where a member of the request is set."""
    memory: tuple[int, ...] = ()
    """The MiB of its sizes, if its memory grows."""
    standby: int = 0
    """How many standbys a scheduler keeps for it."""
    standby_max_age: float = 3600.0
    """Seconds after which each of them ends."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of Airflow's options, as this host reads it."""

    value: str = ""
    where: str = "default"
    """An environment variable's name, `airflow.cfg` or `default`."""

    @property
    def in_environment(self) -> bool:
        """Whether only this host's environment has it: an image doesn't."""
        return self.where.startswith("AIRFLOW__")


@dataclass(frozen=True, slots=True)
class JwtKey:
    """What signs tokens; never the key itself."""

    characters: int = 0
    """The length of `[api_auth] jwt_secret`; 0 if it isn't set."""
    where: str = "default"
    private_key: bool = False
    """Whether `[api_auth] jwt_private_key_path` is set."""
    problem: str = ""
    """Why no token can be signed."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that is known without asking anybody."""

    settings: Settings | None = None
    """None if the options can't be used; then `problems` says why."""
    targets: tuple[Target, ...] = ()
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    connection_problem: str = ""
    """Why the connection of the option `conn_id` can't be used."""
    connection_todo: str = ""
    region: str = ""
    """Empty if it is set nowhere."""
    regions: tuple[str, ...] = ()
    """The Regions that this host's botocore knows ECS in."""
    local: bool = False
    """Whether ECS is on this machine: `ecs-async local`, moto or LocalStack."""
    options: Mapping[str, Option] = field(default_factory=dict)
    """Airflow's options, by `section.name`."""
    api_url: str = ""
    """The execution API's address by this host's options: set, or Airflow's default."""
    jwt: JwtKey = field(default_factory=JwtKey)
    queued_timeout: float = 600.0
    """`[scheduler] task_queued_timeout`, in seconds."""
    longest_queued: float = 0.0
    """The longest that a profile lets a task be queued, in seconds."""
    bundles: tuple[str, ...] = ()
    """The names of the Dag bundles."""
    airflow: str = ""
    """The version of apache-airflow-core."""
    python: str = ""
    """Without the patch level."""

    @property
    def has_standbys(self) -> bool:
        """Whether a scheduler keeps any."""
        return any(each.standby for each in self.targets)

    def option(self, name: str) -> Option:
        """Return an option by `section.name`."""
        return self.options.get(name, Option())

    def is_on(self, name: str) -> bool:
        """Return an option that is on or off."""
        return self.option(name).value.lower() in {"true", "t", "1"}

    def number(self, name: str, default: int) -> int:
        """Return an option that is a whole number."""
        text = self.option(name).value
        return int(text) if _WHOLE.fullmatch(text) else default

    def is_number(self, name: str) -> bool:
        """Return whether an option is a whole number, or isn't set."""
        return not self.option(name).value or _WHOLE.fullmatch(self.option(name).value) is not None


def names_of(items: Sequence[Mapping[str, Any]], key: str = "name") -> list[str]:
    """Return the names of named documents."""
    return [str(each.get(key, "")) for each in items]
