"""Reads all options from Airflow's configuration and finds every problem with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ecs_async_executor.config.parsing import leftover, parse_json
from ecs_async_executor.config.settings import DROP_IN_SECTION, SECTION, Settings, is_drop_in, of_option
from ecs_async_executor.config.sources import (
    FORMS,
    Conf,
    Found,
    UnreadableError,
    heading,
    known_teams,
    look_up,
    names,
    strange_teams,
    takes_commands,
    team_of,
    variable,
)
from ecs_async_executor.config.words import in_words, sentence
from ecs_async_executor.suggestions import did_you_mean

_FALSE = frozenset({"false", "f", "0", "no", "n", "off"})
_EXCLUSIVE = ("launch_type", "capacity_provider_strategy")
_SPELLINGS = {"region_name": ("region_name", "region")}


def read_options(conf: Conf) -> tuple[Settings, dict[str, Found], list[str]]:
    """Return all options, where each set option comes from, and every problem.

    In the settings, an invalid option has its default or its example, so that callers can still check the others.
    """
    found, unreadable = _find(conf)
    team = team_of(conf)
    problems, wrong = [*unreadable.values()], set(unreadable)
    raw = {name: option.value for name, option in found.items()}
    for name, text in raw.items():
        if left := leftover(text):
            wrong.add(name)
            problems.append(_explain(name, found, left, team))
    reported = frozenset(wrong)
    try:
        Settings.model_validate(raw)
    except ValidationError as error:
        for each in error.errors():
            name = str(each["loc"][0])
            wrong.add(name)
            if name not in reported:
                whose = _of_team(team, name) if team and each["type"] == "missing" else ""
                problems.append(_explain(name, found, f"{in_words(each)}{whose}", team))
    for name, problem in _check_together(found, wrong, team):
        wrong.add(name)
        problems.append(problem)
    settings = _settings_of(raw, wrong, complete=not problems)
    for name, what in _refused(settings):
        if name in found and name not in wrong:
            wrong.add(name)
            problems.append(_explain(name, found, what, team))
    problems += _unknown_names(conf)
    return _settings_of(raw, wrong, complete=not problems), found, problems


def _settings_of(raw: Mapping[str, str], wrong: set[str], *, complete: bool) -> Settings:
    good = {name: value for name, value in raw.items() if name not in wrong}
    if not complete:
        # The other options can't be checked without these.
        missing = {"cluster", "container_name", "task_definition", "subnets"} - good.keys()
        good |= {name: of_option(Settings.model_fields[name], "example") for name in missing}
    return Settings.model_validate(good)


def _refused(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield option and problem for each value that ECS rejects."""
    from ecs_async_executor.config.checks import refusals  # noqa: PLC0415  botocore; `airflow` imports this module
    from ecs_async_executor.config.layers import Layer, normalise_layer  # noqa: PLC0415  as above
    from ecs_async_executor.config.option_layers import option_layers  # noqa: PLC0415  as above

    name = settings.container_name
    container = Layer("container_name", {"overrides": {"containerOverrides": [{"name": name}]}})
    for layer in (container, *option_layers(settings)):
        for part in normalise_layer(layer.value, name, []):
            yield from ((layer.name, what) for what in refusals(part))


def _find(conf: Conf) -> tuple[dict[str, Found], dict[str, str]]:
    """Return where each option is set, and for unreadable ones the reason."""
    found: dict[str, Found] = {}
    unreadable: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        sections = (SECTION, DROP_IN_SECTION) if is_drop_in(field) else (SECTION,)
        try:
            option = look_up(conf, sections, _SPELLINGS.get(name, (name,)))
        except UnreadableError as error:
            unreadable[name] = str(error)
            continue
        if option is not None:
            found[name] = option
    return _without_overridden(found), unreadable


def _without_overridden(found: dict[str, Found]) -> dict[str, Found]:
    """Of two options that exclude each other, leave out the one that isn't in `[ecs_async_executor]`."""
    pair = [name for name in _EXCLUSIVE if name in found]
    ours = [name for name in pair if found[name].section == SECTION]
    overridden = set(pair) - set(ours) if len(pair) == 2 and len(ours) == 1 else set()
    return {name: option for name, option in found.items() if name not in overridden}


def _explain(name: str, found: dict[str, Found], what: str, team: str | None) -> str:
    field = Settings.model_fields[name]
    means = f"Meaning: {field.description} Example: {of_option(field, 'example')}"
    return f"{origin(name, found, team)}: {sentence(what)} {means}"


def _of_team(team: str, name: str) -> str:
    """Say where a team would set an option, because a team inherits none."""
    by_variable, by_section = variable(DROP_IN_SECTION, team, name), heading(DROP_IN_SECTION, team)
    return f" for the team {team!r} ({by_variable}, or the section {by_section})"


def origin(name: str, found: Mapping[str, Found], team: str | None = None) -> str:
    """Return `[section] name (airflow.cfg)` for an option. `team` only matters if the option is not set."""
    if name in found:
        return f"{heading(found[name].section, found[name].team)} {name} ({found[name].where})"
    section = DROP_IN_SECTION if is_drop_in(Settings.model_fields[name]) else SECTION
    return f"{heading(section, team)} {name}"


def _check_together(found: dict[str, Found], wrong: set[str], team: str | None) -> Iterator[tuple[str, str]]:
    """Yield option and problem for options that conflict. Checks raw values, so that one run finds every problem."""
    # If run_task_kwargs is invalid, it may have been meant to set what seems to be missing.
    members = None if "run_task_kwargs" in wrong else _members(found.get("run_task_kwargs"))
    mentioned = found.keys() | wrong

    def misses(option: str, member: str) -> bool:
        return option not in mentioned and members is not None and member not in members

    if misses("task_definition", "taskDefinition"):
        whose = _of_team(team, "task_definition") if team else ""
        yield (
            "task_definition",
            _explain("task_definition", found, f"it is required, but not set{whose}", team),
        )
    if all(name in found for name in _EXCLUSIVE):
        one, other = (origin(name, found) for name in _EXCLUSIVE)
        yield (
            "capacity_provider_strategy",
            f"{one}: it can't be combined with capacity_provider_strategy, which is set too: {other}. Remove one of them.",
        )
    if misses("subnets", "networkConfiguration"):
        for name in ("security_groups", "assign_public_ip"):
            if name in found and found[name].value.strip().lower() not in _FALSE:
                yield name, _explain("subnets", found, f"{origin(name, found)} needs them", team)


def _members(run_task_kwargs: Found | None) -> set[str] | None:
    """Return the top-level members that `run_task_kwargs` sets; None if it has problems."""
    from ecs_async_executor.config.layers import normalise_layer  # noqa: PLC0415  botocore; `airflow` imports this module

    problems: list[str] = []
    value: Any = parse_json(run_task_kwargs.value if run_task_kwargs else "{}")
    members = {member for body in normalise_layer(value, "airflow", problems) for member in body}
    return None if problems else members


def strange_names(conf: Conf) -> list[str]:
    """Find probable typos in `[aws_ecs_executor]`: only warnings, because a newer provider may have such an option."""
    known = _names(*(name for name, field in Settings.model_fields.items() if is_drop_in(field)))
    return [
        f"{heading(DROP_IN_SECTION, team_of(conf))} {name} ({where}): AsyncEcsExecutor has no such option. {_hint(name, known)}"
        for name, where in names(conf, DROP_IN_SECTION)
        if name not in known and not _is_form_of(DROP_IN_SECTION, name, known)
    ]


def unknown_team(team: str) -> str:
    """Say that a team has no executor, and which teams have one."""
    known = known_teams()
    if not known:
        return f"There is no team {team!r}: [core] executor names no teams, or [core] multi_team is off."
    return f"There is no team {team!r} in [core] executor. {_suggestion(team, known)}"


def options_of_unknown_teams() -> list[str]:
    """Find options that nothing reads because no team of that name has an executor."""
    return [
        f"{origin}: nothing reads it. {unknown_team(team)}"
        for team, origin in strange_teams((DROP_IN_SECTION, SECTION))
    ]


def _unknown_names(conf: Conf) -> list[str]:
    """Find names in our section that aren't options."""
    known = _names(*Settings.model_fields)
    problems = []
    for name, where in names(conf, SECTION):
        if name in known or _is_form_of(SECTION, name, known):
            continue
        problems.append(
            f"{heading(SECTION, team_of(conf))} {name} ({where}): there is no such option. {_hint(name, known)}"
        )
    return problems


def _names(*options: str) -> set[str]:
    return {name for each in options for name in _SPELLINGS.get(each, (each,))}


def _stem(name: str) -> str:
    return next((name.removesuffix(form) for form in FORMS if form and name.endswith(form)), name)


def _is_form_of(section: str, name: str, known: set[str]) -> bool:
    """Tell whether this is an option's _CMD or _SECRET form that Airflow reads."""
    return _stem(name) in known and takes_commands(section, _stem(name))


def _hint(name: str, known: set[str]) -> str:
    if (stem := _stem(name)) in known:
        return (
            f"Airflow does not read this option's {name.removeprefix(stem).upper()} form: set {stem} itself."
        )
    return _suggestion(name, known)


def _suggestion(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known, f"There are: {', '.join(sorted(known))}.")
