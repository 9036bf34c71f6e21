"""Airflow's remote logs, on both sides: where the worker writes and where the log page reads."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.payloads import split

_TRUE = frozenset({"true", "t", "1"})
_ON = "AIRFLOW__LOGGING__REMOTE_LOGGING"
_FOLDER = "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"
_SCHEMES = ("s3://", "cloudwatch://", "gs://", "wasb", "abfs", "stackdriver://", "oss://", "hdfs://", "/")


def here(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The scheduler's options."""
    folder = setup.option("logging.remote_base_log_folder").value
    if not _is_on(setup):
        yield warning(
            "[logging] remote_logging is off.",
            "A container's disk goes with the container: after its end, a task's log is only in CloudWatch Logs, not on its log "
            "page.",
            f"Set {_ON}=True and {_FOLDER}=s3://my-bucket/logs for the scheduler, the API server and the containers "
            "(docs/logs.md).",
        )
    elif not folder:
        yield error(
            "[logging] remote_logging is on, and remote_base_log_folder is not set.",
            "Airflow has nowhere to store tasks' logs.",
            f"Set {_FOLDER}=s3://my-bucket/logs for the scheduler, the API server and the containers.",
        )
    elif not folder.startswith(_SCHEMES):
        yield error(
            f"[logging] remote_base_log_folder is {folder}: Airflow finds no log store for it.",
            "Airflow stores no task's log.",
            f"Begin it with s3:// (or cloudwatch://, gs://, ...), such as {_FOLDER}=s3://my-bucket/logs.",
        )
    else:
        yield from _connection(setup, facts)
    if _is_on(setup) and folder.startswith("s3://") and facts.absent(Kind.BUCKET, split(folder)[0]):
        yield error(
            f"S3 has no bucket {split(folder)[0]} ([logging] remote_base_log_folder).",
            "Tasks' logs are lost with their containers.",
            f"aws s3 mb s3://{split(folder)[0]} --region {setup.region}; or correct the option.",
        )


def _connection(setup: Setup, facts: Facts) -> Iterator[Finding]:
    conn_id = setup.option("logging.remote_log_conn_id").value
    if conn_id and facts.absent(Kind.CONNECTION, conn_id):
        yield error(
            f"[logging] remote_log_conn_id is {conn_id}, and Airflow has no such connection.",
            "Workers can't store their logs, and the log page can't read them.",
            f"Create it: airflow connections add {conn_id} --conn-type aws; or remove the option, so that the task role counts.",
        )


def there(setup: Setup, each: Effective) -> Iterator[Finding]:
    """The container's options against the scheduler's."""
    if each.container is None or each.hidden(_ON) or each.hidden(_FOLDER):
        return
    on, folder = each.environment.get(_ON), each.environment.get(_FOLDER)
    mine = setup.option("logging.remote_base_log_folder").value
    if not _is_on(setup):
        if on is not None and on.lower() in _TRUE:
            yield error(
                "Containers have remote logging on, and the scheduler has it off.",
                "The log page doesn't look where workers store their logs.",
                f"Set {_ON}=True and {_FOLDER}={folder or '...'} for the scheduler and the API server as well.",
            )
        return
    if on is not None and on.lower() not in _TRUE:
        yield error(
            f"Containers have remote logging off ({_ON}), and the scheduler has it on.",
            "Workers store no logs: after its end, a task's log page is empty.",
            f"Set {_ON}=True in the container's environment.",
        )
    elif folder is not None and folder.rstrip("/") != mine.rstrip("/"):
        yield error(
            f"Containers store their logs in {folder}, and the scheduler looks for them in {mine}.",
            "A task's log page is empty after its end.",
            f"Set the same {_FOLDER} in the container's environment and for the scheduler and the API server.",
        )
    elif (on is None or folder is None) and not setup.local:
        where = setup.option("logging.remote_logging")
        if where.in_environment:
            missing = " and ".join(name for name, value in ((_ON, on), (_FOLDER, folder)) if value is None)
            yield unknown(
                f"The container's environment has no {missing}; the scheduler has it in its own environment, which containers "
                "don't get.",
                "If the image doesn't set it either, workers store no logs.",
                "Set it in the task definition's environment; or see what containers get: ecs-async doctor --launch",
            )


def _is_on(setup: Setup) -> bool:
    return setup.is_on("logging.remote_logging")
