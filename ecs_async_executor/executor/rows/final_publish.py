"""Publishes what rows don't show yet, as a scheduler's last act. It waits for the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ecs_async_executor.executor.decisions import Decision, RunView, decide_when_launched
from ecs_async_executor.executor.rows.reader import make_publication, make_read
from ecs_async_executor.executor.rows.statements import read_rows, write_external_ids
from ecs_async_executor.executor.run_state import RunState
from ecs_async_executor.executor.runs import Run


def publish_all(runs: Iterable[Run], view: Callable[[Run], RunView]) -> int:
    """Publish these runs' launches to their rows, now and in this thread.

    Returns how many rows it could not write (someone has locked them); database errors propagate.
    """
    unpublished = [run for run in runs if run.state is RunState.LAUNCHED]
    rows = read_rows([make_read(run) for run in unpublished])
    publications = []
    for run in unpublished:
        row = rows.get(run.run_id)
        # An unknown id may belong to a newer queueing that core had no time to hand over.
        known = row is not None and (not run.id_committed or row.external_executor_id in run.ids)
        if row is not None and known and decide_when_launched(row, view(run)) is Decision.PUBLISH:
            publications.append(make_publication(run, row))
    return len(publications) - len(write_external_ids(publications))
