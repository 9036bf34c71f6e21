"""What the doctor says: how bad it is, what it is, why it matters, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum


class Severity(str, Enum):
    """How bad a finding is."""

    ERROR = "error"
    """Tasks fail, or some do."""
    WARNING = "warning"
    """Tasks run, but worse than they could, or only as long as nothing happens."""
    UNKNOWN = "could not tell"
    NOTE = "note"
    """Nothing is wrong, and it is good to know."""
    FINE = "fine"


ORDER = (Severity.ERROR, Severity.WARNING, Severity.UNKNOWN, Severity.NOTE, Severity.FINE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. No part of it holds a secret."""

    severity: Severity
    what: str
    """What is the matter, in one sentence."""
    why: str = ""
    """Why it matters."""
    todo: str = ""
    """What to do about it, with the command or the policy statement."""
    check: str = ""
    """The check that found it."""
    profiles: tuple[str, ...] = ()
    """The profiles of `queues` that it is about, `default` for the options; empty if it is about all."""


def error(what: str, why: str = "", todo: str = "") -> Finding:
    """Return an error."""
    return Finding(Severity.ERROR, what, why, todo)


def warning(what: str, why: str = "", todo: str = "") -> Finding:
    """Return a warning."""
    return Finding(Severity.WARNING, what, why, todo)


def unknown(what: str, why: str = "", todo: str = "") -> Finding:
    """Return what can't be determined."""
    return Finding(Severity.UNKNOWN, what, why, todo)


def note(what: str, why: str = "", todo: str = "") -> Finding:
    """Return what is good to know."""
    return Finding(Severity.NOTE, what, why, todo)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, with all profiles that it is about, the worst first."""
    profiles: dict[Finding, dict[str, None]] = {}
    for each in findings:
        profiles.setdefault(replace(each, profiles=()), {}).update(dict.fromkeys(each.profiles))
    all_of_them = [replace(each, profiles=tuple(names)) for each, names in profiles.items()]
    return sorted(all_of_them, key=lambda each: ORDER.index(each.severity))


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if there is an error, else 0."""
    return int(any(each.severity is Severity.ERROR for each in findings))
