"""ECS's JSON 1.1 wire protocol, as botocore's own service model describes it.

The checks walk botocore's input shapes as its ParamValidator does, but also check enums. Their messages
never repeat a value, because a task's command contains secrets.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StringShape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from botocore.model import Shape

TARGET_PREFIX = "AmazonEC2ContainerServiceV20141113."
CONTENT_TYPE = "application/x-amz-json-1.1"
ACTIONS = (
    "RunTask",
    "DescribeTasks",
    "StopTask",
    "ListTasks",
    "DescribeClusters",
    "RegisterTaskDefinition",
    "DescribeTaskDefinition",
    "DeregisterTaskDefinition",
    "ListTaskDefinitionFamilies",
    "TagResource",
)
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
    "boolean": (bool,),
}


class AwsError(Exception):
    """An error response: `{"__type": code, "message": message, **extra}` with an HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400, **extra: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra

    def body(self) -> bytes:
        """Return the response's JSON."""
        return json.dumps({"__type": self.code, "message": self.message, **self.extra}).encode()


def invalid(message: str) -> AwsError:
    """Return ECS's error for a request with valid types but invalid contents."""
    return AwsError("InvalidParameterException", message)


def raise_first(problems: Iterable[str], code: str = "InvalidParameterException") -> None:
    """Raise `AwsError` for the first problem, as ECS reports only one; do nothing if there is none."""
    first = next(iter(problems), None)
    if first is not None:
        raise AwsError(code, first)


@lru_cache(maxsize=1)
def service_model() -> ServiceModel:
    """Return botocore's model of ECS; the first load takes some tens of milliseconds."""
    return ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")


@lru_cache(maxsize=len(ACTIONS))
def input_shape(action: str) -> StructureShape:
    """Return the shape of an action's request."""
    shape = service_model().operation_model(action).input_shape
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{action} takes no parameters.")
    return shape


def action_of(target: str) -> str:
    """Parse the action from the X-Amz-Target header.

    Raises:
        AwsError: UnknownOperationException if we don't implement such an action.
    """
    action = target.removeprefix(TARGET_PREFIX)
    if action == target or action not in ACTIONS:
        raise AwsError("UnknownOperationException", f"The local ECS has no action {action[:100]!r}.")
    return action


def parse(body: bytes) -> dict[str, Any]:
    """Parse a request's JSON object.

    Raises:
        AwsError: SerializationException.
    """
    try:
        params = json.loads(body or b"{}", object_pairs_hook=_without_nulls if b"null" in body else None)
    except ValueError:
        raise AwsError("SerializationException", "The request is not valid JSON.") from None
    if not isinstance(params, dict):
        raise AwsError("SerializationException", "The request is not a JSON object.")
    return params


def _without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Drop nulls, because AWS treats null as absent."""
    return {key: value for key, value in pairs if value is not None}


def validate(action: str, params: dict[str, Any]) -> None:
    """Check a request against botocore's shape.

    Raises:
        AwsError: SerializationException for wrong types and unknown names, InvalidParameterException for
            missing members and values outside an enum.
    """
    first = next(_problems(input_shape(action), params, ""), None)
    if first is not None:
        raise AwsError(*first)


def _problems(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield error code and message of each problem with `value`."""
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield _wrong_type(path, "a list")
            return
        for index, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            yield _wrong_type(path, "a map")
            return
        for key, item in value.items():
            yield from _problems(shape.value, item, f"{path}.{key}")
    elif not is_of(shape, value):
        yield _wrong_type(path, f"{'an' if shape.type_name == 'integer' else 'a'} {shape.type_name}")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield "InvalidParameterException", f"{path} is not one of {', '.join(shape.enum)}."


def is_of(shape: Shape, value: Any) -> bool:
    """Tell whether a value has a shape's JSON type, without checking its members."""
    kinds = _JSON_TYPES[shape.type_name]
    # In Python, true is a number.
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _structure_problems(shape: StructureShape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield _wrong_type(path, "a structure")
        return
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield "InvalidParameterException", f"{prefix}{name} can not be blank."
    members = shape.members
    for name, item in value.items():
        if name not in members:
            yield "SerializationException", f"Unknown parameter {prefix}{name[:100]}."
        else:
            yield from _problems(members[name], item, f"{prefix}{name}")


def _wrong_type(path: str, expected: str) -> tuple[str, str]:
    return "SerializationException", f"{path or 'The request'} can not be converted to {expected}."
