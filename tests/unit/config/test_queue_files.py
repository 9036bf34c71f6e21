"""The option `queues`: JSON, or a file. What is wrong with it is said without its values."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_async_executor.config.queue_files import parse_queues

QUEUES = {"gpu": {"launchType": "EC2", "environment": {"A": "1"}}, "small-*": {"cpu": 256}}
YAML = """
gpu:
  launchType: EC2
  environment:
    A: "1"
small-*: {cpu: 256}
"""
JSON = '{"gpu": {"launchType": "EC2", "environment": {"A": "1"}}, "small-*": {"cpu": 256}}'


@pytest.mark.parametrize("text", [JSON, f"\n  {JSON}", str(QUEUES)])
def test_it_is_written_into_the_option(text: str) -> None:
    assert parse_queues(text) == QUEUES


@pytest.mark.parametrize(("name", "text"), [("queues.yaml", YAML), ("queues.json", JSON), ("queues", YAML)])
def test_it_stands_in_a_file(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    assert parse_queues(f" {file} ") == QUEUES


def test_a_files_dollar_signs_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "the scheduler's")
    file = tmp_path / "queues.json"
    file.write_text('{"gpu": {"environment": {"A": "pa$NAME ${NAME} 50%"}}}')
    assert parse_queues(str(file)) == {"gpu": {"environment": {"A": "pa$NAME ${NAME} 50%"}}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gpu: [their-secret", "neither JSON nor YAML in line 1"),
        ("- their-secret", "neither an object with a profile for each queue"),
        ("gpu: their-secret", "the profile of the queue 'gpu' is not an object"),
        ("", "neither an object with a profile for each queue"),
        (
            "gpu: {cpu: their-secret}\nspot: {}\ngpu: {}",
            "'gpu' appears twice in the object that begins in line 1",
        ),
        (
            "spot: {}\ngpu:\n  cpu: 1\n  cpu: their-secret",
            "'cpu' appears twice in the object that begins in line 3",
        ),
        ("[" * 5000, "is nested too deeply"),
        ("!!python/object/apply:os.system ['their-secret']", "neither JSON nor YAML"),
    ],
)
def test_a_wrong_file_is_named_and_not_shown(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem) as caught:
        parse_queues(str(file))
    assert "their-secret" not in str(caught.value)


def test_a_profile_may_be_empty(tmp_path: Path) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text("plain:\nempty: {}\n")
    assert parse_queues(str(file)) == {"plain": {}, "empty": {}}


def test_a_relative_path_is_shown_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path}/nowhere.yaml"):
        parse_queues("nowhere.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the file .*/nowhere\.yaml can't be read: FileNotFoundError"):
        parse_queues(str(tmp_path / "nowhere.yaml"))


def test_a_name_that_stands_twice_in_json_is_refused() -> None:
    with pytest.raises(ValueError, match="'gpu' appears twice"):
        parse_queues('{"gpu": {}, "gpu": {"cpu": 1}}')


def test_yaml_may_share_parts_of_profiles(tmp_path: Path) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text("base: &base {cpu: 1, group: g}\nbig: {<<: *base, cpu: 2}\n")
    assert parse_queues(str(file)) == {"base": {"cpu": 1, "group": "g"}, "big": {"cpu": 2, "group": "g"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"gpu": {"their-secret"',
        '[{"gpu": {"environment": {"PASSWORD": "their-secret"}}}]',
        """'{"gpu": {"environment": {"PASSWORD": "their-secret"}}}'""",
        '"their-secret"',
        '\ufeff{"gpu": {"environment": {"PASSWORD": "their-secret"}}}',
    ],
)
def test_wrong_json_is_not_taken_for_a_path_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"it is (not JSON|neither an object)") as caught:
        parse_queues(text)
    assert "their-secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["on", "007", "0x10", "null", "12:30", "1.5", '""'])
def test_a_name_that_yaml_takes_for_something_else_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text(f"{name}: {{}}\n")
    with pytest.raises(ValueError, match=r"a queue's name (must be text, not .*: put it in quotes|is empty)"):
        parse_queues(str(file))


def test_every_profile_that_is_none_is_reported_at_once() -> None:
    with pytest.raises(
        ValueError, match="queue 'gpu' is not an object; the profile of the queue 'spot' is not"
    ):
        parse_queues({"gpu": "EC2", "spot": ["a"], "good": {}})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a: {}\n\tb: {}",
            "neither JSON nor YAML in line 2: found character '\\\\t' that cannot start any token",
        ),
        ("a: {cpu: 1}\n  b: {}", "in line 2: (mapping values are not allowed here|expected <block end>)"),
        ("a: {x: 2024-13-45}", "an invalid date: put it in quotes"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        parse_queues(str(file))


def test_a_home_that_does_not_exist_is_reported_like_any_other_path() -> None:
    with pytest.raises(ValueError, match="can't be read: RuntimeError"):
        parse_queues("~no-such-user/queues.yaml")
