from __future__ import annotations

import argparse
import json
import os
import signal
import stat
from importlib.util import find_spec

import pytest
from rich.console import Console

from ecs_async_executor.cli import demo
from ecs_async_executor.demo.display import ComponentStatus, View
from ecs_async_executor.demo.environment import Stage
from ecs_async_executor.demo.home import free_ports, furnish, new_secrets
from ecs_async_executor.demo.interruption import Interrupted, Interruption
from ecs_async_executor.demo.screen import PlainScreen
from ecs_async_executor.demo.snapshot import DagRun, Snapshot, TaskInstance


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add_parser(parser.add_subparsers())
    return parser.parse_args(["demo", *arguments])


@pytest.mark.parametrize("missing", ["aiohttp", "moto", "rich"])
def test_without_the_extra_packages_one_line_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == missing else find_spec(name))
    args = parse()
    assert args.run(args) == 1
    assert (
        capsys.readouterr().err
        == "The demo needs more packages: in a clone of the repository, pip install -c constraints.txt '.[local]'\n"
    )


def test_the_options_have_defaults_and_names() -> None:
    assert (parse().keep, parse().keep_home, parse().no_live, parse().timeout) == (False, False, False, 300.0)
    assert parse("--timeout", "60").timeout == 60.0


@pytest.mark.parametrize("text", ["-5", "0", "nan", "inf", "soon"])
def test_a_timeout_that_can_not_be_meant_is_a_usage_error(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("--timeout", text)
    assert caught.value.code == 2
    assert "argument --timeout" in capsys.readouterr().err


def test_the_home_has_the_dags_the_task_definition_and_the_login(stage: Stage) -> None:
    furnish(stage, {"PATH": "/usr/bin"})
    home = stage.home
    assert (home.dags / "fan_out.py").is_file()
    assert json.loads(home.task_definition.read_text(encoding="utf-8"))["family"] == "airflow-demo"
    assert json.loads(home.passwords.read_text(encoding="utf-8")) == {"admin": "the-password"}
    assert stat.S_IMODE(home.passwords.stat().st_mode) == 0o600


def test_neither_airflow_home_makes_a_configuration_of_its_own(stage: Stage) -> None:
    furnish(stage, {})
    for airflow_home in (stage.home.root, stage.home.worker):
        assert (airflow_home / "airflow.cfg").read_text(encoding="utf-8") == ""


def test_each_demo_has_ports_and_secrets_of_its_own() -> None:
    ports, one, other = free_ports(), new_secrets(), new_secrets()
    assert ports.airflow != ports.ecs
    assert one.password != other.password
    assert one.jwt_secret != other.jwt_secret
    assert one.fernet_key != other.fernet_key


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_raised_at_the_next_check(number: signal.Signals) -> None:
    interruption = Interruption()
    with interruption.noted():
        interruption.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=number.name):
            interruption.check()


def test_the_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption().noted():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_terminal_there_is_a_line_per_change(capsys: pytest.CaptureFixture[str]) -> None:
    screen = PlainScreen(Console(width=40))
    tasks = (TaskInstance("dag", "task", -1, "scheduled", 1),)
    with screen:
        for elapsed in (1.0, 2.0):
            screen.show(
                View(
                    elapsed,
                    (ComponentStatus("database", 1.0),),
                    Snapshot(0.0, (DagRun("dag", "running"),), tasks),
                )
            )
    assert capsys.readouterr().out.splitlines() == [
        "[   1.0 s] database: ready",
        "[   1.0 s] dag.task: scheduled",
    ]
