from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.support import image

KEYS = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "the-secret-key"}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    (context / "my dags" / "nested").mkdir(parents=True)
    (context / "my dags" / "one.py").write_text("one")
    (context / "my dags" / "nested" / "two.py").write_text("two")
    (context / "requirements.txt").write_text("humanize==4.0\n")
    (context / ".aws").mkdir()
    (context / ".aws" / "credentials").write_text("[default]\naws_access_key_id = FROMFOLDER\n")
    (context / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    return context


class Collected:
    """What collect.sh made of some build arguments, and of secrets named after their file."""

    def __init__(self, context: Path, secrets: dict[str, str] | None = None, /, **arguments: str) -> None:
        self.folder = context.parent / "collected"
        secrets_folder = context.parent / "secrets"
        for name, text in (secrets or {}).items():
            secrets_folder.mkdir(exist_ok=True)
            (secrets_folder / name).write_text(text)
        self.exit_code, self.output, self.errors = image.run(
            "collect.sh", context, secrets_folder, self.folder, environment=arguments
        )

    def text(self, path: str) -> str:
        return (self.folder / path).read_text("utf-8")

    def files(self, folder: str) -> set[str]:
        root = self.folder / folder
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_without_arguments_everything_is_empty(context: Path):
    collected = Collected(context)

    assert (collected.exit_code, collected.output, collected.errors) == (0, "", "")
    assert collected.files("") == {"requirements.txt"}
    assert collected.text("requirements.txt") == ""


@pytest.mark.parametrize("path", ["my dags", "./my dags/"])
def test_dags_and_requirements_come_from_the_context(context: Path, path: str):
    collected = Collected(context, host_dag_path=path, requirements_path="./requirements.txt")

    assert collected.exit_code == 0
    assert collected.files("dags") == {"one.py", "nested/two.py"}
    assert collected.text("requirements.txt") == "humanize==4.0\n"
    assert collected.files("aws") == set()


@pytest.mark.parametrize(
    ("argument", "path", "words"),
    [
        ("host_dag_path", "dgas", "host_dag_path=dgas: there is no such folder in the build context"),
        ("host_dag_path", "requirements.txt", "no such folder"),
        ("host_dag_path", "..", "host_dag_path=.. leads out of the build context"),
        ("requirements_path", "my dags", "requirements_path=my dags: there is no such file"),
        ("requirements_path", "/home/me/requirements.txt", "Paths are relative to it"),
        ("host_aws_path", "~/.aws", "no such folder"),
    ],
)
def test_a_wrong_path_stops_the_build_with_the_argument_that_is_wrong(
    context: Path, argument: str, path: str, words: str
):
    collected = Collected(context, **{argument: path})

    assert collected.exit_code == 1
    assert collected.errors.startswith("ERROR: ")
    assert words in collected.errors


def test_two_different_s3_addresses_stop_the_build(context: Path):
    assert Collected(context, s3_url="s3://one", s3_uri="s3://one").exit_code == 0
    assert "mean the same" in Collected(context, s3_url="s3://one", s3_uri="s3://two").errors


def test_keys_as_build_arguments_work_with_a_warning_and_are_not_printed(context: Path):
    collected = Collected(context, **KEYS, aws_session_token="the-token", aws_default_region="eu-west-1")

    assert collected.exit_code == 0
    assert collected.text("aws/credentials") == (
        "[default]\n"
        "aws_access_key_id = AKIATEST\n"
        "aws_secret_access_key = the-secret-key\n"
        "aws_session_token = the-token\n"
    )
    assert collected.text("aws/config") == "[default]\nregion = eu-west-1\n"
    assert collected.errors.startswith("WARNING: this image now holds AWS credentials from build arguments")
    assert "task role" in collected.errors
    assert not any(secret in collected.errors for secret in ("AKIATEST", "the-secret-key", "the-token"))


def test_a_region_alone_is_no_credential(context: Path):
    collected = Collected(context, aws_default_region="eu-west-1")

    assert (collected.exit_code, collected.errors) == (0, "")
    assert collected.files("aws") == {"config"}


@pytest.mark.parametrize(
    "arguments",
    [{"aws_access_key_id": "AKIATEST"}, {"aws_secret_access_key": "x"}, {"aws_session_token": "x"}],
)
def test_half_a_credential_stops_the_build(context: Path, arguments: dict[str, str]):
    collected = Collected(context, **arguments)

    assert collected.exit_code == 1
    assert "belong together" in collected.errors


def test_a_folder_of_credentials_works_with_a_warning(context: Path):
    collected = Collected(context, host_aws_path=".aws")

    assert collected.exit_code == 0
    assert collected.files("aws") == {"credentials", "config", "from-build"}
    assert "AWS credentials from the folder .aws" in collected.errors
    assert "FROMFOLDER" not in collected.errors


def test_a_build_secret_works_with_a_warning(context: Path):
    collected = Collected(
        context,
        {"aws_credentials": "[default]\naws_access_key_id = FROMSECRET\n"},
        aws_default_region="eu-west-1",
    )

    assert collected.exit_code == 0
    assert "FROMSECRET" in collected.text("aws/credentials")
    assert collected.files("aws") == {"credentials", "config", "from-build"}
    assert "AWS credentials from a build secret" in collected.errors
    assert "provenance" not in collected.errors


@pytest.mark.parametrize("more", [{"host_aws_path": ".aws"}, KEYS])
def test_credentials_from_two_places_stop_the_build(context: Path, more: dict[str, str]):
    collected = Collected(context, {"aws_credentials": "[default]\n"}, **more)

    assert collected.exit_code == 1
    assert "more than one place" in collected.errors


def test_a_region_given_twice_stops_the_build(context: Path):
    collected = Collected(context, host_aws_path=".aws", aws_default_region="eu-west-1")

    assert collected.exit_code == 1
    assert "give one" in collected.errors


def test_only_the_image_user_and_its_group_may_read_credentials(context: Path):
    collected = Collected(context, host_dag_path="my dags", **KEYS)

    def mode(path: str) -> int:
        return stat.S_IMODE((collected.folder / path).stat().st_mode)

    assert (mode("aws"), mode("aws/credentials")) == (0o770, 0o660)
    assert (mode("dags"), mode("dags/one.py")) == (0o775, 0o664)
