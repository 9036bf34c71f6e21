from __future__ import annotations

import copy
from typing import Any

import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.aws.validation import checker, why_not
from tests.unit.engine.aws.ecs_model import RUN_TASK, operation


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [each for key, item in items for each in paths(item, (*path, key))]


ODDITIES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(allow_nan=False),
    st.text(max_size=2),
    st.binary(max_size=1),
    st.lists(st.text(max_size=1), max_size=2),
    st.dictionaries(st.sampled_from(["name", "key", "cpu", "odd"]), st.text(max_size=1), max_size=2),
)


@given(st.lists(st.tuples(st.sampled_from(paths(RUN_TASK)[1:]), ODDITIES), max_size=2), st.booleans())
def test_a_request_that_passes_the_quick_check_is_valid_for_botocore(
    changes: list[tuple[tuple[Any, ...], Any]], remove: bool
):
    request = copy.deepcopy(RUN_TASK)
    for path, oddity in changes:
        parent: Any = request
        try:
            for key in path[:-1]:
                parent = parent[key]
            if remove:
                del parent[path[-1]]
            else:
                parent[path[-1]] = oddity
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed it
    shape = operation("RunTask").input_shape
    valid = not ParamValidator().validate(request, shape).has_errors()
    assert valid or (why_not(request, shape) and not checker(shape)(request))
    assert checker(shape)(RUN_TASK)
    assert not why_not(RUN_TASK, shape)


def test_an_unsupported_shape_is_left_to_botocores_validator():
    shape = ServiceModel(
        {
            "metadata": {},
            "shapes": {
                "Odd": {"type": "structure", "members": {"at": {"shape": "At"}, "by": {"shape": "By"}}},
                "At": {"type": "timestamp"},
                "By": {"type": "structure", "union": True, "members": {"at": {"shape": "At"}}},
            },
        }
    ).shape_for("Odd")
    assert checker(shape)({})
    assert not checker(shape)({"at": 7})
    assert not checker(shape)({"by": {}})
    assert not why_not({}, shape)
    assert why_not({"at": "their-secret", "by": {}}, shape) == ["at is not valid.", "by is not valid."]


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ({"cluster": 7}, "cluster is a whole number; ECS takes text."),
        ({"cluster": None}, "cluster is null; ECS takes text."),
        ({"cluster": b"x"}, "cluster is a bytes; ECS takes text."),
        ({"enableExecuteCommand": "yes"}, "enableExecuteCommand is text; ECS takes true or false."),
        ({"count": True}, "count is true or false; ECS takes a whole number."),
        ({"count": -1}, "count is too small: ECS takes 0 at least."),
        ({"count": 2**31}, "count is too big: ECS takes 2147483647 at most."),
        ({"tags": [{"key": ""}]}, "tags[0].key is too short: ECS takes 1 at least."),
        ({"tags": {}}, "tags is an object; ECS takes a list."),
        ({"overrides": []}, "overrides is a list; ECS takes an object."),
        ({"overrides": {"x": 1}}, "overrides.x is unknown to ECS."),
        ({"capacityProviderStrategy": [{}]}, "capacityProviderStrategy[0].capacityProvider is missing."),
    ],
)
def test_each_problem_is_described_in_words(member: dict[str, Any], why: str):
    assert why_not({"taskDefinition": "t", **member}, operation("RunTask").input_shape) == [why]
