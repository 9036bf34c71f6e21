"""Queue profiles: what the tasks of an Airflow queue get instead of what all tasks get. Pure.

A profile holds members of RunTask, in the spellings of `executor_config`, and options of its own (`Options`). The queue
is looked up by its name, then by the patterns in their order (`*`, `?`, `[...]`); any other queue gets the default.
"""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.reading import origin
from ecs_async_executor.config.request import Deliver, RequestTemplate
from ecs_async_executor.config.settings import LONGEST, Settings
from ecs_async_executor.config.sources import Found
from ecs_async_executor.config.words import in_words
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import RateShare, Request

log = logging.getLogger(__name__)


class Options(BaseModel):
    """What a profile may say beside members of RunTask. What it leaves out is as for all tasks; times are in seconds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, str_strip_whitespace=True
    )

    container_name: str | None = Field(None, min_length=1)
    max_run_task_attempts: int | None = Field(None, ge=1)
    launch_timeout: float | None = Field(None, ge=0, le=LONGEST)
    capacity_timeout: float | None = Field(None, ge=0)
    rate_share: float | None = Field(None, gt=0, le=1)
    """The part of `run_task_rate`, as configured, that launches of this queue may use."""
    fallback: str | None = None
    """The profile to use instead, once a task has waited `capacity_timeout` for capacity, ..."""
    fallback_after: int | None = Field(None, ge=1)
    """... or was interrupted so often (AWS took Spot capacity back)."""


_OWN = tuple(Options.model_fields)


@dataclass(frozen=True, slots=True)
class Profile:
    """What tasks of some queues get, complete."""

    name: str
    """Of the queue, or the pattern; empty for the default."""
    template: RequestTemplate
    max_starts: int
    capacity_timeout: float
    launch_timeout: float
    lane: RateShare | None = None
    fallback: Profile | None = None
    fallback_after: int | None = None
    refusal: InvalidRequestError | None = None
    """Why tasks of this queue are not run."""

    def request(
        self, command: Sequence[str], executor_config: object, *, deliver: Deliver | None = None
    ) -> Request:
        """Make one task's request; raises `InvalidRequestError`, which never shows the command."""
        if self.refusal is not None:
            # A new one each time: an exception keeps the frames that it passed, and with them the command's token.
            raise InvalidRequestError(self.refusal.problem, self.refusal.remedy)
        return self.template.request(command, executor_config, deliver=deliver)

    @property
    def patience(self) -> float:
        """Seconds that a task may wait for capacity, with all fallbacks."""
        return self.capacity_timeout + (self.fallback.patience if self.fallback is not None else 0.0)

    def __repr__(self) -> str:
        """Name it: the rest may hold secrets."""
        return f"Profile({self.name!r})"


class Profiles:
    """The profile of every queue."""

    def __init__(
        self,
        default: Profile,
        named: Mapping[str, Profile] | None = None,
        *,
        default_queue: str = "default",
        refuse_unknown: bool = False,
    ) -> None:
        self.default = default
        self._default_queue = default_queue
        self._refuse_unknown = refuse_unknown
        self._named = dict(named or {})
        self._known: dict[str, Profile] = {}
        self._strangers: dict[str, str] = {}

    def __iter__(self) -> Iterator[Profile]:
        """Give all of them, the default first."""
        yield self.default
        yield from self._named.values()

    def of(self, queue: str, fallbacks: int = 0) -> Profile:
        """Give the profile of a queue, or the one that it has come to after so many fallbacks."""
        profile = self._known.get(queue)
        if profile is None:
            profile = self._known[sys.intern(queue)] = self._find(queue)
        for _ in range(fallbacks):
            profile = profile.fallback or profile
        return profile

    def _find(self, queue: str) -> Profile:
        if queue in self._named:
            return self._named[queue]
        for pattern, profile in self._named.items():
            if fnmatchcase(queue, pattern):
                return profile
        if not self._named or queue in {"", self._default_queue}:
            return self.default
        near = difflib.get_close_matches(queue, self._named, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        problem = f"The queue {queue[:80]!r} has no profile in the option queues.{hint}"
        if self._refuse_unknown:
            remedy = (
                "Correct the task's `queue`, or give it a profile: the option unknown_queue says `refuse`."
            )
            return replace(self.default, refusal=InvalidRequestError(problem, remedy))
        self._strangers[queue] = f"{problem} Its tasks run as if there were no profiles."
        log.warning("%s", self._strangers[queue])
        return self.default

    def stranger(self, queue: str) -> str | None:
        """Say that tasks of a queue run by the default profile although there are others; None if all is well."""
        self.of(queue)
        return self._strangers.get(queue)


def make_profiles(
    settings: Settings,
    found: Mapping[str, Found] | None = None,
    *,
    default_queue: str = "default",
    team: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Profiles:
    """Make the profiles that `queues` describes, and the default; raises `OptionsError` with all that is wrong.

    `found` tells where options are set, and `team` whose they are, for messages. `environment` is what every Airflow
    container gets of Airflow's own options.
    """
    problems, is_whole = [], True
    try:
        template = RequestTemplate(settings, environment=environment)
    except InvalidRequestError as error:
        # What a profile says is wrong or right without it as well.
        where = origin("run_task_kwargs", found or {}, team)
        problems.append(f"{where}: {str(error).removeprefix('run_task_kwargs: ')}")
        stand_ins = {
            "run_task_kwargs": {},
            "task_definition": settings.task_definition or "unknown",
            "subnets": settings.subnets or ("unknown",),
        }
        settings = settings.model_copy(update=stand_ins)
        template = RequestTemplate(settings, environment=environment)
        is_whole = False
    default = Profile(
        "", template, settings.max_run_task_attempts, settings.capacity_timeout, settings.launch_timeout
    )
    maker = _Maker(settings, default, environment, is_whole=is_whole)
    named = {name: maker.make(name) for name in settings.queues}
    problems += [f"{origin('queues', found or {}, team)}: {problem}" for problem in maker.problems]
    if problems:
        raise OptionsError(problems)
    refuse_unknown = settings.unknown_queue == "refuse"
    return Profiles(default, named, default_queue=default_queue, refuse_unknown=refuse_unknown)


class _Maker:
    """Makes each profile once, the one that it falls back to before."""

    def __init__(
        self, settings: Settings, default: Profile, environment: Mapping[str, str] | None, *, is_whole: bool
    ) -> None:
        self._settings = settings
        self._default = default
        self._environment = environment
        self._is_whole = is_whole
        """Whether what all profiles are laid over is complete."""
        self._made: dict[str, Profile] = {}
        self._making: list[str] = []
        self.problems: list[str] = []

    def make(self, name: str) -> Profile:
        if name not in self._made:
            self._making.append(name)
            self._made[name] = self._make(name, self._settings.queues[name])
            self._making.pop()
        return self._made[name]

    def _make(self, name: str, value: Mapping[str, Any]) -> Profile:
        before, default = len(self.problems), self._default
        own, layer = self._split(name, value)
        options = self._options(name, own)
        template = self._template(name, layer, options.container_name)
        is_right = len(self.problems) == before
        fallback = self._fallback(name, options, template if is_right else None)
        if len(self.problems) > before:
            return default
        return Profile(
            name,
            template,
            options.max_run_task_attempts or default.max_starts,
            default.capacity_timeout if options.capacity_timeout is None else options.capacity_timeout,
            default.launch_timeout if options.launch_timeout is None else options.launch_timeout,
            lane=RateShare(name, options.rate_share) if options.rate_share is not None else None,
            fallback=fallback,
            fallback_after=options.fallback_after,
        )

    def _split(self, name: str, value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            return split(value)
        except InvalidRequestError as error:
            self.problems.append(f"{name}: {error}")
            return {}, {}

    def _options(self, name: str, own: Mapping[str, Any]) -> Options:
        try:
            return Options.model_validate(own)
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors()}
            self.problems += [f"{name}: {each['loc'][0]}: {in_words(each)}." for each in error.errors()]
            return Options.model_validate({key: item for key, item in own.items() if key not in wrong})

    def _template(self, name: str, layer: Mapping[str, Any], container: str | None) -> RequestTemplate:
        try:
            return RequestTemplate(
                self._settings,
                Layer(f"queue {name}", layer, beside=_OWN),
                container=container,
                environment=self._environment,
            )
        except InvalidRequestError as error:
            self.problems.append(str(error).removeprefix("queue "))
            return self._default.template

    def _fallback(self, name: str, options: Options, template: RequestTemplate | None) -> Profile | None:
        target = options.fallback
        if target is None:
            if options.fallback_after is not None:
                self.problems.append(
                    f"{name}: fallback_after says when, but no fallback says to which profile."
                )
            return None
        if target not in self._settings.queues:
            near = difflib.get_close_matches(target, self._settings.queues, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            self.problems.append(f"{name}: fallback: there is no profile {target[:80]!r}.{hint}")
            return None
        if target in self._making:
            self.problems.append(f"{name}: fallback: {' -> '.join([*self._making, target])} never ends.")
            return None
        fallback = self.make(target)
        if template is None or fallback is self._default or not self._is_whole:
            return None  # where tasks go is not clear before the rest is right
        # A scheduler that starts again knows the queue only: it must find the task, and judge it, all the same.
        for what in ("cluster", "container"):
            if getattr(fallback.template, what) != getattr(template, what):
                self.problems.append(f"{name}: fallback: {target!r} has another {what}, which can't be.")
        return fallback


def split(value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a profile's own options in our spelling, and its members of RunTask as they are. `null` is left out of ours.

    Raises `InvalidRequestError`.
    """
    known = {name.replace("_", ""): name for name in _OWN}
    own: dict[str, Any] = {}
    layer: dict[str, Any] = {}
    for key, item in value.items():
        name = known.get(str(key).replace("_", "").lower())
        if name is None:
            layer[key] = item
        elif name in own:
            raise InvalidRequestError(f"{name} is there twice, in two spellings.", "Remove one of them.")
        elif item is not None:
            own[name] = item
    return own, layer
