from __future__ import annotations

import json
import re

import pytest

from tests.support.image import REPOSITORY, SCRIPTS, stages

STAGES = stages((REPOSITORY / "Dockerfile").read_text("utf-8"))
CREDENTIALS = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}


def given(stage: str, instruction: str) -> list[str]:
    return [rest for name, rest in STAGES[stage] if name == instruction]


def arguments(stage: str) -> dict[str, str]:
    return dict(rest.partition("=")[::2] for rest in given(stage, "ARG"))


def test_the_official_images_build_arguments_are_accepted():
    everywhere = {name for stage in STAGES for name in arguments(stage)}

    assert everywhere >= {
        "aws_access_key_id",
        "aws_default_region",
        "aws_secret_access_key",
        "aws_session_token",
        "container_dag_path",
        "host_dag_path",
        "requirements_path",
        "s3_uri",
    }


def test_airflow_and_python_are_build_arguments():
    assert given("airflow", "FROM") == [
        "${airflow_image}:${airflow_version}-python${python_version} AS airflow"
    ]
    assert arguments("")["airflow_image"] == "apache/airflow"


def test_the_default_airflow_is_the_one_that_is_tested():
    pins = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()

    assert f"apache-airflow-core=={arguments('')['airflow_version']}" in pins


def test_credentials_are_known_to_a_stage_that_is_thrown_away_only():
    assert [stage for stage in STAGES if CREDENTIALS & set(arguments(stage))] == ["collected"]
    assert not re.search(r"AWS_|secret", str(given("image", "ENV") + given("image", "RUN")))


def test_containers_are_not_root():
    assert given("image", "USER")[-1] == "50000"
    assert STAGES["image"][-1] == ("CMD", "[]")


def test_an_init_forwards_signals_to_our_entrypoint_and_then_airflows():
    (entrypoint,) = given("image", "ENTRYPOINT")

    assert json.loads(entrypoint) == [
        "/usr/bin/dumb-init",
        "--",
        "/opt/ecs-async/entrypoint.sh",
        "/entrypoint",
    ]
    assert "--from=scripts --chmod=0755 /entrypoint.sh /opt/ecs-async/entrypoint.sh" in given("image", "COPY")


def test_the_scripts_are_where_the_dockerfile_looks():
    (copied,) = given("scripts", "COPY")

    assert REPOSITORY / copied.split()[0] == SCRIPTS
    assert {path.name for path in SCRIPTS.iterdir()} == {"collect.sh", "entrypoint.sh"}


@pytest.mark.parametrize("argument", sorted({name for stage in STAGES for name in arguments(stage)}))
def test_the_page_about_the_image_names_every_build_argument(argument: str):
    assert f"`{argument}`" in (REPOSITORY / "docs" / "image.md").read_text("utf-8")
