"""The whole configuration as the executor uses it: read, checked, and refused in one message if anything is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecs_async_executor.config.profiles import Profiles, make_profiles
from ecs_async_executor.config.reading import read_options
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.config.sources import Conf, Found
from ecs_async_executor.errors import OptionsError


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is configured. Nothing of it was asked of AWS."""

    settings: Settings
    found: Mapping[str, Found]
    """Where each option that is set stands."""
    profiles: Profiles


def read_configuration(conf: Conf) -> Configuration:
    """Read and check everything; raises one `OptionsError` that lists all that is wrong."""
    settings, found, problems = read_options(conf)
    default_queue = conf.get("operators", "default_queue", fallback="default") or "default"
    try:
        profiles = make_profiles(settings, found, default_queue=default_queue)
    except OptionsError as error:
        problems += error.problems
    if problems:
        raise OptionsError(problems)
    return Configuration(settings, found, profiles)
