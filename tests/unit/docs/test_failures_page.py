from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import ecs_async_executor
from docs.write_failures import OWN_WORDS, PAGE, failures_page
from ecs_async_executor.engine.diagnosis.causes.exit_codes import EXIT_CODES
from ecs_async_executor.engine.diagnosis.causes.table import SUBJECTS

PACKAGE = Path(ecs_async_executor.__file__).parent


def test_the_page_shows_the_table_as_it_is():
    assert PAGE.read_text("utf-8") == failures_page(), "run `make format`"


def test_the_page_has_each_cause_with_its_source_and_the_start_of_each_wording():
    page = failures_page()
    causes = [cause for subject in SUBJECTS for cause in subject.CAUSES]
    assert [cause.name for cause in causes if f"[Source]({cause.source})" not in page] == []
    starts = [wording[:60].rpartition(" ")[0] for cause in causes for wording in cause.wordings]
    assert [start for start in starts if start not in page] == []


def test_the_page_has_a_row_for_each_exit_code():
    page = failures_page()
    assert [code for code in EXIT_CODES if f"\n| {code} | " not in page] == []


def test_a_placeholder_of_the_table_is_not_shown():
    page = failures_page()
    names = {"{image}", "{secret}", "{words}", "{host}", "{subnet}"}
    assert [name for name in names if name in page] == []


@pytest.mark.parametrize("text", [text for text, _ in OWN_WORDS])
def test_the_executor_says_these_words(text: str) -> None:
    assert text in _code()


@cache
def _code() -> str:
    """Return the package's code, with texts that take several lines put together."""
    code = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    return re.sub(r'"\s+f?"', "", code)
