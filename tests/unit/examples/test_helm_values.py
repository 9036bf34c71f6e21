"""examples/helm: the values use the official chart's keys, and options that the executor accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml
from airflow.configuration import conf

from ecs_async_executor.config.configuration import read_configuration
from ecs_async_executor.config.settings import SECTION
from tests.support.samples import EXAMPLES, in_force, problem_of

VALUES: dict[str, Any] = yaml.safe_load((EXAMPLES / "helm" / "values.yaml").read_text("utf-8"))
README = (EXAMPLES / "README.md").read_text("utf-8")
DOCKERFILE = (EXAMPLES / "compose" / "Dockerfile").read_text("utf-8")

KEYS: dict[str, type] = {
    "executor": str,
    "airflowVersion": str,
    "defaultAirflowTag": str,
    "images.airflow.repository": str,
    "images.airflow.tag": str,
    "fernetKeySecretName": str,
    "apiSecretKeySecretName": str,
    "jwtSecretName": str,
    "data.metadataSecretName": str,
    "createUserJob.enabled": bool,
    "postgresql.enabled": bool,
    "allowPodLaunching": bool,
    "volumes": list,
    "volumeMounts": list,
    "config": dict,
    "scheduler.replicas": int,
    "scheduler.terminationGracePeriodSeconds": int,
    "scheduler.serviceAccount.annotations": dict,
    "scheduler.podDisruptionBudget.enabled": bool,
    "scheduler.podDisruptionBudget.config.maxUnavailable": int,
    "apiServer.replicas": int,
    "apiServer.serviceAccount.annotations": dict,
    "apiServer.podDisruptionBudget.enabled": bool,
    "apiServer.podDisruptionBudget.config.maxUnavailable": int,
    "dagProcessor.replicas": int,
    "triggerer.replicas": int,
    "ingress.apiServer.enabled": bool,
    "ingress.apiServer.ingressClassName": str,
    "ingress.apiServer.annotations": dict,
    "ingress.apiServer.hosts": list,
}
"""Keys of the chart and their types, from the values.schema.json of version 1.22.0, against which the file was validated."""
EXECUTOR = r"^(([a-zA-Z_][a-zA-Z0-9_]*.)*[A-Z][a-zA-Z0-9]+Executor)(,(([a-zA-Z_][a-zA-Z0-9_]*.)*[A-Z][a-zA-Z0-9]+Executor))*$"
"""What the schema accepts as `executor`."""
SECRETS = {
    "fernetKeySecretName": "fernet-key",
    "apiSecretKeySecretName": "api-secret-key",
    "jwtSecretName": "jwt-secret",
    "data.metadataSecretName": "connection",
}
"""The key that the chart reads in each secret, from its values.yaml."""


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and path not in KEYS:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


SET = dict(leaves(VALUES))
OPTIONS = {
    (section, name): str(value) for section, values in SET["config"].items() for name, value in values.items()
}


def test_every_key_is_the_charts_and_has_its_type():
    assert {path: type(value) for path, value in SET.items()} == KEYS


def test_the_schema_accepts_the_executor():
    assert SET["executor"] == "ecs_async_executor.AsyncEcsExecutor"
    assert re.match(EXECUTOR, SET["executor"])


def test_every_option_is_known_and_none_is_deprecated():
    assert [problem for option in OPTIONS if (problem := problem_of(option))] == []


def test_every_option_is_text_a_number_or_a_boolean_as_the_schema_demands():
    values = [value for section in SET["config"].values() for value in section.values()]
    assert [value for value in values if not isinstance(value, str | bool | int | float)] == []


def test_the_executor_accepts_the_options_and_warns_of_nothing():
    with in_force(OPTIONS):
        assert read_configuration(conf).warnings == ()


def test_the_file_of_queues_is_mounted_where_the_option_says():
    (volume,), (mount,) = SET["volumes"], SET["volumeMounts"]
    queues = PurePosixPath(OPTIONS[SECTION, "queues"])
    assert volume["name"] == mount["name"]
    assert str(queues.parent) == mount["mountPath"]
    created = f"create configmap {volume['configMap']['name']} --from-file=examples/aws_dags/{queues.name}"
    assert created in README


def test_every_secret_is_created_by_a_command_of_the_readme_with_the_charts_key():
    for path, key in SECRETS.items():
        assert f"create secret generic {SET[path]} --from-literal={key}=" in README


def test_the_chart_makes_no_user_with_a_default_password_and_no_database():
    assert (SET["createUserJob.enabled"], SET["postgresql.enabled"]) == (False, False)


def test_two_schedulers_find_their_shares_of_the_rates_so_that_one_alone_has_all():
    assert SET["scheduler.replicas"] > 1
    assert (SECTION, "rate_share") not in OPTIONS


def test_scheduler_and_api_server_have_roles_of_their_own():
    roles = [
        SET[f"{part}.serviceAccount.annotations"]["eks.amazonaws.com/role-arn"]
        for part in ("scheduler", "apiServer")
    ]
    assert all(re.fullmatch(r"arn:aws:iam::\d{12}:role/[\w+=,.@-]+", role) for role in roles)
    assert len(set(roles)) == 2


def test_containers_outside_of_kubernetes_get_the_load_balancers_name():
    url = OPTIONS["core", "execution_api_server_url"]
    (host,) = SET["ingress.apiServer.hosts"]
    assert url == f"https://{host['name']}/execution/"
    for path in (EXAMPLES / "task_definitions").glob("*.json"):
        container = json.loads(path.read_text("utf-8"))["containerDefinitions"][0]
        assert {"name": "AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "value": url} in container["environment"]


def test_the_version_is_the_images():
    assert f"ARG airflow_version={SET['airflowVersion']}\n" in DOCKERFILE
    assert SET["images.airflow.tag"].startswith(SET["airflowVersion"])
