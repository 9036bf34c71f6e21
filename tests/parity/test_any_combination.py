"""Any combination of what users write: equal requests, or a listed reason why not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.parity.cases import CHOICES
from tests.parity.comparison import is_equal, judge
from tests.parity.members import LAYERS, MEMBERS
from tests.parity.setups import Setup
from tests.parity.spelling import in_snake_case
from tests.parity.test_parity import check_refusal

FRAGMENTS = [*MEMBERS.values(), *(layer for pair in LAYERS.values() for layer in pair)]


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a layer of one to three fragments, each in either spelling."""
    layer: dict[str, Any] = {}
    for fragment in draw(st.lists(st.sampled_from(FRAGMENTS), max_size=3)):
        layer |= fragment
    return dict(in_snake_case(layer)) if draw(st.booleans()) else layer


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    setup = Setup()
    for name, choices in CHOICES.items():
        choose = draw(st.sampled_from([None, *choices.values()]))
        if choose is not None and name not in {"run_task_kwargs", "executor_config"}:
            setup = choose(setup)
    return setup.with_kwargs(draw(layers())).with_config(draw(st.none() | layers()))


@given(setups())
def test_any_combination_is_equal_but_for_the_listed_differences(setup: Setup) -> None:
    found = judge(setup)
    if found.refusals:
        check_refusal(found)
    else:
        assert is_equal(found.ours, found.expected)
