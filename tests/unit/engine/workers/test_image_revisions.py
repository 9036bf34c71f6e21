from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from ecs_async_executor.engine.diagnosis.call_failures import CallError, Failure, Kind
from ecs_async_executor.engine.images import Revision, Wanted
from ecs_async_executor.engine.responses import TaskDefinition
from ecs_async_executor.engine.workers.image_revisions import (
    LATEST_FOR,
    REFUSED_FOR,
    ImageRevisions,
)
from tests.support.definitions import document
from tests.support.engine import FakeClient, error, options

pytestmark = pytest.mark.virtual_time
WANTED = Wanted("airflow-task", "airflow", "airflow:2")
DEPLOYMENT = "airflow/prod"
REGISTER, DESCRIBE = "register_task_definition", "describe_task_definition"


@pytest.fixture
def revisions(make_calls: Any) -> Any:
    """Call it inside the loop: it makes what a new engine has."""
    return lambda: ImageRevisions(make_calls(options()), DEPLOYMENT, lambda: 1.0)


async def refusal(revisions: ImageRevisions, wanted: Wanted = WANTED) -> Failure:
    with pytest.raises(CallError) as caught:
        await revisions.find(wanted)
    return caught.value.failure


async def test_an_image_is_registered_once(revisions: Any, client: FakeClient):
    at = revisions()
    assert at.known(WANTED) is None
    await at.find(WANTED)
    await at.find(WANTED)
    (made,) = client.definitions.registered
    assert at.known(WANTED) == made.arn
    assert client.definitions.image_of(made.arn) == "airflow:2"
    assert client.definitions.image_of(made.arn, "sidecar") == "agent:7"
    assert len(client.calls(REGISTER)) == 1


@pytest.mark.parametrize("definition", ["airflow-task", "airflow-task:1"])
async def test_after_a_restart_the_revision_is_found_and_not_registered_again(
    revisions: Any, client: FakeClient, definition: str
):
    wanted = Wanted(definition, "airflow", "airflow:2")
    first, second = revisions(), revisions()
    await first.find(wanted)
    await second.find(wanted)
    assert second.known(wanted) == first.known(wanted)
    assert len(client.calls(REGISTER)) == 1


async def test_all_spellings_of_a_definition_share_a_revision(revisions: Any, client: FakeClient):
    at = revisions()
    arn = client.definitions.find("airflow-task").arn  # type: ignore[union-attr]  # it is there
    for definition in ("airflow-task", "airflow-task:1", arn):
        await at.find(Wanted(definition, "airflow", "airflow:2"))
    assert len(client.calls(REGISTER)) == 1


async def test_a_new_revision_of_the_family_gets_the_image_within_a_minute(
    revisions: Any, client: FakeClient
):
    at = revisions()
    await at.find(WANTED)
    before = at.known(WANTED)
    client.definitions.register(document(cpu="512"))
    await anyio.sleep(LATEST_FOR - 1)
    assert at.known(WANTED) == before
    await anyio.sleep(1)
    assert at.known(WANTED) is None
    await at.find(WANTED)
    made = client.definitions.find(at.known(WANTED))
    assert made is not None
    assert made.task_definition["cpu"] == "512"


async def test_an_old_latest_revision_that_is_still_the_latest_costs_one_read_a_minute(
    revisions: Any, client: FakeClient
):
    at = revisions()
    await at.find(WANTED)
    await anyio.sleep(LATEST_FOR)
    await at.find(WANTED)
    assert len(client.calls(REGISTER)) == 1
    assert client.calls(DESCRIBE)[2:] == ["airflow-task"]


async def test_a_fixed_revision_is_read_once_for_ever(revisions: Any, client: FakeClient):
    at = revisions()
    wanted = Wanted("airflow-task:1", "airflow", "airflow:2")
    await at.find(wanted)
    client.definitions.register(document(cpu="512"))
    await anyio.sleep(100 * LATEST_FOR)
    assert at.known(wanted) is not None


async def test_at_most_one_revision_a_second_is_registered(revisions: Any, client: FakeClient):
    at = revisions()
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(at.find, Wanted("airflow-task", "airflow", f"airflow:{number}"))
    calls = zip(client.asked, client.times, strict=True)
    times = [when for (operation, _), when in calls if operation == REGISTER]
    assert len(times) == 10
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.999
    assert client.calls(DESCRIBE).count("airflow-task") == 1


@pytest.mark.parametrize(
    "failure",
    [
        error("ThrottlingException", "Rate exceeded", operation="RegisterTaskDefinition"),
        error(
            "ClientException",
            "Too many concurrent attempts to create a new revision of the specified family.",
            operation="RegisterTaskDefinition",
        ),
        error("ServerException", status=500, operation="RegisterTaskDefinition"),
        error("ExpiredTokenException", operation="RegisterTaskDefinition"),
        TimeoutError(),
    ],
)
@pytest.mark.parametrize("operation", [REGISTER, DESCRIBE])
async def test_what_passes_by_itself_is_waited_for(
    revisions: Any, client: FakeClient, failure: Exception, operation: str
):
    client.script[operation].append(failure)
    at = revisions()
    await at.find(WANTED)
    assert at.known(WANTED) is not None
    assert len(client.definitions.registered) == 1


async def test_a_registration_whose_answer_got_lost_is_found(revisions: Any, client: FakeClient):
    def lost(request: Any) -> Any:
        client.definitions.register(request)
        return TimeoutError()

    client.script[REGISTER].append(lost)
    at = revisions()
    await at.find(WANTED)
    (made,) = client.definitions.registered
    assert at.known(WANTED) == made.arn
    assert len(client.calls(REGISTER)) == 1


async def test_a_revision_that_another_scheduler_has_just_registered_is_taken(
    revisions: Any, client: FakeClient
):
    def throttled(request: Any) -> Any:
        client.definitions.register(request)  # the other one's
        return error("ThrottlingException", "Rate exceeded", operation="RegisterTaskDefinition")

    client.script[REGISTER].append(throttled)
    at = revisions()
    await at.find(WANTED)
    assert len(client.definitions.registered) == 1


async def test_a_denied_registration_names_the_action_and_the_image(revisions: Any, client: FakeClient):
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/airflow/i-1 is not authorized to perform: "
        "ecs:RegisterTaskDefinition on resource: * because no identity-based policy allows the "
        "ecs:RegisterTaskDefinition action"
    )
    client.script[REGISTER].append(
        error("AccessDeniedException", message, operation="RegisterTaskDefinition")
    )
    failure = await refusal(revisions())
    assert failure.kind is Kind.DENIED
    assert failure.diagnosis.summary == (
        "AWS does not let the role airflow call ecs:RegisterTaskDefinition on *."
    )
    assert '"Action": "ecs:RegisterTaskDefinition", "Resource": "*"' in failure.diagnosis.remedy
    assert "for the image airflow:2 in airflow-task" in failure.diagnosis.detail


async def test_a_quota_of_task_definitions_is_not_lack_of_room_for_tasks(revisions: Any, client: FakeClient):
    client.script[REGISTER].append(
        error("LimitExceededException", "Too many revisions", operation="RegisterTaskDefinition")
    )
    assert (await refusal(revisions())).kind is Kind.START


async def test_a_refusal_holds_for_everybody_for_some_seconds(revisions: Any, client: FakeClient):
    denied = error("AccessDeniedException", operation="RegisterTaskDefinition")
    client.script[REGISTER].extend([denied, denied])
    at = revisions()
    first = await refusal(at)
    await anyio.sleep(REFUSED_FOR - 1)
    assert await refusal(at) == first
    assert len(client.calls(REGISTER)) == 1
    await anyio.sleep(1)
    await refusal(at)
    await anyio.sleep(REFUSED_FOR)
    await at.find(WANTED)
    assert at.known(WANTED) is not None


async def test_a_fault_in_this_process_is_the_runs_own_and_asked_again(revisions: Any, client: FakeClient):
    client.script[DESCRIBE].append(KeyError("ResponseMetadata"))
    at = revisions()
    assert (await refusal(at)).kind is Kind.FAULT
    await at.find(WANTED)
    assert at.known(WANTED) is not None


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted("missing", "airflow", "a"), "The task definition missing doesn't exist"),
        (Wanted("old:1", "airflow", "a"), "The task definition old:1 was deregistered (it is INACTIVE)"),
        (Wanted("airflow-task", "worker", "a"), "has no container 'worker'"),
    ],
)
async def test_a_definition_that_cannot_be_copied_is_reported_and_never_registered(
    revisions: Any, client: FakeClient, wanted: Wanted, says: str
):
    client.definitions.deregister(client.definitions.register(document(family="old")).arn)
    failure = await refusal(revisions(), wanted)
    assert failure.kind is Kind.CONFIGURATION
    assert says in failure.diagnosis.summary
    assert client.calls(REGISTER) == []


async def test_somebody_elses_revision_of_that_name_is_not_used(revisions: Any, client: FakeClient):
    base = client.definitions.find("airflow-task")
    assert base is not None
    family = Revision(base, "airflow", "airflow:2", DEPLOYMENT).family
    other = client.definitions.register({**document(), "family": family})
    at = revisions()
    await at.find(WANTED)
    assert at.known(WANTED) not in {None, other.arn}


async def test_a_revision_that_was_deregistered_is_registered_again(revisions: Any, client: FakeClient):
    at = revisions()
    await at.find(WANTED)
    arn = at.known(WANTED)
    client.definitions.deregister(arn)
    assert at.forget(arn) == "airflow:2"
    assert at.forget(arn) == "airflow:2"  # another launch of it was in flight
    assert at.forget("arn:another") is None
    assert at.known(WANTED) is None
    await at.find(WANTED)
    assert at.known(WANTED) not in {None, arn}
    assert client.definitions.image_of(at.known(WANTED)) == "airflow:2"


async def test_the_answers_of_ecs_show_no_environment(client: FakeClient):
    found = client.definitions.find("airflow-task")
    assert isinstance(found, TaskDefinition)
    assert "secret" not in repr(found)
