from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.chart import Bar, Panel, draw, lengths, panels_of

FIGURES = {
    "tasks": 1000.0,
    "latency": 0.2,
    "theirs_cut_after": 30.0,
    "theirs_longest_heartbeat": 200.0,
    "ours_longest_heartbeat": 0.02,
    "theirs_per_second": 5.0,
    "ours_per_second": 400.0,
    "bare_per_second": 480.0,
}
SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values():
    assert lengths(Panel("", "", [Bar("a", 5, ""), Bar("b", 10, "")])) == [0.5, 1.0]


def test_the_shortest_bar_can_still_be_seen():
    root = ET.fromstring(draw([Panel("", "", [Bar("a", 1e-6, ""), Bar("b", 1, "")])]))  # noqa: S314  our own

    assert [float(rect.get("width", 0)) >= 2 for rect in root.iter(f"{SVG}rect")] == [True, True]


def test_what_is_computed_is_said_to_be():
    assert "computed from its first 30 s" in draw(panels_of(FIGURES))
    assert "computed" not in draw(panels_of(FIGURES | {"theirs_cut_after": 0.0}))


def test_the_chart_shows_the_figures_of_the_launch_benchmark():
    root = ET.fromstring(draw(panels_of(FIGURES)))  # noqa: S314  our own
    texts = [element.text for element in root.iter(f"{SVG}text")]

    assert {"200 s", "20.00 ms", "5", "400", "480"} <= set(texts)
    assert [rect.get("class") for rect in root.iter(f"{SVG}rect")].count("bar ours") == 2
    assert "AsyncEcsExecutor 400" in (root.get("aria-label") or "")


def test_the_chart_is_readable_in_the_dark():
    assert "prefers-color-scheme: dark" in draw(panels_of(FIGURES))


def test_texts_can_hold_what_xml_forbids():
    root = ET.fromstring(draw([Panel("a < b", "", [Bar("<&>", 1, '"')])]))  # noqa: S314  our own

    assert {"a < b", "<&>", '"'} <= {element.text for element in root.iter(f"{SVG}text")}
