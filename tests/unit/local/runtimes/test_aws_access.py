from __future__ import annotations

from pathlib import Path

import pytest

from ecs_async_executor.local.runtimes.aws_access import with_s3

ENDPOINT = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
REGION = {"AWS_DEFAULT_REGION": "eu-west-1"}
KEYS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def added(**environment: str) -> dict[str, str]:
    """Return what a container gets beyond its own environment, which stays as it is."""
    given = with_s3(environment, "http://127.0.0.1:1", "eu-west-1")
    assert environment.items() <= given.items()
    return {name: value for name, value in given.items() if name not in environment}


def test_a_container_that_says_nothing_gets_endpoint_region_and_keys() -> None:
    assert added(PATH="/bin") == {**ENDPOINT, **REGION, **KEYS}


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_of_its_own_stays_in_force(name: str) -> None:
    assert added(**{name: "http://mine"}) == {**REGION, **KEYS}


def test_an_endpoint_of_another_service_is_not_that_of_s3() -> None:
    assert added(AWS_ENDPOINT_URL_ECS="http://mine") == {**ENDPOINT, **REGION, **KEYS}


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_of_its_own_stays_in_force(name: str) -> None:
    assert added(**{name: "us-west-2"}) == {**ENDPOINT, **KEYS}


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ],
)
def test_credentials_of_its_own_are_not_outdone_by_dummies(name: str) -> None:
    assert added(**{name: "mine"}) == {**ENDPOINT, **REGION}


def test_a_home_with_aws_files_counts_as_credentials_and_another_does_not(tmp_path: Path) -> None:
    assert added(HOME=str(tmp_path)) == {**ENDPOINT, **REGION, **KEYS}
    (tmp_path / ".aws").mkdir()
    assert added(HOME=str(tmp_path)) == {**ENDPOINT, **REGION}
