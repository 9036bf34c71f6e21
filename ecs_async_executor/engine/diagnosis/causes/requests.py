"""ECS refuses the request: a member of it, or the task definition, is wrong."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, exactly, guide, issue, says

TITLE = "Refused requests"

_RUN_TASK = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html"
_USELESS = Outlook.USELESS
DEFINITION_GONE = frozenset({"definition-inactive", "definition-missing"})
"""The causes that another revision mends."""

CAUSES = (
    Cause(
        "overrides-length",
        says(r"container overrides length must be at most"),
        "The overrides are too long for ECS: it takes up to{number} characters.",
        "Shorten the executor_config: its environment and names count too. Long workloads go through S3 with the option "
        "`payload_bucket`.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html",
        (
            "Container Overrides length must be at most 8192",
            "InvalidParameterException: Container Overrides length must be at most 8192",
        ),
        _USELESS,
        ("overrides",),
    ),
    Cause(
        "launch-type-and-provider",
        says(
            r"both launch ?type and capacity ?provider|capacity provider or a launch type but not both|both a launch type and (?:a )?capacity provider"
        ),
        "The request has both a launch type and capacity providers.",
        "Set either `launch_type` or `capacity_provider_strategy`.",
        issue("PrefectHQ/prefect#4884"),
        (
            "You may choose a capacity provider or a launch type but not both.",
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
            "Cannot specify both launchType and capacityProviderStrategy.",
        ),
        _USELESS,
        ("launchType", "capacityProviderStrategy"),
    ),
    Cause(
        "platform-version-ec2",
        says(r"platform version must be null"),
        "Only Fargate has platform versions.",
        "Remove `platform_version`.",
        _RUN_TASK,
        ("The platform version must be null when specifying an EC2 launch type.",),
        _USELESS,
        ("platformVersion", "launchType"),
    ),
    Cause(
        "platform-version-old",
        says(r"platform version.{0,60}\b1\.4\.0|\b1\.4\.0 or later|efs.{0,120}platform version"),
        "The task definition needs Fargate's platform version 1.4.0 or later.",
        "Remove `platform_version`, or set it to LATEST or 1.4.0.",
        issue("aws-cloudformation/cloudformation-coverage-roadmap#1268"),
        (
            "EFS is supported for Fargate platform version 1.4.0.",
            "Amazon EFS requires platform version 1.4.0 or later.",
        ),
        _USELESS,
        ("platformVersion", "taskDefinition"),
    ),
    Cause(
        "strategy-missing",
        says(
            r"no default capacity ?provider ?strategy|default capacity provider strategy (?:is )?not (?:set|found)"
        ),
        "The request names neither a launch type nor a capacity provider, and the cluster has no default.",
        "Set `launch_type` or `capacity_provider_strategy`, or give the cluster a default: aws ecs put-cluster-capacity-providers.",
        _RUN_TASK,
        (
            "No default capacity provider strategy is set for the cluster.",
            "No default capacity provider strategy is set",
        ),
        _USELESS,
        ("capacityProviderStrategy", "launchType", "cluster"),
    ),
    Cause(
        "provider-missing",
        says(r"capacity provider ['\"]?(?!was\b|is\b)[\w-]{1,255}['\"]? (?:was|is) not found"),
        "The cluster has no capacity provider{provider}.",
        "Associate it with the cluster (aws ecs put-cluster-capacity-providers), or correct `capacity_provider_strategy`.",
        _RUN_TASK,
        (
            "The specified capacity provider 'spot' was not found.",
            "The capacity provider 'MYCP' was not found",
            "Capacity provider MYCP was not found.",
        ),
        _USELESS,
        ("capacityProviderStrategy", "cluster"),
    ),
    Cause(
        "provider-unnamed",
        says(
            r"capacity provider that is not associated with the cluster|specified capacity provider was not found"
        ),
        "The cluster does not have one of the capacity providers that the request names.",
        "Associate it with the cluster (aws ecs put-cluster-capacity-providers), or correct `capacity_provider_strategy`.",
        _RUN_TASK,
        (
            (
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster."
                " Associate the capacity provider with the cluster or specify a valid capacity provider and try again."
            ),
            "The specified capacity provider was not found. Specify a valid capacity provider and try again.",
        ),
        _USELESS,
        ("capacityProviderStrategy", "cluster"),
    ),
    Cause(
        "provider-mix",
        says(
            r"mix of capacity providers|weight greater than 0|weight of (?:all|each)|maximum of \d+ capacity providers"
        ),
        "The capacity provider strategy is not valid: {words}.",
        "Correct `capacity_provider_strategy`: FARGATE and FARGATE_SPOT, or Auto Scaling groups, not both, and one weight above 0.",
        _RUN_TASK,
        (
            (
                "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers."
                " Specify one or the other and try again."
            ),
            "At least one capacity provider in the strategy must have a weight greater than 0.",
        ),
        _USELESS,
        ("capacityProviderStrategy",),
    ),
    Cause(
        "provider-state",
        says(
            r"capacity provider .{0,260}(?:not active|inactive|is being (?:updated|deleted)|not in an active state)"
        ),
        "The capacity provider{provider} can't be used at the moment.",
        "Wait until its update is over (aws ecs describe-capacity-providers), or name another one.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProvider.html",
        (
            "The specified capacity provider is not in an ACTIVE state. Specify a valid capacity provider and try again.",
            "The capacity provider 'spot' is being updated",
            "capacity provider 'spot' is inactive",
        ),
        members=("capacityProviderStrategy",),
    ),
    Cause(
        "container-name-unknown",
        says(r"override for container named \S{1,255} is not a container"),
        "The request overrides the container{container}, which the task definition does not have.",
        "Set `container_name` (the option, or in the queue's profile) to the task definition's Airflow container, or "
        "correct the container names in `overrides`.",
        _RUN_TASK,
        (
            "Override for container named django is not a container in the TaskDefinition.",
            "InvalidParameterException: Override for container named airflow is not a container in the TaskDefinition.",
        ),
        _USELESS,
        ("taskDefinition", "overrides"),
    ),
    Cause(
        "size",
        says(
            r"'(?:cpu|memory)' setting for container .{0,260}is greater than|no fargate configuration exists"
            r"|invalid '?(?:cpu|memory)'? setting|(?:cpu|memory)' values cannot be greater|be defined at the task level"
            r"|(?:cpu|memory) override \S{1,20} is (?:invalid|not valid)|'memory' must be greater than or equal|memory' or 'memoryReservation' must be"
        ),
        "The task[ with the container{container}] can't have this size.",
        "Choose `cpu` and `memory` values that ECS allows together; no container may have more than the task.",
        guide("task-cpu-memory-error"),
        (
            "'memory' setting for container 'artillery' is greater than for task.",
            "No Fargate configuration exists for given values.",
            "Invalid 'cpu' setting for task.",
            "cpu override 100 is invalid",
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ),
        _USELESS,
        ("overrides", "taskDefinition"),
    ),
    Cause(
        "exec-role",
        says(
            r"valid task ?role(?:arn)? is not being used|task role is not being used|task ?role(?:arn)? must be provided"
            r"|execute ?command.{0,120}task ?role"
        ),
        "`enableExecuteCommand` needs a task role.",
        "Give the task definition a taskRoleArn, or remove `enableExecuteCommand`.",
        issue("boto/boto3#3173"),
        (
            (
                "The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in your task"
                " definition and try again."
            ),
            (
                "The execute command failed because a valid task role is not being used. Specify a valid task role in your task definition"
                " or as a task override and try again."
            ),
            "Execute command is enabled, but a task role must be provided.",
        ),
        _USELESS,
        ("enableExecuteCommand", "taskDefinition"),
    ),
    Cause(
        "long-arn",
        says(r"ARN and resource ID format must be|long arn format must be|old arn format"),
        "This account must use the long ARN format before its tasks can have tags.",
        "Run `aws ecs put-account-setting-default --name taskLongArnFormat --value enabled`, or remove the tags.",
        guide("ecs-account-settings"),
        (
            "The new ARN and resource ID format must be enabled to add tags to the task. Opt in to the new format and try again.",
            "Long arn format must be used for tagging operations",
            (
                "The new ARN and resource ID format must be enabled to work with ECS managed tags. Opt in to the new format and try again."
            ),
            "ECS Managed Tags can't be used with old ARN format",
        ),
        _USELESS,
        ("tags", "propagateTags", "enableECSManagedTags"),
    ),
    Cause(
        "tags",
        says(
            r"tags can ?not be empty|tags contain invalid|tag keys must not|(?:duplicate|too many) tag|at most \d+ tags|more than \d+ tags|invalid tag"
            r"|tag (?:key|value)s? .{0,80}(?:invalid|length)"
        ),
        "The tags of the request are not valid: {words}.",
        "Correct `tags`: up to 50, keys up to 128 and values up to 256 characters, no key twice, none that starts with aws:.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html",
        (
            "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @.",
            "Tag keys must not start with aws:.",
            "Tasks cannot have more than 50 tags",
        ),
        _USELESS,
        ("tags",),
    ),
    Cause(
        "propagate-tags",
        says(r"propagate ?tags"),
        "`propagateTags` has a value that RunTask does not take.",
        "Set it to TASK_DEFINITION or NONE.",
        _RUN_TASK,
        (
            "Invalid value for propagateTags: SERVICE",
            "propagateTags SERVICE is not supported for RunTask",
        ),
        _USELESS,
        ("propagateTags",),
    ),
    Cause(
        "placement-fargate",
        says(r"placement (?:strategies|constraints) are not supported"),
        "Tasks on Fargate can't have placement strategies or constraints.",
        "Remove them.",
        _RUN_TASK,
        (
            "Placement strategies are not supported with FARGATE launch type.",
            "Placement constraints are not supported with FARGATE launch type.",
        ),
        _USELESS,
        ("placementStrategy", "placementConstraints"),
    ),
    Cause(
        "placement-expression",
        says(
            r"placement (?:constraint|expression|strategy) .{0,120}(?:invalid|not valid|syntax)|invalid (?:constraint|expression)"
        ),
        "The placement constraint or strategy is not valid.",
        "Correct it: an expression such as attribute:ecs.instance-type =~ c5.*",
        guide("cluster-query-language"),
        (
            "Invalid expression in placementConstraints: syntax error",
            "Invalid constraint: attribute:zone",
            "placement constraint expression is not valid",
        ),
        _USELESS,
        ("placementStrategy", "placementConstraints"),
    ),
    Cause(
        "definition-inactive",
        says(r"task ?definition is inactive|task definition .{0,260}is (?:not active|inactive)"),
        "The task definition{definition} was deregistered: it is INACTIVE.",
        "Name a revision that is ACTIVE, or the family alone for the latest one.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeregisterTaskDefinition.html",
        (
            "TaskDefinition is inactive",
            "ClientException: TaskDefinition is inactive",
            "The specified task definition is inactive. Specify an active task definition and try again.",
        ),
        _USELESS,
        ("taskDefinition",),
    ),
    Cause(
        "definition-missing",
        says(
            r"task ?definition not found|unable to describe task definition|invalid revision number|task definition does not exist"
            r"|invalid task ?definition"
        ),
        "ECS knows no such task definition{definition}.",
        "Name one that is ACTIVE in this Region and account: aws ecs list-task-definitions --family-prefix FAMILY.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html",
        (
            "TaskDefinition not found.",
            "Unable to describe task definition.",
            "Invalid revision number. Number: latest",
        ),
        _USELESS,
        ("taskDefinition",),
    ),
    Cause(
        "cluster-inactive",
        says(r"cluster (?:was|is) inactive|inactive cluster"),
        "The cluster was deleted: it is INACTIVE.",
        "Set `cluster` to an ACTIVE one, or create it again.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html",
        (
            "The referenced cluster was inactive.",
            "Cluster is inactive.",
        ),
        _USELESS,
        ("cluster",),
    ),
    Cause(
        "other-account",
        says(
            r"accountids? mismatch|belongs? to (?:a different|another) account|cross-account|your accountid is"
        ),
        "The request mixes the resources of two AWS accounts.",
        "Name a cluster, a task definition and roles of the account whose credentials the executor uses.",
        _RUN_TASK,
        (
            "AccountIDs mismatch",
            "InvalidParameterException: AccountIDs mismatch",
            "Cross-account pass role is not allowed.",
            "Identifier is for 111122223333. Your accountId is 444455556666",
        ),
        _USELESS,
        ("cluster", "taskDefinition", "overrides.executionRoleArn", "overrides.taskRoleArn"),
    ),
    Cause(
        "other-region",
        says(r"invalid region|region(?:s)? mismatch|arn .{0,120}(?:wrong|different|another) region"),
        "The request names a resource of another Region.",
        "Correct the ARNs, or the Region (`region_name`).",
        _RUN_TASK,
        (
            "Invalid Region in ARN",
            "Invalid region in ARN: us-east-1",
            "Regions mismatch",
            "The ARN belongs to a different region",
        ),
        _USELESS,
        ("cluster", "taskDefinition"),
    ),
    Cause(
        "volume-configuration",
        says(r"configuredatlaunch|volume ?configurations?"),
        "`volumeConfigurations` does not fit the volumes of the task definition.",
        "Name a volume that the task definition marks configuredAtLaunch; RunTask takes one, with a roleArn.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskVolumeConfiguration.html",
        (
            "The volume configuration name must match a volume in the task definition that is configuredAtLaunch",
            "Volume configurations can have at most 1 items.",
            "The task definition has a volume that is configuredAtLaunch, and no volumeConfigurations were specified",
        ),
        _USELESS,
        ("volumeConfigurations", "taskDefinition"),
    ),
    Cause(
        "ephemeral-size",
        says(r"ephemeral ?storage"),
        "The size of the ephemeral storage is not valid.",
        "Set `overrides.ephemeralStorage.sizeInGiB` to 21 to 200; only Fargate's platform version 1.4.0 and later has it.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_EphemeralStorage.html",
        (
            "Ephemeral storage size must be between 21 and 200 GiB",
            "The ephemeralStorage parameter is only supported on Fargate",
            "Invalid ephemeralStorage override",
        ),
        _USELESS,
        ("overrides",),
    ),
    Cause(
        "gpu-fargate",
        says(r"do not support GPU|gpu .{0,60}not supported|not support(?:ed)? .{0,40}gpu"),
        "Fargate has no GPUs.",
        "Remove resourceRequirements of type GPU, or use EC2 instances with GPUs.",
        guide("ecs-gpu"),
        (
            "Tasks using the Fargate launch type do not support GPU resource requirements.",
            "GPU resource requirements are not supported on FARGATE",
        ),
        _USELESS,
        ("overrides", "taskDefinition"),
    ),
    Cause(
        "fargate-unsupported",
        says(
            r"fargate (?:compatible task definitions do not|only) supports?|not supported (?:on|by|with) fargate|fargate launch type"
        ),
        "The task definition uses something that Fargate does not offer: {words}.",
        "Remove it from the task definition, or run the task on EC2.",
        guide("fargate-tasks-services"),
        (
            "Fargate compatible task definitions do not support sourcePath",
            "Fargate only supports network mode \u2018awsvpc\u2019.",
            "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
        ),
        _USELESS,
        ("taskDefinition",),
    ),
    Cause(
        "started-by-filter",
        says(r"cannot specify startedBy with other arguments"),
        "ListTasks takes startedBy only alone.",
        "Report it as a bug of the executor.",
        issue("aws/aws-sdk-go-v2#1893"),
        ("cannot specify startedBy with other arguments",),
        _USELESS,
    ),
    Cause(
        "environment-name",
        says(r"environment variable|secret name must be unique|invalid environment"),
        "An environment variable of the request is not valid: {words}.",
        "Correct `environment` in the overrides: each name once, and none that the task definition's secrets have.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerOverride.html",
        (
            (
                "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as"
                " 'DB'."
            ),
            "Invalid environment variable name",
        ),
        _USELESS,
        ("overrides", "taskDefinition"),
    ),
    Cause(
        "cluster-mismatch",
        says(
            r"identifier is for|no cluster found|cluster identifier|cluster name .{0,80}(?:invalid|not valid)"
        ),
        "The option `cluster` does not name the cluster of the request's resources: {words}.",
        "Set `cluster` to the name or ARN of an existing cluster of this Region and account: aws ecs list-clusters.",
        _RUN_TASK,
        (
            "Invalid identifier: Identifier is for cluster default. Your cluster is prod",
            "No cluster found.",
            "Cluster identifier is invalid.",
        ),
        _USELESS,
        ("cluster",),
    ),
    Cause(
        "overrides-containers",
        says(
            r"duplicate container|container names? .{0,60}unique|overrides? .{0,60}at least|invalid .{0,20}overrides?\b"
        ),
        "The overrides of the request are not valid: {words}.",
        "Correct `overrides`: each container once, with values that its task definition allows.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html",
        (
            "Duplicate container names in overrides",
            "cpu override must be at least 128",
            "Invalid container overrides",
        ),
        _USELESS,
        ("overrides",),
    ),
    Cause(
        "launch-type-unknown",
        says(r"launch ?type should be|invalid launch ?type|launch type .{0,60}not (?:valid|recognized)"),
        "ECS knows no such launch type.",
        "Set `launch_type` to EC2, FARGATE or EXTERNAL, or use `capacity_provider_strategy`.",
        _RUN_TASK,
        (
            "launch type should be one of [EC2,FARGATE,EXTERNAL]",
            "Invalid launch type: FARGATE_SPOT",
        ),
        _USELESS,
        ("launchType",),
    ),
    Cause(
        "spot-unsupported",
        says(r"spot .{0,60}(?:not support|unsupported)|not support.{0,60}spot"),
        "Fargate Spot can't run this task definition: {words}.",
        "Use FARGATE in `capacity_provider_strategy`; Fargate Spot needs platform version 1.4.0 and, for ARM64, a Region that has it.",
        guide("fargate-capacity-providers"),
        (
            "Fargate Spot is not supported on ARM64",
            "Windows tasks do not support FARGATE_SPOT",
        ),
        _USELESS,
        ("capacityProviderStrategy", "taskDefinition"),
    ),
    Cause(
        "missing",
        exactly(r"^(?P<keyword>MISSING|INACTIVE)$"),
        "ECS does not find what the request names[: it says{keyword}].",
        "Check that `cluster`, the task definition and the Region belong together.",
        guide("api_failures_messages"),
        ("MISSING", "INACTIVE"),
        members=("cluster", "taskDefinition"),
    ),
)
