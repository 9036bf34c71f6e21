"""What a launch's observation means: findings. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ecs_async_executor.doctor.addresses import VARIABLE
from ecs_async_executor.doctor.findings import Finding, Severity, error, unknown, warning
from ecs_async_executor.doctor.launch.observation import Observation
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.diagnosis.stopped_tasks import judge
from ecs_async_executor.engine.responses import parse_tasks

CHECK = "launch"


def verdict(setup: Setup, seen: Observation) -> Iterator[Finding]:
    """Yield what is wrong; FINE for what the container has found in order."""
    for each in _findings(setup, seen):
        yield replace(each, check=CHECK)


def _findings(setup: Setup, seen: Observation) -> Iterator[Finding]:
    if seen.stop_problem:
        yield error(
            f"The task {seen.arn or ''} may still run: {seen.stop_problem}",
            "It costs until it ends.",
            _stop(seen),
        )
    if seen.refusal is not None:
        yield error(seen.refusal.summary, seen.refusal.detail, seen.refusal.remedy)
        return
    if seen.payload_problem:
        yield error(
            f"This host can't store an object in the payload bucket: {seen.payload_problem}",
            "The scheduler stores workloads there that are too long for RunTask.",
            "Allow this host's role s3:PutObject and s3:DeleteObject there (docs/iam.md, LongWorkloads).",
        )
    if seen.standby_problem:
        yield error(
            f"This host can't hand a task to a standby: {seen.standby_problem}.",
            "The profile's standbys only cost: its tasks start cold.",
            "Use a bucket of Amazon S3, or of a storage that refuses a second put with If-None-Match: *.",
        )
    if seen.report is not None:
        yield from _of_report(setup, seen.report)
    elif seen.late:
        yield from _late(seen)
    else:
        yield from _ended(seen)


def _late(seen: Observation) -> Iterator[Finding]:
    status = str(seen.task.get("lastStatus") or "nowhere to be seen")
    todo = {
        "PROVISIONING": "ECS looks for capacity or a network interface: check the quota of vCPUs, the subnets' free addresses, and "
        "(on EC2) the Auto Scaling group.",
        "PENDING": "ECS pulls the image or reads secrets: check the way out of the subnets (NAT gateway or VPC endpoints), and the "
        "image's size.",
    }.get(
        status,
        "Look at the task in the ECS console, or allow more time: ecs-async doctor --launch --timeout 1200",
    )
    yield error(
        f"After {seen.late:.0f} s the task was {status}; the doctor has stopped it.",
        "Airflow's tasks would wait as well.",
        todo,
    )


def _ended(seen: Observation) -> Iterator[Finding]:
    """The task is over, and there is no report."""
    text = json.dumps({"tasks": [seen.task]}, default=_plain)
    parsed = parse_tasks(text.encode()).tasks
    if not parsed:
        yield unknown("ECS shows no such task any more.", "", "Try again.")
        return
    judged = judge(parsed[0], seen.container)
    if judged.exit_code == 0 and seen.lines and not seen.lines_problem:
        yield error(
            "The container has ended with exit code 0, and what it printed holds no report: it didn't run the doctor's command.",
            "It wouldn't run Airflow's, either: its tasks would never start.",
            'An entry point must pass its command on, with exec "$@" at its end (docs/image.md): correct entryPoint in the task '
            "definition, or the image's ENTRYPOINT.",
        )
        return
    if judged.exit_code == 0:
        yield unknown(
            "The container has ended well, but its report can't be read.",
            seen.lines_problem or "Its log shows none.",
            "Use the log driver awslogs, and allow the doctor's role logs:GetLogEvents (docs/iam.md); or read the container's log: "
            "the report is the line that begins with ECS-ASYNC-DOCTOR. If there is none, the entry point swallows its command "
            "(docs/image.md).",
        )
        return
    # A container that never ran has no lines to miss.
    unread = "" if judged.exit_code is None else seen.lines_problem
    told = f"{judged.diagnosis.detail}. {unread}".strip(". ")
    yield error(judged.diagnosis.summary, told, judged.diagnosis.remedy)


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else str(value)


def _stop(seen: Observation) -> str:
    cluster = str(seen.task.get("clusterArn") or "CLUSTER")
    return f"aws ecs stop-task --cluster {cluster} --task {seen.arn or 'TASK'}"


# --- the report -----------------------------------------------------------------------------------------------


def _of_report(setup: Setup, report: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _versions(setup, report)
    yield from _api(report.get("api"))
    yield from _dags(setup, report.get("dags"))
    yield from _logs(setup, report.get("logs"))
    yield from _payload(report.get("payload"))
    yield from _standby(report.get("standby"))


def _versions(setup: Setup, report: Mapping[str, Any]) -> Iterator[Finding]:
    image = f"Build it with --build-arg airflow_version={setup.airflow} --build-arg python_version={setup.python} (docs/image.md)."
    airflow, python = report.get("airflow"), report.get("python")
    if failed := _error(airflow):
        yield error(
            f"The container's Python can't import Airflow ({failed}).",
            "No task can start.",
            f"Use an image with Airflow, and no user or PYTHONPATH that hides it. {image}",
        )
    elif airflow != setup.airflow:
        yield error(
            f"The container has Airflow {airflow}, and the scheduler has {setup.airflow}.",
            "A worker of another version may not understand its workload or the API server.",
            image,
        )
    else:
        yield _fine(f"Airflow {airflow}")
    if python != setup.python:
        yield warning(
            f"The container has Python {python}, and the scheduler has {setup.python}.",
            "Dags may be parsed by one and fail in the other.",
            image,
        )
    else:
        yield _fine(f"Python {python}")


def _api(found: Any) -> Iterator[Finding]:
    if failed := _error(found):
        yield unknown(f"The container could not ask the execution API ({failed}).")
        return
    url, status = found.get("url"), found.get("status")
    if found.get("tls"):
        yield error(
            f"The container calls the execution API at {url}, and its server speaks TLS.",
            "No task can tell Airflow that it runs: it fails.",
            f"Begin {VARIABLE} in the container's environment with https://.",
        )
    elif "unreachable" in found:
        yield error(
            f"The container can't reach the execution API at {url}: {found['unreachable']}.",
            "No task can tell Airflow that it runs: it fails.",
            f"Check {VARIABLE} in the container's environment, the security groups of the tasks and of the API server (or its load "
            "balancer), and that the name resolves in the VPC.",
        )
    elif status in {401, 403}:
        yield error(
            f"The execution API at {url} rejects the token ({status}).",
            "Each task fails as soon as it starts.",
            "Give the scheduler and the API server the same AIRFLOW__API_AUTH__JWT_SECRET (and jwt_issuer, jwt_audience), and "
            "synchronise their clocks.",
        )
    elif status == 404 and found.get("known"):
        yield _fine(f"the execution API at {url}, and its answer to a task's token")
    else:
        yield error(
            f"{url} answers {status}: it isn't Airflow's execution API, or it doesn't work.",
            "No task can tell Airflow that it runs: it fails.",
            f"Correct {VARIABLE} in the container's environment (its path ends in /execution/), and read the API server's log.",
        )


def _dags(setup: Setup, found: Any) -> Iterator[Finding]:
    if failed := _error(found):
        yield unknown(f"The container could not look for its Dags ({failed}).")
        return
    todo = "Copy the Dags into the image, mount them, or set the same [dag_processor] dag_bundle_config_list as here (docs/image.md)."
    missing = [name for name in setup.bundles if name not in found]
    if missing:
        yield error(
            f"The container has no Dag bundle {', '.join(missing)}; it has {', '.join(found) or 'none'}.",
            "Tasks of its Dags fail: the worker looks their Dag up in that bundle.",
            todo,
        )
    for name, bundle in found.items():
        if isinstance(bundle, str):
            yield unknown(
                f"The Dag bundle {name} ({bundle.rpartition('.')[2]}) is fetched when a task starts.",
                "Whether that works in the container, only a task shows.",
            )
        elif not bundle["files"]:
            yield error(
                f"The container has no Dags: there is no .py or .zip file in {bundle['folder']} (bundle {name}).",
                "Each task fails before its code runs: Dag not found.",
                todo,
            )
        else:
            yield _fine(f"{bundle['files']} Dag files in {bundle['folder']}")


def _logs(setup: Setup, found: Any) -> Iterator[Finding]:
    expected = setup.is_on("logging.remote_logging")
    folder = setup.option("logging.remote_base_log_folder").value
    if failed := _error(found):
        yield error(
            f"The container can't write Airflow's remote log ({failed}).",
            "Tasks' logs are lost with their containers.",
            "Correct AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER in the container's environment, or create the bucket."
            if "NoSuchBucket" in failed
            else "Allow the task role s3:PutObject there, and give the image the Amazon provider.",
        )
    elif expected and not found.get("on"):
        yield error(
            "Remote logging is on here and off in the container.",
            "After its end, a task's log page is empty.",
            "Set AIRFLOW__LOGGING__REMOTE_LOGGING=True and AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER in the container's environment.",
        )
    elif found.get("on") and not expected:
        yield error(
            "Remote logging is on in the container and off here.",
            "The log page doesn't look where workers store their logs.",
            f"Set AIRFLOW__LOGGING__REMOTE_LOGGING=True and AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER={found.get('folder')} here.",
        )
    elif expected and str(found.get("folder")).rstrip("/") != folder.rstrip("/"):
        yield error(
            f"The container stores logs in {found.get('folder') or 'no folder'}, and the log page looks for them in {folder}.",
            "After its end, a task's log page is empty.",
            "Set the same AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER on both sides.",
        )
    elif expected and found.get("written"):
        yield _fine(f"the remote log {folder}")
        if found.get("left"):
            yield unknown(
                f"The empty object {found['left']} is left: the task role may not delete it. Airflow needn't, either."
            )
    elif expected:
        yield unknown(f"Whether the container can write its log to {folder} was not tried: only S3 is.")


def _payload(found: Any) -> Iterator[Finding]:
    if found is True:
        yield _fine("the payload bucket")
    elif failed := _error(found):
        yield error(
            f"The container can't read the payload bucket ({failed}).",
            "Tasks whose workload is too long for RunTask fail.",
            "Allow the task role s3:GetObject there (docs/iam.md, LongWorkloads), give the image boto3 and the subnets a way to S3.",
        )


def _standby(found: Any) -> Iterator[Finding]:
    why = "The profile's standbys end as soon as they start, and its tasks start cold."
    if failed := _error(found):
        is_import = failed.startswith(("ImportError", "ModuleNotFoundError"))
        yield error(
            f"A standby can't wait for a task in this container ({failed}).",
            why,
            "Use an image with Airflow and the Amazon provider, and no PYTHONPATH that hides them (docs/image.md)."
            if is_import
            else "Allow the task role s3:GetObject in the payload bucket (docs/iam.md, LongWorkloads), and kms:Decrypt if your own "
            "key encrypts it; and give the subnets a way to S3.",
        )
    elif found and found["status"] not in {403, 404}:
        yield error(
            f"S3 answers {found['status']} to the container when it asks for an object that isn't there.",
            "A standby waits for its task as long as S3 answers 403 or 404.",
            "Look for a proxy between the container and S3.",
        )
    elif found:
        yield _fine("what a standby waits for")


def _error(found: Any) -> str:
    return str(found["error"]) if isinstance(found, Mapping) and "error" in found else ""


def _fine(what: str) -> Finding:
    return Finding(Severity.FINE, what)
