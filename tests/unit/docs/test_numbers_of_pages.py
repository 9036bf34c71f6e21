"""Numbers in the pages are those of Airflow's configuration and of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.configuration import conf

from ecs_async_executor.config.settings import SECTION, Settings
from ecs_async_executor.doctor.checks import routes
from ecs_async_executor.doctor.questions import QUOTAS
from ecs_async_executor.engine.options import EngineOptions
from ecs_async_executor.executor import order_factory
from tests.unit.docs.pages import PAGES, ROOT, name_of

_IN_BRACKETS = re.compile(r"`(?:\[(\w+)\] )?([a-z]\w+)`\s+\((\d[\d,.]*)(?: s)?\)")
_IN_A_TABLE = re.compile(r"^\| `\[(\w+)\] (\w+)` \| (\d+) \|", re.MULTILINE)


def default_of(section: str, name: str) -> str | None:
    """Return an option's default as text; None if there is no such option, or it has none."""
    field = Settings.model_fields.get(name)
    if section == SECTION or (not section and field is not None):
        return None if field is None or field.default is None else f"{field.default:g}"
    described = conf.configuration_description.get(section, {"options": {}})["options"].get(name, {})
    default = described.get("default")
    return None if default is None else f"{float(default):g}"


def named_defaults(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, name and number of each option that is followed by a number in brackets, or stands in a table of defaults."""
    for pattern in (_IN_BRACKETS, _IN_A_TABLE):
        yield from (
            (section or "", name, number.replace(",", "")) for section, name, number in pattern.findall(text)
        )


@pytest.mark.parametrize("page", [each for each in PAGES if each.name != "CHANGELOG.md"], ids=name_of)
def test_a_number_in_brackets_after_an_option_is_its_default(page: Path) -> None:
    wrong = [
        (section, name, number, default)
        for section, name, number in named_defaults(page.read_text("utf-8"))
        if (default := default_of(section, name)) is not None and number != default
    ]
    assert wrong == []


def test_wrong_defaults_are_found() -> None:
    text = "`[core] parallelism` (32) `[scheduler] task_queued_timeout` (60 s) `capacity_timeout` (3600 s)\n| `[core] parallelism` | 16 |\n"
    assert [each for each in named_defaults(text) if each[2] != default_of(each[0], each[1])] == [
        ("scheduler", "task_queued_timeout", "60"),
        ("core", "parallelism", "16"),
    ]


RECOMMENDED = re.compile(r"task_queued_timeout\W+(?:value\W+)?(\d+)", re.IGNORECASE)
"""`[scheduler] task_queued_timeout` as people copy it: `... = 5400`, `..._TIMEOUT=5400`, `{Name: ..., Value: "5400"}`."""
COPIED = (
    *(each for each in PAGES if each.name != "CHANGELOG.md"),
    *(path for path in sorted((ROOT / "examples").rglob("*")) if path.is_file()),
)


def test_each_task_queued_timeout_that_people_copy_is_long_enough() -> None:
    options = Settings.model_fields
    enough = options["capacity_timeout"].default + options["launch_timeout"].default
    assert f"With the defaults, that is {enough:,.0f} s" in page("tuning.md")
    default = float(default_of("scheduler", "task_queued_timeout") or 0)
    named = [
        (path.name, float(number))
        for path in COPIED
        for number in RECOMMENDED.findall(path.read_text("utf-8", errors="replace"))
    ]
    copied = [(name, number) for name, number in named if number != default]
    assert len(copied) > 10
    assert [(name, number) for name, number in copied if number < enough] == []


def page(name: str) -> str:
    return " ".join((ROOT / "docs" / name).read_text("utf-8").split())


def test_the_pages_say_how_long_a_token_lives() -> None:
    assert (order_factory.TOKEN_LIFETIME, order_factory.TOKEN_MARGIN) == (3600, 600)
    longest = max(
        3600.0,
        float(default_of("scheduler", "task_queued_timeout") or 0),
        EngineOptions().launch_timeout + 600,
    )
    assert longest == 3600
    rule = "the longest of an hour, `[scheduler] task_queued_timeout`, and `launch_timeout` plus ten minutes"
    assert rule in page("api-server.md")
    assert "An hour with the defaults" in page("security.md")


def test_the_network_page_has_each_endpoint_that_the_doctor_looks_for() -> None:
    source = Path(routes.__file__).read_text("utf-8").partition("def needed")[2].partition("\ndef ")[0]
    looked_for = set(re.findall(r'"([a-z.0-9]+)"', source.partition('"""')[2].partition('"""')[2]))
    assert looked_for == {"ecr.api", "ecr.dkr", "s3", "logs", "secretsmanager", "ssm"}
    table = page("network.md").partition("### Exactly which endpoints")[2].partition("```")[0]
    assert {each for each in looked_for if f"`{each}`" not in table} == set()


def test_the_tuning_page_names_the_quotas_that_the_doctor_reads_and_the_executors_rates() -> None:
    text = page("tuning.md")
    assert all(code in text for code in QUOTAS.values())
    options = EngineOptions()
    assert f"| RunTask on Fargate | {options.run_task_rate.per_second:g} a second |" in text
    modify, read = options.modify_rate, options.read_rate
    assert f"| RunTask and StopTask | {modify.per_second:g} a second, burst {modify.burst:g} |" in text
    assert f"| DescribeTasks and ListTasks | {read.per_second:g} a second, burst {read.burst:g} |" in text


def test_the_official_page_table_has_each_option_of_the_official_executor() -> None:
    section = conf.configuration_description["aws_ecs_executor"]["options"]
    text = page("official-page.md")
    missing = {name for name in section if name.upper() not in text and name not in text}
    assert missing == set()
