"""What an action returns to the server: the bytes to send, and the outcome to count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON body to send with HTTP status 200."""

    body: bytes
    outcome: str = "ok"


def json_answer(document: Mapping[str, Any]) -> Answer:
    """Encode a small document."""
    return Answer(json.dumps(document).encode())


def task_answer(tasks: Sequence[bytes], failures: Sequence[Mapping[str, str]], outcome: str = "ok") -> Answer:
    """Join encoded tasks with failures that aren't encoded yet."""
    body = b'{"tasks": [%b], "failures": %b}' % (b", ".join(tasks), json.dumps(list(failures)).encode())
    return Answer(body, outcome)
