"""Completes the diagnosis of an ended task by what its row shows. Pure: one table, one test per row.

ECS shows only an exit code, which says little. The row tells whether Airflow had started in the container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ecs_async_executor.executor.decisions import Row
from ecs_async_executor.messages import Diagnosis, Stopped, Terminal


@dataclass(frozen=True, slots=True)
class _Finding:
    """What an exit code means while the row is in a given state."""

    summary: str
    remedy: str
    permanent: bool = False


_NOT_STARTED = _Finding(
    "The container ended with exit code {exit_code} before Airflow had started the task.",
    "What the container printed says why: see its last lines in this try's log, or its log stream in CloudWatch. The likely "
    "causes: its image lacks Airflow or a library, or has another version of Airflow; the API server can't be reached from it "
    "(correct [core] execution_api_server_url there); the API server refuses the token (set [api_auth] jwt_secret to the same "
    "value for the scheduler and the API server); its Dags can't be set up (compare [dag_processor] dag_bundle_config_list with "
    "the scheduler's).",
)
# Keys: the row's state and the exit code; None matches any other code.
_FINDINGS: Mapping[tuple[str | None, int | None], _Finding] = {
    ("queued", 0): _Finding(
        "Airflow never started in the container, which ended with exit code 0.",
        "Its entry point does not pass the command on: remove `entryPoint` from the task definition, or let "
        'its script end with exec "$@" (as an array: "bash", "-c", "exec \\"$@\\"", "bash").',
        permanent=True,
    ),
    ("queued", None): _NOT_STARTED,
}


UNREADABLE = Diagnosis(
    "Airflow can't describe the task any more.",
    remedy="The traceback in the scheduler's log names the row and the reason: mend or clear the task instance.",
)


def explain_by_row(ended: Terminal | None, row: Row | None) -> Terminal | None:
    """Return the end with the diagnosis its row allows; unchanged if the engine has explained it already."""
    if row is None or not (isinstance(ended, Stopped) and ended.ran and ended.unexplained):
        return ended
    finding = _FINDINGS.get((row.state, ended.exit_code)) or _FINDINGS.get((row.state, None))
    if finding is None:
        return ended
    summary = finding.summary.format(exit_code=ended.exit_code)
    diagnosis = Diagnosis(summary, ended.diagnosis.detail, finding.remedy)
    return replace(ended, diagnosis=diagnosis, permanent=finding.permanent)
