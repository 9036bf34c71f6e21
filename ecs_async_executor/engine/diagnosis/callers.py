"""Who made a call, and so who is named in its diagnosis: the scheduler, or a command on any host. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecs_async_executor.engine.diagnosis.causes.calls import READS_AGAIN
from ecs_async_executor.messages import Diagnosis


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a call, as diagnoses name it."""

    role: str
    host: str


SCHEDULER = Caller("the scheduler's role", "the scheduler")
THIS_HOST = Caller("this host's role", "this host")
"""Of commands, which may run anywhere."""


def named(diagnosis: Diagnosis, who: Caller) -> Diagnosis:
    """Return a diagnosis that names `who` where the scheduler is named."""
    if who is SCHEDULER:
        return diagnosis

    def told(text: str) -> str:
        return (
            text.replace(SCHEDULER.role, who.role)
            .replace(SCHEDULER.host, who.host)
            .replace(_capital(SCHEDULER.host), _capital(who.host))
            .removesuffix(READS_AGAIN)  # a command is over before that
        )

    return replace(diagnosis, summary=told(diagnosis.summary), remedy=told(diagnosis.remedy))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
