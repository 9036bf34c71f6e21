"""An ECS that costs its client nothing but the client's own work: full-size answers, made once, from a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

ACCOUNT = "123456789012"
REGION = "eu-central-1"
SUBNETS = ("subnet-0123456789abcdef0", "subnet-0fedcba9876543210")
_ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
ARNS = [f"{_ARN}:task/airflow/{number:032x}" for number in range(100)]
_WORKLOAD = {
    "token": "eyJhbGciOiJIUzUxMiJ9." + "c2lnbmF0dXJl" * 44,
    "dag_rel_path": "sales/nightly.py",
    "bundle_info": {"name": "dags-folder", "version": "4f1c2a9e0b7d"},
    "log_path": "dag_id=nightly/run_id=scheduled__2026-07-01T00:00:00+00:00/task_id=load/attempt=1.log",
    "ti": {
        "id": "019d0b7e-7c1b-7ac5-9f8e-4f2d1d1f3c11",
        "dag_version_id": "019d0b7e-5a11-7c3e-8c4e-2d2c4f6a7b88",
        "task_id": "load",
        "dag_id": "nightly",
        "run_id": "scheduled__2026-07-01T00:00:00+00:00",
        "try_number": 1,
        "map_index": -1,
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "executor_config": {},
        "parent_context_carrier": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        "context_carrier": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01"},
    },
    "type": "ExecuteTask",
}
OVERRIDES = {
    "containerOverrides": [
        {
            "name": "airflow",
            "command": [
                "python",
                "-m",
                "airflow.sdk.execution_time.execute_workload",
                "--json-string",
                json.dumps(_WORKLOAD),
            ],
            "environment": [
                {"name": "AIRFLOW__LOGGING__REMOTE_LOGGING", "value": "True"},
                {"name": "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER", "value": "s3://company-logs/airflow"},
                {"name": "TEAM", "value": "sales"},
            ],
        }
    ]
}
TAGS = [
    {"key": "dag_id", "value": "nightly"},
    {"key": "team", "value": "sales"},
    {"key": "cost-center", "value": "4711"},
]
RUN_TASK = {
    "cluster": "airflow",
    "taskDefinition": "airflow-worker",
    "launchType": "FARGATE",
    "platformVersion": "LATEST",
    "count": 1,
    "clientToken": "019d0b7e7c1b7ac59f8e4f2d1d1f3c11-001",
    "startedBy": "airflow/production/019d0b7e-7c1b",
    "networkConfiguration": {
        "awsvpcConfiguration": {
            "subnets": list(SUBNETS),
            "securityGroups": ["sg-0123456789abcdef0"],
            "assignPublicIp": "DISABLED",
        }
    },
    "overrides": OVERRIDES,
    "tags": TAGS,
    "propagateTags": "TASK_DEFINITION",
    "enableECSManagedTags": True,
}


def full_task(number: int) -> dict[str, Any]:
    """Make the record of a running Fargate task with two containers (ECS API reference: Task), about 4.5 KB."""
    task_id, attachment = f"{number:032x}", f"7f3c9a12-0000-4000-8000-{number:012d}"
    address = f"10.0.{number // 250}.{number % 250 + 1}"
    interface = {"attachmentId": attachment, "privateIpv4Address": address}
    details = {
        "subnetId": SUBNETS[0],
        "networkInterfaceId": f"eni-{number:017x}",
        "macAddress": "0a:1b:2c:3d:4e:5f",
        "privateDnsName": f"ip-{address.replace('.', '-')}.{REGION}.compute.internal",
        "privateIPv4Address": address,
    }

    def container(name: str, image: str, digest: str) -> dict[str, Any]:
        return {
            "containerArn": f"{_ARN}:container/airflow/{task_id}/{attachment}",
            "taskArn": ARNS[number],
            "name": name,
            "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{image}",
            "imageDigest": f"sha256:{digest * 16}",
            "runtimeId": f"{task_id}-0527074092",
            "lastStatus": "RUNNING",
            "networkBindings": [],
            "networkInterfaces": [interface],
            "healthStatus": "UNKNOWN",
            "managedAgents": [],
            "cpu": "512",
            "memory": "1024",
        }

    airflow = OVERRIDES["containerOverrides"][0]
    return {
        "attachments": [
            {
                "id": attachment,
                "type": "ElasticNetworkInterface",
                "status": "ATTACHED",
                "details": [{"name": name, "value": value} for name, value in details.items()],
            }
        ],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": f"{REGION}a",
        "clusterArn": f"{_ARN}:cluster/airflow",
        "connectivity": "CONNECTED",
        "connectivityAt": 1767225600.123,
        "containers": [
            container("airflow", "airflow:3.3.2", "9f86"),
            container("log-router", "fluent-bit:3", "d081"),
        ],
        "cpu": "1024",
        "createdAt": 1767225590.456,
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": False,
        "ephemeralStorage": {"sizeInGiB": 20},
        "fargateEphemeralStorage": {"sizeInGiB": 20},
        "group": "family:airflow-worker",
        "healthStatus": "UNKNOWN",
        "lastStatus": "RUNNING",
        "launchType": "FARGATE",
        "memory": "2048",
        "overrides": {
            "containerOverrides": [
                {**airflow, "environmentFiles": [], "resourceRequirements": []},
                {"name": "log-router"},
            ],
            "inferenceAcceleratorOverrides": [],
        },
        "platformFamily": "Linux",
        "platformVersion": "1.4.0",
        "pullStartedAt": 1767225592.1,
        "pullStoppedAt": 1767225598.2,
        "startedAt": 1767225600.321,
        "startedBy": f"airflow/production/{number:08x}",
        "tags": TAGS,
        "taskArn": ARNS[number],
        "taskDefinitionArn": f"{_ARN}:task-definition/airflow-worker:42",
        "version": 3,
    }


def answers() -> dict[str, bytes]:
    """Make the body of each operation's answer."""
    tasks = [full_task(number) for number in range(len(ARNS))]
    bodies: Mapping[str, Any] = {
        "DescribeTasks": {"tasks": tasks, "failures": []},
        "RunTask": {"tasks": [tasks[0]], "failures": []},
        "ListTasks": {"taskArns": ARNS},
        "StopTask": {"task": tasks[0]},
    }
    return {operation: json.dumps(body, separators=(",", ":")).encode() for operation, body in bodies.items()}


@contextmanager
def canned_ecs(latency: float = 0.0) -> Iterator[str]:
    """Serve the answers on loopback, each `latency` seconds after its request; gives the URL."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, latency), daemon=True)
    process.start()
    theirs.close()  # so that a server that dies is noticed
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


class _Protocol(asyncio.Protocol):
    def __init__(self, latency: float, canned: Mapping[bytes, bytes]) -> None:
        self._latency = latency
        self._canned = canned
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the types
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if len(body) < int(headers[b"content-length"]):
            return
        self._received = b""
        answer = self._canned[headers[b"x-amz-target"].rpartition(b".")[2]]
        asyncio.get_running_loop().call_later(self._latency, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _serve(ready: Connection, latency: float) -> None:
    async def serve() -> None:
        canned = {operation.lower().encode(): _http(body) for operation, body in answers().items()}
        server = await asyncio.get_running_loop().create_server(
            lambda: _Protocol(latency, canned), "127.0.0.1", 0, backlog=1000
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


def _http(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\n"
        b"x-amzn-RequestId: 4f1c2a9e-0b7d-4c3e-8c4e-2d2c4f6a7b88\r\n"
        b"Content-Type: application/x-amz-json-1.1\r\n"
        b"Content-Length: %d\r\n"
        b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n%b"
    ) % (len(body), body)
