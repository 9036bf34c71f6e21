"""Queue profiles: what tasks of an Airflow queue get instead of the defaults.

A profile contains members of RunTask, in the spellings of `executor_config`, and its own `Options`. A queue is looked up
by name, then by the patterns in their order (`*`, `?`, `[...]`); any other queue gets the default profile.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ecs_async_executor.config import growth
from ecs_async_executor.config.folding import fold
from ecs_async_executor.config.layers import Layer
from ecs_async_executor.config.reading import origin
from ecs_async_executor.config.request import Deliver, RequestTemplate
from ecs_async_executor.config.settings import LONGEST, YOUNGEST_STANDBY, Settings
from ecs_async_executor.config.sources import Found
from ecs_async_executor.config.task_tags import TaskFacts, as_layer, parse_task_tags
from ecs_async_executor.config.words import in_words, sentence
from ecs_async_executor.errors import InvalidRequestError, OptionsError
from ecs_async_executor.messages import RateShare, Request
from ecs_async_executor.suggestions import did_you_mean

log = logging.getLogger(__name__)


class Options(BaseModel):
    """A profile's own options, in addition to members of RunTask. None means the general option; times in seconds."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, str_strip_whitespace=True
    )

    container_name: str | None = Field(None, min_length=1)
    max_run_task_attempts: int | None = Field(None, ge=1)
    launch_timeout: float | None = Field(None, ge=0, le=LONGEST)
    capacity_timeout: float | None = Field(None, ge=0)
    rate_share: float | None = Field(None, gt=0, le=1)
    """The fraction of the configured `run_task_rate` that launches of this queue may use."""
    fallback: str | None = None
    """The profile to use once a task has waited `capacity_timeout` for capacity."""
    fallback_after: int | None = Field(None, ge=1)
    """Also fall back after this many interruptions (AWS took Spot capacity back)."""
    fallback_on_out_of_memory: bool | None = None
    """Also fall back on the try after one that was killed for lack of memory, at the largest `memory`."""
    task_tags: Annotated[dict[str, str | None], BeforeValidator(parse_task_tags)] | None = None
    """Tags in addition to the general option's; null removes one of those."""
    standby: int | None = Field(None, ge=0)
    """ECS tasks kept started for tasks of this queue. None means 0: the general option counts only for queues without a
    profile, or thirty profiles would keep thirty times as many."""
    standby_max_age: float | None = Field(None, ge=YOUNGEST_STANDBY)


_OWN = tuple(Options.model_fields)


@dataclass(frozen=True, slots=True)
class Profile:
    """The complete settings for tasks of one or more queues."""

    name: str
    """The queue's name or the pattern; empty for the default."""
    template: RequestTemplate
    max_starts: int
    capacity_timeout: float
    launch_timeout: float
    lane: RateShare | None = None
    fallback: Profile | None = None
    fallback_after: int | None = None
    fallback_on_out_of_memory: bool = False
    memory: int | None = None
    """The MiB of this size, if the profile grows."""
    larger: Profile | None = None
    """The same profile with the next size of its `memory`."""
    standby: int = 0
    """How many standbys are kept for it."""
    standby_max_age: float = 0.0
    """Seconds after which a standby without a task ends."""
    refusal: InvalidRequestError | None = None
    """Why the executor refuses to run tasks of this queue."""

    def request(
        self,
        command: Sequence[str],
        executor_config: object,
        *,
        deliver: Deliver | None = None,
        facts: TaskFacts | None = None,
    ) -> Request:
        """Build one task's request; raises `InvalidRequestError`, which never shows the command."""
        if self.refusal is not None:
            # Raise a new one each time: an exception keeps the frames it passed through, and so the command's token.
            raise InvalidRequestError(self.refusal.problem, self.refusal.remedy)
        return self.template.request(command, executor_config, deliver=deliver, facts=facts)

    @property
    def longest_queued(self) -> float:
        """Seconds that a task may be queued: the wait for capacity, here and in each fallback, and a slow start.

        A `launch_timeout` of 0 (no limit) adds nothing.
        """
        later = self.fallback.longest_queued if self.fallback is not None else 0.0
        return self.capacity_timeout + max(self.launch_timeout, later)

    @property
    def looks_back(self) -> bool:
        """Whether what happened to a task's earlier launches decides how it is launched."""
        own = self.larger is not None or self.fallback_on_out_of_memory or self.fallback_after is not None
        return own or (self.fallback is not None and self.fallback.looks_back)

    @property
    def sizes(self) -> tuple[Profile, ...]:
        """The profile with this size and with each larger one."""
        return (self, *(self.larger.sizes if self.larger is not None else ()))

    def beyond(self, memory: int) -> Profile:
        """Return the profile with its first size of more than these MiB; the largest if none has more."""
        profile = self
        while profile.larger is not None and (profile.memory or 0) <= memory:
            profile = profile.larger
        return profile

    def __repr__(self) -> str:
        """Show only the name: the rest may contain secrets."""
        return f"Profile({self.name!r})"


class Profiles:
    """The profiles of all queues."""

    def __init__(
        self,
        default: Profile,
        named: Mapping[str, Profile] | None = None,
        *,
        default_queue: str = "default",
        refuse_unknown: bool = False,
    ) -> None:
        self.default = default
        self.default_queue = default_queue
        """Airflow's, which needs no profile."""
        self._refuse_unknown = refuse_unknown
        self._named = dict(named or {})
        self._known: dict[str, Profile] = {}
        self._warnings: dict[str, str] = {}

    def __iter__(self) -> Iterator[Profile]:
        """Yield all profiles, the default first."""
        yield self.default
        yield from self._named.values()

    def of(self, queue: str, fallbacks: int = 0, outgrown: int = 0) -> Profile:
        """Return a queue's profile, or the one reached after that many fallbacks.

        If it grows: with its first size above `outgrown`, the MiB at which the task was killed for lack of memory.
        """
        profile = self._known.get(queue)
        if profile is None:
            profile = self._known[sys.intern(queue)] = self._find(queue)
        for _ in range(fallbacks):
            profile = profile.fallback or profile
        return profile.beyond(outgrown)

    def _find(self, queue: str) -> Profile:
        if queue in self._named:
            return self._named[queue]
        for pattern, profile in self._named.items():
            if fnmatchcase(queue, pattern):
                return profile
        if not self._named or queue in {"", self.default_queue}:
            return self.default
        hint = did_you_mean(queue, self._named)
        problem = f"The queue {queue[:80]!r} has no profile in the option queues. {hint}".rstrip()
        if self._refuse_unknown:
            remedy = (
                "Correct the task's `queue`, or add a profile for it: the option unknown_queue is `refuse`."
            )
            return replace(self.default, refusal=InvalidRequestError(problem, remedy), standby=0)
        self._warnings[queue] = f"{problem} Its tasks run as if there were no profiles."
        log.warning("%s", self._warnings[queue])
        return self.default

    def warning_for(self, queue: str) -> str | None:
        """Return the warning for a queue that has no profile although `queues` is set; None if it has one."""
        self.of(queue)
        return self._warnings.get(queue)


def make_profiles(
    settings: Settings,
    found: Mapping[str, Found] | None = None,
    *,
    default_queue: str = "default",
    team: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Profiles:
    """Build the default profile and those of `queues`; raises `OptionsError` with every problem.

    Messages use `found` to say where options are set, and `team` to say whose they are. `environment` holds the Airflow
    options that every Airflow container gets.
    """
    problems, is_whole = [], True
    try:
        template = RequestTemplate(settings, environment=environment)
    except InvalidRequestError as error:
        # Profiles can be checked without it.
        where = origin("run_task_kwargs", found or {}, team)
        problems.append(f"{where}: {error.bare_problem} {error.remedy}")
        placeholders = {
            "run_task_kwargs": {},
            "task_definition": settings.task_definition or "unknown",
            "subnets": settings.subnets or ("unknown",),
        }
        settings = settings.model_copy(update=placeholders)
        template = RequestTemplate(settings, environment=environment)
        is_whole = False
    default = Profile(
        "",
        template,
        settings.max_run_task_attempts,
        settings.capacity_timeout,
        settings.launch_timeout,
        standby=settings.standby,
        standby_max_age=settings.standby_max_age,
    )
    maker = _Maker(settings, default, environment, is_whole=is_whole)
    named = {name: maker.make(name) for name in settings.queues}
    problems += [f"{origin('queues', found or {}, team)}: {problem}" for problem in maker.problems]
    if problems:
        raise OptionsError(problems)
    refuse_unknown = settings.unknown_queue == "refuse"
    return Profiles(default, named, default_queue=default_queue, refuse_unknown=refuse_unknown)


class _Maker:
    """Builds each profile once, after the one it falls back to."""

    def __init__(
        self, settings: Settings, default: Profile, environment: Mapping[str, str] | None, *, is_whole: bool
    ) -> None:
        self._settings = settings
        self._default = default
        self._environment = environment
        self._is_whole = is_whole
        """Whether the base of all profiles is complete."""
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
        sizes = self._sizes(name, layer, options)
        is_right = len(self.problems) == before
        fallback = self._fallback(name, options, sizes[0][1] if is_right else None)
        if options.standby is None and options.standby_max_age is not None:
            self.problems.append(f"{name}: standby_max_age has no effect without standby.")
        if len(self.problems) > before:
            return default
        larger: Profile | None = None
        for memory, template in reversed(sizes):
            larger = Profile(
                name,
                template,
                options.max_run_task_attempts or default.max_starts,
                default.capacity_timeout if options.capacity_timeout is None else options.capacity_timeout,
                default.launch_timeout if options.launch_timeout is None else options.launch_timeout,
                lane=RateShare(name, options.rate_share) if options.rate_share is not None else None,
                fallback=fallback,
                fallback_after=options.fallback_after,
                fallback_on_out_of_memory=bool(options.fallback_on_out_of_memory),
                memory=memory,
                larger=larger,
                standby=(options.standby or 0) if template is sizes[0][1] else 0,
                standby_max_age=default.standby_max_age
                if options.standby_max_age is None
                else options.standby_max_age,
            )
        return larger or default

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
            self.problems += [
                f"{name}: {each['loc'][0]}: {sentence(in_words(each))}" for each in error.errors()
            ]
            return Options.model_validate({key: item for key, item in own.items() if key not in wrong})

    def _sizes(
        self, name: str, layer: Mapping[str, Any], options: Options
    ) -> list[tuple[int | None, RequestTemplate]]:
        """Return the template of each size, with its MiB: one, without, unless the profile grows."""
        if not growth.grows(layer):
            return [(None, self._template(name, layer, options))]
        before = len(self.problems)
        base = self._template(name, growth.without_sizes(layer), options)
        problems: list[str] = []
        found: list[tuple[int | None, RequestTemplate]] = []
        for size in growth.sizes(layer, problems, on_fargate=base.on_fargate):
            if len(self.problems) == before and not problems:  # what is wrong with all sizes is said once
                template = self._template(name, size.layer, options)
                misfit = growth.misfit(template.cpu, size.memory) if base.on_fargate else None
                problems += [misfit] if misfit is not None and len(self.problems) == before else []
                found.append((size.memory, template))
        self.problems += [f"{name}: {problem}" for problem in problems]
        return found or [(None, base)]

    def _template(self, name: str, layer: Mapping[str, Any], options: Options) -> RequestTemplate:
        where = f"queue {name}"
        tags = [Layer(where, as_layer(options.task_tags))] if options.task_tags else []
        try:
            return RequestTemplate(
                self._settings,
                *tags,
                Layer(where, layer, beside=_OWN),
                container=options.container_name,
                environment=self._environment,
            )
        except InvalidRequestError as error:
            is_here = error.where == where
            self.problems.append(f"{name}: {error.bare_problem} {error.remedy}" if is_here else str(error))
            return self._default.template

    def _fallback(self, name: str, options: Options, template: RequestTemplate | None) -> Profile | None:
        target = options.fallback
        if target is None:
            alone = {
                "fallback_after": options.fallback_after is not None,
                "fallback_on_out_of_memory": options.fallback_on_out_of_memory,
            }
            for option in (option for option, is_set in alone.items() if is_set):
                self.problems.append(f"{name}: {option} has no effect without fallback.")
            return None
        if target not in self._settings.queues:
            hint = did_you_mean(target, self._settings.queues)
            self.problems.append(f"{name}: fallback: there is no profile {target[:80]!r}. {hint}".rstrip())
            return None
        if target in self._making:
            self.problems.append(f"{name}: fallback: {' -> '.join([*self._making, target])} is a circle.")
            return None
        fallback = self.make(target)
        if template is None or fallback is self._default or not self._is_whole:
            return None  # until the rest is right, it is unclear where tasks go
        # A restarted scheduler knows only the queue. From that it must find the task and judge its outcome.
        for what in ("cluster", "container"):
            if getattr(fallback.template, what) != getattr(template, what):
                self.problems.append(
                    f"{name}: fallback: {target!r} has another {what}; it must have the same."
                )
        return fallback


def split(value: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split a profile into its own options, in our spelling and without nulls, and its members of RunTask, unchanged.

    Raises `InvalidRequestError`.
    """
    known = {fold(name): name for name in _OWN}
    own: dict[str, Any] = {}
    layer: dict[str, Any] = {}
    for key, item in value.items():
        name = known.get(fold(key))
        if name is None:
            layer[key] = item
        elif name in own:
            raise InvalidRequestError(f"{name} appears twice, in two spellings.", "Remove one of them.")
        elif item is not None:
            own[name] = item
    return own, layer
