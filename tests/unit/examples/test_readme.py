"""examples/README.md names all that is there, and what it names exists."""

from __future__ import annotations

import shlex
import subprocess

from tests.support.samples import EXAMPLES, option_of, problem_of
from tests.unit.docs.pages import broken_links, code_blocks, command_lines, spans
from tests.unit.docs.test_pages import _ECS_ASYNC, unknown_to_make, unknown_words

PAGE = EXAMPLES / "README.md"
TEXT = PAGE.read_text("utf-8")


def test_every_link_leads_to_a_file_and_a_heading():
    assert list(broken_links(PAGE, TEXT)) == []


def test_every_example_that_has_no_page_of_its_own_is_explained():
    entries = [path for path in EXAMPLES.iterdir() if path != PAGE and not path.name.startswith((".", "__"))]
    assert [
        path.name for path in entries if not (path / "README.md").is_file() and f"]({path.name})" not in TEXT
    ] == []


def test_every_dag_for_aws_and_every_task_definition_is_in_the_table():
    files = [*(EXAMPLES / "aws_dags").glob("*.py"), *(EXAMPLES / "task_definitions").iterdir()]
    assert [path.name for path in files if f"]({path.parent.name}/{path.name})" not in TEXT] == []


def test_every_command_of_ours_exists():
    commands = [each for each in [*spans(TEXT), *command_lines(TEXT)] if _ECS_ASYNC.search(each)]
    assert commands
    assert [each for each in commands if list(unknown_words(each))] == []
    targets = [each for each in spans(TEXT) if each.startswith("make ")]
    assert [each for each in targets if list(unknown_to_make(each))] == []


def test_every_variable_is_an_option_that_airflow_knows():
    words = [word for block in code_blocks(TEXT) for word in block.replace("=", " ").split()]
    options = [option for word in words if (option := option_of(word))]
    assert len(options) > 3
    assert [problem for option in options if (problem := problem_of(option))] == []


def test_the_commands_that_make_secrets_make_what_airflow_takes():
    from cryptography.fernet import Fernet  # noqa: PLC0415  slow, and for this test only

    made = {
        line.split("=")[0]: subprocess.run(  # noqa: S602  the page's own line, which has a pipe
            f"printf %s {line.partition('=')[2]}", shell=True, capture_output=True, text=True, check=True
        ).stdout
        for line in command_lines(TEXT)
        if "=$(openssl" in line and " " not in line.split("=")[0]
    }
    Fernet(made["AIRFLOW__CORE__FERNET_KEY"])
    assert len(made["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64, "HS512 wants as many bytes"
    assert made["POSTGRES_PASSWORD"].isalnum(), "it becomes part of a URL"
    assert made["AIRFLOW__API__SECRET_KEY"]
    assert all(shlex.quote(secret) == secret and "$" not in secret for secret in made.values())
