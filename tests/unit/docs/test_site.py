"""`make docs` builds docs/ as a site: nothing in it leads nowhere, nothing is left out, and nothing comes from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import tomli

from docs.site_links import repository_link, shown_text, titles_of
from tests.unit.docs.pages import ROOT, anchors

CONFIGURATION = tomli.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
REPOSITORY = CONFIGURATION["extra"]["repository"]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SITE = "https://docs.example.com/"
"""Where the site might be: its own links are relative."""


class Html(HTMLParser):
    """The links, ids and colour schemes of a page of the site."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.schemes: set[str] = set()
        self._in_a_link = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attributes if value is not None}
        if "id" in found:
            self.ids.add(found["id"])
        self._in_a_link = tag == "a" and "href" in found
        if self._in_a_link:
            self.links.append(found["href"])
        if tag in {"script", "img", "iframe"} and "src" in found:
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in {"stylesheet", "icon", "preconnect"}:
            self.loaded.append(found.get("href", ""))
        if "data-md-color-scheme" in found:
            self.schemes.add(found["data-md-color-scheme"])

    def handle_data(self, data: str) -> None:
        if self._in_a_link:
            self.texts.append(data)
            self._in_a_link = False


def build(root: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder as `make docs` does."""
    command = (sys.executable, "-m", "zensical", "build", "--clean", "--strict")
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)


def copy_of_the_docs(folder: Path) -> Path:
    """Copy what the site is made of, beside what its links lead to."""
    copytree(ROOT / "docs", folder / "docs")
    (folder / "zensical.toml").write_bytes((ROOT / "zensical.toml").read_bytes())
    for path in ROOT.iterdir():
        if path.name == ".github" or (
            path.name[0] != "." and path.name not in {"docs", "zensical.toml", "build"}
        ):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_of_the_docs(tmp_path_factory.mktemp("site"))
    done = build(root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "build" / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Html]:
    """The site's pages, by their addresses."""
    return {
        f"{SITE}{path.relative_to(site)}": Html(path.read_text("utf-8"))
        for path in sorted(site.glob("**/*.html"))
    }


def navigation(entries: list[object]) -> Iterator[str]:
    """Return the pages of the navigation, in their order."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for below in entry.values():
                yield from navigation(below if isinstance(below, list) else [below])


def broken(pages: dict[str, Html], files: set[str]) -> Iterator[tuple[str, str]]:
    """Return each link within the site whose file or anchor doesn't exist, and the page that has it."""
    for address, page in pages.items():
        for link in [*page.links, *page.loaded]:
            target, _, anchor = urljoin(address, link).partition("#")
            target = f"{target}index.html" if target.endswith("/") else target
            if not target.startswith(SITE):
                continue
            if target not in files or (
                anchor and target in pages and unquote(anchor) not in pages[target].ids
            ):
                yield address, link


def test_every_link_and_anchor_of_the_site_resolves(site: Path, pages: dict[str, Html]) -> None:
    files = {f"{SITE}{path.relative_to(site)}" for path in site.glob("**/*") if path.is_file()}
    assert list(broken(pages, files)) == []


def test_a_link_out_of_docs_leads_to_a_file_of_the_repository(pages: dict[str, Html]) -> None:
    there = {link for page in pages.values() for link in page.links if link.startswith(REPOSITORY)}
    files = [ROOT / urlsplit(link.removeprefix(f"{REPOSITORY}/blob/HEAD/")).path for link in there]
    assert len(files) >= 3
    assert [file for file in files if not file.exists()] == []


def test_a_link_to_a_page_shows_its_title_instead_of_its_file(pages: dict[str, Html]) -> None:
    names = {page.name for page in PAGES}
    assert [(address, text) for address, page in pages.items() for text in page.texts if text in names] == []
    assert "Rates" in pages[f"{SITE}index.html"].texts


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(navigation(CONFIGURATION["nav"])) == [page.name for page in PAGES]


def test_every_page_is_published_and_no_script_is(site: Path) -> None:
    published = {path.name for path in site.glob("*.*")}
    assert {page.with_suffix(".html").name for page in PAGES} <= published
    assert [path.name for path in site.glob("**/*.py")] == []


def test_headings_have_the_anchors_that_github_gives_them(pages: dict[str, Html]) -> None:
    missing = {
        page.name: anchors(page.read_text("utf-8")) - pages[f"{SITE}{page.stem}.html"].ids for page in PAGES
    }
    # The second of two equal headings is `..._1` here and `...-1` there: a link to it would be found broken above.
    second = re.compile(r"-\d+$")
    assert [
        (name, anchor)
        for name, found in missing.items()
        for anchor in found
        if second.sub("", anchor) not in pages[f"{SITE}{name.removesuffix('.md')}.html"].ids
    ] == []


def test_the_search_knows_every_page(site: Path) -> None:
    items = json.loads((site / "search.json").read_text("utf-8"))["items"]
    found = {item["location"].partition("#")[0] for item in items}
    assert {page.with_suffix(".html").name for page in PAGES} - found == set()
    assert any("capacity_timeout" in item["text"] for item in items)


def test_a_reader_chooses_between_light_and_dark_or_leaves_it_to_the_system(pages: dict[str, Html]) -> None:
    assert {"default", "slate"} <= pages[f"{SITE}index.html"].schemes
    media = [palette["media"] for palette in CONFIGURATION["theme"]["palette"]]
    assert "(prefers-color-scheme)" in media


def test_nothing_is_loaded_from_another_host(pages: dict[str, Html]) -> None:
    elsewhere = {url for page in pages.values() for url in page.loaded if urlsplit(url).netloc}
    assert elsewhere == set()


# --- and mistakes are found -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link", ["nowhere.md", "nothing.svg", "../NOWHERE.md", "logs.md#no-such-heading", "#no-such-heading"]
)
def test_a_broken_link_fails_the_build(link: str, tmp_path: Path) -> None:
    root = copy_of_the_docs(tmp_path)
    with (root / "docs" / "index.md").open("a") as page:
        page.write(f"\n[broken]({link})\n")
    done = build(root)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert ("anchor does not exist" if "#" in link else f"There is no such file: {link}") in said


def test_a_broken_anchor_of_the_site_is_found() -> None:
    pages = {
        f"{SITE}a.html": Html('<a href="b.html#x">b</a><a href="b.html#y">b</a>'),
        f"{SITE}b.html": Html('<p id="x">'),
    }
    assert list(broken(pages, set(pages))) == [(f"{SITE}a.html", "b.html#y")]


@pytest.mark.parametrize(
    ("target", "link"),
    [
        ("logs.md", "logs.md"),
        ("#anchor", "#anchor"),
        ("https://example.com/../x", "https://example.com/../x"),
        ("../Dockerfile", "https://host/owner/name/blob/HEAD/Dockerfile"),
        ("../examples/dags", "https://host/owner/name/blob/HEAD/examples/dags"),
        ("../LICENSE#x", "https://host/owner/name/blob/HEAD/LICENSE#x"),
    ],
)
def test_only_a_link_that_leaves_docs_becomes_one_to_the_repository(target: str, link: str) -> None:
    assert repository_link(target, "https://host/owner/name/") == link


def test_titles_come_from_the_navigation() -> None:
    below = [
        {"title": "Logs", "url": "logs.md", "children": []},
        {"title": "Web", "url": "https://x", "children": []},
    ]
    titles = titles_of([{"title": "Run", "url": None, "children": below}])
    assert (shown_text("logs.md", titles), shown_text("a log", titles)) == ("Logs", "a log")
