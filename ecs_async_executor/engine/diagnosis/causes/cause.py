"""One cause of a failure: how AWS words it, what it means, what to do. Pure.

Every pattern is a plain search without nested or repeated wildcards, in a text that is cut to `_LONGEST`: a search
takes linear time whatever the text is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from ecs_async_executor.engine.diagnosis.causes.masks import masked
from ecs_async_executor.engine.diagnosis.causes.things import value_of
from ecs_async_executor.tokens import without_tokens

_LONGEST = 4096
"""Characters of a text that are read. AWS's own limit of a container's reason is 1024 (API reference: Container)."""
_SHOWN = 300
"""Characters of AWS's words in a summary."""
_CATEGORY = re.compile(r"^(?:\w+: ){0,2}\w+(?:Error|Exception): ")
_STRAIGHT = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\\": None})
_TEMPLATE = re.compile(r"\{([a-z_]+)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"


EARLY = -1
"""The rank of a cause whose words decide, whatever else the text says."""
LATE = 1
"""The rank of a cause that fits many texts: it gets what no other cause fits."""


class Outlook(Enum):
    """What to expect from launching the same request again, if the task never ran."""

    AGAIN = "it may succeed"
    """Also what IAM denies: a change of a policy takes seconds to spread, and one may be under way."""
    USELESS = "it would fail the same way"
    """Only what the text proves: the launch fails at once, without a second start."""
    CAPACITY = "it succeeds once there is capacity"
    PAUSE = "nothing was started: the call is repeated until AWS takes it"


class Shortage(Enum):
    """What there isn't enough of, if the outlook is `CAPACITY`."""

    ROOM = "a place in the cluster, or at Fargate, for a task of this size"
    QUOTA = "the account's quota for tasks of this launch type or capacity provider"
    PROVISIONING = "the cluster's limit of tasks in PROVISIONING"


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """A row of the table. `summary` and `remedy` may name things of AWS's text: `{image}`, `{secret}`, ..."""

    name: str
    """Identifies it in tests and in docs/failures.md."""
    text: re.Pattern[str] | None
    """What AWS says; None: AWS's error code is enough."""
    summary: str
    """`{words}` stands for AWS's own words. A thing without a name leaves no gap, and takes the phrase in [...] with it."""
    remedy: str
    source: str
    """The page or the public issue that its wordings come from."""
    wordings: tuple[str, ...]
    """How AWS, Docker, containerd or a registry have worded it."""
    outlook: Outlook = Outlook.AGAIN
    members: tuple[str, ...] = ()
    """The members of the request to correct, as paths such as `overrides.cpu`."""
    within: re.Pattern[str] | None = None
    """What the same text must say as well."""
    codes: frozenset[str] = frozenset()
    """AWS's error codes: one of them must be the answer's."""
    shortage: Shortage = Shortage.ROOM
    rank: int = 0
    """Where it stands among the others: `EARLY`, in the order of its file, or `LATE`."""

    def fits(self, text: str, code: str = "") -> bool:
        """Return whether it is the cause of this masked text, in an answer with this error code."""
        if self.codes and code not in self.codes:
            return False
        if self.text is not None and not self.text.search(text):
            return False
        return self.within is None or self.within.search(text) is not None


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that fits a text, with the things that this text names."""

    cause: Cause
    text: str
    summary: str
    remedy: str

    @property
    def quotes(self) -> bool:
        """Whether the summary is AWS's words."""
        return "{words}" in self.cause.summary


def says(pattern: str) -> re.Pattern[str]:
    """Compile a text that registries, drivers and runtimes word in any case."""
    return re.compile(pattern, re.IGNORECASE)


def exactly(pattern: str) -> re.Pattern[str]:
    """Compile one of AWS's keywords, case included: the rest of the text holds the names of a user's resources."""
    return re.compile(pattern)


def guide(page: str) -> str:
    """Return the address of a page of the ECS developer guide."""
    return f"{_GUIDE}{page}.html"


def issue(reference: str) -> str:
    """Return the address of an issue such as `owner/name#12`."""
    return f"https://github.com/{reference.replace('#', '/issues/')}"


def find(
    causes: tuple[Cause, ...],
    *texts: str,
    code: str = "",
    known: Mapping[str, Mapping[str, str]] | None = None,
) -> Finding | None:
    """Return the first cause of the table that fits any of the texts; earlier texts win within a row.

    `known` holds the names that a text need not repeat, such as the image of the container that it is about.
    """
    found = _first(causes, tuple(map(plainly, texts or ("",))), code)
    if found is None:
        return None
    cause, number = found
    names = (known or {}).get(texts[number], {}) if texts else {}
    return _finding(cause, plainly(texts[number]) if texts else "", names)


@lru_cache(maxsize=32)
def _first(causes: tuple[Cause, ...], texts: tuple[str, ...], code: str) -> tuple[Cause, int] | None:
    """Return the first cause that fits, and which text. Cached, because one cause often fails many tasks at once."""
    masks = tuple(map(masked, texts))
    for cause in causes:
        for number, text in enumerate(masks):
            if (text or code) and cause.fits(text, code):
                return cause, number
    return None


def plainly(text: str) -> str:
    """Return a text with straight quotes, without tokens, escapes and line breaks, cut to what is read."""
    return " ".join(without_tokens(text[:_LONGEST]).translate(_STRAIGHT).split())


def own_words(text: str) -> str:
    """Return a text as a sentence: of a long one its category and its end, where the reason stands."""
    text = plainly(text).rstrip(". ")
    if len(text) > _SHOWN:
        category = _CATEGORY.match(text)
        start = category[0] if category else ""
        end = text[-(_SHOWN - len(start)) :]
        text = f"{start}... {end.partition(' ')[2] or end}"
    return f"{text}." if text else ""


def _finding(cause: Cause, text: str, known: Mapping[str, str]) -> Finding:
    mask = masked(text)
    groups = [pattern.search(mask) for pattern in (cause.text, cause.within) if pattern is not None]
    named = {name: value for match in groups if match for name, value in match.groupdict().items() if value}

    def name_of(thing: str) -> str:
        if thing == "words":
            return own_words(text).removesuffix(".")
        found = named.get(thing) or value_of(thing, text) or known.get(thing, "")
        return f" {found}" if found else ""

    def phrase(match: re.Match[str]) -> str:
        """Drop an optional phrase whose thing has no name."""
        return match[1] if all(name_of(thing) for thing in _TEMPLATE.findall(match[1])) else ""

    summary = _OPTIONAL.sub(phrase, cause.summary)
    return Finding(
        cause,
        text,
        _TEMPLATE.sub(lambda match: name_of(match[1]), summary),
        _TEMPLATE.sub(lambda match: name_of(match[1]) or " NAME", cause.remedy),
    )
