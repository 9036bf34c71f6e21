"""The table of causes: each wording finds its own row, names what it names, and no text breaks it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.diagnosis.call_failures import CREDENTIAL_CODES
from ecs_async_executor.engine.diagnosis.causes import masks, things
from ecs_async_executor.engine.diagnosis.causes.calls import CREDENTIALS, REFUSALS
from ecs_async_executor.engine.diagnosis.causes.cause import Cause, find, own_words, plainly
from ecs_async_executor.engine.diagnosis.causes.exit_codes import EXIT_CODES, meaning_of
from ecs_async_executor.engine.diagnosis.causes.table import ANSWERS, STOPS, SUBJECTS
from ecs_async_executor.engine.diagnosis.stopped_tasks import judge
from ecs_async_executor.engine.responses import Container, Task
from tests.unit.engine.diagnosis.expected_causes import EXPECTED

# The standard library's own parser: no public one tells what a pattern repeats.
sre: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

ALL = [cause for subject in SUBJECTS for cause in subject.CAUSES]
TEXTS = tuple(sorted((cause for cause in ALL if not cause.codes), key=lambda cause: cause.rank))
"""All causes that a text alone shows, in the order in which they are tried."""
BY_NAME = {cause.name: cause for cause in ALL}
WORDINGS = [(cause.name, number) for cause in TEXTS for number in range(len(cause.wordings))]


def test_each_cause_has_a_name_of_its_own_a_source_and_a_wording() -> None:
    assert len(BY_NAME) == len(ALL)
    assert [cause.name for cause in ALL if not cause.source.startswith("https://")] == []
    assert [cause.name for cause in ALL if not cause.wordings] == []


def test_each_cause_that_a_text_shows_has_an_expectation() -> None:
    assert {cause.name for cause in TEXTS} - {"clock"} == set(EXPECTED)


@pytest.mark.parametrize(("name", "number"), WORDINGS)
def test_a_wording_finds_its_own_cause_among_all(name: str, number: int) -> None:
    found = find(TEXTS, BY_NAME[name].wordings[number])
    assert found is not None
    assert found.cause.name == name


@pytest.mark.parametrize("name", EXPECTED)
def test_a_cause_names_the_thing_says_what_to_do_and_whether_a_start_can_help(name: str) -> None:
    cause = BY_NAME[name]
    outlook, remedy, summaries = EXPECTED[name]
    assert cause.outlook is outlook
    for wording, summary in zip(cause.wordings, summaries, strict=True):
        found = find(TEXTS, wording)
        assert found is not None
        assert found.summary == summary
        assert remedy in found.remedy


@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.name)
def test_a_remedy_is_something_to_do_and_never_points_at_the_facts(cause: Cause) -> None:
    assert cause.remedy
    assert "see the detail" not in cause.remedy.lower()


@pytest.mark.parametrize("cause", ALL, ids=lambda cause: cause.name)
def test_a_summary_is_one_sentence(cause: Cause) -> None:
    assert cause.summary.endswith(".")
    assert ". " not in cause.summary


def test_what_stops_a_task_and_what_run_task_answers_keep_the_tables_order() -> None:
    for some in (STOPS, ANSWERS):
        assert [cause for cause in TEXTS if cause in some] == list(some)


@pytest.mark.parametrize(
    ("wording", "name"),
    [(wording, cause.name) for cause in (*CREDENTIALS, *REFUSALS) for wording in cause.wordings],
)
def test_an_error_code_finds_its_cause(wording: str, name: str) -> None:
    code, _, message = wording.partition(": ")
    found = find((*CREDENTIALS, *REFUSALS), message, code=code)
    assert found is not None
    assert found.cause.name == name
    assert found.summary.endswith(".")


def test_each_code_of_a_cause_is_one_that_the_engine_knows() -> None:
    assert {code for cause in CREDENTIALS for code in cause.codes} <= CREDENTIAL_CODES | {
        "TokenRefreshRequired"
    }


def test_an_unknown_error_code_has_no_cause() -> None:
    assert find((*CREDENTIALS, *REFUSALS), "Cluster not found.", code="SomethingNew") is None


# --- names of a user's resources must not decide ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "CannotPullContainerError: failed to resolve ref acme/denied:not-found: dial tcp: i/o timeout",
            "registry-unreachable",
        ),
        (
            "CannotPullContainerError: failed to resolve ref acme/timeout:3: acme/timeout:3: not found",
            "image-missing",
        ),
        (
            "CannotPullContainerError: manifest for acme/OutOfMemoryError not found: manifest unknown",
            "image-missing",
        ),
        ("CannotPullContainerError: registry/OutOfMemory/RESOURCE:CPU: not found", "image-missing"),
        ("CannotPullContainerError: failed to resolve ref acme/agent:AGENT: not found", "image-missing"),
        ("The specified task definition is inactive: family denied", "definition-inactive"),
        (
            "Override for container named AGENT is not a container in the TaskDefinition.",
            "container-name-unknown",
        ),
        (
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/rate-limit-denied' that was provided",
            "role",
        ),
        (
            "ResourceInitializationError: unable to pull secrets: invalid parameters: /prod/access-denied-timeout",
            "parameter-missing",
        ),
    ],
)
def test_the_names_of_a_users_resources_do_not_change_a_cause(text: str, name: str) -> None:
    found = find(TEXTS, text)
    assert found is not None
    assert found.cause.name == name


def test_texts_with_typographic_quotes_escapes_and_line_breaks_are_read_alike() -> None:
    assert plainly('can\u2019t\n pull \\"it\\"  \u201cnow\u201d') == 'can\'t pull "it" "now"'


# --- the image, which ECS tells apart from the text -------------------------------------------------------

_NO_PLATFORM = (
    "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'"
)


def _stopped(*containers: Container, reason: str = "") -> Task:
    return Task(
        task_arn="arn:task/1",
        last_status="STOPPED",
        stop_code="TaskFailedToStart",
        stopped_reason=reason,
        containers=containers,
    )


def test_a_text_that_names_no_image_gets_that_of_its_container() -> None:
    airflow = Container(name="airflow", image="acme/airflow:3", reason=_NO_PLATFORM)
    summary = "The image acme/airflow:3 is not built for the platform linux/amd64 that the task runs on."
    assert judge(_stopped(airflow, reason=_NO_PLATFORM), "airflow").diagnosis.summary == summary
    assert (
        judge(
            _stopped(Container(name="airflow", image="acme/airflow:3"), reason=_NO_PLATFORM), "airflow"
        ).diagnosis.summary
        == summary
    )


def test_the_image_of_a_sidecar_is_not_taken_for_that_of_the_airflow_container() -> None:
    airflow = Container(name="airflow", image="acme/airflow:3")
    sidecar = Container(name="proxy", image="acme/proxy:1", reason=_NO_PLATFORM)
    assert "acme/proxy:1" in judge(_stopped(airflow, sidecar), "airflow").diagnosis.summary
    unnamed = judge(
        _stopped(airflow, Container(name="proxy", image="acme/proxy:1"), reason=_NO_PLATFORM), "airflow"
    )
    assert (
        unnamed.diagnosis.summary
        == "The image is not built for the platform linux/amd64 that the task runs on."
    )


# --- any text at all ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("Something new", "Something new."),
        ("Something new.", "Something new."),
        ("SomeError: " + "a long story " * 40 + "because of this", None),
    ],
)
def test_awss_own_words_are_a_sentence_with_the_category_and_the_end(text: str, words: str | None) -> None:
    said = own_words(text)
    if words is not None:
        assert said == words
    else:
        assert said.startswith("SomeError: ... ")
        assert said.endswith("because of this.")
        assert len(said) < 320


_FRAGMENTS = st.sampled_from(
    [word for cause in TEXTS for wording in cause.wordings for word in wording.split()]
)
_TEXTS = st.one_of(st.text(), st.lists(_FRAGMENTS, max_size=60).map(" ".join))


@given(_TEXTS, _TEXTS, st.one_of(st.none(), st.integers(0, 255)))
def test_any_stopped_task_gets_a_summary_and_a_remedy(
    stopped: str, of_container: str, exit_code: int | None
) -> None:
    container = Container(name="airflow", exit_code=exit_code, reason=of_container)
    diagnosis = judge(_stopped(container, reason=stopped), "airflow").diagnosis
    assert diagnosis.summary.strip(" .")
    assert diagnosis.remedy
    assert "{" not in diagnosis.summary or "{" in stopped + of_container


def _patterns() -> Iterator[re.Pattern[str]]:
    for cause in ALL:
        yield from (pattern for pattern in (cause.text, cause.within) if pattern is not None)
    for some in things._THINGS.values():
        yield from some
    for each in vars(masks).values():
        yield from (
            pattern
            for pattern in (each if isinstance(each, tuple) else (each,))
            if isinstance(pattern, re.Pattern)
        )


def _repeats(parsed: Any) -> Iterator[tuple[int, Any]]:
    """Yield the repetitions of a parsed pattern: how often at most, and what."""
    for operation, argument in parsed:
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            yield argument[1], argument[2]
        for part in argument if isinstance(argument, tuple) else (argument,):
            for each in part if isinstance(part, list) else (part,):
                if isinstance(each, sre.SubPattern):
                    yield from _repeats(each)


@pytest.mark.parametrize(
    "pattern", sorted({(p.pattern, p.flags) for p in _patterns()}), ids=lambda p: p[0][:40]
)
def test_no_pattern_repeats_without_a_bound_or_repeats_a_repetition(pattern: tuple[str, int]) -> None:
    """So a search takes a number of steps that is linear in the length of the text, whatever the text is."""
    for most, repeated in _repeats(sre.parse(*pattern)):
        unbounded = most >= sre.MAXREPEAT
        inner = [count for count, _ in _repeats(repeated) if count > 1]
        assert not (most > 1 and inner), "a repetition of a repetition"
        if unbounded:
            operation = repeated[0][0]
            assert len(repeated) == 1
            assert operation in (sre.IN, sre.LITERAL), "an unbounded wildcard"


def test_a_task_that_ended_as_usual_is_not_looked_up_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecs_async_executor.engine.diagnosis.stopped_tasks.find", None)
    ended = Task(
        task_arn="arn:task/1",
        last_status="STOPPED",
        started_at=1.0,
        stop_code="EssentialContainerExited",
        stopped_reason="Essential container in task exited",
        containers=(Container(name="airflow", exit_code=0),),
    )
    assert judge(ended, "airflow").exit_code == 0


def test_a_text_is_cut_before_it_is_searched() -> None:
    assert len(plainly("x" * 10_000_000)) <= 4096
    assert sys.getsizeof(plainly("\u2019" * 100_000)) < 20_000


# --- exit codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exit_code", range(256))
def test_every_exit_code_has_a_meaning_that_names_it_and_a_remedy(exit_code: int) -> None:
    meaning = meaning_of(exit_code)
    assert str(exit_code) in meaning.summary
    assert meaning.remedy


def test_a_signal_explains_an_end_and_a_code_of_the_program_does_not() -> None:
    assert [
        code for code, meaning in EXIT_CODES.items() if code > 128 and code != 255 and not meaning.explained
    ] == []
    assert [code for code, meaning in EXIT_CODES.items() if code < 75 and meaning.explained] == []
