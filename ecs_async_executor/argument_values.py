"""Parses the values of the commands' arguments: each function is an argparse `type`. Every `airflow` command imports it."""

from __future__ import annotations

import argparse
import math
import re
from urllib.parse import urlsplit

from ecs_async_executor import aws_regions
from ecs_async_executor.suggestions import did_you_mean
from ecs_async_executor.task_cost import Price, parse_prices

PHASES = ("waiting", "launching", "starting", "running", "ending", "standby", "leftover")
"""What `tasks --phase` takes: the fleet page's phases, and ECS tasks that no live task instance has."""
AIRFLOW_STATES = ("queued", "running", "restarting")
"""The states of Airflow that `tasks --state` takes: those of live rows."""
ELSEWHERE = "ELSEWHERE"
ECS_STATES = (
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
    "DELETED",
    "MISSING",
    ELSEWHERE,
)
"""The states of ECS that it takes (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html),
that of a container which ECS doesn't know, and of one that this connection can't ask it about."""
GRACE_SECONDS = 600.0
"""Default of `sweep --older-than`. The executor itself gives such a container two minutes and
`[core] task_success_overtime` to end, and ECS takes at most another two to stop it (stopTimeout on Fargate)."""


def positive_seconds(text: str) -> float:
    """Parse a positive number of seconds; raises `ArgumentTypeError`."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def seconds(text: str) -> float:
    """Parse a finite number of seconds, 0 or more; raises `ArgumentTypeError`."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def cents(text: str) -> float:
    """Parse an amount of US cents, 0 or more; raises `ArgumentTypeError`."""
    value = _number(text)
    if not 0 <= value < math.inf:  # a comparison with nan would let every cost pass
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of US cents")
    return value


def url(text: str) -> str:
    """Parse the URL of a server; raises `ArgumentTypeError`."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:8787")
    return text


def ids(text: str) -> tuple[str, ...]:
    """Parse ids, separated by commas; raises `ArgumentTypeError`."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise argparse.ArgumentTypeError("write one or more ids, separated by commas")
    return found


def grace(text: str) -> float:
    """Parse the seconds of `sweep --older-than`; raises `ArgumentTypeError`."""
    value = _number(text)
    if not GRACE_SECONDS / 2 <= value < math.inf:
        raise argparse.ArgumentTypeError(
            f"write at least {GRACE_SECONDS / 2:.0f} seconds: until then the executor may still stop the container itself"
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def phase(text: str) -> str:
    """Parse one of `PHASES`; raises `ArgumentTypeError`."""
    if text not in PHASES:
        known = f"Phases are: {', '.join(PHASES)}."
        raise argparse.ArgumentTypeError(f"unknown phase {text!r}. {did_you_mean(text, PHASES, known)}")
    return text


def state(text: str) -> str:
    """Parse a state of Airflow or of ECS, in any case; raises `ArgumentTypeError`."""
    known = (*AIRFLOW_STATES, *ECS_STATES)
    if text.casefold() not in {each.casefold() for each in known}:
        listed = f"Airflow's are: {', '.join(AIRFLOW_STATES)}; ECS's are: {', '.join(ECS_STATES)}."
        raise argparse.ArgumentTypeError(f"unknown state {text!r}. {did_you_mean(text, known, listed)}")
    return text


def prices(text: str) -> tuple[Price, ...]:
    """Parse prices as the option `task_prices` has them; raises `ArgumentTypeError`."""
    try:
        return parse_prices(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def map_index(text: str) -> int:
    """Parse a map index, 0 or more; raises `ArgumentTypeError`."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a map index: write 0, 1, 2, ...")
    return int(text)


def region(text: str) -> str:
    """Parse a Region's name; raises `ArgumentTypeError` if there is none like it."""
    if says := aws_regions.why_not(text):
        raise argparse.ArgumentTypeError(says)
    return text


def pair(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE; raises `ArgumentTypeError`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=VALUE")
    return name, value


def stack_name(text: str) -> str:
    """Parse a stack's name; raises `ArgumentTypeError`."""
    # A repository's name may have no capitals, and a DNS label 63 characters: names are made of the stack's.
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", text) or len(text) > 32:
        raise argparse.ArgumentTypeError(
            f"{text!r}: a stack's name has up to 32 small letters, digits and single hyphens, and begins with a letter"
        )
    return text
