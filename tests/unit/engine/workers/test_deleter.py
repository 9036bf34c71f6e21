from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from ecs_async_executor.engine.aws.s3 import S3Client
from ecs_async_executor.engine.diagnosis.call_failures import Kind
from ecs_async_executor.engine.state.ledger import Ledger
from ecs_async_executor.engine.workers.deleter import TRIES, Deleter
from ecs_async_executor.log_digest import LogDigest
from tests.support.engine import FakeS3, options, s3_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.virtual_time
NAME = "ecs_async_executor.engine.workers.deleter"


class Bench:
    """A running deleter and its ledger."""

    def __init__(self, deleter: Deleter, ledger: Ledger) -> None:
        self._deleter = deleter
        self._ledger = ledger

    def delete(self, *urls: str) -> None:
        self._ledger.deletions.extend(urls)
        self._deleter.wakeup.notify()


@pytest.fixture
def bench(s3: FakeS3) -> Any:
    @asynccontextmanager
    async def run() -> AsyncIterator[Bench]:
        ledger = Ledger(options(), lambda: 1.0)
        deleter = Deleter(ledger, cast("S3Client", s3), lambda: 1.0, LogDigest(logging.getLogger(NAME).log))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(deleter.run, tasks)
            yield Bench(deleter, ledger)
            await anyio.sleep(1000)
            tasks.cancel_scope.cancel()

    return run


async def test_objects_of_ended_runs_are_deleted(bench: Any, s3: FakeS3):
    s3.objects = {str(number): b"" for number in range(50)}
    async with bench() as at:
        at.delete(*s3.objects)
    assert s3.objects == {}


async def test_a_failed_call_is_retried_after_longer_and_longer_waits(bench: Any, s3: FakeS3):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 2)
    async with bench() as at:
        at.delete("one")
    assert [time for _, _, time in s3.asked] == [0, 1, 3]


@pytest.mark.parametrize("kind", [Kind.CONFIGURATION, Kind.DENIED])
async def test_objects_that_cannot_be_deleted_stay_and_cause_one_warning(
    bench: Any, s3: FakeS3, caplog: pytest.LogCaptureFixture, kind: Kind
):
    caplog.set_level(logging.INFO, logger=NAME)
    s3.script.extend([s3_error(kind)] * 3)
    async with bench() as at:
        at.delete("one", "two", "three")
    assert len(s3.asked) == 3
    assert [record.levelname for record in caplog.records if record.name == NAME] == ["WARNING"]
    assert caplog.messages == ["An object of an ended task stays in S3. S3 says no."]


async def test_after_some_tries_an_object_is_left_to_the_buckets_lifecycle_rule(bench: Any, s3: FakeS3):
    s3.script.extend([s3_error(Kind.PAYLOAD)] * 99)
    async with bench() as at:
        at.delete("one")
    assert len(s3.asked) == TRIES
