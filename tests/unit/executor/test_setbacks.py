"""What the Audit Log keeps of a task's launches is read back as it was written, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.config.profiles import Profile, make_profiles
from ecs_async_executor.config.settings import Settings
from ecs_async_executor.event_names import SETBACKS, EventName
from ecs_async_executor.executor.setbacks import Setback, parse, setbacks_of
from ecs_async_executor.messages import Diagnosis, Stopped

ARN = "arn:aws:ecs:us-east-1:123456789012:task/c/0123456789abcdef0123456789abcdef"


@given(
    st.sampled_from(sorted(SETBACKS)).map(EventName),
    st.integers(1, 1000),
    st.text(max_size=30) | st.just("spot, (a); arn:x"),
    st.none() | st.integers(1, 10**9),
)
def test_a_setback_is_read_back_as_it_was_written(
    event: EventName, try_number: int, profile: str, memory: int | None
) -> None:
    setback = Setback(event, try_number, ARN, profile, memory)
    assert parse(event.value, try_number, str(setback)) == setback


def test_people_can_read_it() -> None:
    assert str(Setback(EventName.OUT_OF_MEMORY, 1, "arn:1", "small", 2048)) == (
        "Its container was killed for lack of memory at 2048 MiB. (queue small, arn:1)"
    )
    assert str(Setback(EventName.INTERRUPTED, 1, "arn:1")) == "AWS reclaimed its capacity. (arn:1)"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param("ecs task ended", "AWS reclaimed its capacity. (arn:1)", id="another event"),
        pytest.param("running", "AWS reclaimed its capacity. (arn:1)", id="an event of Airflow's"),
        pytest.param("ecs task interrupted", None, id="no text"),
        pytest.param("ecs task interrupted", "", id="an empty text"),
        pytest.param(
            "ecs task interrupted", "Its container was killed for lack of memory. (arn:1)", id="of the other"
        ),
        pytest.param("ecs task interrupted", "AWS reclaimed its capacity.", id="without an ECS task"),
        pytest.param(
            "ecs task interrupted", "AWS reclaimed its capacity. (arn:1) Really.", id="with more text"
        ),
    ],
)
def test_any_other_text_is_none(event: str, text: str | None) -> None:
    assert parse(event, 1, text) is None


@pytest.fixture(scope="module")
def growing() -> Profile:
    queues = {"growing": {"cpu": 1024, "memory": [2048, 4096]}}
    required: dict[str, Any] = {
        "cluster": "c",
        "container_name": "a",
        "task_definition": "t",
        "subnets": ("s",),
    }
    return make_profiles(Settings(**required, queues=queues)).of("growing")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({}, [], id="it failed for a reason of its own"),
        pytest.param({"interrupted": True}, [(EventName.INTERRUPTED, None)], id="interrupted"),
        pytest.param(
            {"out_of_memory": True, "memory": 1024},
            [(EventName.OUT_OF_MEMORY, 1024)],
            id="ECS shows its memory",
        ),
        pytest.param(
            {"out_of_memory": True}, [(EventName.OUT_OF_MEMORY, 2048)], id="only its profile shows it"
        ),
    ],
)
def test_what_an_end_means_for_later_launches(
    growing: Profile, members: dict[str, Any], expected: list[tuple[EventName, int | None]]
) -> None:
    end = Stopped(
        "run", 1, "arn:1", 137, ran=True, permanent=False, diagnosis=Diagnosis("It died."), **members
    )
    assert setbacks_of(end, 2, growing) == [
        Setback(event, 2, "arn:1", "growing", memory) for event, memory in expected
    ]
