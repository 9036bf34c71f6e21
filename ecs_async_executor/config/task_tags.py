"""Tags made of what is known about a task: templates such as `{dag_id}`, checked when options are read. Pure.

AWS takes 50 tags for a task, keys of 1 to 128 and values of up to 256 characters, of letters, numbers, spaces and
`+ - = . _ : / @`, and neither may begin with `aws:` (RunTask in the ECS API Reference).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from string import Formatter
from typing import Any

from ecs_async_executor.config.parsing import parse_json
from ecs_async_executor.ecs_rules import LONGEST_TAG_KEY, LONGEST_TAG_VALUE, MOST_TAGS
from ecs_async_executor.suggestions import did_you_mean

_STRANGE = re.compile(r"[^\w .:/=+\-@]")
"""What a value may not have. `\\w` is a letter, a number or the underscore, in any script."""
_RESERVED = re.compile("aws:", re.IGNORECASE)
_TAKES = "AWS takes letters, numbers, spaces and + - = . _ : / @"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a template may name; a text is empty if it isn't known."""

    bundle: str = ""
    """The Dag bundle's name."""
    dag_id: str = ""
    owner: str = ""
    """The Dag's owners, several joined by `+`."""
    queue: str = ""
    run_id: str = ""
    run_type: str = ""
    """scheduled, manual, backfill ... (Airflow's `DagRunType`)."""
    task_id: str = ""
    team: str = ""


NAMES = tuple(each.name for each in fields(TaskFacts))


class TagTemplate(str):
    """A tag's value in a request whose task isn't known yet: as a text, the template without its braces.

    So it merges like any other value, and every layer above can replace or remove it.
    """

    __slots__ = ("template",)
    template: str

    def __new__(cls, template: str) -> TagTemplate:
        """Take a template that `parse_task_tags` has accepted."""
        made = super().__new__(cls, "".join(_parts(template)))
        made.template = template
        return made

    def value_for(self, facts: TaskFacts) -> str | None:
        """Return the value for a task; None if the template names something that isn't known about it."""
        values = {name: getattr(facts, name) for name in names_in(self.template)}
        if not all(values.values()):
            return None
        return _clean(self.template.format(**values)) or None


def parse_task_tags(value: object) -> dict[str, str | None]:
    """Parse `{"dag": "{dag_id}"}`, or the same as JSON; raises ValueError, which says what is wrong with which tag."""
    found = parse_json(value)
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found):
        raise ValueError('it is not an object of tags, such as {"dag": "{dag_id}"}')
    if len(found) > MOST_TAGS:
        raise ValueError(f"it has {len(found)} tags; ECS takes at most {MOST_TAGS}")
    for key, template in found.items():
        if problem := _of_key(key) or (template is not None and _of_template(template)):
            raise ValueError(f"the tag {key[:40]!r} {problem}")
    return found


def as_layer(tags: Mapping[str, str | None]) -> dict[str, Any]:
    """Return these tags as members of RunTask."""
    return {"tags": {key: text if text is None else TagTemplate(text) for key, text in tags.items()}}


def fill(body: dict[str, Any], facts: TaskFacts) -> dict[str, Any]:
    """Return a request with every template's value for a task; without the tags whose value isn't known."""
    tags = body.get("tags")
    if not tags or not any(isinstance(tag.get("value"), TagTemplate) for tag in tags):
        return body
    filled = [
        {**tag, "value": value.value_for(facts)} if isinstance(value, TagTemplate) else tag
        for tag in tags
        for value in (tag.get("value"),)
    ]
    known = [tag for tag in filled if tag.get("value", "") is not None]
    rest = {name: item for name, item in body.items() if name != "tags"}
    return {**rest, "tags": known} if known else rest


def names_in(template: str) -> list[str]:
    """Return what a template names."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def _parts(template: str) -> list[str]:
    return [part for text, name, _, _ in Formatter().parse(template) for part in (text, name or "")]


def _of_key(key: str) -> str:
    if not 1 <= len(key) <= LONGEST_TAG_KEY:
        return f"has a key of {len(key)} characters; ECS takes 1 to {LONGEST_TAG_KEY}"
    if _RESERVED.match(key):
        return "begins with aws:, which AWS reserves"
    return f"has {_shown(key)} in its key; {_TAKES}" if _STRANGE.search(key) else ""


def _of_template(template: object) -> str:
    if not isinstance(template, str):
        return "has a value that isn't text"
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return f"has a broken template ({error}): write names in braces, such as {{dag_id}}"
    literal = "".join(text for text, *_ in parts)
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in NAMES:
            there_are = f"There are: {', '.join(NAMES)}."
            return f"names {{{name[:40]}}}, which no task has. {did_you_mean(name, NAMES, there_are)}"
        if spec or conversion:
            return f"formats {{{name}}}: write it without : and !"
    if _STRANGE.search(literal):
        return f"has {_shown(literal)} in its template; {_TAKES}"
    if (length := len("".join(_parts(template)))) > LONGEST_TAG_VALUE:
        return f"has a template of {length} characters; ECS takes at most {LONGEST_TAG_VALUE}"
    return "begins with aws:, which AWS reserves" if _RESERVED.match(literal) else ""


def _shown(text: str) -> str:
    return " ".join(map(repr, [*dict.fromkeys(_STRANGE.findall(text))][:8]))


def _clean(text: str) -> str:
    """Make a value that AWS takes of any text: what it refuses becomes `_`, and what is too long is cut."""
    text = _STRANGE.sub("_", " ".join(unicodedata.normalize("NFC", text).split()))
    if _RESERVED.match(text):
        text = text.replace(":", "_", 1)
    return text[:LONGEST_TAG_VALUE].rstrip()
