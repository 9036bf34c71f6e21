"""The whole examination: read the options, gather the facts, run the checks."""

from __future__ import annotations

from dataclasses import dataclass

from ecs_async_executor.config.configuration import Configuration
from ecs_async_executor.doctor import host
from ecs_async_executor.doctor.aws import asking
from ecs_async_executor.doctor.aws.clients import Aws
from ecs_async_executor.doctor.checks.table import run
from ecs_async_executor.doctor.facts import Cause, Fact, Facts, Question, Unknown
from ecs_async_executor.doctor.findings import Finding, merged
from ecs_async_executor.doctor.gather import Answer, gather
from ecs_async_executor.doctor.reading import read_setup
from ecs_async_executor.doctor.setup import Setup


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and with what."""

    setup: Setup
    facts: Facts
    findings: tuple[Finding, ...]
    aws: Aws | None = None
    configuration: Configuration | None = None


def examine(team: str | None = None, ask_host: Answer = host.answer) -> Examination:
    """Examine the set-up of this host's options; raises `ConfigurationError` for an unknown team."""
    setup, aws, configuration = read_setup(team)
    host.prepare()

    def answer(question: Question) -> Fact:
        if question.kind in host.KINDS:
            return ask_host(question)
        if aws is None:
            return Unknown("There is no AWS connection.", Cause.NOT_ASKED)
        return asking.answer(aws, question)

    facts = gather(setup, answer)
    return Examination(setup, facts, tuple(merged(run(setup, facts))), aws, configuration)
