"""A Markdown extension for the site: what links between the pages become there. `zensical.toml` names it.

Pages are written to be read on GitHub, too: a link may lead to a file beside docs/ (`../Dockerfile`), and its text may be
the name of the other page's file. The site has only pages, and knows them by their titles. Zensical itself takes a link to a
Markdown file beside docs/ for a broken one, so what it leaves to this extension is whether the files exist. (It checks the
anchors.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from zensical.config import get_config

DOCS = Path(__file__).parent


class BrokenLinkError(Exception):
    """A link to a file that does not exist: it ends the build."""


def leads_nowhere(target: str, docs: Path) -> bool:
    """Tell whether a link from a page in this folder names a file or folder that does not exist."""
    parts = urlsplit(target)
    return not parts.scheme and not (docs / unquote(parts.path)).exists()


def repository_link(target: str, repository: str) -> str:
    """Return where a page's link leads on the site: a target outside docs/ becomes one in the repository.

    `blob/HEAD` is GitHub's address of a file on the default branch; for a folder it redirects to `tree/HEAD`.
    """
    if not target.startswith("../"):
        return target
    return f"{repository.rstrip('/')}/blob/HEAD/{target.removeprefix('../')}"


def shown_text(text: str, titles: Mapping[str, str]) -> str:
    """Return what a link's text is on the site: a page's title instead of the name of its file."""
    return titles.get(text, text)


def titles_of(navigation: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the titles of the navigation's pages, by file: items have `url`, `title` and `children`, as zensical reads them."""
    return {str(item["url"]): str(item["title"]) for item in _flat(navigation) if item.get("url")}


def _flat(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for item in items:
        yield item
        yield from _flat(item.get("children") or ())


class SiteLinks(Treeprocessor):
    """Rewrites the links and images of a page."""

    def run(self, root: Element) -> None:
        """Rewrite them in place.

        Raises:
            BrokenLinkError: one leads nowhere.
        """
        configuration = get_config()
        repository, titles = configuration["extra"]["repository"], titles_of(configuration["nav"])
        for element, attribute in (("a", "href"), ("img", "src")):
            for found in root.iter(element):
                if target := found.get(attribute):
                    if leads_nowhere(target, DOCS):
                        raise BrokenLinkError(f"There is no such file: {target}")
                    found.set(attribute, repository_link(target, repository))
                found.text = found.text and shown_text(found.text, titles)


class SiteLinksExtension(Extension):
    """What zensical.toml names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Run after links are parsed (`inline`, 20) and before zensical makes them relative to the page's address (0)."""
        md.treeprocessors.register(SiteLinks(md), "site_links", 10)


def makeExtension(**options: object) -> SiteLinksExtension:  # noqa: N802 - Markdown's name
    """Make the extension: Markdown calls this."""
    return SiteLinksExtension(**options)
