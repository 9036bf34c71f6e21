"""Members of RunTask as users write them, in AWS's spelling; and what they write wrongly."""

from __future__ import annotations

from typing import Any


def container(**override: Any) -> dict[str, Any]:
    return {"overrides": {"containerOverrides": [{"name": "airflow", **override}]}}


def network(**members: Any) -> dict[str, Any]:
    return {"networkConfiguration": {"awsvpcConfiguration": members}}


def volume(**members: Any) -> dict[str, Any]:
    configuration = {"roleArn": "arn:aws:iam::1:role/ebs", **members}
    return {"volumeConfigurations": [{"name": "scratch", "managedEBSVolume": configuration}]}


A, B, C = ({"name": name, "value": value} for name, value in (("A", "1"), ("B", "2"), ("C", "3")))

MEMBERS: dict[str, dict[str, Any]] = {
    "capacityProviderStrategy": {
        "capacityProviderStrategy": [{"capacityProvider": "p", "weight": 2, "base": 1}]
    },
    "cluster": {"cluster": "another-cluster"},
    "count": {"count": 1},
    "enableECSManagedTags": {"enableECSManagedTags": True},
    "enableExecuteCommand": {"enableExecuteCommand": True},
    "group": {"group": "airflow"},
    "launchType_fargate": {"launchType": "FARGATE"},
    "launchType_ec2": {"launchType": "EC2"},
    "launchType_external": {"launchType": "EXTERNAL"},
    "network": network(subnets=["subnet-3"], securityGroups=["sg-3"], assignPublicIp="ENABLED"),
    "network_subnets": network(subnets=["subnet-3"]),
    "overrides_cpu": {"overrides": {"cpu": "1024"}},
    "overrides_memory": {"overrides": {"memory": "2048"}},
    "number_for_a_string": {"overrides": {"cpu": 512}},
    "string_for_a_number": container(cpu="512"),
    "number_in_the_environment": container(environment=[{"name": "PORT", "value": 8080}]),
    "overrides_roles": {
        "overrides": {"executionRoleArn": "arn:aws:iam::1:role/e", "taskRoleArn": "arn:aws:iam::1:role/t"}
    },
    "overrides_storage": {"overrides": {"ephemeralStorage": {"sizeInGiB": 50}}},
    "overrides_accelerators": {
        "overrides": {"inferenceAcceleratorOverrides": [{"deviceName": "d", "deviceType": "eia1.medium"}]}
    },
    "container_sizes": container(cpu=512, memory=1024, memoryReservation=256),
    "container_environment": container(environment=[A, B]),
    "container_environment_files": container(
        environmentFiles=[{"value": "arn:aws:s3:::b/f.env", "type": "s3"}]
    ),
    "container_gpu": container(resourceRequirements=[{"type": "GPU", "value": "1"}]),
    "container_of_another_name": {"overrides": {"containerOverrides": [{"name": "proxy", "memory": 64}]}},
    "containers_with_the_main_first": {
        "overrides": {"containerOverrides": [{"name": "airflow", "cpu": 512}, {"name": "proxy", "cpu": 64}]}
    },
    "containers_with_the_sidecar_first": {
        "overrides": {
            "containerOverrides": [{"name": "proxy", "environment": [A]}, {"name": "airflow", "cpu": 512}]
        }
    },
    "no_containers": {"overrides": {}},
    "placementConstraints": {
        "placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.os-type == linux"}]
    },
    "placementStrategy": {"placementStrategy": [{"type": "binpack", "field": "memory"}]},
    "platformVersion": {"platformVersion": "1.4.0"},
    "platformVersion_latest": {"platformVersion": "LATEST"},
    "propagateTags": {"propagateTags": "TASK_DEFINITION"},
    "referenceId": {"referenceId": "r-1"},
    "tags": {"tags": [{"key": "team", "value": "data"}, {"key": "Cost_Center", "value": "7"}]},
    "tags_as_a_dict": {"tags": {"team": "data", "Cost_Center": "7"}},
    "tags_as_documented": {"tags": {"key": "schema", "value": "1.0"}},
    "environment_as_a_dict": container(environment={"A": "1", "lower_case": "2"}),
    "taskDefinition": {"taskDefinition": "another-task:7"},
    "volume": volume(
        sizeInGiB=20, volumeType="gp3", filesystemType="ext4", encrypted=True, iops=3000, throughput=125
    ),
    "volume_of_a_snapshot": volume(
        snapshotId="snap-1",
        kmsKeyId="key-1",
        volumeInitializationRate=100,
        terminationPolicy={"deleteOnTermination": True},
        tagSpecifications=[
            {"resourceType": "volume", "propagateTags": "NONE", "tags": [{"key": "team", "value": "data"}]}
        ],
    ),
    "null_network": {"networkConfiguration": None, "launchType": "EC2"},
    "null_platform_version": {"platformVersion": None},
    "null_launch_type": {"launchType": None},
}
"""Each member of the request is in one of them."""

CASES: dict[str, dict[str, Any]] = {
    "launch_type": {"launchType": "ec2"},
    "public_address": {"launchType": "FARGATE", **network(subnets=["subnet-3"], assignPublicIp="enabled")},
    "placement": {"launchType": "EC2", "placementStrategy": [{"type": "BINPACK", "field": "memory"}]},
    "resource": {"launchType": "EC2", **container(resourceRequirements=[{"type": "gpu", "value": "1"}])},
}
"""Values of enums in another case than AWS's."""

_SIDE = {"name": "proxy", "cpu": 64}

LAYERS: dict[str, tuple[dict[str, Any], Any]] = {
    "memory_over_cpu": (container(cpu=512), container(memory=1024)),
    "environment_beside_sizes": (container(cpu=512), container(environment=[A])),
    "environment_over_environment": (
        container(environment=[A, B]),
        container(environment=[{**B, "value": "9"}, C]),
    ),
    "sizes_beside_environment": (container(environment=[A, B]), container(cpu=512)),
    "main_beside_sidecar": ({"overrides": {"containerOverrides": [_SIDE]}}, container(memory=1024)),
    "sidecar_beside_main": (container(cpu=512), {"overrides": {"containerOverrides": [_SIDE]}}),
    "sidecar_over_sidecar": (
        {"overrides": {"containerOverrides": [{"name": "airflow"}, _SIDE]}},
        {"overrides": {"containerOverrides": [{"name": "proxy", "memory": 32}]}},
    ),
    "no_name_at_all": (
        {"overrides": {"containerOverrides": [{"cpu": 512}]}},
        {"overrides": {"containerOverrides": [{"memory": 1024}]}},
    ),
    "one_container_twice": (
        {},
        {
            "overrides": {
                "containerOverrides": [{"name": "airflow", "cpu": 1}, {"name": "airflow", "memory": 64}]
            }
        },
    ),
    "tags_over_tags": (
        {"tags": [{"key": "team", "value": "data"}, {"key": "org", "value": "o"}]},
        {"tags": [{"key": "team", "value": "ml"}, {"key": "run", "value": "1"}]},
    ),
    "dict_of_tags_over_tags": ({"tags": [{"key": "team", "value": "data"}]}, {"tags": {"team": "ml"}}),
    "tags_removed": ({"tags": {"team": "data", "org": "o"}}, {"tags": {"team": None}}),
    "environment_removed": (container(environment={"A": "1", "B": "2"}), container(environment={"A": None})),
    "size_removed": (container(cpu=512, memory=1024), container(cpu=None)),
    "task_size_removed": ({"overrides": {"cpu": "512", "memory": "1024"}}, {"overrides": {"cpu": None}}),
    "group_removed": ({"group": "g"}, {"group": None}),
    "overrides_beside_overrides": ({"overrides": {"cpu": "512"}}, {"overrides": {"memory": "1024"}}),
    "subnets_over_subnets": (network(subnets=["a", "b"]), network(subnets=["c"])),
    "public_over_subnets": (network(subnets=["a"]), network(assignPublicIp="ENABLED")),
    "strategy_over_launch_type": (
        {"launchType": "EC2"},
        {"capacityProviderStrategy": [{"capacityProvider": "p"}]},
    ),
    "launch_type_over_strategy": (
        {"capacityProviderStrategy": [{"capacityProvider": "p"}]},
        {"launchType": "EC2"},
    ),
    "strategy_over_strategy": (
        {"capacityProviderStrategy": [{"capacityProvider": "p"}]},
        {"capacityProviderStrategy": [{"capacityProvider": "q", "weight": 1}]},
    ),
    "launch_type_over_launch_type": ({"launchType": "EC2"}, {"launchType": "FARGATE"}),
    "platform_over_platform": ({"platformVersion": "1.3.0"}, {"platformVersion": "1.4.0"}),
    "container_shape_over_containers": (
        container(cpu=512),
        {"memoryReservation": 64, "environment": {"A": "1"}},
    ),
    "container_shape_beside_containers": ({}, {"cpu": 256, **container(memory=1024)}),
    "lists_without_names": (
        {"placementConstraints": [{"type": "distinctInstance"}]},
        {"placementConstraints": [{"type": "memberOf", "expression": "e"}]},
    ),
    "nothing_over_something": (container(cpu=512), {}),
}
"""RUN_TASK_KWARGS below `executor_config`."""

BROKEN_OPTIONS: list[tuple[str, str | None]] = [
    ("cluster", None),
    ("container_name", None),
    ("task_definition", None),
    ("subnets", None),
    ("launch_type", "LAMBDA"),
    ("assign_public_ip", "maybe"),
    ("max_run_task_attempts", "many"),
    ("run_task_kwargs", '{"tags": '),
    ("run_task_kwargs", "[1]"),
    ("run_task_kwargs", "'text'"),
    ("subnets", ",".join(f"subnet-{n}" for n in range(17))),
    ("security_groups", ",".join(f"sg-{n}" for n in range(6))),
    ("capacity_provider_strategy", "[" + ",".join('{"capacityProvider": "p"}' for _ in range(21)) + "]"),
]

_MISTAKES: dict[str, dict[str, Any]] = {
    "typing_error": {"lauchType": "EC2"},
    "typing_error_below": {"overrides": {"cpus": "512"}},
    "typing_error_in_a_container": container(enviroment=[A]),
    "count": {"count": 2},
    "clientToken": {"clientToken": "always-the-same"},
    "startedBy": {"startedBy": "airflow"},
    "command": container(command=["sleep", "1"]),
    "string_for_a_boolean": {"enableExecuteCommand": "true"},
    "string_for_a_list": {"tags": "team=data"},
    "two_spellings": {"launchType": "EC2", "launch_type": "EC2"},
    "launch_type_and_strategy": {
        "launchType": "EC2",
        "capacityProviderStrategy": [{"capacityProvider": "p"}],
    },
    "tag_characters": {"tags": [{"key": "team", "value": "data & ml"}]},
    "mixed_strategy": {
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "p"}]
    },
    "size_in_kubernetes_way": {"overrides": {"cpu": "500m"}},
    "unknown_value": {"propagateTags": "SERVICE"},
    "too_long": container(environment=[{"name": "A", "value": "x" * 8000}]),
    "too_many_subnets": network(subnets=[f"subnet-{n}" for n in range(17)]),
    "too_many_groups": network(subnets=["subnet-1"], securityGroups=[f"sg-{n}" for n in range(6)]),
    "too_many_tags": {"tags": [{"key": f"key-{n}", "value": "v"} for n in range(51)]},
    "too_many_providers": {"capacityProviderStrategy": [{"capacityProvider": f"p{n}"} for n in range(21)]},
}

BROKEN_KWARGS = {
    **_MISTAKES,
    "subnets": {"subnets": "subnet-3"},
    "assign_public_ip": {"assign_public_ip": "True"},
    "container_name": {"container_name": "airflow"},
}
BROKEN_CONFIGS: dict[str, Any] = {
    **_MISTAKES,
    "list": [{"name": "airflow"}],
    "name": {"name": "airflow"},
    "top_command": {"command": ["sleep", "1"]},
}
