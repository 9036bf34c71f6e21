from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest

from ecs_async_executor.demo.components import Component, ComponentFailedError, kill_leftovers, stop_all

# Starts a child that leaves its group and session and drops its environment, tells the child's id, then sleeps.
WITH_A_RUNAWAY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True, env={})
print(child.pid, flush=True)
time.sleep(600)
"""
# Its child starts a grandchild that nothing but its parents betrays, tells its id and dies.
WITH_AN_ORPHAN = """
import subprocess, sys
from pathlib import Path
from ecs_async_executor.demo.components import adopt_orphans, kill_leftovers
child = (
    "import subprocess, sys;"
    "silent = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL};"
    "sleeper = [sys.executable, '-c', 'import time; time.sleep(600)'];"
    "print(subprocess.Popen(sleeper, start_new_session=True, env={}, **silent).pid)"
)
adopt_orphans()
print(subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, text=True).stdout, end="")
kill_leftovers(Path("/nowhere"))
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


def component(tmp_path: Path, code: str, **environment: str) -> Component:
    command = (sys.executable, "-c", code)
    return Component("Dag processor", command, {**os.environ, **environment}, tmp_path / "log")


def first_line(subject: Component) -> str:
    """Wait for its first line; the test's timeout bounds it."""
    while not subject.log.read_text(encoding="utf-8").endswith("\n"):
        subject.check()
    return subject.log.read_text(encoding="utf-8").splitlines()[0]


def test_a_component_that_dies_is_named_with_its_exit_code_and_last_lines(tmp_path: Path) -> None:
    subject = component(tmp_path, "for n in range(40): print('line', n)\nraise SystemExit(3)")
    subject.start()
    subject.reap()
    with pytest.raises(ComponentFailedError) as caught:
        subject.check()
    message = str(caught.value)
    assert message.startswith("The Dag processor died with exit code 3. Its last log lines:\nline 25\n")
    assert message.endswith("line 39")


@pytest.mark.parametrize(("exit_code", "is_over"), [(0, True), (1, False)])
def test_a_component_that_ends_by_itself_may_end_well_and_only_well(
    tmp_path: Path, exit_code: int, is_over: bool
) -> None:
    command = (sys.executable, "-c", f"raise SystemExit({exit_code})")
    subject = Component("database", command, os.environ, tmp_path / "log", ends=True)
    subject.start()
    subject.reap()
    with nullcontext() if is_over else pytest.raises(ComponentFailedError, match="exit code 1"):
        subject.check()


def test_a_component_that_died_silently_says_so(tmp_path: Path) -> None:
    subject = component(tmp_path, "raise SystemExit(1)")
    subject.start()
    subject.reap()
    assert str(subject.failure("died")) == "The Dag processor died. Its last log lines:\n(no output)"


def test_a_running_component_passes_the_check_and_has_its_environment(tmp_path: Path) -> None:
    code = "import os, time\nprint(os.environ['A'], flush=True)\ntime.sleep(600)"
    subject = component(tmp_path, code, A="at first")
    subject.start()
    try:
        assert first_line(subject) == "at first"
        subject.check()
        assert subject.is_running
    finally:
        stop_all([subject], grace=0.0)
    assert not subject.is_running


def test_a_component_that_never_started_can_be_stopped(tmp_path: Path) -> None:
    subject = component(tmp_path, "")
    stop_all([subject], grace=0.0)
    assert subject.exit_code is None


def test_stopping_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    subject = component(tmp_path, DEAF)
    subject.start()
    assert first_line(subject) == "deaf"
    stop_all([subject], grace=0.0)
    assert subject.exit_code == -9


def test_stopping_kills_a_child_that_has_left_the_group(tmp_path: Path) -> None:
    subject = component(tmp_path, WITH_A_RUNAWAY)
    subject.start()
    runaway = psutil.Process(int(first_line(subject)))
    stop_all([subject], grace=0.0)
    assert not runaway.is_running() or runaway.status() == psutil.STATUS_ZOMBIE


def test_leftovers_are_found_by_their_airflow_home(tmp_path: Path) -> None:
    code = "import time\nprint('up', flush=True)\ntime.sleep(600)"
    mine = component(tmp_path, code, AIRFLOW_HOME=str(tmp_path / "home" / "worker"))
    (tmp_path / "other").mkdir()
    other = component(tmp_path / "other", code, AIRFLOW_HOME=str(tmp_path / "home-of-another"))
    mine.start()
    other.start()
    try:
        first_line(mine)
        first_line(other)
        kill_leftovers(tmp_path / "home", spare=psutil.Process().children(recursive=True))
        mine.reap()
        assert not mine.is_running
        assert other.is_running
    finally:
        stop_all([mine, other], grace=0.0)


def test_what_a_user_runs_in_a_shell_of_the_demo_is_no_leftover(tmp_path: Path) -> None:
    code = "import time\nprint('up', flush=True)\ntime.sleep(600)"
    theirs = component(tmp_path, code, AIRFLOW_HOME=str(tmp_path / "home"), ECS_ASYNC_DEMO_SHELL="1")
    theirs.start()
    try:
        first_line(theirs)
        kill_leftovers(tmp_path / "home", spare=psutil.Process().children(recursive=True))
        assert theirs.is_running
    finally:
        stop_all([theirs], grace=0.0)


def test_an_orphan_without_environment_and_group_is_killed_too() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITH_AN_ORPHAN], check=True, capture_output=True, text=True, timeout=50
    )
    assert not psutil.pid_exists(int(told.stdout))


def test_a_component_does_not_show_its_environment(tmp_path: Path) -> None:
    subject = component(tmp_path, "", SECRET="the-secret")
    assert repr(subject) == "<Component 'Dag processor' exit_code=None>"
