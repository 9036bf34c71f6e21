"""Findings for people, and as JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence

from ecs_async_executor.doctor.findings import Finding, Severity
from ecs_async_executor.tokens import without_tokens

_WIDTH = 120
_HEADINGS = {Severity.ERROR: "ERROR", Severity.WARNING: "WARNING", Severity.UNKNOWN: "COULD NOT TELL"}


def as_text(findings: Sequence[Finding], profiles: Sequence[str] = ()) -> str:
    """Return the findings, errors first, and a summary in the last line; `profiles` are all there are."""
    lines: list[str] = []
    for each in findings:
        if each.severity is not Severity.FINE:
            lines += [*_shown(each, profiles), ""]
    fine = [each.what for each in findings if each.severity is Severity.FINE]
    if fine:
        lines += [*textwrap.wrap(f"Fine: {', '.join(fine)}.", _WIDTH), ""]
    return without_tokens("\n".join([*lines, summary(findings)])) + "\n"


def summary(findings: Sequence[Finding]) -> str:
    """Return one line: how many findings of each severity."""
    counts = {severity: sum(each.severity is severity for each in findings) for severity in Severity}
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    if not errors and not warnings and not counts[Severity.UNKNOWN]:
        return f"All {counts[Severity.FINE]} checks are fine."
    return (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}, {counts[Severity.UNKNOWN]} could not be told, "
        f"{_count(counts[Severity.FINE], 'check')} fine."
    )


def as_json(findings: Sequence[Finding]) -> str:
    """Return a JSON object: `findings`, each with severity, check, what, why, todo and profiles; and `summary`."""
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
    return without_tokens(json.dumps({"findings": documents, "summary": summary(findings)}, indent=2)) + "\n"


def _shown(each: Finding, profiles: Sequence[str]) -> Iterator[str]:
    # Whoever has one profile need not read its name.
    of = (
        f" (profile {', '.join(each.profiles)})"
        if each.profiles and len(profiles) > 1 and set(each.profiles) != set(profiles)
        else ""
    )
    yield from _wrapped(f"{_HEADINGS[each.severity]}: {each.what}{of}", "")
    if each.why:
        yield from _wrapped(f"Why: {each.why}", "  ")
    if each.todo:
        yield from _wrapped(f"Do:  {each.todo}", "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    """Wrap at spaces only, so that what people copy stays whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}     ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
