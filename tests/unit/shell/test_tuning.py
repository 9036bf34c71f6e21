from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from ecs_async_executor.tuning import SWITCH_INTERVAL, restore, tune


@pytest.fixture(autouse=True)
def default_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_while_an_executor_runs_the_scheduler_gets_the_gil_soon_and_old_objects_are_not_collected() -> None:
    gc.unfreeze()
    tune()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.get_freeze_count() > 10_000
    restore()
    assert sys.getswitchinterval() == pytest.approx(0.005)
    assert gc.get_freeze_count() == 0


def test_of_several_executors_the_last_puts_back_what_the_first_has_changed() -> None:
    tune()
    tune()
    restore()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.get_freeze_count() > 0
    restore()
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_an_interval_that_is_shorter_already_is_left_alone() -> None:
    sys.setswitchinterval(0.0001)
    tune()
    assert sys.getswitchinterval() == pytest.approx(0.0001, abs=2e-6)
    restore()
