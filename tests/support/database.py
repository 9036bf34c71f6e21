"""The database without its thread: a question is answered when the answer is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.executor.rows.thread import RowAnswer, RowQuery, answer


@contextmanager
def nothing_written() -> Iterator[list[Publication]]:
    """Let no external executor id be written, as if somebody held all locks; gives what should have been."""
    tried: list[Publication] = []

    def write(publications: Sequence[Publication]) -> frozenset[str]:
        tried.extend(publications)
        return frozenset()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecs_async_executor.executor.rows.thread.write_external_ids", write)
        yield tried


class InlineDatabase:
    """Answers by `read_rows`, `read_workloads` and `write_external_ids` of `ecs_async_executor.executor.rows.thread`."""

    def __init__(self) -> None:
        self._question: RowQuery | None = None

    @property
    def is_busy(self) -> bool:
        return self._question is not None

    def ask(self, question: RowQuery) -> None:
        self._question = question

    def take(self) -> RowAnswer | None:
        question, self._question = self._question, None
        return answer(question) if question is not None else None
