"""`ecs-async` itself: what it says of its commands, and of what it does not know."""

from __future__ import annotations

import pytest

from ecs_async_executor.cli import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert not output.out
    return output.err


def test_alone_it_describes_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys)
    for command, description in (
        ("config", "show the RunTask request"),
        ("demo", "run the example Dags"),
        ("image", "image of the task containers"),
        ("local", "run a local ECS"),
    ):
        (line,) = [line for line in error.splitlines() if line.split()[:1] == [command]]
        assert description in line


def test_a_command_of_commands_alone_describes_them(capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "image")
    assert "print the build arguments for a matching image" in error
    assert "check whether an image matches the scheduler" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["locl"], "unknown command locl. Did you mean local?"),
        (["xyz"], "unknown command xyz. See `ecs-async --help`."),
        (["--verson"], "unknown option --verson. Did you mean --version?"),
        (["local", "--prot", "1"], "unknown option --prot. Did you mean --port?"),
        (["local", "--pass-evn=A"], "unknown option --pass-evn. Did you mean --pass-env?"),
        (["local", "--por", "1"], "unknown option --por. Did you mean --port?"),
        (["local", "stop"], "unknown argument stop. See `ecs-async local --help`."),
        (["demo", "--kep"], "unknown option --kep. Did you mean --keep?"),
        (["image", "chek"], "unknown command chek. Did you mean check?"),
        (["image", "check", "i", "--engin", "podman"], "unknown option --engin. Did you mean --engine?"),
    ],
)
def test_what_is_unknown_is_said_with_the_nearest_that_is_known(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, last = refused(capsys, *arguments).splitlines()
    assert words in last


@pytest.mark.parametrize("arguments", [["--help"], ["local", "--help"], ["--version"]])
def test_help_and_version_are_no_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "ecs-async" in capsys.readouterr().out
