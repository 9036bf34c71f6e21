"""The commands of docs/monitoring.md, sent by the AWS CLI to an AWS by moto."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import boto3
import pytest

from tests.support.blocks import ROOT, block_of, run_by
from tests.support.moto import serve_moto
from tests.support.shell import shell

PAGE = ROOT / "docs" / "monitoring.md"
PARAMETER, ALARMS = run_by(__file__, PAGE)
KEYS = {"region_name": "eu-central-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:airflow"


@pytest.mark.timeout(120)
def test_the_agents_configuration_is_stored_and_the_alarms_are_made(tmp_path: Path) -> None:
    agent = block_of(PAGE, "Save this as `agent.json`", "json")
    (tmp_path / "agent.json").write_text(agent)
    with serve_moto() as moto:
        environment = {
            "AWS_ENDPOINT_URL": moto,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_PAGER": "",
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "topic": TOPIC,
        }
        with shell(tmp_path, environment) as reader:
            for block in (PARAMETER, ALARMS):
                reader.run(block.code)
        stored = boto3.client("ssm", endpoint_url=moto, **KEYS).get_parameter(Name="airflow-cloudwatch-agent")
        alarms = boto3.client("cloudwatch", endpoint_url=moto, **KEYS).describe_alarms()["MetricAlarms"]
    assert json.loads(stored["Parameter"]["Value"]) == json.loads(agent)
    assert {(each["AlarmName"], each["Threshold"], each["EvaluationPeriods"]) for each in alarms} == {
        ("airflow-cannot-use-aws-or-silent", 0.0, 5),
        ("airflow-tasks-wait-long", 900.0, 5),
        ("airflow-engine-restarted", 0.0, 1),
    }
    assert all(each["AlarmActions"] == [TOPIC] and each["Metrics"] for each in alarms)
