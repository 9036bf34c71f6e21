"""The template's policies and a set of parameters for each of its shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ecs_async_executor.stack.template import Template, Values

ELSEWHERE = {"Airflow": "elsewhere", "ExecutionApiUrl": "https://airflow.example.com/execution/"}
EXISTING = {"Network": "existing", "VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2"}
SHAPES: Mapping[str, Values] = {
    "default": {},
    "endpoints": {"Network": "new-endpoints", "Spot": "yes", "ImageTag": "1"},
    "existing": EXISTING,
    "elsewhere": ELSEWHERE,
    "elsewhere, no database": {**ELSEWHERE, "Database": "none"},
}
"""Parameters by what is special about them."""


def policies(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the document of each policy for an identity, with all of its conditional parts."""
    for name, resource in template.document["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield name, plain(properties["PolicyDocument"])
        for each in properties.get("Policies", ()):
            yield f"{name}.{each['PolicyName']}", plain(each["PolicyDocument"])


def plain(value: Any) -> Any:
    """Put examples in the place of what only AWS knows."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        text = re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _arn(found[1]), str(value["Fn::Sub"]))
        for name, example in _PSEUDO.items():
            text = text.replace(f"${{{name}}}", example)
        return re.sub(r"\$\{(\w+)\}", lambda found: found[1].lower(), text)
    if "Fn::GetAtt" in value or "Ref" in value:
        return _arn(value["Fn::GetAtt"][0] if "Fn::GetAtt" in value else value["Ref"])
    if "Fn::If" in value:
        return plain(value["Fn::If"][1])
    return {name: plain(each) for name, each in value.items()}


_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "airflow",
}


def _arn(name: str) -> str:
    if name.endswith("Bucket"):
        return f"arn:aws:s3:::{name.lower()}"
    if name == "Cluster":
        return "arn:aws:ecs:eu-central-1:123456789012:cluster/airflow"
    if name == "Repository":
        return "arn:aws:ecr:eu-central-1:123456789012:repository/airflow-task"
    if name.endswith("Role"):
        return f"arn:aws:iam::123456789012:role/{name}"
    return f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-1"
