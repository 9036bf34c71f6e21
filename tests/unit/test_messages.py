from __future__ import annotations

import dataclasses

import pytest

from ecs_async_executor.messages import Diagnosis, Launch, Request


def test_a_diagnosis_reads_as_one_line_of_the_parts_it_has():
    assert str(Diagnosis("It broke.", "exit code 1", "Mend it.")) == "It broke. Mend it. (exit code 1)"
    assert str(Diagnosis("It broke.", remedy="Mend it.")) == "It broke. Mend it."
    assert str(Diagnosis("It broke.")) == "It broke."


def test_the_command_of_a_request_is_in_no_repr():
    request = Request({"overrides": {"containerOverrides": [{"command": ["the-token"]}]}}, "airflow")
    assert "the-token" not in repr(request)
    assert "the-token" not in repr(Launch("run", "label", lambda: request))
    assert "airflow" in repr(request)


def test_what_crosses_threads_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Diagnosis("It broke.").summary = "It did not."  # type: ignore[misc]  # that is the point
