"""Asks the questions in threads, each within a time limit, until nothing new is to be asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ecs_async_executor.doctor.facts import Cause, Fact, Facts, Question, Unknown
from ecs_async_executor.doctor.questions import questions
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.engine.diagnosis.faults import text_of

LIMIT = 15.0
"""Seconds that one answer may take; its calls have shorter time-outs, but a name server may hang."""
THREADS = 8
_ROUNDS = 8
"""More than the longest chain of questions: subnet, VPC, endpoint, its security group."""

Answer = Callable[[Question], Fact]
_T = TypeVar("_T")


def within(call: Callable[[], _T], limit: float = LIMIT) -> _T:
    """Return what a call returns, in a thread; raises what it raises, and TimeoutError after `limit` seconds."""
    done: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def work() -> None:
        try:
            done.put((True, call()))
        except Exception as error:  # noqa: BLE001  raised again below
            done.put((False, error))

    threading.Thread(target=work, name="ecs-async-doctor", daemon=True).start()
    try:
        returned, value = done.get(timeout=limit)
    except Empty:
        raise TimeoutError(f"no answer within {limit:.0f} s") from None
    if not returned:
        raise value
    found: _T = value
    return found


def gather(
    setup: Setup,
    answer: Answer,
    *,
    limit: float = LIMIT,
    plan: Callable[[Setup, Facts], Iterable[Question]] = questions,
    clock: Callable[[], float] = time.monotonic,
) -> Facts:
    """Return the answer to every question; Unknown for one that takes longer than `limit` seconds."""
    answers: dict[Question, Fact] = {}
    for _ in range(_ROUNDS):
        new = [each for each in dict.fromkeys(plan(setup, Facts(answers))) if each not in answers]
        if not new:
            break
        answers |= _ask(new, answer, limit, clock)
    return Facts(answers)


def _ask(
    new: Sequence[Question], answer: Answer, limit: float, clock: Callable[[], float]
) -> dict[Question, Fact]:
    waiting: SimpleQueue[Question] = SimpleQueue()
    answered: SimpleQueue[tuple[Question, Fact]] = SimpleQueue()
    for question in new:
        waiting.put(question)

    def work() -> None:
        while not waiting.empty():
            try:
                question = waiting.get_nowait()
            except Empty:  # another thread has taken the last one
                return
            answered.put((question, _safe(answer, question)))

    for _ in range(min(THREADS, len(new))):
        # Daemons: one that hangs must not keep the process from exiting.
        threading.Thread(target=work, name="ecs-async-doctor", daemon=True).start()
    # The questions share the threads, so the round's limit grows with the number of turns.
    until = clock() + limit * (1 + (len(new) - 1) // THREADS)
    found: dict[Question, Fact] = {}
    while len(found) < len(new) and (left := until - clock()) > 0:
        try:
            question, fact = answered.get(timeout=left)
        except Empty:  # the time is over
            break
        found[question] = fact
    late = Unknown(f"There was no answer within {limit:.0f} s.", Cause.TIME, "Try again.")
    return {question: found.get(question, late) for question in new}


def _safe(answer: Answer, question: Question) -> Fact:
    try:
        return answer(question)
    except Exception as error:  # noqa: BLE001  no question may end the others
        return Unknown(f"{text_of(error)[:300]}.", Cause.OTHER)
