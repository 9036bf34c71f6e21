"""One test per row: what Airflow makes of a stopped container."""

from __future__ import annotations

import pytest

from ecs_async_executor.operate.aftermath import aftermath
from tests.support.operation import container, found_row, standby, workload


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "No task instance of this Airflow shows it"),
        (found_row("success"), "d/r/t is success already: nothing changes"),
        (found_row(None), "d/r/t is cleared already: nothing changes"),
        (found_row("running", earlier_try=True), "is an earlier try: nothing changes"),
        (found_row("queued"), "the executor starts it again in a new container"),
        (found_row("restarting"), "Airflow runs it again at once"),
        (found_row("running", max_tries=2), "Airflow fails try 1 of 3; it has retries left"),
        (found_row("running", try_number=3, max_tries=2), "Airflow fails try 3 of 3; it was the last one"),
        (found_row("running", map_index=4), "d/r/t/4 is running"),
    ],
)
def test_the_row_tells_what_becomes_of_its_task(row: object, words: str) -> None:
    assert words in aftermath(container(), row)  # type: ignore[arg-type]  # pytest's table


def test_a_row_that_is_live_under_another_id_goes_on() -> None:
    assert "goes on there" in aftermath(container(), found_row("running"), shows_it=False)


def test_a_standby_without_a_task_is_replaced() -> None:
    assert "its scheduler starts another one" in aftermath(standby(), None)


def test_a_task_whose_standby_has_not_started_it_starts_again_at_no_cost() -> None:
    assert "in a new container, at no cost" in aftermath(standby(), found_row("queued"))
    assert "Airflow fails try 1" in aftermath(standby(), found_row("running", max_tries=1))


def test_a_callback_counts_as_failed() -> None:
    assert "callback" in aftermath(container(command=workload(kind="ExecuteCallback")), None)
