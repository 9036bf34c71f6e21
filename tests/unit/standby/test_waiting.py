"""How a standby waits, with a fake S3 and a fake clock."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from ecs_async_executor.standby.command import LEASE_SECONDS
from ecs_async_executor.standby.waiting import LEFT, NO_ACCESS, wait

LEASE = "s3://bucket/airflow/standby/lease-me.json"
OWN = "s3://bucket/airflow/standby/0123456789abcdef0123456789abcdef.json"
WORKLOAD = b'{"token": "a-token"}'
NOW = datetime(2026, 11, 27, 18, 0, 0, tzinfo=timezone.utc)
MAX_AGE = 600


def error(status: int, code: str = "AnyCode") -> ClientError:
    response = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


class S3:
    """What the lease and the standby's own object are, from which moment on."""

    class exceptions:  # noqa: N801  botocore's name
        ClientError = ClientError

    def __init__(self) -> None:
        self.now = 0.0
        self.slowness = 0.0
        self.lease: list[tuple[float, bytes | Exception]] = [(0, b"{}")]
        self.own: list[tuple[float, bytes | Exception]] = [(0, error(403))]
        self.written = lambda: NOW + timedelta(seconds=self.now)
        """When the lease was last written, by S3's clock."""
        self.looks: list[tuple[float, str]] = []

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  boto's names
        assert Bucket == "bucket"
        self.now += self.slowness
        self.looks.append((self.now, Key))
        states = self.lease if "lease" in Key else self.own
        is_now = [what for since, what in states if since <= self.now][-1]
        if isinstance(is_now, Exception):
            raise is_now
        date = format_datetime(NOW + timedelta(seconds=self.now), usegmt=True)
        return {
            "Body": io.BytesIO(is_now),
            "LastModified": self.written(),
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def sleep(self, seconds: float) -> None:
        assert 0.5 <= seconds < 1.5
        self.now += seconds

    def looked_at(self, url: str) -> list[float]:
        return [when for when, key in self.looks if url.endswith(key)]


@pytest.fixture
def s3() -> S3:
    return S3()


@pytest.fixture(autouse=True)
def log(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What the container's log says. It never says the token, nor the name of the object."""
    said: list[str] = []

    def read() -> str:
        said.append(capfd.readouterr().err)
        return "".join(said)

    yield read
    text = read()
    assert "a-token" not in text
    assert OWN not in text


def outcome(s3: S3, max_age: int = MAX_AGE) -> tuple[int, bytes]:
    return wait(s3, LEASE, OWN, str(max_age), os.getppid(), lambda: s3.now, s3.sleep)


def test_an_object_that_is_there_at_once_is_taken(s3: S3, log: Callable[[], str]) -> None:
    s3.own = [(0, WORKLOAD)]
    assert outcome(s3) == (0, WORKLOAD)
    assert s3.now == 0
    assert log() == "Standby: has a workload\n"


@pytest.mark.parametrize("missing", [403, 404])
def test_one_that_comes_later_is_taken_within_one_and_a_half_seconds(s3: S3, missing: int) -> None:
    s3.own = [(0, error(missing)), (100, WORKLOAD)]
    assert outcome(s3) == (0, WORKLOAD)
    assert 100 <= s3.now < 101.5


def test_it_looks_once_a_second_and_not_in_step_with_others(s3: S3) -> None:
    outcome(s3)
    looks = s3.looked_at(OWN)
    assert MAX_AGE * 0.9 < len(looks) < MAX_AGE * 1.1
    assert len({round(b - a, 3) for a, b in pairwise(looks)}) > 100


def test_it_reads_its_lease_each_thirty_seconds(s3: S3) -> None:
    outcome(s3)
    leases = s3.looked_at(LEASE)
    assert all(30 <= b - a < 31.5 for a, b in pairwise(leases))
    assert len(leases) == pytest.approx(MAX_AGE / 30, abs=2)


def test_one_that_is_too_old_leaves(s3: S3, log: Callable[[], str]) -> None:
    assert outcome(s3) == (LEFT, b"")
    assert MAX_AGE < s3.now < MAX_AGE + 1.5
    assert log() == "Standby: leaves, too old\n"


def test_at_its_last_look_it_takes_what_is_there(s3: S3) -> None:
    s3.own = [(0, error(404)), (MAX_AGE, WORKLOAD)]
    assert outcome(s3) == (0, WORKLOAD)


def test_an_empty_object_lets_it_leave(s3: S3, log: Callable[[], str]) -> None:
    s3.own = [(0, error(404)), (50, b"")]
    assert outcome(s3) == (LEFT, b"")
    assert s3.now < 51.5
    assert log() == "Standby: leaves, not needed\n"


@pytest.mark.parametrize("gone", [403, 404])
def test_without_its_lease_it_leaves(s3: S3, gone: int, log: Callable[[], str]) -> None:
    s3.lease = [(0, b"{}"), (100, error(gone, "NoSuchKey"))]
    assert outcome(s3) == (LEFT, b"")
    assert 100 <= s3.now < 100 + 30 + 1.5
    assert log().startswith("Standby: leaves, no lease: ")


def test_with_a_lease_that_nobody_renews_it_leaves(s3: S3, log: Callable[[], str]) -> None:
    s3.written = lambda: NOW + timedelta(seconds=min(s3.now, 100))
    assert outcome(s3) == (LEFT, b"")
    assert 100 + LEASE_SECONDS < s3.now < 100 + LEASE_SECONDS + 30 + 1.5
    assert log() == "Standby: leaves, its scheduler is gone\n"


def test_with_a_lease_that_is_too_old_at_its_start_it_leaves_at_once(s3: S3) -> None:
    s3.written = lambda: NOW - timedelta(seconds=LEASE_SECONDS + 1)
    assert outcome(s3) == (LEFT, b"")
    assert s3.now == 0


def test_a_lease_at_the_end_of_its_time_still_counts(s3: S3) -> None:
    s3.written = lambda: NOW + timedelta(seconds=s3.now - LEASE_SECONDS)
    assert outcome(s3) == (LEFT, b"")
    assert s3.now > MAX_AGE


def test_a_lease_from_the_future_counts(s3: S3) -> None:
    s3.written = lambda: NOW + timedelta(hours=1, seconds=s3.now)
    assert outcome(s3) == (LEFT, b"")
    assert s3.now > MAX_AGE


@pytest.mark.parametrize("denied", [403, 404])
def test_a_lease_that_can_not_be_read_at_the_start_is_a_lack_of_access(
    s3: S3, denied: int, log: Callable[[], str]
) -> None:
    s3.lease = [(0, error(denied, "AccessDenied"))]
    assert outcome(s3) == (NO_ACCESS, b"")
    assert s3.now == 0
    assert "AccessDenied" in log()


@pytest.mark.parametrize(
    "broken",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        error(400, "ExpiredToken"),
        error(500),
        error(503, "SlowDown"),
    ],
    ids=repr,
)
class TestErrorsThatSayNothing:
    def test_of_the_lease_they_let_it_wait_on(self, s3: S3, broken: Exception) -> None:
        s3.lease = [(0, b"{}"), (60, broken)]
        assert outcome(s3) == (LEFT, b"")
        assert s3.now > MAX_AGE

    def test_of_its_own_object_they_are_not_yet(self, s3: S3, broken: Exception) -> None:
        s3.own = [(0, broken), (200, WORKLOAD)]
        assert outcome(s3) == (0, WORKLOAD)

    def test_at_the_start_they_may_last_for_ten_seconds(self, s3: S3, broken: Exception) -> None:
        s3.lease = [(0, broken), (8, b"{}")]
        s3.own = [(0, broken), (200, WORKLOAD)]
        assert outcome(s3) == (0, WORKLOAD)

    def test_at_the_start_they_are_a_lack_of_access_after_that(self, s3: S3, broken: Exception) -> None:
        s3.lease = [(0, broken)]
        assert outcome(s3) == (NO_ACCESS, b"")
        assert 10 < s3.now < 11.5


def test_a_body_that_breaks_off_is_read_again(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.own = [(0, WORKLOAD)]
    whole, broken = s3.get_object, [True]

    def get_object(**which: str) -> dict[str, Any]:
        answer = whole(**which)
        if which["Key"] in OWN and broken:
            broken.clear()
            answer["Body"] = None  # it has no `read`
        return answer

    monkeypatch.setattr(s3, "get_object", get_object)
    assert outcome(s3) == (0, WORKLOAD)


def test_while_s3_is_slow_it_takes_what_comes(s3: S3) -> None:
    s3.slowness = 5
    s3.own = [(0, error(404)), (100, WORKLOAD)]
    assert outcome(s3) == (0, WORKLOAD)
    assert s3.now < 100 + 2 * 5 + 1.5


def test_the_lease_is_looked_at_again_at_once_when_s3_is_back(s3: S3) -> None:
    s3.lease = [(0, b"{}"), (60, error(500)), (300, error(404))]
    assert outcome(s3) == (LEFT, b"")
    assert 300 <= s3.now < 301.5


def test_one_whose_own_process_is_gone_ends(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getppid()
    monkeypatch.setattr(os, "getppid", lambda: 1 if s3.now > 50 else parent)
    assert outcome(s3) == (LEFT, b"")
    assert s3.now < 52


def test_the_containers_wall_clock_is_never_read(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it may jump."""

    def jumps() -> float:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(time, "time", jumps)
        patched.setattr(time, "time_ns", jumps)
        ended = outcome(s3)
    assert ended == (LEFT, b"")
    assert MAX_AGE < s3.now < MAX_AGE + 1.5
