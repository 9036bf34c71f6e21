"""Questions in a reader's own words lead to an answer: the site's search finds sections that have each of the words."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import ROOT, relative_links

PAGE = (ROOT / "docs" / "questions.md").read_text("utf-8")
QUESTIONS = re.findall(r"^### (.+?\?)\n\n(.+?)(?=\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)
ASKED = (
    ("which policy does my scheduler need", "iam.md#the-schedulers-role"),
    ("which vpc endpoints", "network.md#exactly-which-endpoints"),
    ("1000 tasks of 5 minutes 1 vcpu 2 gb", "cost.md#a-task"),
    ("logs of a killed task", "logs.md#where-it-died"),
    ("how long may the api server be down", "api-server.md#how-long-it-may-be-away"),
    ("beside celery", "several-executors.md#side-by-side"),
    ("why are only 16 tasks running", "tuning.md#the-first-limits-you-meet"),
    ("how do i upgrade airflow", "high-availability.md#upgrade-airflow"),
    ("git token", "dags.md#git"),
    ("what does the token allow", "security.md#the-token-in-the-command"),
    ("task definition arm", "task-definition.md#arm"),
    ("mwaa possible", "comparison.md#mwaa"),
    ("how do i raise the launch rate", "tuning.md#raising-quotas"),
    ("which versions tested", "index.md#versions"),
    ("switch from awsecsexecutor", "switching.md"),
    ("switch back", "switching.md#going-back"),
    ("alert cloudwatch", "monitoring.md#the-alerts"),
)
"""What somebody types, and the section that has the answer."""


def words(text: str) -> list[str]:
    return re.findall(r"[\w,]+", text.lower())


def has_all(typed: str, text: str) -> bool:
    """Return whether each typed word begins a word of the text, as the search wants it."""
    there = set(words(text))
    return all(any(each.startswith(word) for each in there) for word in words(typed))


@pytest.mark.parametrize(("typed", "section"), ASKED, ids=[typed for typed, _ in ASKED])
def test_a_typed_question_finds_an_answer_that_leads_to_the_section(typed: str, section: str) -> None:
    found = [answer for question, answer in QUESTIONS if has_all(typed, f"{question} {answer}")]
    assert section in {link for answer in found for link in relative_links(answer)}


@pytest.mark.parametrize(("question", "answer"), QUESTIONS, ids=[question for question, _ in QUESTIONS])
def test_an_answer_is_short_and_names_the_page_with_the_rest(question: str, answer: str) -> None:
    assert relative_links(answer), question
    assert len(words(answer)) < 60
