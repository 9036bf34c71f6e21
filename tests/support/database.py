"""The database without its thread: a question is answered when the answer is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from ecs_async_executor.executor.rows.statements import Show
from ecs_async_executor.executor.rows.thread import Answer, Question, answer


@contextmanager
def nothing_written() -> Iterator[list[Show]]:
    """Let no external executor id be written, as if somebody held all locks; gives what should have been."""
    tried: list[Show] = []

    def write(shows: Sequence[Show]) -> frozenset[str]:
        tried.extend(shows)
        return frozenset()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecs_async_executor.executor.rows.thread.write_external_ids", write)
        yield tried


class InlineDatabase:
    """Answers by `read_rows`, `read_workloads` and `write_external_ids` of `ecs_async_executor.executor.rows.thread`."""

    def __init__(self) -> None:
        self._question: Question | None = None

    @property
    def is_busy(self) -> bool:
        return self._question is not None

    def ask(self, question: Question) -> None:
        self._question = question

    def take(self) -> Answer | None:
        question, self._question = self._question, None
        return answer(question) if question is not None else None
