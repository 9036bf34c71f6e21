"""A Markdown extension for the site: a link that leaves docs/ (`../Dockerfile`) leads to the file in the repository.

Markdown on GitHub finds such a file beside docs/; the site has only the pages. zensical.toml names the extension, and
the repository's address.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from zensical.config import get_config


def repository_link(target: str, repository: str) -> str:
    """Return where a page's link leads on the site: a target outside docs/ becomes one in the repository.

    `blob/HEAD` is GitHub's address of a file on the default branch; for a folder it redirects to `tree/HEAD`.
    """
    if not target.startswith("../"):
        return target
    return f"{repository.rstrip('/')}/blob/HEAD/{target.removeprefix('../')}"


class RepositoryLinks(Treeprocessor):
    """Rewrites the links and images of a page."""

    def run(self, root: Element) -> None:
        """Rewrite them in place."""
        repository = get_config()["extra"]["repository"]
        for element, attribute in (("a", "href"), ("img", "src")):
            for found in root.iter(element):
                if target := found.get(attribute):
                    found.set(attribute, repository_link(target, repository))


class RepositoryLinksExtension(Extension):
    """What zensical.toml names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Markdown's name
        """Run after links are parsed (`inline`, 20) and before zensical makes them relative to the page's address (0)."""
        md.treeprocessors.register(RepositoryLinks(md), "repository_links", 10)


def makeExtension(**options: object) -> RepositoryLinksExtension:  # noqa: N802 - Markdown's name
    """Make the extension: Markdown calls this."""
    return RepositoryLinksExtension(**options)
