"""examples/aws_dags: Airflow imports each Dag, and ECS accepts what the sample configuration makes of its tasks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias, cast

import boto3
import pytest
from airflow.api_fastapi.auth.tokens import JWTGenerator
from airflow.configuration import conf
from airflow.dag_processing.dagbag import DagBag

from ecs_async_executor.config.configuration import Configuration, read_configuration
from ecs_async_executor.executor.order_factory import OrderFactory
from ecs_async_executor.executor.runs import Run
from ecs_async_executor.local import Options, serve_in_thread
from ecs_async_executor.messages import Request
from tests.support.samples import EXAMPLES, QUEUES, in_force, read_cfg
from tests.support.workloads import task_workload

DAGS = EXAMPLES / "aws_dags"
DEFINITIONS = {
    path.stem: json.loads(path.read_text("utf-8")) for path in (EXAMPLES / "task_definitions").glob("*.json")
}
Body: TypeAlias = dict[str, Any]
ON_FARGATE = {"launchType": "FARGATE", "taskDefinition": "airflow-task"}
PUBLIC_MEMBERS = ("launchType", "capacityProviderStrategy", "taskDefinition", "placementStrategy", "tags")

EXPECTED: dict[str, Body] = {
    "aws_hello.hello": ON_FARGATE,
    "aws_fan_out.split": ON_FARGATE,
    "aws_fan_out.work": ON_FARGATE,
    "aws_fan_out.total": ON_FARGATE,
    "aws_resources.as_defined": ON_FARGATE,
    "aws_resources.two_cpus": {
        **ON_FARGATE,
        "tags": [{"key": "team", "value": "data"}],
        "overrides": {"cpu": "2048", "memory": "8192"},
    },
    "aws_resources.large_disk": {
        **ON_FARGATE,
        "overrides": {"cpu": "4096", "memory": "16384", "ephemeralStorage": {"sizeInGiB": 100}},
        "airflow": {"environment": {"OMP_NUM_THREADS": "4"}},
    },
    "aws_gpu.prepare": {
        "launchType": "EC2",
        "taskDefinition": "airflow-ec2",
        "placementStrategy": [{"type": "binpack", "field": "memory"}],
    },
    "aws_gpu.train": {
        "capacityProviderStrategy": [{"capacityProvider": "gpu-instances", "weight": 1}],
        "taskDefinition": "airflow-ec2",
        "airflow": {"memory": 12288, "resourceRequirements": [{"type": "GPU", "value": "1"}]},
    },
    "aws_gpu.report": ON_FARGATE,
    "aws_spot.work": {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
        "taskDefinition": "airflow-task",
    },
    "aws_spot.publish": {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
        "taskDefinition": "airflow-task",
    },
    "aws_image.load": ON_FARGATE,
    "aws_image.train": ON_FARGATE,
    "aws_sidecar.ask": {
        "launchType": "FARGATE",
        "taskDefinition": "airflow-sidecar",
        "web": {"environment": {"GREETING": "Hello from the sidecar."}},
    },
}
"""What a task asks ECS for, beside what all have; by container, what its override adds."""


def loaded() -> DagBag:
    return DagBag(dag_folder=str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")


BAG = loaded()
TASKS = {f"{dag.dag_id}.{task.task_id}": task for dag in BAG.dags.values() for task in dag.tasks}


class _Minter:
    def generate(self, **_: Any) -> str:
        return "x" * 600  # a token's usual length


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    with in_force(read_cfg(EXAMPLES / "config" / "full.cfg").values):
        return read_configuration(conf)


@pytest.fixture(scope="module")
def ecs() -> Iterator[Any]:
    """A client of a local ECS with the task definitions of examples/, and one for all other tasks, on Fargate only."""
    sidecar = DEFINITIONS["airflow-sidecar"]
    (airflow,) = [each for each in sidecar["containerDefinitions"] if each["name"] == "airflow"]
    alone = {name: value for name, value in airflow.items() if name != "dependsOn"}
    task = {**sidecar, "family": "airflow-task", "containerDefinitions": [alone]}
    options = Options(runtime="simulated", clusters=["my-cluster"], region="eu-central-1", seed=1)
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    with serve_in_thread(options) as control:
        client = boto3.client("ecs", endpoint_url=control.endpoint_url, region_name="eu-central-1", **keys)
        for definition in (task, *DEFINITIONS.values()):
            client.register_task_definition(**definition)
        yield client


def built(configuration: Configuration, name: str) -> Request:
    """Build a task's request as the engine does for its first launch."""
    task = TASKS[name]
    config = task.executor_config or None
    workload = task_workload(
        dag_id=task.dag_id, task_id=task.task_id, queue=task.queue, executor_config=config
    )
    orders = OrderFactory(configuration.profiles, cast("JWTGenerator", _Minter()), queued_timeout=4200)
    launch = orders.launch(Run(str(uuid.uuid4()), ("key",), name, workload, queue=task.queue))
    assert launch.build is not None
    request = launch.build()
    assert request.settle is None, "it depends on the cluster's default"
    return request


def request_of(configuration: Configuration, name: str) -> Body:
    return {**built(configuration, name).body}


def asked(body: Body) -> Body:
    """What a request asks for beside command, network and Airflow's own variables."""
    found: Body = {name: body[name] for name in PUBLIC_MEMBERS if name in body}
    overrides = dict(body["overrides"])
    for container in overrides.pop("containerOverrides"):
        added = {name: value for name, value in container.items() if name not in {"name", "command"}}
        variables = {each["name"]: each["value"] for each in added.pop("environment", ())}
        if own := {name: value for name, value in variables.items() if not name.startswith("AIRFLOW_")}:
            added["environment"] = own
        if added:
            found[container["name"]] = added
    return {**found, "overrides": overrides} if overrides else found


def test_every_file_is_a_dag_that_airflow_imports_under_an_id_of_its_own():
    assert BAG.import_errors == {}
    files = {Path(dag.fileloc).name: dag.dag_id for dag in BAG.dags.values()}
    assert files == {path.name: f"aws_{path.stem}" for path in DAGS.glob("*.py")}


def test_the_dags_of_the_demo_have_other_ids():
    demo = {path.stem for path in (EXAMPLES / "dags").glob("*.py")}
    assert not demo & set(BAG.dags)


def test_every_task_is_in_the_table():
    assert set(TASKS) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_ecs_accepts_what_a_task_asks_for(configuration: Configuration, ecs: Any, name: str):
    body = request_of(configuration, name)

    answer = ecs.run_task(**body, clientToken=str(uuid.uuid4()), startedBy="airflow/production/run")

    assert answer["failures"] == []
    assert asked(body) == EXPECTED[name]


def test_one_task_has_an_image_of_its_own(configuration: Configuration):
    images = {name: built(configuration, name).image for name in EXPECTED}
    assert {name: image for name, image in images.items() if image} == {
        "aws_image.train": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/airflow-ml:2.1"
    }


def test_every_queue_is_used_by_a_task_or_another_queue_and_every_task_has_one(configuration: Configuration):
    queues = json.loads(QUEUES.read_text("utf-8"))
    used = {task.queue for task in TASKS.values()}
    fallbacks = {profile["fallback"] for profile in queues.values() if "fallback" in profile}
    assert used - {"default"} | fallbacks == set(queues)


def test_spot_falls_back_to_on_demand(configuration: Configuration):
    spot = configuration.profiles.of("spot")
    assert spot.fallback is configuration.profiles.of("on-demand")
    assert (spot.fallback_after, spot.capacity_timeout) == (2, 600)
    assert (TASKS["aws_spot.work"].retries or 0) > 2, "Airflow must retry it that often"


@pytest.mark.parametrize("dag_id", sorted(BAG.dags))
def test_the_head_of_a_dag_names_what_it_needs(dag_id: str):
    dag = BAG.dags[dag_id]
    head = Path(dag.fileloc).read_text("utf-8").split('"""')[1]
    queues = {task.queue for task in dag.tasks} - {"default"}
    assert [queue for queue in queues if f"`{queue}`" not in head] == []
    assert queues or "no queue" in head
