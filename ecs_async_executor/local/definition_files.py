"""Turns task definitions, in the forms people keep in files, into RegisterTaskDefinition requests. Pure.

It reads the request itself, the output of `aws ecs describe-task-definition` and the console, the AWS CLI's skeleton,
a CloudFormation resource or template in JSON, and a list of any of these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from botocore.model import ListShape, MapShape, Shape, StructureShape

from ecs_async_executor.errors import ConfigurationError
from ecs_async_executor.local.rules.protocol import input_shape, is_of, service_model
from ecs_async_executor.suggestions import did_you_mean

Document: TypeAlias = dict[str, Any]
Scalar: TypeAlias = Callable[[Shape, Any], Any]
RESOURCE = "AWS::ECS::TaskDefinition"
# Members of a task definition and of its containers that have no effect in the process runtime.
_INEFFECTIVE = ("volumes", "proxyConfiguration")
_INEFFECTIVE_IN_CONTAINERS = (
    *("dependsOn", "environmentFiles", "healthCheck", "linuxParameters", "mountPoints", "portMappings"),
    *("resourceRequirements", "secrets", "ulimits", "user", "workingDirectory"),
)
# The model's types, as JSON writes them.
_KINDS = {
    "structure": "an object, {...}",
    "map": "an object, {...}",
    "list": "a list, [...]",
    "string": "a text, in quotes",
    "boolean": "true or false, without quotes",
    "integer": "a whole number, without quotes",
    "long": "a whole number, without quotes",
}
_EMPTY = "the file is empty. Write a task definition in JSON."
_WRAP = 'Write it as a task definition: {"family": "NAME", "memory": "512", "containerDefinitions": [...]}.'
_UNRESOLVED = "{path} is CloudFormation's {call}, which only AWS can resolve. Write the value itself."


@dataclass(frozen=True, slots=True)
class FileDefinition:
    """A task definition from a file: its request, and the members left out because only AWS sets them."""

    request: Document
    left_out: tuple[str, ...]

    @property
    def ineffective(self) -> list[str]:
        """Return the members that have no effect on a process on this machine."""
        containers = self.request.get("containerDefinitions", ())
        found = [name for name in _INEFFECTIVE if name in self.request]
        found += [name for name in _INEFFECTIVE_IN_CONTAINERS if any(name in each for each in containers)]
        return found


def read_definitions(text: str) -> list[FileDefinition]:
    """Read every task definition in a file's text.

    Raises:
        ConfigurationError: Says which line or member is wrong, and what to do.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(_no_json(text, error)) from None
    definitions = [_definition(each, path) for path, each in _found(document) if each]
    if not definitions:
        raise ConfigurationError(_EMPTY)
    return definitions


def _no_json(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return _EMPTY
    if text.lstrip()[0] not in "{[":
        return (
            "it is not JSON, which starts with { or [. "
            "`aws ecs describe-task-definition --task-definition NAME --output json` prints a task definition as JSON."
        )
    return f"line {error.lineno}, column {error.colno}: it is not JSON ({error.msg})."


def _found(document: Any, path: str = "") -> Iterator[tuple[str, Document]]:
    """Yield each task definition in a document, unwrapped, with its path."""
    if isinstance(document, list):
        if document and all(isinstance(each, dict) and _is_container(each) for each in document):
            raise ConfigurationError(f"it is a list of containers. {_WRAP}")
        for index, each in enumerate(document):
            yield from _found(each, f"{path}[{index}]")
    elif isinstance(document, dict):
        yield from _unwrapped(document, path)
    else:
        raise ConfigurationError(f"{path or 'it'} is not a JSON object, as a task definition is.")


def _unwrapped(document: Document, path: str) -> Iterator[tuple[str, Document]]:
    prefix = f"{path}." if path else ""
    if "taskDefinition" in document:
        inside = document["taskDefinition"]
        if not isinstance(inside, dict):
            raise ConfigurationError(
                f"{prefix}taskDefinition only names a task definition. Put the task definition itself into the file, as "
                "`aws ecs describe-task-definition` prints it."
            )
        yield f"{prefix}taskDefinition", {"tags": document.get("tags"), **inside}
    elif _type(document) == RESOURCE:
        yield f"{prefix}Properties", document.get("Properties") or {}
    elif isinstance(resources := document.get("Resources"), dict):
        named = {name: each for name, each in resources.items() if _type(each) == RESOURCE}
        if not named:
            raise ConfigurationError(f"{prefix}Resources has no {RESOURCE}.")
        for name, each in named.items():
            yield from _unwrapped(each, f"{prefix}Resources.{name}")
    else:
        yield path, document


def _type(resource: Any) -> Any:
    return resource.get("Type") if isinstance(resource, dict) else None


def _is_container(document: Mapping[str, Any]) -> bool:
    return {"name", "image"} <= document.keys() and "containerDefinitions" not in document


def _definition(document: Any, path: str) -> FileDefinition:
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: it must be {_KINDS['structure']}.")
    shape = input_shape("RegisterTaskDefinition")
    shown = service_model().shape_for("TaskDefinition")
    read_only = set(shown.members) - set(shape.members) if isinstance(shown, StructureShape) else set()
    if _is_container(document):
        raise ConfigurationError(f"{path or 'it'} is a container. {_WRAP}")
    given = {name: value for name, value in document.items() if name not in read_only}
    # CloudFormation writes members in PascalCase, and may write numbers and booleans as text or vice versa.
    clean = _of_cloudformation if given and all(name[:1].isupper() for name in given) else _as_it_is
    return FileDefinition(
        _cleaned(shape, given, path, clean), tuple(name for name in document if name in read_only)
    )


def _cleaned(shape: Shape, value: Any, path: str, scalar: Scalar) -> Any:
    """Return a value without empty members, spelled as in the shape."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        if call := _cloudformation_call(value):
            raise ConfigurationError(_UNRESOLVED.format(path=path, call=call))
        prefix = f"{path}." if path else ""
        members = [(_member(shape, name, prefix), item) for name, item in value.items()]
        cleaned = {
            name: _cleaned(shape.members[name], item, f"{prefix}{name}", scalar) for name, item in members
        }
        return {name: item for name, item in cleaned.items() if item not in (None, "", [], {})}
    if isinstance(shape, ListShape) and isinstance(value, list):
        items = [_cleaned(shape.member, item, f"{path}[{index}]", scalar) for index, item in enumerate(value)]
        return [item for item in items if item not in (None, {})]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {
            name: _cleaned(shape.value, item, f"{path}.{name}", scalar)
            for name, item in value.items()
            if item is not None
        }
    if isinstance(value, dict) and (call := _cloudformation_call(value)):
        raise ConfigurationError(_UNRESOLVED.format(path=path, call=call))
    value = scalar(shape, value)
    if value is not None and not is_of(shape, value):
        raise ConfigurationError(f"{path}: it must be {_KINDS.get(shape.type_name, 'a number')}.")
    return value


def _as_it_is(_: Shape, value: Any) -> Any:
    return value


def _of_cloudformation(shape: Shape, value: Any) -> Any:
    """Convert a value from the type CloudFormation uses to the type ECS takes."""
    kind = shape.type_name
    if kind in {"integer", "long"} and isinstance(value, str) and value.isdecimal():
        return int(value)
    if kind == "boolean" and value in {"true", "false"}:
        return value == "true"
    if kind == "string" and isinstance(value, (bool, int)):
        return str(value).lower()
    return value


def _cloudformation_call(value: Mapping[str, Any]) -> str:
    (name, *others) = value or ("",)
    return name if not others and (name == "Ref" or name.startswith("Fn::")) else ""


def _member(shape: StructureShape, name: str, prefix: str) -> str:
    known: Sequence[str] = list(shape.members)
    by_lower = {member.lower(): member for member in known}
    if name in shape.members:
        return name
    if name[:1].isupper() and name.lower() in by_lower:
        return by_lower[name.lower()]
    advice = did_you_mean(name, known, f"Its members are {', '.join(sorted(known))}.")
    raise ConfigurationError(f"{prefix}{name[:100]}: RegisterTaskDefinition has no such member. {advice}")
