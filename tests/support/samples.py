"""What examples/ holds: samples of configuration, as files that people copy, and whether Airflow knows what they set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from airflow.cli.commands.config_command import CONFIGS_CHANGES
from airflow.configuration import conf

from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option

EXAMPLES = Path(__file__).parents[2] / "examples"
QUEUES = EXAMPLES / "aws_dags" / "queues.json"
Option: TypeAlias = tuple[str, str]
"""Section and name, in lower case."""

_LINE = re.compile(r"(?P<mark># (?:e\.g\. )?)?(?P<name>[A-Za-z_]+) ?= ?(?P<value>.*)")
_VARIABLE = re.compile(r"AIRFLOW__([A-Z]+(?:_[A-Z]+)*)__(\w+)")


@dataclass(frozen=True)
class Sample:
    """The options of a file: those that are set, those that are commented out with their default, and examples."""

    values: Mapping[Option, str]
    defaults: Mapping[Option, str]
    others: Mapping[Option, str]

    @property
    def all(self) -> dict[Option, str]:
        return {**self.values, **self.defaults, **self.others}


def option_of(variable: str) -> Option | None:
    """Return the option that an environment variable sets; None for a variable that sets none."""
    match = _VARIABLE.fullmatch(variable)
    return (match[1].lower(), match[2].lower()) if match else None


def read_cfg(path: Path) -> Sample:
    """Read a sample of airflow.cfg."""
    return _sorted(_marked_cfg(path.read_text("utf-8")))


def read_env(path: Path) -> Sample:
    """Read a sample of an environment file; variables that are no options of Airflow are left out."""
    found = ((mark, option_of(name), value) for mark, name, value in variables(path))
    return _sorted((mark, option, value) for mark, option, value in found if option)


def variables(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each variable of an environment file: how it is commented out, its name, its value."""
    for line in path.read_text("utf-8").splitlines():
        if (match := _LINE.fullmatch(line)) and match["name"].isupper():
            yield match["mark"] or "", match["name"], match["value"]


def _marked_cfg(text: str) -> Iterator[tuple[str, Option, str]]:
    section = ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif (match := _LINE.fullmatch(line)) and match["name"].islower():
            yield match["mark"] or "", (section, match["name"]), match["value"]


def _sorted(lines: Iterator[tuple[str, Option, str]]) -> Sample:
    by_mark: dict[str, dict[Option, str]] = {"": {}, "# ": {}, "# e.g. ": {}}
    for mark, option, value in lines:
        assert option not in {name for found in by_mark.values() for name in found}, (
            f"{option} is there twice"
        )
        by_mark[mark][option] = value
    return Sample(by_mark[""], by_mark["# "], by_mark["# e.g. "])


def problem_of(option: Option) -> str:
    """Say why nobody should set this option: nothing knows it, or a newer one has taken its place. Empty: one may."""
    section, name = option
    if not _is_known(section, name):
        return f"[{section}] {name} is unknown"
    if option in {(old[0], old[1]) for old in conf.deprecated_options.values()}:
        return f"[{section}] {name} is deprecated"
    if option in {
        (change.config.section, change.config.option) for change in CONFIGS_CHANGES if change.renamed_to
    }:
        return f"[{section}] {name} has another name by now"
    return ""


def _is_known(section: str, name: str) -> bool:
    plain = re.sub(r"_(cmd|secret)$", "", name)
    if section in {SECTION, DROP_IN_SECTION}:
        field = Settings.model_fields.get(name)
        return field is not None and (section == SECTION or is_drop_in(field))
    options = conf.configuration_description.get(section, {}).get("options", {})
    return name in options or bool(options.get(plain, {}).get("sensitive"))


def is_required(name: str) -> bool:
    """Tell whether the executor refuses to start without this option."""
    field = Settings.model_fields[name]
    return field.is_required() or bool(of_option(field, "required_unless_in"))


@contextmanager
def in_force(options: Mapping[Option, str]) -> Iterator[None]:
    """Have these options in airflow.cfg; the file of queues is where this checkout has it."""
    parser: Any = conf
    saved = {section: dict(values) for section, values in parser._sections.items()}
    try:
        for (section, name), value in options.items():
            if section not in parser._sections:
                parser.add_section(section)
            parser.set(section, name, str(QUEUES) if (section, name) == (SECTION, "queues") else value)
        yield
    finally:
        parser._sections.clear()
        parser._sections.update(saved)
