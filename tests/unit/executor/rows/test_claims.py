"""Claims: a thread writes rows and answers the engine, whatever the database does."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy.exc import OperationalError

from ecs_async_executor.executor.row_claim import RowClaim
from ecs_async_executor.executor.rows import claims as module
from ecs_async_executor.executor.rows.claims import ClaimThread, answer
from ecs_async_executor.executor.rows.statements import Publication
from ecs_async_executor.messages import Claimed


def claim(run_id: str = "run", ask: Callable[[RowClaim], None] = lambda _: None) -> RowClaim:
    return RowClaim(run_id, f"ti of {run_id}", 2, 7, ask, arn=f"arn of {run_id}")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Publication]:
    """Replace the database: it writes all rows but locked ones."""
    seen: list[Publication] = []

    def write(publications: Sequence[Publication]) -> frozenset[str]:
        seen.extend(publications)
        return frozenset(each.run_id for each in publications if each.run_id != "locked")

    monkeypatch.setattr(module, "write_external_ids", write)
    return seen


class Answers:
    """What the engine is told."""

    def __init__(self) -> None:
        self.given: list[Claimed] = []
        self.threads: set[str] = set()

    def __call__(self, claimed: Sequence[Claimed]) -> None:
        self.threads.add(threading.current_thread().name)
        self.given += claimed

    def wait_for(self, number: int) -> list[Claimed]:
        deadline = time.monotonic() + 30
        while len(self.given) < number:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return self.given


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def claims(answers: Answers) -> Iterator[ClaimThread]:
    thread = ClaimThread(answers)
    thread.start()
    yield thread
    thread.close(10)


def test_a_row_is_written_only_if_it_still_shows_the_run_id(written: list[Publication]):
    assert answer([claim()]) == [Claimed("run", "arn of run", held=True)]
    assert written == [Publication("run", "ti of run", 2, 7, "run", "arn of run")]


def test_a_row_that_was_not_written_is_not_held(written: list[Publication]):
    assert [each.held for each in answer([claim("locked"), claim("free")])] == [False, True]


def test_the_scheduler_sees_the_arn_before_the_row_can_show_it():
    seen = []
    RowClaim("run", "ti", 1, 7, lambda made: seen.append(made.arn))("arn")
    assert seen == ["arn"]


def test_claims_are_made_in_a_thread_of_their_own(
    claims: ClaimThread, answers: Answers, written: list[Publication]
):
    for number in range(20):
        claims.ask(claim(str(number)))
    assert {each.run_id for each in answers.wait_for(20)} == {str(number) for number in range(20)}
    assert answers.threads == {"ecs-claims"}


def test_a_claim_whose_outcome_is_unknown_is_made_again(
    claims: ClaimThread, answers: Answers, written: list[Publication], monkeypatch: pytest.MonkeyPatch
):
    write, failures = module.write_external_ids, [1, 1]  # type: ignore[attr-defined]  # the fake

    def fail(publications: Sequence[Publication]) -> frozenset[str]:
        if failures:
            failures.pop()
            raise OperationalError("UPDATE", None, Exception("the database went away"))
        return write(publications)

    monkeypatch.setattr(module, "write_external_ids", fail)
    monkeypatch.setattr(module, "AGAIN_AFTER", 0.001)
    claims.ask(claim())
    assert answers.wait_for(1) == [Claimed("run", "arn of run", held=True)]
    claims.ask(claim("locked"))
    assert answers.wait_for(2)[1].held is False
    failures.append(1)
    claims.ask(claim("locked"))
    assert answers.wait_for(3)[2].held is None, "what the database hasn't answered may be carried out yet"


def test_a_run_whose_row_never_shows_a_standby_has_no_part_in_it_any_more(written: list[Publication]):
    held, locked = claim("held"), claim("locked")
    assert [each.held for each in answer([held, locked])] == [True, False]
    assert (held.arn, locked.arn) == ("arn of held", None)
    doubtful = claim("locked")
    doubtful.is_doubtful = True
    assert answer([doubtful]) == [Claimed("locked", "arn of locked", held=None)]
    assert doubtful.arn == "arn of locked"


def test_a_thread_that_hangs_is_replaced(
    claims: ClaimThread, answers: Answers, written: list[Publication], monkeypatch: pytest.MonkeyPatch
):
    write, hangs = module.write_external_ids, threading.Event()  # type: ignore[attr-defined]  # the fake

    def hang(publications: Sequence[Publication]) -> frozenset[str]:
        if publications[0].run_id == "first":
            hangs.set()
            assert released.wait(30)
        return write(publications)

    released = threading.Event()
    monkeypatch.setattr(module, "write_external_ids", hang)
    claims.ask(claim("first"))
    assert hangs.wait(30)
    claims.ask(claim("second"))
    assert not answers.given
    monkeypatch.setattr(module, "GIVE_UP_AFTER", 0.0)
    claims.ask(claim("third"))
    assert [each.run_id for each in answers.wait_for(1)] == ["third"]
    released.set()
    assert "first" in {each.run_id for each in answers.wait_for(2)}


def test_a_thread_that_wakes_up_after_its_replacement_says_nothing_about_that_one(
    claims: ClaimThread, answers: Answers, monkeypatch: pytest.MonkeyPatch
):
    write = module.write_external_ids  # type: ignore[attr-defined]  # the fake
    hangs: defaultdict[str, threading.Event] = defaultdict(threading.Event)
    released: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def hang(publications: Sequence[Publication]) -> frozenset[str]:
        run_id = publications[0].run_id
        hangs[run_id].set()
        assert released[run_id].wait(30)
        return write(publications)

    released["third"].set()
    monkeypatch.setattr(module, "write_external_ids", hang)
    first = claims._thread
    claims.ask(claim("first"))
    assert hangs["first"].wait(30)
    monkeypatch.setattr(module, "GIVE_UP_AFTER", 0.0)
    claims.ask(claim("second"))
    assert hangs["second"].wait(30)
    released["first"].set()
    first.join(30)
    assert [each.run_id for each in answers.wait_for(1)] == ["first"]
    claims.ask(claim("third"))
    assert answers.wait_for(2)[1].run_id == "third", "the second thread hangs, too, and is replaced"
    released["second"].set()


def test_the_thread_ends_when_it_is_closed(answers: Answers):
    thread = ClaimThread(answers)
    thread.start()
    thread.close(10)
    assert not thread._thread.is_alive()


def test_a_void_claim_writes_nothing_and_still_tells_whether_the_row_shows_its_standby(
    written: list[Publication],
):
    mine, void = claim("mine"), claim("void")
    void.is_void = True
    answer([mine, void])
    assert [(each.instead_of, each.external_id) for each in written] == [
        ("mine", "arn of mine"),
        ("arn of void", "arn of void"),
    ]
