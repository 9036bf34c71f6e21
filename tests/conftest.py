"""For all tests: an Airflow home of their own, made before anything imports Airflow, and hypothesis's profiles."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, make_url, text
from xdist.scheduler import LoadScopeScheduling

from tests.support.virtual_time import VirtualTimeLoop

# A shell's background job ignores Ctrl-C, and so would every program that it starts; ours must be tested with it.
signal.signal(signal.SIGINT, signal.default_int_handler)
_HOME = Path(tempfile.mkdtemp(prefix="ecs-async-tests-"))


def _database() -> str:
    """Return this process's own database: SQLite, or one that it makes on the server of TEST_DATABASE_URL."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        return f"sqlite:///{_HOME}/airflow.db"
    url = make_url(server).set(database=f"airflow_{os.getpid()}")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {url.database}"))
    engine.dispose()
    return url.render_as_string(hide_password=False)


os.environ.update(
    {
        "AIRFLOW_HOME": str(_HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(_HOME / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _database(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": "",  # no test needs it, and its drivers are packages of their own
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of at least sixty-four bytes, as HS512 wants, for the tests only",
        "AIRFLOW__CORE__EXECUTOR": "ecs_async_executor.AsyncEcsExecutor",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
)
# A developer's own AWS set-up must not leak into the tests.
for _name in (
    "AWS_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECS",
    "AWS_SESSION_TOKEN",
):
    os.environ.pop(_name, None)

settings.register_profile(
    "ci", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("nightly", settings.get_profile("ci"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_unconfigure() -> None:
    """Remove this process's Airflow home: `make test` runs several processes."""
    shutil.rmtree(_HOME, ignore_errors=True)


_SCHEDULERS = ("test_chaos", "test_frozen_scheduler", "test_switching", "test_two_schedulers")
"""The end-to-end tests that mostly wait for schedulers; the others mostly compute."""


class _TwoAirflowsAtATime(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Sends each test to whichever process is free, but the end-to-end tests to two: each starts a whole Airflow.

    The two groups are the longest, so xdist starts with them. Together they take half of the time.
    """

    def _split_scope(self, nodeid: str) -> str:
        folder, _, name = nodeid.rpartition("/")
        if folder != "tests/end_to_end":
            return nodeid
        return "end to end, schedulers" if name.startswith(_SCHEDULERS) else "end to end, others"


@pytest.hookimpl(optionalhook=True)  # unknown without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _TwoAirflowsAtATime:
    """Distribute the tests of a run in several processes (`-n`)."""
    return _TwoAirflowsAtATime(config, log)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Run tests marked `virtual_time` on a loop whose clock jumps."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


# Else the first look at the current loop would make one that nobody closes.
asyncio.set_event_loop(None)
