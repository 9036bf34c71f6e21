"""What the test reads from Airflow's database. Plain SQL: this process doesn't import Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from typing_extensions import Self

from tests.chaos.observations import End, Queueings

_UNFINISHED = """
    SELECT (SELECT count(*) FROM task_instance WHERE state IS NULL OR state NOT IN ('success', 'failed'))
         + (SELECT count(*) FROM dag_run WHERE state NOT IN ('success', 'failed'))
"""
_ENDS = "SELECT task_id, map_index, state, try_number FROM task_instance ORDER BY task_id, map_index"
# Airflow keeps of a task instance that is queued several times only the last time.
_NOTE_QUEUEINGS = """
    CREATE TABLE chaos_queueing (ti_id uuid, at timestamptz);
    CREATE FUNCTION chaos_note() RETURNS trigger AS
        'BEGIN INSERT INTO chaos_queueing VALUES (NEW.id, clock_timestamp()); RETURN NULL; END' LANGUAGE plpgsql;
    CREATE TRIGGER chaos AFTER UPDATE OF state ON task_instance FOR EACH ROW
        WHEN (NEW.state = 'queued' AND OLD.state IS DISTINCT FROM 'queued') EXECUTE FUNCTION chaos_note();
"""
_QUEUEINGS = "SELECT ti_id, extract(epoch FROM at) FROM chaos_queueing"
_JOBS = "SELECT id FROM job WHERE job_type = 'SchedulerJob'"
_JOB_STATE = "SELECT state FROM job WHERE id = :job_id"
_RUNNING = "SELECT queued_by_job_id, task_id, map_index FROM task_instance WHERE state = 'running'"
_ROWS = """
    SELECT 'now' AS row, id, try_number, state, external_executor_id, queued_by_job_id, hostname, queued_dttm,
           start_date, end_date
    FROM task_instance WHERE task_id = :task_id AND map_index = :map_index
    UNION ALL
    SELECT 'history', task_instance_id, try_number, state, external_executor_id, queued_by_job_id, hostname, queued_dttm,
           start_date, end_date
    FROM task_instance_history WHERE task_id = :task_id AND map_index = :map_index
    ORDER BY try_number
"""
_AUDIT_LOG = """
    SELECT dttm, event, try_number, extra FROM log WHERE task_id = :task_id AND map_index = :map_index ORDER BY id
"""


class Database:
    """Airflow's database."""

    def __init__(self, url: str) -> None:
        # No pool: a connection that lies open would hold up the database's end.
        self._engine = create_engine(url, poolclass=NullPool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def note_queueings(self) -> None:
        """From now on, have each change to QUEUED noted."""
        with self._engine.begin() as connection:
            connection.execute(text(_NOTE_QUEUEINGS))

    def queueings(self) -> Queueings:
        """All that were noted."""
        return Queueings((str(ti_id), float(at)) for ti_id, at in self._select(_QUEUEINGS))

    def unfinished(self) -> int:
        """How many task instances and Dag runs are not over."""
        return int(self._select(_UNFINISHED)[0][0])

    def ends(self) -> list[End]:
        """State and try number of every task instance."""
        return [
            End(task_id, map_index, state, tried) for task_id, map_index, state, tried in self._select(_ENDS)
        ]

    def scheduler_jobs(self) -> set[int]:
        """The job ids of all schedulers that ever were."""
        return {int(job_id) for (job_id,) in self._select(_JOBS)}

    def job_state(self, job_id: int) -> str:
        """What Airflow takes this scheduler for: "running", or "failed" if it was missed."""
        return str(self._select(_JOB_STATE, job_id=job_id)[0][0])

    def running_by_job(self) -> dict[int, set[tuple[str, int]]]:
        """The task instances that run now, by the job id of the scheduler whose they are."""
        running: dict[int, set[tuple[str, int]]] = {}
        for job_id, task_id, map_index in self._select(_RUNNING):
            running.setdefault(job_id, set()).add((task_id, map_index))
        return running

    def debug_report(self, task_id: str, map_index: int) -> list[str]:
        """All rows about one task instance: now, history, Audit Log; one text each."""
        who = {"task_id": task_id, "map_index": map_index}
        return [_line(row) for query in (_ROWS, _AUDIT_LOG) for row in self._select(query, **who)]

    def _select(self, query: str, **parameters: Any) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(text(query), parameters).all()


def _line(row: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in row._mapping.items() if value is not None)
