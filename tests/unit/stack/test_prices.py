"""The estimate: the sum of what is there, and what it doesn't know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_async_executor.fargate_prices import DATE, FARGATE, REGION
from ecs_async_executor.stack.display import estimate_lines
from ecs_async_executor.stack.prices import (
    ENDPOINT,
    NAT_GATEWAY,
    NOT_COUNTED,
    PUBLIC_ADDRESS,
    Item,
    estimate,
    per_task_hour,
    total,
)
from ecs_async_executor.stack.template import Values, read_template
from tests.support.stack import ELSEWHERE, EXISTING, SHAPES

TEMPLATE = read_template()


def items(given: Values) -> dict[str, float | None]:
    found = estimate(TEMPLATE, TEMPLATE.values(given))
    return {each.what: None if each.dollars is None else round(each.dollars, 2) for each in found}


def test_the_default_costs_what_its_parts_cost():
    assert items({}) == {
        # 1 + 1 + 0.5 + 0.5 vCPUs at $0.04048 and 3 + 2 + 2 + 2 GiB at $0.004445, for 730 hours
        "Airflow: 4 services on Fargate, once ImageTag is set": 117.85,
        "NAT gateway": 32.85,
        "PostgreSQL on db.t4g.small": 23.36,
        "its public address": 3.65,
        "secrets (7)": 2.8,
        "its storage, 20 GiB": 2.3,
    }


def test_endpoints_are_counted_in_both_zones():
    # 6 interface endpoints in 2 zones, at $0.01 an hour; S3's gateway endpoint is free.
    assert items({"Network": "new-endpoints"})["VPC endpoints (12 in all zones)"] == 87.6


def test_without_network_database_and_airflow_only_two_secrets_are_left():
    assert items({**ELSEWHERE, **EXISTING, "Database": "none"}) == {"secrets (2)": 0.8}


def test_arm_is_cheaper():
    values = {"TaskCpu": "1024", "TaskMemory": "2048"}
    assert per_task_hour({**values, "Architecture": "X86_64"}) == pytest.approx(0.04937)
    assert per_task_hour({**values, "Architecture": "ARM64"}) == pytest.approx(0.0395)


def test_a_price_that_is_not_in_the_table_is_said_to_be_missing():
    found = estimate(TEMPLATE, TEMPLATE.values({"Database": "db.r8g.large"}))
    assert Item("PostgreSQL on db.r8g.large", None) in found
    assert any("not in the table" in line for line in estimate_lines(found, TEMPLATE.values({}), REGION))


@pytest.mark.parametrize("given", SHAPES.values(), ids=SHAPES)
def test_the_sum_is_the_sum_and_the_text_says_where_the_prices_are_from(given: Values):
    values = TEMPLATE.values(given)
    found = estimate(TEMPLATE, values)
    text = "\n".join(estimate_lines(found, values, "eu-central-1"))
    assert total(found) == pytest.approx(sum(each.dollars or 0 for each in found))
    assert f"${total(found):.2f}" in text
    assert REGION in text
    assert DATE in text
    assert "Prices in eu-central-1 differ." in text
    assert all(each in text for each in NOT_COUNTED)


def test_the_page_shows_the_estimate_of_the_defaults():
    values = TEMPLATE.values({})
    lines = estimate_lines(estimate(TEMPLATE, values), values, REGION)
    shown = [line for line in lines[:-2] if "hour of a task" not in line]
    assert "\n".join(shown) in (Path(__file__).parents[3] / "docs" / "stack.md").read_text("utf-8")


def test_the_prices_are_those_of_the_page_about_cost():
    page = (Path(__file__).parents[3] / "docs" / "cost.md").read_text("utf-8")
    said = {
        what: float(price) for what, price in re.findall(r"^\| ([^|]+) \| ([\d.]+) \|", page, re.MULTILINE)
    }
    assert (said["Fargate, vCPU-hour"], said["Fargate, GB-hour"]) == FARGATE["X86_64"]
    assert said["NAT gateway, hour"] == NAT_GATEWAY
    assert said["interface endpoint, hour in one zone"] == ENDPOINT
    assert said["public IPv4 address, hour"] == PUBLIC_ADDRESS
    assert f"`{REGION}`" in page
    assert DATE in page
