"""Draws the chart of docs/performance.md: plain SVG, readable in light and in dark. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.report import duration

OURS = "AsyncEcsExecutor"
_WIDTH, _LEFT, _RIGHT, _BAR, _GAP = 760, 170, 110, 26, 10
_STYLE = """
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .note { font-size: 12px; fill: #57606a }
  .value { font-weight: 600 }
  .bar { fill: #afb8c1 }
  .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note { fill: #9198a1 }
    .bar { fill: #545d68 }
    .ours { fill: #4493f8 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, how long it is, and what is written at its end."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Some bars to compare, on one scale that begins at zero."""

    title: str
    note: str
    bars: Sequence[Bar]


def panels_of(figures: Mapping[str, float]) -> list[Panel]:
    """Make the panels from the figures of the launch benchmark."""
    tasks, latency = f"{figures['tasks']:,.0f}", f"{figures['latency'] * 1000:.0f} ms"
    theirs, ours = figures["theirs_longest_heartbeat"], figures["ours_longest_heartbeat"]
    cut = figures["theirs_cut_after"]
    computed = f"; AwsEcsExecutor's is computed from its first {cut:.0f} s" if cut else ""
    rates = (
        ("AwsEcsExecutor", figures["theirs_per_second"]),
        (OURS, figures["ours_per_second"]),
        ("bare client", figures["bare_per_second"]),
    )
    return [
        Panel(
            f"How long the scheduler stands still while it launches {tasks} tasks",
            f"longest heartbeat, API latency {latency}{computed}",
            [Bar("AwsEcsExecutor", theirs, duration(theirs)), Bar(OURS, ours, duration(ours))],
        ),
        Panel(
            "Tasks launched a second",
            f"no rate limits, API latency {latency}",
            [Bar(name, value, f"{value:,.0f}") for name, value in rates],
        ),
    ]


def lengths(panel: Panel) -> list[float]:
    """Return how long each bar is, the longest being 1."""
    values = [bar.value for bar in panel.bars]
    return [value / max(values) for value in values]


def draw(panels: Sequence[Panel]) -> str:
    """Return the SVG of all panels, one below the other."""
    body: list[str] = []
    top = 0
    for panel in panels:
        body.append(f'<text class="title" x="16" y="{top + 30}">{escape(panel.title)}</text>')
        body.append(f'<text class="note" x="16" y="{top + 49}">{escape(panel.note)}</text>')
        for index, (bar, length) in enumerate(zip(panel.bars, lengths(panel), strict=True)):
            body += _bar(bar, length, top + 64 + index * (_BAR + _GAP))
        top += 64 + len(panel.bars) * (_BAR + _GAP) + 12
    label = escape("; ".join(f"{panel.title}: {_spoken(panel)}" for panel in panels), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}"'
        f' role="img" aria-label="{label}">\n<style>{_STYLE}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _bar(bar: Bar, length: float, top: int) -> list[str]:
    width = max(2.0, length * (_WIDTH - _LEFT - _RIGHT))  # else too short to be seen
    middle = top + _BAR * 0.68
    kind = "bar ours" if bar.name == OURS else "bar"
    return [
        f'<text x="{_LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="3"/>',
        f'<text class="value" x="{_LEFT + width + 8:.1f}" y="{middle:.0f}">{escape(bar.text)}</text>',
    ]


def _spoken(panel: Panel) -> str:
    return ", ".join(f"{bar.name} {bar.text}" for bar in panel.bars)
