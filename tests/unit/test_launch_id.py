"""The identity of a launch."""

from __future__ import annotations

import pytest

from ecs_async_executor.launch_id import LaunchId, is_run_id, started_by

RUN = "0198c0de-0000-7000-8000-000000000001"
HEX = RUN.replace("-", "")


def test_each_launch_of_a_run_has_its_own_id():
    assert [str(LaunchId(RUN, number)) for number in (1, 2)] == [f"{HEX}-001", f"{HEX}-002"]


@pytest.mark.parametrize("number", [1, 2, 999, 1000, 9999])
def test_a_launch_id_is_as_long_as_ecs_requires_of_a_task_id_because_awsecsexecutor_takes_it_for_one(
    number: int,
):
    assert len(str(LaunchId(RUN, number))) == 36


@pytest.mark.parametrize("number", [1, 2, 999, 1000, 10**18])
def test_a_launch_id_reads_as_what_was_written(number: int):
    launch_id = LaunchId(RUN, number)

    assert LaunchId.parse(str(launch_id)) == launch_id
    assert len(str(launch_id)) <= 64  # RunTask's limit for a clientToken


def test_run_ids_that_are_no_uuids_stay_apart():
    assert str(LaunchId("etl-1-12")) != str(LaunchId("etl-11-2"))
    assert str(LaunchId("etl", 11000)) != str(LaunchId("etl1", 1000))


def test_a_uuid_alone_is_the_run_id_of_a_first_launch():
    assert LaunchId.parse(RUN) == LaunchId(RUN, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        "celery-task-id",
        f"{HEX}-",
        f"{HEX}-1",
        f"{HEX}-one",
        f"{HEX}-001-1",
        f"{HEX}-1000",
        f"{HEX}0001",
        f" {RUN}",
        f"{RUN}-001",
    ],
)
def test_anything_else_is_no_launch_id(text: str):
    assert LaunchId.parse(text) is None


def test_listtasks_finds_a_run_by_its_deployment_and_run_id():
    assert started_by("airflow/prod", RUN) == f"airflow/prod/{RUN}"


@pytest.mark.parametrize(
    ("text", "expected"), [(RUN, True), (None, False), ("", False), (HEX, False), (f"{HEX}-001", False)]
)
def test_only_a_uuid_is_an_id_that_core_has_committed(text: str | None, expected: bool):
    assert is_run_id(text) is expected
