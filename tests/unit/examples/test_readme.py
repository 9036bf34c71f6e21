"""examples/README.md names all that is there, and what it names exists."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ecs_async_executor.cli import main
from tests.support.blocks import LANGUAGES, blocks, run_by
from tests.support.blocks import problem_of as problem_of_block
from tests.support.samples import EXAMPLES, option_of, problem_of, read_cfg, variables
from tests.unit.docs.pages import broken_links, code_blocks, command_lines, spans
from tests.unit.docs.test_pages import _ECS_ASYNC, unknown_to_make, unknown_words

PAGE = EXAMPLES / "README.md"
TEXT = PAGE.read_text("utf-8")
SHOW, MAKE_SECRETS = run_by(__file__, PAGE)


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


def test_every_block_of_commands_is_run_here_or_says_what_it_needs():
    console = [block for block in blocks(PAGE) if block.language in LANGUAGES]
    assert [(str(block), problem) for block in console if (problem := problem_of_block(block))] == []


def test_a_queues_request_is_shown_without_aws(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    export, command = SHOW.commands
    variable, _, value = export.removeprefix("export ").partition("=")
    for (section, name), minimal in read_cfg(EXAMPLES / "config" / "minimal.cfg").values.items():
        monkeypatch.setenv(f"AIRFLOW__{section.upper()}__{name.upper()}", minimal)
    monkeypatch.setenv(variable, value.replace("$PWD", str(EXAMPLES.parent)))

    assert main(command.split()[1:]) == 0

    assert '[{"capacityProvider": "gpu-instances", "weight": 1}]' in capsys.readouterr().out


def test_the_commands_that_make_secrets_make_what_airflow_takes(tmp_path: Path):
    shutil.copytree(EXAMPLES / "compose", tmp_path / "examples" / "compose")

    bash = ("bash", "-euc", MAKE_SECRETS.code)
    subprocess.run(bash, cwd=tmp_path, check=True)

    made = tmp_path / "examples" / "compose" / ".env"
    assert made.stat().st_mode & 0o077 == 0, "nobody else may read it"
    values = [(name, value) for mark, name, value in variables(made) if not mark]
    of = dict(values)
    assert len(of) == len(values), "a variable is there twice"
    Fernet(of["AIRFLOW__CORE__FERNET_KEY"])
    assert len(of["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64, "HS512 wants as many bytes"
    assert of["POSTGRES_PASSWORD"].isalnum(), "it becomes part of a URL"
    assert of["AIRFLOW__API__SECRET_KEY"]
    assert not any("$" in value for value in of.values()), "Compose would replace it"
