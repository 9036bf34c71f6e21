"""The CloudFormation template: its parameters, and which resources it makes with which values. Pure but for reading it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ecs_async_executor.errors import ConfigurationError, EcsAsyncError
from ecs_async_executor.suggestions import did_you_mean

Values: TypeAlias = Mapping[str, str]
_FILE = "ecs-async.yaml"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the template."""

    name: str
    description: str
    default: str
    allowed: tuple[str, ...]
    """All values it takes; empty: any that fits the pattern."""
    pattern: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a stack has."""

    name: str
    """Its logical id."""
    kind: str
    """Such as `AWS::ECS::Cluster`."""
    properties: Mapping[str, Any]
    kept: bool
    """Whether deleting the stack leaves it, or a snapshot of it."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    text: str
    parameters: Mapping[str, Parameter]
    document: Mapping[str, Any]

    def values(self, given: Values, before: Values | None = None) -> dict[str, str]:
        """Return every parameter's value: the given one, else the stack's own (`before`), else the default.

        Raises:
            ConfigurationError: A name or a value is wrong, or they don't fit each other.
        """
        for name, value in given.items():
            self._check(name, value)
        own = {name: value for name, value in (before or {}).items() if name in self.parameters}
        values = {name: each.default for name, each in self.parameters.items()} | own | dict(given)
        for rule in self.document.get("Rules", {}).values():
            if _is(rule["RuleCondition"], values, {}):
                for each in rule["Assertions"]:
                    if not _is(each["Assert"], values, {}):
                        raise ConfigurationError(f"{each['AssertDescription']} Add it with --set NAME=VALUE.")
        return values

    def resources(self, values: Values) -> list[Resource]:
        """Return the resources of a stack with these values, in the template's order."""
        return [
            Resource(
                name,
                each["Type"],
                each.get("Properties", {}),
                each.get("DeletionPolicy", "Delete") != "Delete",
            )
            for name, each in self.document["Resources"].items()
            if "Condition" not in each or self.holds(each["Condition"], values)
        ]

    def holds(self, condition: str, values: Values) -> bool:
        """Return whether a condition of the template holds."""
        conditions = self.document["Conditions"]
        return _is(conditions[condition], values, conditions)

    def variables(self, values: Values) -> list[str]:
        """Return the environment variables that the outputs of a stack with these values name."""
        outputs = self.document["Outputs"].values()
        return [
            each["Description"]
            for each in outputs
            if "Condition" not in each or self.holds(each["Condition"], values)
        ]

    def _check(self, name: str, value: str) -> None:
        if name not in self.parameters:
            known = f"Parameters are: {', '.join(self.parameters)}."
            raise ConfigurationError(
                f"--set {name}: there is no such parameter. {did_you_mean(name, self.parameters, known)}"
            )
        parameter = self.parameters[name]
        if parameter.allowed and value not in parameter.allowed:
            known = f"Write one of {', '.join(parameter.allowed)}."
            raise ConfigurationError(
                f"--set {name}: {value!r} doesn't fit. {did_you_mean(value, parameter.allowed, known)}"
            )
        if parameter.pattern and not re.fullmatch(parameter.pattern, value):
            raise ConfigurationError(f"--set {name}: {value!r} doesn't fit. {parameter.description}")


def read_template() -> Template:
    """Read the template: beside this file in an installed wheel, in `examples/` in a checkout.

    Raises:
        EcsAsyncError: It is missing.
    """
    here = Path(__file__).parent
    for folder in (here, here.parents[1] / "examples" / "cloudformation"):
        if (folder / _FILE).is_file():
            return parse((folder / _FILE).read_text("utf-8"))
    raise EcsAsyncError(f"The CloudFormation template is missing: it belongs in {here / _FILE}.")


def parse(text: str) -> Template:
    """Parse a template in YAML."""
    document = yaml.load(text, _Loader)  # noqa: S506  a SafeLoader that knows CloudFormation's tags
    parameters = {
        name: Parameter(
            name,
            each["Description"],
            str(each.get("Default", "")),
            tuple(str(value) for value in each.get("AllowedValues", ())),
            each.get("AllowedPattern", ""),
        )
        for name, each in document["Parameters"].items()
    }
    return Template(text, parameters, document)


class _Loader(yaml.SafeLoader):
    """Reads `!Ref X` as `{"Ref": X}` and `!Sub X` as `{"Fn::Sub": X}`."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # a mapping is what is left
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tagged)


def _is(condition: Any, values: Values, conditions: Mapping[str, Any]) -> bool:
    """Evaluate a condition of parameters only."""
    ((function, arguments),) = condition.items()
    if function == "Condition":
        return _is(conditions[arguments], values, conditions)
    if function == "Fn::Equals":
        left, right = (_value(each, values) for each in arguments)
        return bool(left == right)
    if function == "Fn::Contains":
        strings, one = (_value(each, values) for each in arguments)
        # A parameter that is a list is a text with commas.
        return one in (strings.split(",") if isinstance(strings, str) else strings)
    if function == "Fn::Not":
        return not _is(arguments[0], values, conditions)
    results = [_is(each, values, conditions) for each in arguments]
    return all(results) if function == "Fn::And" else any(results)


def _value(each: Any, values: Values) -> Any:
    return values[each["Ref"]] if isinstance(each, dict) else each
