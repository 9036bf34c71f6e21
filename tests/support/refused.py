"""Requests whose types are right, and which ECS refuses all the same: for the configuration and for the local ECS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """Members of RunTask, and words of what is said of them."""

    members: dict[str, Any]
    says: str
    local: str = ""
    """How the local ECS says it, if in other words."""


def container(**members: Any) -> dict[str, Any]:
    return {"overrides": {"containerOverrides": [{"name": "airflow", **members}]}}


def network(**members: Any) -> dict[str, Any]:
    return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], **members}}}


def tags(**pairs: str) -> dict[str, Any]:
    return {"tags": [{"key": key, "value": value} for key, value in pairs.items()]}


def providers(*items: tuple[str, int, int]) -> dict[str, Any]:
    return {
        "capacityProviderStrategy": [
            {"capacityProvider": name, "weight": weight, "base": base} for name, weight, base in items
        ]
    }


TAGS = "Some tags contain invalid characters"
SIZE = "setting for task"
REFUSED: dict[str, Row] = {
    "tag value": Row(
        tags(team="data & ml (eu)"),
        "tags[team] has '&' '(' ')'; ECS takes letters, numbers, spaces and + - = . _ : / @.",
        TAGS,
    ),
    "tag with a new line": Row(tags(team="a\nb"), r"tags[team] has '\n'; ECS takes letters", TAGS),
    "tag key": Row({"tags": [{"key": "a#b"}]}, "tags[a#b].key has '#'; ECS takes letters", TAGS),
    "long tag key": Row({"tags": [{"key": "k" * 129}]}, ".key has 129 characters; ECS takes 1 to 128."),
    "long tag value": Row(
        tags(team="v" * 257), "tags[team] has 257 characters; ECS takes at most 256.", "257"
    ),
    "tag without a key": Row({"tags": [{"value": "v"}]}, "tags has a tag without a key."),
    "reserved tag": Row({"tags": [{"key": "AWS:x"}]}, "tags[AWS:x].key begins with aws:", "aws:"),
    "many tags": Row(
        {"tags": [{"key": f"k{n}"} for n in range(51)]}, "tags has 51 items; ECS takes at most 50."
    ),
    "mixed strategy": Row(
        providers(("FARGATE", 1, 0), ("my-asg", 1, 0)),
        "capacityProviderStrategy mixes FARGATE or FARGATE_SPOT with other capacity providers",
        "cannot contain a mix",
    ),
    "no weight": Row(providers(("a", 0, 0), ("b", 0, 0)), "has only weights of 0", "greater than 0"),
    "two bases": Row(providers(("a", 1, 1), ("b", 1, 1)), "has more than one base"),
    "weight": Row(providers(("a", 1001, 0)), "[0].weight is 1001; ECS takes at most 1000."),
    "base": Row(providers(("a", 1, 100_001)), "[0].base is 100001; ECS takes at most 100000."),
    "many providers": Row(providers(*[("a", 1, 0)] * 21), "has 21 items; ECS takes at most 20."),
    "name of a provider": Row(providers(("my asg", 1, 0)), "is not a capacity provider's name"),
    "reserved provider": Row(providers(("fargate-arm", 1, 0)), "begins with aws, ecs or fargate"),
    "launch type": Row(
        {"launchType": "LAMBDA"},
        "launchType is none of EC2, FARGATE, EXTERNAL, MANAGED_INSTANCES.",
        "is not one of",
    ),
    "spot as launch type": Row(
        {"launchType": "FARGATE_SPOT"},
        "launchType is FARGATE_SPOT, which is a capacity provider",
        "is not one of",
    ),
    "public address": Row(
        network(assignPublicIp="YES"),
        "networkConfiguration.awsvpcConfiguration.assignPublicIp is none of ENABLED, DISABLED.",
        "is not one of",
    ),
    "propagated from a service": Row(
        {"propagateTags": "SERVICE"},
        "propagateTags is SERVICE, which only the tasks of an ECS service",
        "SERVICE",
    ),
    "placement strategy": Row(
        {"placementStrategy": [{"type": "binpak", "field": "memory"}]},
        "placementStrategy[0].type is none of random, spread, binpack; did you mean binpack?",
        "is not one of",
    ),
    "placement constraint": Row(
        {"placementConstraints": [{"type": "distinct"}]},
        "is none of distinctInstance, memberOf",
        "is not one of",
    ),
    "resource": Row(
        container(resourceRequirements=[{"type": "TPU", "value": "1"}]),
        "is none of GPU, InferenceAccelerator, NeuronDevice; did you mean GPU?",
        "is not one of",
    ),
    "environment file": Row(
        container(environmentFiles=[{"type": "s3", "value": "s3://bucket/task.env"}]),
        "is not the ARN of an .env file in S3",
    ),
    "storage": Row(
        {"overrides": {"ephemeralStorage": {"sizeInGiB": 10}}},
        "overrides.ephemeralStorage.sizeInGiB is 10; ECS takes 21 to 200.",
    ),
    "cpu in Kubernetes' way": Row(
        {"overrides": {"cpu": "500m"}}, "overrides.cpu is not a size that ECS understands", SIZE
    ),
    "cpu as a fraction": Row(
        {"overrides": {"cpu": "0.5"}}, "such as 512, or vCPUs, such as '.5 vCPU'.", SIZE
    ),
    "memory in Kubernetes' way": Row(
        {"overrides": {"memory": "2Gi"}}, "write MiB, such as 2048, or GB", SIZE
    ),
    "NUL": Row(
        container(environment=[{"name": "A", "value": "x\0y"}]),
        "environment[A] has a NUL character",
        "NUL character",
    ),
    "NUL in a command": Row(
        {"overrides": {"containerOverrides": [{"name": "side", "command": ["a\0"]}]}},
        "command[0] has a NUL character",
    ),
    "name of a variable": Row(
        container(environment=[{"name": "A=B", "value": "1"}]), "has a = in the variable's name"
    ),
    "no name": Row(container(environment=[{"value": "1"}]), "environment has a variable without a name."),
    "subnets": Row(network(subnets=["subnet-1"] * 17), "subnets has 17 items; ECS takes at most 16."),
    "quoted subnet": Row(network(subnets=['"subnet-1"']), "subnets[0] is not the ID of a subnet"),
    "security groups": Row(
        network(securityGroups=["sg-1"] * 6), "securityGroups has 6 items; ECS takes at most 5."
    ),
    "security group": Row(
        network(securityGroups=["sg-1 # all"]), "securityGroups[0] is not the ID of a security group"
    ),
    "constraints": Row(
        {"placementConstraints": [{"type": "distinctInstance"}] * 11}, "has 11 items; ECS takes at most 10."
    ),
    "strategies": Row({"placementStrategy": [{"type": "random"}] * 6}, "has 6 items; ECS takes at most 5."),
    "platform version": Row({"platformVersion": "newest"}, "platformVersion is neither LATEST nor a version"),
    "reference": Row({"referenceId": "r" * 1025}, "referenceId has 1025 characters; ECS takes at most 1024."),
}

TAKEN: dict[str, dict[str, Any]] = {
    "tag": tags(team="Größe 5 + - = . _ : / @", owner=""),
    "longest tag": {"tags": [{"key": "k" * 128, "value": "v" * 256}]},
    "tag that almost is reserved": {"tags": [{"key": "aws"}]},
    "fifty tags": {"tags": [{"key": f"k{n}"} for n in range(50)]},
    "Fargate's providers": providers(("FARGATE", 1, 1), ("FARGATE_SPOT", 1000, 0)),
    "own providers": providers(("a", 1, 100_000), ("b", 0, 0)),
    "one provider without weight": {"capacityProviderStrategy": [{"capacityProvider": "a"}]},
    "twenty providers": providers(*[("a", 1, 0)] * 20),
    "smallest storage": {"overrides": {"ephemeralStorage": {"sizeInGiB": 21}}},
    "largest storage": {"overrides": {"ephemeralStorage": {"sizeInGiB": 200}}},
    "sizes": {"overrides": {"cpu": "512", "memory": "2048"}},
    "sizes in words": {"overrides": {"cpu": ".5 vCPU", "memory": "2GB"}},
    "more sizes in words": {"overrides": {"cpu": "1 vcpu", "memory": "0.5 GB"}},
    "sizes with blanks": {"overrides": {"cpu": "2  vCPU", "memory": " 2048 "}},
    "every revision": {"taskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/airflow-task:*"},
    "environment file with a blank in its name": container(
        environmentFiles=[{"type": "s3", "value": "arn:aws-cn:s3:::bucket/my files/task.env"}]
    ),
    "variables": container(environment=[{"name": "A.b-C", "value": "a=b\n"}, {"name": "E", "value": ""}]),
    "propagated tags": {"propagateTags": "TASK_DEFINITION"},
    "networks": network(subnets=["subnet-1"] * 16, securityGroups=["sg-1"] * 5),
}
