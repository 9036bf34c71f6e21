"""Findings for people, and as JSON. Pure."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from ecs_async_executor.doctor.findings import Finding, Severity
from ecs_async_executor.doctor.launch.observation import Observation
from ecs_async_executor.doctor.launch.phases import in_words, phases
from ecs_async_executor.doctor.launch.probe import MARK
from ecs_async_executor.tokens import without_tokens

# What terminals obey; a container may print anything.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_COMMAND = re.compile(
    r"(?:\b(?:aws|docker|ecs-async|airflow (?:connections|pools)) [a-z].*?(?=; |\)|\.?$| \()|\{\".*\})"
)
"""A command, or a policy's statement: people copy it."""
_JOINT = "\N{NO-BREAK SPACE}"
_LOGIN = re.compile(r"://[^/\s@\"]+@")
_WIDTH = 120
_LINES = 20
_HEADINGS = {
    Severity.ERROR: "ERROR",
    Severity.WARNING: "WARNING",
    Severity.UNKNOWN: "COULD NOT TELL",
    Severity.NOTE: "NOTE",
}


def as_text(findings: Sequence[Finding], profiles: Sequence[str] = (), width: int = _WIDTH) -> str:
    """Return the findings in lines of `width` characters, errors first, and a summary at the end.

    `profiles` are all there are. A command or a statement stays in one line, however long, so that it can be copied.
    """
    lines: list[str] = []
    for each in findings:
        if each.severity is not Severity.FINE:
            lines += [*_shown(each, profiles, width), ""]
    fine = [each.what for each in findings if each.severity is Severity.FINE]
    if fine:
        lines += [*textwrap.wrap(f"Fine: {', '.join(fine)}.", width), ""]
    return _clean("\n".join([*lines, summary(findings)])) + "\n"


def summary(findings: Sequence[Finding]) -> str:
    """Return one line: how many findings of each severity."""
    counts = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    if not errors and not warnings and not counts[Severity.UNKNOWN]:
        return f"All {counts[Severity.FINE]} checks are fine."
    return (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}, {counts[Severity.UNKNOWN]} undetermined, "
        f"{_count(counts[Severity.FINE], 'check')} fine."
    )


def launch_text(seen: Observation) -> str:
    """Return a launch's phases with their times, and the last lines that its container printed."""
    lines = [f"Launched: {seen.arn}"] if seen.arn else []
    if times := in_words(phases(seen.task)):
        lines.append(f"Phases: {times}.")
    shown = [each for each in seen.lines if MARK not in each][-_LINES:]
    if shown:
        lines += ["The container's last lines:", *(f"    {each.rstrip()}" for each in shown)]
    return _clean("\n".join(lines) + "\n\n") if lines else ""


def as_json(findings: Sequence[Finding], seen: Observation | None = None) -> str:
    """Return a JSON object: `findings`, each with severity, check, what, why, todo and profiles; `summary`; and `launch`."""
    documents = [
        {
            "severity": each.severity.value,
            "check": each.check,
            "what": each.what,
            "why": each.why,
            "todo": each.todo,
            "profiles": list(each.profiles),
        }
        for each in findings
    ]
    document: dict[str, Any] = {"findings": documents, "summary": summary(findings)}
    if seen is not None:
        shown = [each for each in seen.lines if MARK not in each]
        document["launch"] = {
            "arn": seen.arn,
            "seconds": phases(seen.task),
            "report": seen.report,
            "lines": shown,
        }
    return _clean(json.dumps(document, indent=2)) + "\n"


def _shown(each: Finding, profiles: Sequence[str], width: int) -> Iterator[str]:
    # Whoever has one profile need not read its name.
    of = (
        f" (profile {', '.join(each.profiles)})"
        if each.profiles and len(profiles) > 1 and set(each.profiles) != set(profiles)
        else ""
    )
    yield from _wrapped(f"{_HEADINGS[each.severity]}: {each.what}{of}", "", width)
    if each.why:
        yield from _wrapped(f"Why:{_JOINT}{each.why}", "  ", width)
    if each.todo:
        # A command may follow at once, and a full stop after it would be copied with it.
        yield from _wrapped(f"Do:{_JOINT * 2}{_without_full_stop(each.todo)}", "  ", width)


def _without_full_stop(text: str) -> str:
    """Return a text without the full stop after a command at its end."""
    ends_with_command = any(found.end() == len(text) - 1 for found in _COMMAND.finditer(text))
    return text[:-1] if text.endswith(".") and ends_with_command else text


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    """Wrap at spaces only, and not inside a command, so that what people copy stays whole."""
    joined = _COMMAND.sub(lambda found: found[0].replace(" ", _JOINT), text)
    lines = textwrap.wrap(
        joined,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}     ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_JOINT, " ") for line in lines]


def _clean(text: str) -> str:
    """Replace tokens, and user and password in a URL, by `***`; leave out control characters."""
    return _CONTROL.sub("", _LOGIN.sub("://***@", without_tokens(text)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
