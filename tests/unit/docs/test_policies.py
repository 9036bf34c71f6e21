"""Each JSON block of the pages parses, and each policy names actions that AWS has, and resources."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from tests.unit.docs.pages import ROOT, code_blocks, name_of

PAGES = sorted((ROOT / "docs").glob("*.md"))
NOT_OPERATIONS = {
    "iam:PassRole",
    "s3:DeleteObject",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
"""Actions that no operation has the name of, or whose service the SDK doesn't have (Service Authorization Reference)."""
_SERVICES = {"servicequotas": "service-quotas"}
"""The SDK's name of a service, where it isn't the prefix of its actions."""


def as_json(block: str) -> Any:
    """Parse a block; members of an object that the page shows without its braces, too."""
    text = block.strip()
    return json.loads("{" + text + "}" if re.match(r'"\w+":', text) else text)


def documents() -> list[Any]:
    """Return a parameter for each JSON block of the pages, the indented ones of lists included."""
    found = []
    for page in PAGES:
        for position, block in enumerate(code_blocks(page.read_text("utf-8"), "json"), 1):
            found.append(pytest.param(page, block, id=f"{name_of(page)}-{position}"))
    return found


@cache
def operations(service: str) -> frozenset[str]:
    return frozenset(get_session().get_service_model(_SERVICES.get(service, service)).operation_names)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def unknown_actions(statement: dict[str, Any]) -> list[str]:
    """Return the actions of a statement that AWS doesn't have."""
    return [
        action
        for action in listed(statement["Action"])
        if action not in NOT_OPERATIONS
        and action.partition(":")[2] not in operations(action.partition(":")[0])
    ]


@pytest.mark.parametrize(("page", "block"), documents())
def test_a_json_block_parses_and_its_statements_are_complete(page: Path, block: str) -> None:
    document = as_json(block)
    if not isinstance(document, dict) or "Statement" not in document:
        return
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        assert statement["Effect"] in {"Allow", "Deny"}
        assert unknown_actions(statement) == []
        assert "Principal" in statement or "Resource" in statement


@pytest.mark.parametrize("name", ["network.md", "security.md", "logs.md"])
def test_no_statement_of_these_pages_is_for_everything(name: str) -> None:
    blocks = code_blocks((ROOT / "docs" / name).read_text("utf-8"), "json")
    policies = [document for block in blocks if "Statement" in (document := as_json(block))]
    assert policies
    resources = [
        each for policy in policies for one in policy["Statement"] for each in listed(one["Resource"])
    ]
    assert "*" not in resources


def test_a_misspelled_action_is_found() -> None:
    assert unknown_actions({"Action": ["ecs:RunTasks", "ecs:RunTask", "s3:ListBucket"]}) == ["ecs:RunTasks"]
