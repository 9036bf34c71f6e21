"""The report: Markdown to paste into an issue, or JSON. Account ids are masked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_async_executor.conformance.answers import NotSeenError, Record
from ecs_async_executor.conformance.assumptions import ASSUMPTIONS, Assumption
from ecs_async_executor.conformance.judges import Outcome, Verdict, judged
from ecs_async_executor.conformance.target import Target

_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")
_PHASES = (
    ("provisioning", "createdAt", "pullStartedAt"),
    ("pull", "pullStartedAt", "pullStoppedAt"),
    ("start", "pullStoppedAt", "startedAt"),
    ("stop", "stoppingAt", "stoppedAt"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has found. `about` are facts about it, in order; `left` the tasks that may still run."""

    about: Mapping[str, str]
    rows: Sequence[tuple[Assumption, Verdict]]
    phases: Mapping[str, float]
    """Seconds of the first task's phases."""
    left: Sequence[str] = ()

    def count(self, outcome: Outcome) -> int:
        """Return how many assumptions have this outcome."""
        return sum(verdict.outcome is outcome for _, verdict in self.rows)


def make_report(target: Target, record: Record, about: Mapping[str, str], left: Iterable[str] = ()) -> Report:
    """Judge every assumption."""
    rows = [(each, judged(each.judge, target, record)) for each in ASSUMPTIONS]
    early = {"Ended early": record.cut_short} if record.cut_short else {}
    return Report({**about, **early}, rows, phases(record), sorted(left))


def phases(record: Record) -> dict[str, float]:
    """Return how long the first task's phases took, in seconds, as far as ECS shows them."""
    try:
        task = record.latest("first")
    except NotSeenError:
        return {}
    return {name: task[end] - task[begin] for name, begin, end in _PHASES if begin in task and end in task}


def as_markdown(report: Report) -> str:
    """Return the report as Markdown: facts, a row for each assumption, and the differences in full."""
    counts = ", ".join(f"{report.count(each)} {each.value}" for each in Outcome)
    lines = ["### ECS conformance", "", f"**{counts}.**", ""]
    lines += [f"- {name}: {value}" for name, value in report.about.items()]
    if report.phases:
        spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.phases.items())
        lines.append(f"- Phases of one task: {spent}")
    if report.left:
        lines += ["", f"**{len(report.left)} tasks may still run**; stop them by hand:", ""]
        lines += [f"- `{arn}`" for arn in report.left]
    lines += ["", "| assumption | verdict | seen |", "|---|---|---|"]
    lines += [
        f"| {row.name} | {verdict.outcome.value} | {_cell(verdict.seen)} |" for row, verdict in report.rows
    ]
    for row, verdict in report.rows:
        if verdict.outcome is Outcome.DIFFERS:
            lines += ["", f"#### {row.name}", "", f"- Assumed: {row.says} ([source]({row.source}))"]
            lines += [f"- Seen: {_cell(verdict.seen)}", f"- The executor: {row.use}", f"- Probe: {row.probe}"]
    return masked("\n".join(lines) + "\n")


def as_json(report: Report) -> str:
    """Return the report as JSON."""
    document: dict[str, Any] = {
        "about": dict(report.about),
        "counts": {each.value: report.count(each) for each in Outcome},
        "phases": {name: round(seconds, 3) for name, seconds in report.phases.items()},
        "left": list(report.left),
        "assumptions": [
            {
                "name": row.name,
                "verdict": verdict.outcome.value,
                "seen": verdict.seen,
                "assumed": row.says,
                "executor": row.use,
                "source": row.source,
                "probe": row.probe,
            }
            for row, verdict in report.rows
        ],
    }
    return masked(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def masked(text: str) -> str:
    """Replace AWS account ids."""
    return _ACCOUNT.sub("<account>", text)


def _cell(text: str) -> str:
    """Return text of AWS's that breaks neither the table nor the page."""
    one_line = " ".join(text.split())
    return one_line.replace("|", "\\|").replace("<", "&lt;").replace("@", "@\u200b")[:600]
