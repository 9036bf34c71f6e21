from __future__ import annotations

from docs.write_options import README, option_table, with_option_table
from ecs_async_executor.settings import Settings


def test_the_readme_shows_the_options_as_they_are():
    text = README.read_text("utf-8")

    assert with_option_table(text) == text, "run `make format`"


def test_the_table_has_a_row_for_each_option():
    table = option_table()

    assert [name for name in Settings.model_fields if f"| `{name}` |" not in table] == []
