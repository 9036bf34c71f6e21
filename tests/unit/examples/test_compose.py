"""examples/compose: Compose's file is complete, starts commands that exist, and holds no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

from ecs_async_executor.config.configuration import read_configuration
from tests.support.samples import EXAMPLES, in_force, option_of, problem_of, read_env, variables

FOLDER = EXAMPLES / "compose"
TEXT = (FOLDER / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = {name: service for name, service in SERVICES.items() if "build" in service}
SAMPLE = FOLDER / "sample.env"
SECRETS = {
    "POSTGRES_PASSWORD",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
}


def interpolated() -> dict[str, set[str]]:
    """Return the variables that Compose fills in, and how: `?` refuses a missing one, `-` has a default."""
    code = re.sub(r"^\s*#.*$", "", TEXT, flags=re.MULTILINE)
    found: dict[str, set[str]] = {}
    for name, how in re.findall(r"\$\{(\w+)(?::([?-])[^}]*)?\}", code):
        found.setdefault(name, set()).add(how)
    return found


def airflow_commands() -> list[list[str]]:
    commands = [service["command"] for service in AIRFLOW.values()]
    checks = [service["healthcheck"]["test"][1:] for service in AIRFLOW.values() if "healthcheck" in service]
    return [command for command in [*commands, *checks] if command[0] == "airflow"]


def test_every_service_of_airflow_is_there_once():
    parts = {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert set(SERVICES) == parts | {"postgres", "migration"}
    assert set(AIRFLOW) == parts | {"migration"}
    assert {name for name in parts if AIRFLOW[name]["command"] == ["airflow", name]} == parts


@pytest.mark.parametrize("command", airflow_commands(), ids=" ".join)
def test_every_command_is_one_of_airflows(command: list[str]):
    assert callable(get_parser().parse_args(command[1:]).func)


def test_every_variable_is_documented_in_the_sample():
    documented = {name for _, name, _ in variables(SAMPLE)}
    assert [name for name in interpolated() if name not in documented] == []


def test_compose_refuses_to_start_without_a_secret_and_no_file_has_one():
    assert {name for name, hows in interpolated().items() if hows == {"?"}} == SECRETS
    values = {name: (mark, value) for mark, name, value in variables(SAMPLE)}
    assert {name: values[name] for name in SECRETS} == dict.fromkeys(SECRETS, ("# ", ""))
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD$|KEY$|SECRET$|CONN$", name):
                assert "${" in value, name


def test_every_service_has_the_same_secrets_and_the_same_options():
    first, *others = AIRFLOW.values()
    assert all(service["environment"] == first["environment"] for service in others)
    assert all(service["env_file"] == ".env" for service in AIRFLOW.values())


def test_every_option_is_known_and_none_is_deprecated():
    options = {*read_env(SAMPLE).all, *filter(None, map(option_of, AIRFLOW["scheduler"]["environment"]))}
    assert len(options) > len(AIRFLOW["scheduler"]["environment"])
    assert [problem for option in options if (problem := problem_of(option))] == []


def test_the_executor_accepts_the_sample_and_warns_of_nothing():
    with in_force(read_env(SAMPLE).values):
        configuration = read_configuration(conf)
    assert configuration.warnings == ()
    assert configuration.profiles.of("spot").fallback is not None


def test_services_start_after_the_migration_and_the_scheduler_has_time_to_stop():
    for name, service in AIRFLOW.items():
        after = {each: how["condition"] for each, how in service["depends_on"].items()}
        migration = {} if name == "migration" else {"migration": "service_completed_successfully"}
        assert after == {"postgres": "service_healthy", **migration}
    assert AIRFLOW["migration"]["restart"] == "no"
    assert AIRFLOW["scheduler"]["stop_grace_period"] == "60s"


def test_every_folder_and_volume_that_is_mounted_exists():
    named = set()
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", mount).split(":")[0]
            if source.startswith("."):
                assert (FOLDER / source).is_dir(), mount
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"])


def test_the_sample_names_the_queues_where_they_are_mounted():
    sample = {name: value for _, name, value in variables(SAMPLE)}
    queues = Path(sample["AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES"])
    assert f"${{DAGS_FOLDER:-{sample['DAGS_FOLDER']}}}:{queues.parent}:ro" in AIRFLOW["scheduler"]["volumes"]
    assert (FOLDER / sample["DAGS_FOLDER"] / queues.name).is_file()


def test_only_the_api_server_can_be_reached_from_outside():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api-server": ["8080:8080"]
    }


def test_the_image_is_built_from_the_repository_with_the_airflow_of_the_tasks_image():
    build = AIRFLOW["scheduler"]["build"]
    context = (FOLDER / build["context"]).resolve()
    assert (context / "pyproject.toml").is_file()
    versions = r"^ARG ((?:airflow|python)_version)=(\S+)$"
    ours = re.findall(versions, (context / build["dockerfile"]).read_text("utf-8"), re.MULTILINE)
    assert ours
    assert set(ours) == set(re.findall(versions, (context / "Dockerfile").read_text("utf-8"), re.MULTILINE))
