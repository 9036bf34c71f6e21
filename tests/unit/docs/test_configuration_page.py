from __future__ import annotations

from docs.write_options import PAGE, option_table, with_option_table
from ecs_async_executor.config.settings import Settings


def test_the_page_shows_the_options_as_they_are():
    text = PAGE.read_text("utf-8")

    assert with_option_table(text) == text, "run `make format`"


def test_the_table_has_a_row_for_each_option_with_its_form_and_limits():
    table = option_table()

    assert [name for name in Settings.model_fields if f"| `{name}` |" not in table] == []
    assert "| `security_groups` | list |" in table
    assert "| `task_definition` | text | required, here or in `run_task_kwargs` |" in table
    assert "| `shutdown_timeout` | number, ≥ 1, ≤ 120 | `10.0` |" in table
    assert "| `check_health_on_startup` | true or false | `True` |" in table
    assert "| `run_task_kwargs` | JSON |" in table
    assert "| `cluster` | text | required |" in table
