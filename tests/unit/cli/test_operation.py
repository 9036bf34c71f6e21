"""The commands of operation as a person at a terminal meets them: words, exit codes, screens."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.exc import OperationalError

from ecs_async_executor.cli import main, stop
from ecs_async_executor.cli.operation import CLEAR, guarded, show, watch
from ecs_async_executor.errors import OperationError
from ecs_async_executor.fleet.executors import OurExecutors
from ecs_async_executor.operate.stop import Target
from tests.support.operation import TOKEN, container

CONFORMANCE = ["conformance", "--cluster", "c", "--task-definition", "t"]


def interrupted_after(times: int) -> Callable[[float], None]:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == times:
            raise KeyboardInterrupt

    return sleep


def fail() -> NoReturn:
    raise OperationError(f"It can't be read: {TOKEN}.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tasks", "--phase", "runing"], "Did you mean running?"),
        (["tasks", "--phase", "x"], "Phases are: waiting, launching"),
        (["tasks", "--state", "runing"], "Did you mean running?"),
        (["tasks", "--state", "x"], "ECS's are: PROVISIONING, PENDING"),
        (["sweep", "--yess"], "Did you mean --yes?"),
        (["sweep", "--older-than", "10"], "at least 300 seconds"),
        (["status", "--every", "0"], "not a number of seconds above 0"),
        (["stop"], "WHAT"),
        (["exec", "dag"], "required: TASK\n"),
        (["exec", "--map-index", "-1", "d", "t"], "map-index"),
        (["statsu"], "Did you mean status?"),
        (["doctor", "--timeout", "nan"], "not a number of seconds"),
        ([*CONFORMANCE, "--endpoint-url", "ftp://x"], "'ftp://x' is not a URL such as http://127.0.0.1:8787"),
        ([*CONFORMANCE, "--endpoint-url", "localhost:8787"], "is not a URL such as http"),
        ([*CONFORMANCE, "--endpoint-url", "http://"], "is not a URL such as http"),
        ([*CONFORMANCE, "--endpoint-url", "http://h:x"], "is not a URL such as http"),
        ([*CONFORMANCE, "--max-cents", "nan"], "'nan' is not a number of US cents"),
        ([*CONFORMANCE, "--max-cents", "-1"], "is not a number of US cents"),
        ([*CONFORMANCE, "--subnets", ","], "separated by commas"),
    ],
)
def test_a_wrong_word_is_named_and_the_right_one_suggested(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("exec d t", []),
        ("exec d t -- ls -l", ["ls", "-l"]),
        ("exec --run r d t -- ls --run x", ["ls", "--run", "x"]),
        ("exec d t --run r -- ls -l", ["ls", "-l"]),
        ("exec d t ls", ["ls"]),
        ("exec d t -- sh -c -- x", ["sh", "-c", "--", "x"]),
    ],
)
def test_what_follows_two_hyphens_is_the_containers_command(
    words: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[argparse.Namespace] = []

    def run(args: argparse.Namespace) -> int:
        given.append(args)
        return 0

    monkeypatch.setattr("ecs_async_executor.cli.exec.run", run)
    assert main(words.split()) == 0
    assert (given[0].dag_id, given[0].task_id, [*given[0].command]) == ("d", "t", command)


def test_what_can_not_be_done_is_a_sentence_without_tokens_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded("stop", fail) == 1
    said = capsys.readouterr().err
    assert said == "ecs-async stop: It can't be read: ***.\n"


@pytest.mark.parametrize("command", ["config", "doctor", "status"])
def test_ctrl_c_ends_every_command_with_130(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: argparse.Namespace) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"ecs_async_executor.cli.{command}.run", interrupt)
    assert main([command]) == 130


@pytest.mark.parametrize(("stream", "pipe"), [("stdout", "| true"), ("stderr", "2>&1 | true")])
def test_a_reader_that_is_gone_ends_a_command_in_silence(stream: str, pipe: str, tmp_path: Path) -> None:
    work = f"print('x' * 100_000, file=sys.{stream}, flush=True) or 0"
    code = f"import sys; from ecs_async_executor.cli.operation import to_the_end; sys.exit(to_the_end(lambda: {work}))"
    line = f'{sys.executable} -c "{code}" {pipe}'
    done = subprocess.run(
        ["/bin/bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 1, "no Region is set. Add --region"),
        (
            ["--region", "eu-west-1", "--launch-type", "EC2", "--capacity-provider", "p"],
            2,
            "either --launch-type or",
        ),
        (
            ["--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:9"],
            1,
            "failed at http://127.0.0.1:9: Endpoint",
        ),
    ],
)
def test_conformance_blames_what_is_wrong(
    options: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_ECS",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    assert main([*CONFORMANCE, *options]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "--task-definition" not in said


class Page(BaseHTTPRequestHandler):
    """A web page in place of ECS."""

    def do_POST(self) -> None:
        body = b"<html>Sign in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_conformance_says_that_a_web_page_is_no_ecs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert main([*CONFORMANCE, "--region", "eu-west-1", "--endpoint-url", url]) == 1
        server.shutdown()
    assert f"What answers at {url} is no ECS" in capsys.readouterr().err


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    assert guarded("stop", interrupt) == 130


def test_nothing_is_logged_between_the_lines_and_logging_is_as_before_afterwards(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work() -> int:
        assert not logging.getLogger("botocore.credentials").isEnabledFor(logging.INFO)
        sys.stdout.write("what Airflow's own loggers write to stdout")
        show(["a line"])
        return 0

    before = logging.root.manager.disable, sys.stdout
    assert guarded("tasks", work) == 0
    assert (logging.root.manager.disable, sys.stdout) == before
    assert capsys.readouterr().out == "a line\n"


def test_watching_shows_it_again_until_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert watch(5.0, lambda: 1, lambda _: ["a"], as_json=False, sleep=interrupted_after(2)) == 0
    assert capsys.readouterr().out == f"{CLEAR}a\n" * 2


def test_watching_survives_a_failed_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(5.0, fail, lambda _: [], as_json=False, sleep=interrupted_after(2)) == 0
    assert capsys.readouterr().err == "It can't be read: ***.\n" * 2


def test_watched_json_is_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    watch(5.0, lambda: {"a": [1]}, lambda _: [], as_json=True, sleep=interrupted_after(3))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"a": [1]}] * 3


def test_a_database_that_can_not_be_read_is_a_sentence_without_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("SELECT 1", {}, Exception("could not connect to db.internal, password=x"))

    def broken(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("airflow.settings.SQL_ALCHEMY_CONN", "sqlite://")
    monkeypatch.setattr("ecs_async_executor.operate.rows.read_fleet", broken)
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ecs-async status: Airflow's metadata database can't be read (OperationalError).")
    assert "db.internal" not in said


def test_a_database_file_that_is_not_there_is_named_and_not_created(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "airflow.db"
    monkeypatch.setattr("airflow.settings.SQL_ALCHEMY_CONN", f"sqlite:///{missing}")
    assert main(["status"]) == 1
    assert f"There is no database {missing}. Run it with the scheduler's" in capsys.readouterr().err
    assert not missing.exists()


@pytest.mark.parametrize("cause", ["no such table: dag_run", "(1146, \"Table 'airflow.job' doesn't exist\")"])
def test_a_database_without_airflows_tables_is_another_one(
    cause: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise OperationalError("SELECT 1", {}, Exception(cause))

    monkeypatch.setattr("airflow.settings.SQL_ALCHEMY_CONN", "sqlite://")
    monkeypatch.setattr("ecs_async_executor.operate.rows.read_fleet", broken)
    assert main(["status"]) == 1
    assert "no Airflow tables, or too old ones. Run it with the scheduler's" in capsys.readouterr().err


def test_where_airflow_has_another_executor_no_zero_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = OurExecutors(frozenset(), {None: False})
    monkeypatch.setattr("ecs_async_executor.operate.rows.find_our_executors", lambda: other)
    assert main(["status"]) == 1
    found = capsys.readouterr()
    assert not found.out
    assert "`[core] executor` here names no AsyncEcsExecutor" in found.err


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("STOPPED", "ECS task 0a1b2c has stopped already. Nothing to do.\n"),
        ("DEACTIVATING", "ECS task 0a1b2c is DEACTIVATING: it is ending already. Nothing to do.\n"),
    ],
)
def test_what_has_ended_by_itself_is_not_said_to_have_been_stopped(
    state: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(container(lastStatus=state, desiredStatus="STOPPED"), None, shows_it=False)
    monkeypatch.setattr("ecs_async_executor.operate.access.open_access", lambda _: None)
    monkeypatch.setattr("ecs_async_executor.operate.stop.find_target", lambda *_: target)
    assert main(["stop", "0a1b2c3d"]) == 0
    assert capsys.readouterr().out == words


def test_the_user_is_named_and_a_container_without_users_names_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada\n")
    assert stop.user() == "ada"

    def nobody() -> NoReturn:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert stop.user() == "an unnamed user"


@pytest.mark.parametrize(
    "command", ["tasks", "sweep", "stop d/r/t", "exec d t", "config"], ids=lambda each: each.split()[0]
)
def test_options_that_are_missing_are_counted_and_no_command_claims_to_start_an_executor(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLUSTER", "CONTAINER_NAME", "TASK_DEFINITION"):
        monkeypatch.delenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}", raising=False)
    assert main(command.split()) == 1
    found = capsys.readouterr()
    assert not found.out
    first, *rest = found.err.splitlines()
    assert first.endswith("3 options to correct:")
    assert all(line.startswith("  - [aws_ecs_executor] ") for line in rest)
    assert "start" not in first
