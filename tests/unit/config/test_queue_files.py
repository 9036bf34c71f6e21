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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gpu: [their-secret", "neither JSON nor YAML in line 1"),
        ("- their-secret", "not an object that has an object for each queue"),
        ("gpu: their-secret", "the profile of the queue 'gpu' is not an object"),
        ("", "not an object that has an object for each queue"),
        (
            "gpu: {cpu: their-secret}\nspot: {}\ngpu: {}",
            "'gpu' is there twice in the object that begins in line 1",
        ),
        (
            "spot: {}\ngpu:\n  cpu: 1\n  cpu: their-secret",
            "'cpu' is there twice in the object that begins in line 3",
        ),
        ("[" * 5000, "is of more depth than can be read"),
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
    with pytest.raises(ValueError, match="'gpu' is there twice"):
        parse_queues('{"gpu": {}, "gpu": {"cpu": 1}}')


def test_yaml_may_share_parts_of_profiles(tmp_path: Path) -> None:
    file = tmp_path / "queues.yaml"
    file.write_text("base: &base {cpu: 1, group: g}\nbig: {<<: *base, cpu: 2}\n")
    assert parse_queues(str(file)) == {"base": {"cpu": 1, "group": "g"}, "big": {"cpu": 2, "group": "g"}}


def test_wrong_json_is_not_taken_for_a_path() -> None:
    with pytest.raises(ValueError, match="it is not JSON"):
        parse_queues('{"gpu": {"their-secret"')
