"""There is no room for the task, or nowhere that it may run."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import (
    EARLY,
    Cause,
    Outlook,
    Shortage,
    exactly,
    guide,
    issue,
    says,
)
from ecs_async_executor.engine.diagnosis.causes.network import SUBNETS

TITLE = "Capacity and placement"

# In RunTask's answer, a keyword is the whole reason; in a stopped task, it follows the stop code.
_KEYWORD = r"(?:^|TaskFailedToStart: ?)"
_API = guide("api_failures_messages")
_EVENTS = guide("service-event-messages-list")
_GROW = "Let the Auto Scaling group grow (managed scaling, maximum size), or give the task less."


def _resource(name: str, keyword: str, summary: str, remedy: str, *more: str) -> Cause:
    return Cause(
        name,
        exactly(rf"(?<![\w:])RESOURCE:{keyword}\b"),
        summary,
        remedy,
        _API,
        (*more, f"TaskFailedToStart: RESOURCE:{keyword}", f"RESOURCE:{keyword}"),
        Outlook.CAPACITY,
    )


CAUSES = (
    _resource("no-cpu", "CPU", "No container instance has enough free CPU for the task.", _GROW),
    _resource("no-memory", "MEMORY", "No container instance has enough free memory for the task.", _GROW),
    _resource(
        "no-gpu",
        "GPU",
        "No container instance has enough free GPUs for the task.",
        "Add instances with GPUs.",
    ),
    _resource(
        "no-port",
        "PORTS",
        "A port that the task needs is in use on each container instance.",
        "Set hostPort to 0, or remove portMappings: Airflow's containers need none.",
    ),
    _resource(
        "no-interface",
        "ENI",
        "No container instance has a free network interface for the task.",
        "Enable trunking for more of them: aws ecs put-account-setting-default --name awsvpcTrunking --value enabled. It "
        "applies to new instances.",
    ),
    _resource("no-disk", "DISK", "No container instance has enough free disk for the task.", _GROW),
    _resource(
        "no-fargate",
        "FARGATE",
        "Fargate has no capacity for the task now.",
        "Add subnets in other zones to `subnets`; after FARGATE_SPOT, name FARGATE in `capacity_provider_strategy`.",
    ),
    Cause(
        "no-resource",
        exactly(r"(?<![\w:])RESOURCE:(?P<resource>[A-Z][A-Z_]{0,40})\b"),
        "No container instance has enough of the resource{resource} for the task.",
        _GROW,
        _API,
        ("TaskFailedToStart: RESOURCE:PORTS_UDP", "RESOURCE:NEURON", "RESOURCE:INFERENCE_ACCELERATOR"),
        Outlook.CAPACITY,
    ),
    Cause(
        "no-room",
        says(
            r"insufficient (?:cpu units|memory|gpu)|no container instance met all of its requirements|not have enough"
            r"|doesn't have enough|closest matching"
        ),
        "No container instance has enough room for the task.",
        _GROW,
        _EVENTS,
        (
            (
                "(service airflow) was unable to place a task because no container instance met all of its requirements. The closest"
                " matching container-instance 40f53686 has insufficient memory available."
            ),
            "The closest matching (container-instance 40f53686) has insufficient CPU units available.",
            (
                "no container instance met all of its requirements. The closest matching container instance doesn't have enough CPU units"
                " available."
            ),
        ),
        Outlook.CAPACITY,
    ),
    Cause(
        "fargate-capacity",
        says(r"capacity is unavailable|spot capacity (?:is )?(?:currently )?unavailable|no fargate capacity"),
        "Fargate has no capacity for the task now.",
        "Add subnets in other zones to `subnets`, or choose another size (`cpu`, `memory`); after FARGATE_SPOT, name FARGATE in "
        "`capacity_provider_strategy`.",
        "https://repost.aws/knowledge-center/ecs-fargate-runtask-capacity",
        (
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "TaskFailedToStart: Capacity is unavailable at this time. Please try again later or in a different availability zone.",
            "(service airflow) was unable to place a task. Reason: Capacity is unavailable at this time.",
        ),
        Outlook.CAPACITY,
    ),
    Cause(
        "quota-size",
        says(r"above your limit"),
        "The task's size is above the account's Fargate quota.",
        "Raise the quota of Fargate vCPUs: aws service-quotas request-service-quota-increase --service-code fargate --quota-code "
        "L-3032A538 --desired-value VCPUS. Or give the task less `cpu`.",
        issue("dask/dask-cloudprovider#300"),
        (
            "The requested CPU configuration is above your limit",
            "ClientException: The requested CPU configuration is above your limit",
            "The requested memory configuration is above your limit",
        ),
        Outlook.USELESS,
        ("overrides", "taskDefinition"),
    ),
    Cause(
        "quota-vcpus",
        says(
            r"limit on the number of (?:Fargate )?(?:On-Demand |Spot )?vCPUs|vCPU (?:limit|quota)|VcpuLimitExceeded"
        ),
        "The account's quota of concurrent vCPUs is used up.",
        "Raise it: aws service-quotas request-service-quota-increase --service-code fargate --quota-code L-3032A538 "
        "--desired-value VCPUS (Spot: L-36FBB829).",
        issue("aws/copilot-cli#3064"),
        (
            "You've reached the limit on the number of vCPUs you can run concurrently",
            "You've reached the limit on the number of Fargate Spot vCPUs you can run concurrently",
            (
                "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit of 32 allows for the instance bucket"
                " that the specified instance type belongs to."
            ),
        ),
        Outlook.CAPACITY,
        shortage=Shortage.QUOTA,
    ),
    Cause(
        "quota-tasks",
        says(r"limit on the number of (?:\w+ )?tasks|concurrent tasks? (?:limit|quota)"),
        "The account's quota of concurrent tasks is used up.",
        "Raise it in Service Quotas (AWS Fargate).",
        issue("wellcomecollection/platform#3875"),
        (
            "You've reached the limit on the number of tasks you can run concurrently",
            (
                "You've reached the limit on the number of tasks you can run concurrently. For more information, see the Troubleshooting"
                " section."
            ),
            "was unable to place a task. Reason: You've reached the limit on the number of tasks you can run concurrently.",
        ),
        Outlook.CAPACITY,
        shortage=Shortage.QUOTA,
    ),
    Cause(
        "provisioning-limit",
        says(
            r"provisioning capacity limit|in the PROVISIONING state|tasks in provisioning|provisioning limit"
        ),
        "The cluster has as many tasks waiting for instances as ECS allows (500 in PROVISIONING).",
        "Let the capacity provider's Auto Scaling group grow faster.",
        issue("aws/aws-sdk-ruby#3047"),
        (
            "The cluster has reached its provisioning capacity limit: 500 tasks in the PROVISIONING state",
            "You have reached the limit of tasks in the PROVISIONING state per cluster",
            "ClientException: Cluster has reached its provisioning limit",
        ),
        Outlook.CAPACITY,
        shortage=Shortage.PROVISIONING,
    ),
    Cause(
        "no-instances",
        says(r"no container instances were found in your cluster"),
        "The cluster has no container instances.",
        "A launch type doesn't start any: use a capacity provider (`capacity_provider_strategy`) instead of `launch_type`, "
        "or register instances.",
        issue("boto/boto3#2862"),
        (
            "No Container Instances were found in your cluster.",
            (
                "was unable to place a task because no container instance met all of its requirements. Reason: No Container Instances were"
                " found in your cluster."
            ),
        ),
        Outlook.CAPACITY,
        ("launchType",),
        rank=EARLY,
    ),
    Cause(
        "provider-no-instances",
        says(r"no container instances were found in your capacity provider"),
        "The capacity provider has no container instances.",
        "Check that its Auto Scaling group may grow, and that its instances join the cluster.",
        _EVENTS,
        (
            "No Container Instances were found in your capacity provider.",
            "TaskFailedToStart: No Container Instances were found in your capacity provider.",
        ),
        Outlook.CAPACITY,
        ("capacityProviderStrategy",),
    ),
    Cause(
        "provider-empty",
        exactly(rf"{_KEYWORD}(?:EMPTY CAPACITY PROVIDER|NO ACTIVE INSTANCES)\b"),
        "The capacity provider has no active instances.",
        "Check that its Auto Scaling group may grow, and that its instances join the cluster (the agent's "
        "log: /var/log/ecs/ecs-agent.log).",
        _API,
        (
            "TaskFailedToStart: EMPTY CAPACITY PROVIDER",
            "TaskFailedToStart: NO ACTIVE INSTANCES",
            "EMPTY CAPACITY PROVIDER",
            "NO ACTIVE INSTANCES",
        ),
        Outlook.CAPACITY,
    ),
    Cause(
        "ec2-capacity",
        says(
            r"InsufficientInstanceCapacity|insufficient (?:instance |spot )?capacity|MaxSpotInstanceCountExceeded|no spot capacity"
        ),
        "EC2 has no capacity for the task's instance now.",
        "Allow more instance types and zones in the capacity provider.",
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html",
        (
            "InsufficientInstanceCapacity: There is no Spot capacity available that matches your request.",
            "We currently do not have sufficient c5.large capacity in the Availability Zone you requested: InsufficientInstanceCapacity",
            "MaxSpotInstanceCountExceeded: Max spot instance count exceeded",
        ),
        Outlook.CAPACITY,
    ),
    Cause(
        "instance-requirements",
        says(r"no instance types? .{0,60}(?:meet|satisf|match)|no instance satisfies|instance ?requirements"),
        "No instance type of the capacity provider fits the task.",
        "Widen instanceRequirements of the capacity provider (aws ecs update-capacity-provider), or give the task less.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_InstanceRequirementsRequest.html",
        (
            "TaskFailedToStart: no instance type meets the requirements of the task",
            "Unable to run the task because no instance satisfies instanceRequirements",
            "No instance types match the instance requirements of the capacity provider",
        ),
        members=("capacityProviderStrategy",),
    ),
    Cause(
        "agent",
        exactly(rf"{_KEYWORD}AGENT\b"),
        "The ECS agent of the container instance is disconnected.",
        "If it lasts, look at the agent's log (/var/log/ecs/ecs-agent.log), or replace the instance.",
        "https://repost.aws/knowledge-center/ecs-agent-disconnected-linux2-ami",
        ("TaskFailedToStart: AGENT", "AGENT"),
        Outlook.CAPACITY,
    ),
    # An instance that fits may not exist yet: an Auto Scaling group that is scaled to zero has none, or only those of another zone
    # or type. So the next three wait as for room, up to `capacity_timeout`, and the message says meanwhile what no instance has.
    Cause(
        "location",
        exactly(rf"{_KEYWORD}LOCATION\b"),
        "No container instance is in an Availability Zone of the subnets.",
        "Choose subnets in the instances' Availability Zones.",
        _API,
        ("LOCATION", "TaskFailedToStart: LOCATION"),
        Outlook.CAPACITY,
        (SUBNETS,),
    ),
    Cause(
        "attribute",
        exactly(rf"{_KEYWORD}ATTRIBUTE\b|(?i:missing an attribute required by your task|requires attribute)"),
        "No container instance has the attribute{attribute} that the task needs.",
        "Compare the task definition's needs (network mode, log driver, GPUs, processor) with the instances: aws ecs list-attributes "
        "--target-type container-instance --cluster CLUSTER.",
        _API,
        (
            "TaskFailedToStart: ATTRIBUTE",
            "ATTRIBUTE",
            (
                "The closest container instance is missing an attribute required by your task: attribute"
                " 'com.amazonaws.ecs.capability.docker-remote-api.1.29'"
            ),
        ),
        Outlook.CAPACITY,
        ("taskDefinition",),
    ),
    Cause(
        "distinct-instance",
        says(r"distinctInstance placement constraint unsatisfied"),
        "Each container instance already has a task of this kind, and the placement constraint distinctInstance allows only one.",
        "Remove the constraint from the task definition and `placementConstraints`, or add instances.",
        guide("task-placement-constraints"),
        (
            "TaskFailedToStart: distinctInstance placement constraint unsatisfied",
            "distinctInstance placement constraint unsatisfied.",
            "DistinctInstance placement constraint unsatisfied",
        ),
        Outlook.CAPACITY,
        ("placementConstraints", "taskDefinition"),
    ),
    Cause(
        "constraint",
        says(r"placement constraints? (?:is |are )?(?:unsatisfied|not (?:met|satisfied))"),
        "No container instance meets the placement constraint{constraint}.",
        "Correct them in the task definition or in `placementConstraints`, or add instances that meet them.",
        _API,
        (
            "TaskFailedToStart: MemberOf placement constraint unsatisfied",
            "MemberOf placement constraint unsatisfied.",
            "placement constraint unsatisfied",
        ),
        Outlook.CAPACITY,
        ("placementConstraints", "taskDefinition"),
    ),
    Cause(
        "launch-type",
        says(
            r"does not support launch_?type|requires ?compatibilities.{0,80}launch ?type|not compatible with the selected compute strategy|no compatible launch type"
        ),
        "The task definition{definition} does not fit the launch type{launchtype}.",
        "Add the launch type to the task definition's requiresCompatibilities, or choose another launch type.",
        issue("oranmoshai/ecsServiceRestart#2"),
        (
            "Task definition does not support launch_type FARGATE.",
            "Task definition requires compatibilities EC2 but launch type FARGATE given",
            "The selected task definition is not compatible with the selected compute strategy",
            "InvalidParameterException: Task definition does not support launch_type EC2.",
        ),
        Outlook.USELESS,
        ("launchType", "capacityProviderStrategy", "taskDefinition"),
    ),
)
