from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ecs_async_executor.executor.interpreter import SWITCH_INTERVAL, restore, tune


@pytest.fixture(autouse=True)
def default_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield
    sys.setswitchinterval(before)


def test_a_running_executor_lowers_the_switch_interval_and_freezes_old_objects() -> None:
    gc.unfreeze()
    tune()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.get_freeze_count() > 10_000
    restore()
    assert sys.getswitchinterval() == pytest.approx(0.005)
    assert gc.get_freeze_count() == 0


def test_the_last_of_several_executors_restores_what_the_first_changed() -> None:
    tune()
    tune()
    restore()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert gc.get_freeze_count() > 0
    restore()
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_a_shorter_switch_interval_is_left_alone() -> None:
    sys.setswitchinterval(0.0001)
    tune()
    assert sys.getswitchinterval() == pytest.approx(0.0001, abs=2e-6)
    restore()


START = "from ecs_async_executor import AsyncEcsExecutor; AsyncEcsExecutor().start()"


@pytest.mark.parametrize("before", ["", "import sys; sys.excepthook = lambda *_: print('not this one'); "])
def test_an_invalid_configuration_prints_what_to_correct_and_no_traceback(
    before: str,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", before + START], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    first, *rest = ended.stderr.strip().splitlines()
    assert first == "AsyncEcsExecutor can't start; 3 problems to correct:"
    assert all(line.startswith("  - [aws_ecs_executor] ") for line in rest)


def test_any_other_error_prints_its_traceback_even_after_a_configuration_error() -> None:
    code = f"""
try:
    {START}
except Exception:
    pass
raise ValueError("of another")
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last)" in ended.stderr
    assert "ValueError: of another" in ended.stderr
