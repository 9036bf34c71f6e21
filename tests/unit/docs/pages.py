"""Reads the Markdown pages of the repository: their links, headings, code and commands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "ecs_async_executor"
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)

_FENCED = re.compile(r"^ *```(?P<language>\w*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:a|img)\b[^>]*\b(?:href|src)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ +(.*?) *$", re.MULTILINE)


def name_of(page: Path) -> str:
    """Name a page in a test's id."""
    return str(page.relative_to(ROOT))


def code_blocks(text: str, *languages: str) -> list[str]:
    """Return the fenced blocks of these languages; without any, all of them."""
    found = _FENCED.finditer(text)
    return [match["code"] for match in found if not languages or match["language"] in languages]


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCED.sub("", text)


def spans(text: str) -> list[str]:
    """Return what stands in backticks, each on one line."""
    return [" ".join(span.split()) for span in _SPAN.findall(prose(text))]


def relative_links(text: str) -> list[str]:
    """Return the targets of links that are not URLs."""
    targets = (link or source for link, source in _LINK.findall(_SPAN.sub("", prose(text))))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(prose(text)):
        kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        slug = kept.replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Return each relative link whose file or anchor does not exist."""
    for target in relative_links(text):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"{target}: there is no such file"
        elif anchor and anchor not in anchors(text if file == page else file.read_text("utf-8")):
            yield f"{target}: there is no such heading"


def command_lines(text: str) -> list[str]:
    """Return the lines of the fenced blocks, without prompts; a line that ends with a backslash goes on."""
    return [
        line.strip().removeprefix("$ ")
        for block in code_blocks(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
