"""Finds the revision that runs an image, or registers it: once for each task definition and image.

The only caller of DescribeTaskDefinition and RegisterTaskDefinition. All runs that want the same image wait for one answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import anyio

from ecs_async_executor.backoff import Random
from ecs_async_executor.engine.admission.calls import Calls
from ecs_async_executor.engine.admission.rate_limits import Action
from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind, classify
from ecs_async_executor.engine.images import Revision, Wanted, is_fixed
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.engine.workers.shared_answers import SharedAnswers, until_answered
from ecs_async_executor.errors import InvalidRequestError
from ecs_async_executor.messages import Diagnosis

log = logging.getLogger(__name__)
T = TypeVar("T")

LATEST_FOR = 60.0
"""Seconds for which a family's latest revision is taken for its latest: after that, runs get the image in a newer one."""
REFUSED_FOR = 5.0
"""Seconds for which a refusal holds for every run: a thousand runs with an image that is refused make one call, not a
thousand at one a second, for which other images would wait. No longer than the shortest wait before a run's next launch."""


class ImageRevisions:
    """The revisions that this engine has found or registered; it remembers them until it ends."""

    def __init__(self, calls: Calls, deployment: str, random: Random) -> None:
        self._calls = calls
        self._deployment = deployment
        self._random = random
        self._latest: dict[str, tuple[TaskDefinition, float]] = {}
        """The task definitions of requests, and when each was read."""
        self._arns: dict[tuple[str, str, str], str] = {}
        """The revisions: by the ARN of the copied one, container and image."""
        self._images: dict[str, str] = {}
        """The images of all revisions that were ever known here, by ARN: calls may still name one that was forgotten."""
        self._refused: dict[Wanted, tuple[Failure, float]] = {}
        self._reading: SharedAnswers[str] = SharedAnswers()

    def known(self, wanted: Wanted) -> str | None:
        """Return the ARN of the revision to launch; None if ECS must be asked."""
        base = self._base(wanted.definition)
        return None if base is None else self._arns.get((base.arn, wanted.container, wanted.image))

    def forget(self, arn: str) -> str | None:
        """Forget a revision that someone has deregistered; return its image, None if it is none of ours."""
        for key in [key for key, known in self._arns.items() if known == arn]:
            del self._arns[key]
        return self._images.get(arn)

    async def find(self, wanted: Wanted) -> None:
        """Make the revision known: find it in ECS, or register it; raises `CallError` only for what asking again can't change."""
        refused = self._refused.get(wanted)
        if refused is not None and anyio.current_time() - refused[1] < REFUSED_FOR:
            raise CallError(refused[0])
        self._refused.pop(wanted, None)
        try:
            await self._find(wanted)
        except CallError as error:
            failure = _explained(error.failure, wanted)
            if failure.kind is not Kind.FAULT:  # of which the next call may know nothing
                self._refused[wanted] = failure, anyio.current_time()
            raise CallError(failure) from error

    async def _find(self, wanted: Wanted) -> None:
        while (base := self._base(wanted.definition)) is None:
            await self._reading.wait(wanted.definition, lambda: self._read(wanted.definition))
        key = (base.arn, wanted.container, wanted.image)
        if key not in self._arns:
            revision = Revision(base, wanted.container, wanted.image, self._deployment)
            arn = self._arns[key] = await self._found_or_registered(revision)
            self._images[arn] = wanted.image

    async def _read(self, definition: str) -> None:
        found = await self._until_answered(lambda: self._describe(definition), definition)
        if found is None or not found.is_active:
            what = "doesn't exist" if found is None else "was deregistered (it is INACTIVE)"
            raise CallError(_unusable(definition, what))
        self._latest[definition] = found, anyio.current_time()

    def _base(self, definition: str) -> TaskDefinition | None:
        found, read_at = self._latest.get(definition, (None, 0.0))
        is_known = is_fixed(definition) or anyio.current_time() - read_at < LATEST_FOR
        return found if is_known else None

    async def _found_or_registered(self, revision: Revision) -> str:
        try:
            request = revision.registration
        except InvalidRequestError as error:
            raise CallError(classify(error)) from error

        async def find_or_register() -> TaskDefinition:
            # Looked up before each registration: an earlier scheduler, or a call whose answer got lost, may have made it.
            found = await self._describe(revision.family)
            if found is not None and revision.is_found(found):
                return found
            made = await self._calls.call(
                Action.REGISTER_TASK_DEFINITION,
                lambda: self._calls.client.register_task_definition(request),
            )
            log.info("Registered %s: %s with the image %s.", made.name, revision.base.name, revision.image)
            return made

        return (await self._until_answered(find_or_register, revision.family)).arn

    async def _describe(self, name: str) -> TaskDefinition | None:
        return await self._calls.call(
            Action.DESCRIBE_TASK_DEFINITION, lambda: self._calls.client.describe_task_definition(name)
        )

    async def _until_answered(self, ask: Callable[[], Awaitable[T]], name: str) -> T:
        return await until_answered(ask, f"The call about {name}", self._calls.digest, self._random)


def _explained(failure: Failure, wanted: Wanted) -> Failure:
    """Say for which image the call was made. Whatever quota it has met, it says nothing about room for tasks."""
    diagnosis = failure.diagnosis
    why = f"for the image {wanted.image} in {wanted.definition}"
    detail = diagnosis.detail if why in diagnosis.detail else "; ".join(filter(None, (diagnosis.detail, why)))
    kind = Kind.START if failure.kind is Kind.CAPACITY else failure.kind
    return replace(failure, kind=kind, diagnosis=replace(diagnosis, detail=detail))


def _unusable(definition: str, what: str) -> Failure:
    return Failure(
        Kind.CONFIGURATION,
        Diagnosis(
            f"The task definition {definition} {what}, so it can't run another image.",
            remedy="Name one that is ACTIVE in this Region and account, or the family alone for the latest one: aws ecs "
            "list-task-definitions --family-prefix FAMILY.",
        ),
        members=("taskDefinition",),
    )
