"""What docs/queues.md shows works as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_async_executor.cli import main
from ecs_async_executor.config.profiles import Options
from tests.support.blocks import run_by

FILE = Path(__file__).parents[3] / "docs" / "queues.md"
PAGE = FILE.read_text("utf-8")
REQUIRED = {"CLUSTER": "c", "CONTAINER_NAME": "airflow", "TASK_DEFINITION": "t", "SUBNETS": "subnet-1"}


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options as on the page."""
    (tmp_path / "queues.yaml").write_text("".join(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)))
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"AIRFLOW__AWS_ECS_EXECUTOR__{name}", value)
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET", "s3://my-bucket/airflow")
    monkeypatch.setenv("AIRFLOW__ECS_ASYNC_EXECUTOR__QUEUES", str(tmp_path / "queues.yaml"))


def test_the_command_shows_what_a_task_of_a_queue_gets(capsys: pytest.CaptureFixture[str]) -> None:
    ((command,),) = (block.commands for block in run_by(__file__, FILE))
    assert main(command.removeprefix("ecs-async ").split()) == 0
    shown = capsys.readouterr().out
    strategy = '[{"capacityProvider": "FARGATE_SPOT", "weight": 1}]'
    assert f"\nqueue spot\n    capacityProviderStrategy = {strategy}\n" in shown


@pytest.mark.parametrize(
    "queue", ["gpu", "on-demand", "growing", "growing-faster", "interactive", "small-1", "other"]
)
def test_all_profiles_are_valid(queue: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--queue", queue]) == 0
    assert ("\nqueue " in capsys.readouterr().out) is (queue != "other")


def test_the_command_shows_the_sizes_of_a_profile_that_grows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--queue", "growing-faster"]) == 0
    shown = capsys.readouterr().out
    assert '\n    overrides.memory = "2048"\n' in shown
    assert "\n    memory = [2048, 8192, 16384]  (queue growing-faster)\n" in shown


def test_each_option_of_a_profile_is_described() -> None:
    assert [name for name in Options.model_fields if f"`{name}`" not in PAGE] == []
