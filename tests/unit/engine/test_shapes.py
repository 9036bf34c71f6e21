from __future__ import annotations

import copy
from typing import Any

from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.shapes import checker
from tests.unit.engine.ecs_model import RUN_TASK, operation


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] + [place for key, item in items for place in places(item, (*path, key))]


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


@given(st.lists(st.tuples(st.sampled_from(places(RUN_TASK)[1:]), ODDITIES), max_size=2), st.booleans())
def test_what_passes_the_quick_check_is_valid_for_botocore(
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
            continue  # an earlier change has taken it away
    shape = operation("RunTask").input_shape
    valid = not ParamValidator().validate(request, shape).has_errors()
    assert valid or not checker(shape)(request)
    assert checker(shape)(RUN_TASK)


def test_a_shape_of_another_kind_is_left_to_the_validator():
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
