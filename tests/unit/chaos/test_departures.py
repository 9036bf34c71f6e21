"""Which schedulers that don't leave on SIGTERM are excused: only those in which core lost the signal."""

from __future__ import annotations

import pytest

from tests.chaos.departures import is_cores_mistake, lost_its_signal

LINE = "2026-01-01T00:00:00.000000Z [info     ] Executor parallelism limit reached. [base_executor]\n"
HEARD = "2026-01-01T00:00:01.000000Z [info     ] Exiting gracefully upon receiving signal 15 [scheduler]\n"


def ignored(error: str, where: str = "<function _collection_gced at 0x7f>") -> str:
    return (
        f"Exception ignored in: {where}\nTraceback (most recent call last):\n"
        f'  File "sqlalchemy/event/registry.py", line 104, in _collection_gced\n    \n{error}\n'
    )


def stack(*frames: str) -> str:
    lines = "".join(f'  File "/venv/{frame}.py", line 1 in f\n' for frame in frames)
    return f"Stack (most recent call first):\n{lines}"


LOGS = {
    "the handler waits for the lock of the line that it has interrupted": (
        LINE + stack("structlog/_output", "airflow/jobs/scheduler_job_runner", "structlog/_output"),
        True,
    ),
    "the handler's exit was swallowed in a finalizer": (LINE + HEARD + ignored("SystemExit: 0") + LINE, True),
    "the main thread hangs in our code": (LINE + stack("ecs_async_executor/executor/executor"), False),
    "the main thread hangs in a call": (LINE + stack("psycopg2/cursor", "sqlalchemy/engine/default"), False),
    "the end hangs": (LINE + HEARD + LINE, False),
    "the end hangs after another exception was swallowed": (
        LINE + HEARD + ignored("RuntimeError: Event loop is closed", "<function __del__>") + LINE,
        False,
    ),
    "nothing was logged": ("", False),
}


@pytest.mark.parametrize(("log", "lost"), LOGS.values(), ids=LOGS)
def test_a_signal_was_lost_if(log: str, lost: bool):
    assert lost_its_signal(log) is lost


def traceback(file: str, error: str) -> str:
    return f'Traceback (most recent call last):\n  File "/ecs_async_executor/.venv/{file}", line 1, in f\n{error}\n'


OURS, CORES = "ecs_async_executor/executor/executor.py", "airflow/utils/sqlalchemy.py"
INTERRUPTED = traceback(OURS, "SystemExit: 0") + "\nDuring handling of the above exception, another one:\n\n"
COMMIT = traceback(CORES, "RuntimeError: UNEXPECTED COMMIT - THIS WILL BREAK HA LOCKS!")
EXITS = {
    "core can't save its job's end": (LINE + HEARD + COMMIT, True),
    "it was interrupted in our code, and then can't save its job's end": (
        LINE + HEARD + INTERRUPTED + COMMIT,
        True,
    ),
    "our code raised": (LINE + HEARD + traceback(OURS, "KeyError: 7"), False),
    "core's mistake was of before": (COMMIT + LINE + HEARD, False),
    "nothing was raised": (LINE + HEARD, False),
    "it wasn't told to leave": (LINE + COMMIT, False),
}


@pytest.mark.parametrize(("log", "cores"), EXITS.values(), ids=EXITS)
def test_an_exit_code_of_1_is_cores_mistake_if(log: str, cores: bool):
    assert is_cores_mistake(log) is cores
