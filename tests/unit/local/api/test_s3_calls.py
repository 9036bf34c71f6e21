from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ecs_async_executor.local.api.s3_calls import admit, release
from ecs_async_executor.local.conditions.faults import LostRequestError, fault_of
from ecs_async_executor.local.rules.protocol import AwsError
from ecs_async_executor.local.rules.s3 import S3Call

if TYPE_CHECKING:
    from tests.unit.local.conftest import Lab

GET = S3Call("s3:GetObject", "airflow", "payloads/standby/lease-1.json")
PUT = S3Call("s3:PutObject", "airflow", "payloads/run-1.json")


def add(lab: Lab, kind: str, **fields: object) -> None:
    lab.ecs.conditions.faults.add(fault_of({"kind": kind, **fields}))


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "SlowDown", 503),
        ("server_error", "InternalError", 500),
        ("expired_credentials", "ExpiredToken", 400),
        ("access_denied", "AccessDenied", 403),
        ("error", "InvalidRequest", 400),
    ],
)
def test_a_refusal_is_in_s3s_words(lab: Lab, kind: str, code: str, status: int) -> None:
    add(lab, kind, action="s3:*")
    with pytest.raises(AwsError) as caught:
        admit(lab.ecs, GET)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_the_free_error_says_what_it_was_given(lab: Lab) -> None:
    add(lab, "error", action="s3:PutObject", code="ServiceUnavailable", status=503, reason="why")
    with pytest.raises(AwsError) as caught:
        admit(lab.ecs, PUT)
    error = caught.value
    assert (error.code, error.status, error.message) == ("ServiceUnavailable", 503, "why")


def test_a_lost_request_never_reaches_s3(lab: Lab) -> None:
    add(lab, "lost_request", action="s3:PutObject", times=1)
    with pytest.raises(LostRequestError):
        admit(lab.ecs, PUT)
    admit(lab.ecs, PUT)


def test_a_fault_strikes_its_action_and_its_keys_only(lab: Lab) -> None:
    add(lab, "access_denied", action="s3:GetObject", key="*/standby/lease-*")
    admit(lab.ecs, PUT)
    admit(lab.ecs, S3Call("s3:GetObject", "airflow", "payloads/standby/0f.json"))
    with pytest.raises(AwsError):
        admit(lab.ecs, GET)


def test_a_fault_of_ecs_leaves_s3_alone_and_the_other_way_round(lab: Lab) -> None:
    add(lab, "server_error")
    admit(lab.ecs, GET)
    assert lab.error("ListTasks").code == "ServerException"
    lab.ecs.conditions.clear(lab.now)
    add(lab, "server_error", action="s3:*")
    assert lab.call("ListTasks") == {"taskArns": []}


def test_a_response_may_be_spoilt_after_the_work(lab: Lab) -> None:
    add(lab, "lost_response", action="s3:PutObject", times=1)
    admit(lab.ecs, PUT)
    fault = release(lab.ecs, PUT, 200)
    assert fault is not None
    assert fault.kind == "lost_response"
    assert release(lab.ecs, PUT, 200) is None


def test_an_absent_key_may_be_denied_as_without_the_permission_to_list(lab: Lab) -> None:
    add(lab, "missing_denied", action="s3:*")
    admit(lab.ecs, GET)
    assert release(lab.ecs, GET, 200) is None
    for absent in (GET, S3Call("s3:HeadObject", "airflow", "k")):
        with pytest.raises(AwsError) as caught:
            release(lab.ecs, absent, 404)
        assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)
    assert release(lab.ecs, S3Call("s3:ListObjects", "no-such-bucket", ""), 404) is None
