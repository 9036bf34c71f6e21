"""What an action hands to the server: bytes to send, and a word for the count of outcomes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON body of HTTP status 200."""

    body: bytes
    outcome: str = "ok"


def json_answer(document: Mapping[str, Any]) -> Answer:
    """Encode a small document."""
    return Answer(json.dumps(document).encode())


def task_answer(tasks: Sequence[bytes], failures: Sequence[Mapping[str, str]], outcome: str = "ok") -> Answer:
    """Join tasks that are encoded already with failures that aren't."""
    body = b'{"tasks": [%b], "failures": %b}' % (b", ".join(tasks), json.dumps(list(failures)).encode())
    return Answer(body, outcome)
