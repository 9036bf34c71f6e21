"""What the doctor's host and its probe say to API servers that are slow at first, or behind TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecs_async_executor.doctor.facts import Kind, Known, Question
from ecs_async_executor.doctor.host import answer
from ecs_async_executor.doctor.launch.probe import ALARM, TRIAL, command, report_in
from tests.support.api_server import make_certificate, serve_api


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


def probed(url: str, home: Path, *, trial: float = TRIAL) -> Any:
    """Run the probe as a container does, with another limit of a request, and return what it says of the API."""
    python, flag, script, inputs = command({"token": "t", "ti": "1"})
    assert (python, f"timeout={TRIAL}" in script) == ("python", True)
    done = subprocess.run(
        [sys.executable, flag, script.replace(f"timeout={TRIAL}", f"timeout={trial}"), inputs],
        env={
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": url,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    report = report_in(done.stdout.splitlines())
    assert report is not None
    return report["api"]


def test_a_cold_api_server_is_asked_twice(tmp_path: Path) -> None:
    with serve_api([10.0]) as port:
        url = f"http://127.0.0.1:{port}/execution"
        assert probed(url, tmp_path, trial=3) == {"url": url, "status": 404, "known": True}


def test_a_server_that_stays_slow_is_asked_no_more_than_twice(tmp_path: Path) -> None:
    slow = [60.0] * 5
    with serve_api(slow) as port:
        found = probed(f"http://127.0.0.1:{port}/execution", tmp_path)
    assert len(slow) == 3
    assert found["unreachable"] == "timed out"  # and not the alarm's words: both fit into the look's limit
    assert 2 * TRIAL < ALARM


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_without_tls_is_told_from_a_server_that_does_not_answer(
    scheme: str, tmp_path: Path, certificate: Path
) -> None:
    with serve_api(certificate=certificate) as port:
        url = f"{scheme}://127.0.0.1:{port}/execution"
        known = answer(Question(Kind.API, url))
        found = probed(url, tmp_path)
    assert isinstance(known, Known)
    problem = str(known.value["problem"])
    if scheme == "http":
        assert problem == "plain HTTP"
        assert found["tls"] is True
    else:
        assert problem.startswith("certificate: ")
        assert "certificate verify failed" in found["unreachable"]
        assert "tls" not in found


def test_an_address_without_tls_of_a_server_without_tls_is_fine(tmp_path: Path) -> None:
    with serve_api() as port:
        url = f"http://127.0.0.1:{port}/execution"
        assert answer(Question(Kind.API, url)) == Known({"status": 200, "healthy": True, "problem": ""})
        assert "tls" not in probed(url, tmp_path)
