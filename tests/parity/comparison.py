"""Compares the two requests for one configuration."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from tests.parity import equivalent_configurations
from tests.parity.captured_requests import Body, Outcome, Refused, ours, theirs
from tests.parity.differences import DIFFERENCES
from tests.parity.rejected_configurations import NO_START, NO_TASK, REFUSALS, SENT
from tests.parity.setups import Setup


@dataclass(frozen=True)
class Verdict:
    """What both do with a configuration, and what explains the difference."""

    ours: Outcome
    expected: Outcome
    """What AwsEcsExecutor would send, were it not for the differences; what it does, if this executor has to refuse."""
    applied: frozenset[str]
    """The differences that changed what AwsEcsExecutor does."""
    refusals: frozenset[str]
    """The reasons for which this executor has to refuse."""


def judge(setup: Setup) -> Verdict:
    plain = equivalent_configurations.plain(setup)
    refusals = frozenset(name for name, each in REFUSALS.items() if each.concerns(plain))
    if refusals:
        return Verdict(ours(setup), theirs(setup), frozenset(), refusals)
    applied: set[str] = set()
    rewritten, outcome = setup, theirs(setup)
    for name, difference in DIFFERENCES.items():
        before, rewritten = rewritten, difference.rewrite(rewritten)
        if rewritten != before:
            earlier, outcome = outcome, theirs(rewritten)
            if not (is_equal(earlier, outcome) or isinstance(outcome, Refused)):
                applied.add(name)
    if isinstance(outcome, Refused):
        return Verdict(ours(setup), outcome, frozenset(applied), refusals)
    for name, difference in DIFFERENCES.items():
        amended = difference.amend(plain, outcome)
        if amended != outcome:
            applied.add(name)
        outcome = amended
    return Verdict(ours(setup), outcome, frozenset(applied), refusals)


def what_theirs_does(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return NO_START if outcome.at_start else NO_TASK
    return SENT


def is_equal(one: Outcome, other: Outcome) -> bool:
    """Compare two requests."""
    if isinstance(one, Refused) or isinstance(other, Refused):
        return False
    return in_order(one) == in_order(other)


def in_order(body: Body) -> Body:
    """Sort containers, environment and tags, and leave empty ones out: it makes no difference to ECS."""
    body = copy.deepcopy(body)
    containers: list[dict[str, Any]] = body["overrides"]["containerOverrides"]
    containers.sort(key=lambda container: str(container.get("name")))
    for part, member, identity in [
        (body, "tags", "key"),
        *((each, "environment", "name") for each in containers),
    ]:
        part[member] = sorted(part.get(member, []), key=lambda item: str(item[identity]))
        if not part[member]:
            del part[member]
    return body
