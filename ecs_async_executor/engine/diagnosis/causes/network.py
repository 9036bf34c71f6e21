"""The task gets no network interface, or the request's network is wrong."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import LATE, Cause, Outlook, guide, issue, says
from ecs_async_executor.engine.diagnosis.causes.failure_words import DENIAL, THROTTLE

TITLE = "Network"

_CONFIGURATION = "networkConfiguration.awsvpcConfiguration"
SUBNETS = f"{_CONFIGURATION}.subnets"
GROUPS = f"{_CONFIGURATION}.securityGroups"
PUBLIC_IP = f"{_CONFIGURATION}.assignPublicIp"
_PAGE = guide("failed-to-start-error")
_EC2 = says(
    r"unexpected ec2 error|network interface|\beni\b|retrieving (?:subnet|security group)|provision(?:ing)? eni"
)

CAUSES = (
    Cause(
        "no-addresses",
        says(
            r"InsufficientFreeAddresses|insufficient (?:free )?(?:ip )?addresses|not enough free addresses"
            r"|PrivateIpAddressLimitExceeded|not enough (?:available |free )?ip|has no (?:free|available) (?:ip )?addresses"
        ),
        "The subnet{subnet} has no free IP address.",
        "Add larger subnets, or subnets in other zones, to the option `subnets`.",
        _PAGE,
        (
            (
                "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d':"
                " InsufficientFreeAddressesInSubnet"
            ),
            "The subnet has insufficient free addresses",
            (
                "TaskFailedToStart: Unexpected EC2 error while attempting to Create Network Interface: The specified subnet does not have"
                " enough free addresses to satisfy the request: InsufficientFreeAddressesInSubnet"
            ),
        ),
        Outlook.CAPACITY,
        (SUBNETS,),
    ),
    Cause(
        "subnet-missing",
        says(
            r"InvalidSubnet|subnet ID '[^']{1,60}' does not exist|subnets? .{0,60}(?:does not|do not|doesn't) exist"
        ),
        "The subnet{subnet} does not exist in this Region and account.",
        "Correct the option `subnets`: aws ec2 describe-subnets lists them.",
        guide("service-event-messages-list"),
        (
            (
                "Error retrieving subnet information for [birdzview]: The subnet ID 'birdzview' does not exist (ErrorCode:"
                " InvalidSubnetID.NotFound)"
            ),
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d': InvalidSubnetID.NotFound",
            "InvalidSubnetID.NotFound: The subnet ID 'subnet-0a1b2c3d' does not exist",
        ),
        Outlook.USELESS,
        (SUBNETS,),
    ),
    Cause(
        "security-group-missing",
        says(
            r"InvalidGroup|InvalidSecurityGroupID|security group '[^']{1,60}' does not exist"
            r"|security groups? .{0,60}(?:does not|do not|doesn't) exist"
        ),
        "The security group{group} does not exist in the VPC of the subnets.",
        "Correct the option `security_groups`: aws ec2 describe-security-groups lists them.",
        guide("service-event-messages-list"),
        (
            (
                "Error retrieving security group information for [sg-1]: The security group 'sg-1' does not exist (ErrorCode:"
                " InvalidGroup.NotFound)"
            ),
            (
                "Unexpected EC2 error while attempting to Create Network Interface: InvalidGroup.NotFound: The security group"
                " 'sg-0a1b2c3d' does not exist"
            ),
            "InvalidSecurityGroupID.NotFound: You have specified two resources that belong to different networks: sg-0a1b2c3d",
        ),
        Outlook.USELESS,
        (GROUPS, SUBNETS),
    ),
    Cause(
        "different-vpcs",
        says(r"different (?:networks?|vpcs?)|same vpc|not in the same (?:vpc|network)"),
        "The security group{group} and the subnets{subnet} belong to different VPCs.",
        "Set `security_groups` and `subnets` to ones of the same VPC.",
        "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
        (
            "Security group sg-0a1b2c3d and subnet subnet-0a1b2c3d belong to different networks.",
            "Security group sg-0a1b2c3d does not appear to belong to the same VPC as the input subnets.",
            "The subnets provided are not in the same VPC.",
        ),
        Outlook.USELESS,
        (GROUPS, SUBNETS),
    ),
    Cause(
        "eni-limit",
        says(
            r"NetworkInterfaceLimitExceeded|AttachmentLimitExceeded|network interfaces? limit|AddressLimitExceeded"
        ),
        "The account or the instance has no network interface left for the task.",
        "Raise the quota of network interfaces (Service Quotas, VPC), or on EC2 enable "
        "awsvpcTrunking: aws ecs put-account-setting-default --name awsvpcTrunking --value enabled.",
        guide("container-instance-eni"),
        (
            "Unexpected EC2 error while attempting to Create Network Interface: NetworkInterfaceLimitExceeded",
            "TaskFailedToStart: You have reached the network interface limit for this Region",
            (
                "Unexpected EC2 error while attempting to attach network interface: AttachmentLimitExceeded: Interface count 4 exceeds the"
                " limit for c5.large"
            ),
        ),
        Outlook.CAPACITY,
    ),
    Cause(
        "security-group-limit",
        says(
            r"SecurityGroupsPer(?:Interface|Instance)LimitExceeded|security ?groups can have at most|subnets can have at most"
        ),
        "The request has too many security groups or subnets.",
        "ECS takes up to 5 `security_groups` and 16 `subnets`.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html",
        (
            "security groups can have at most 5 items.",
            "subnets can have at most 16 items.",
            "Unexpected EC2 error while attempting to Create Network Interface: SecurityGroupsPerInterfaceLimitExceeded",
        ),
        Outlook.USELESS,
        (GROUPS, SUBNETS),
    ),
    Cause(
        "eni-tag-policy",
        says(r"TagPolicyViolation|tag policy"),
        "The organization's tag policy does not let ECS tag the task's network interface.",
        "Give the tasks the tags that the policy asks for (`tags` in run_task_kwargs, `propagateTags`), or exempt network interfaces.",
        "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_tag-policies.html",
        (
            "Unexpected EC2 error while attempting to tag the network interface: TagPolicyViolation",
            "TaskFailedToStart: Unexpected EC2 error while attempting to Create Network Interface: TagPolicyViolation",
            "The tag policy does not allow the specified value for the following tag key: 'Environment'.",
        ),
        Outlook.USELESS,
        ("tags", "propagateTags"),
    ),
    Cause(
        "eni-throttled",
        says(THROTTLE),
        "EC2 throttled ECS while it made the task's network interface.",
        "If it happens often, lower `run_task_rate`.",
        issue("dagster-io/dagster#33439"),
        (
            "Rate limit exceeded while preparing network interface to be attached to instance",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d': RequestLimitExceeded",
            "Unexpected EC2 error while attempting to Create Network Interface: Throttling",
        ),
        within=_EC2,
    ),
    Cause(
        "eni-denied",
        says(rf"{DENIAL}|AuthFailure|OptInRequired"),
        "EC2 did not let ECS make or read the task's network interface[ in{subnet}].",
        "This may pass by itself. If it lasts, a service control policy or the sharing of the "
        "subnet stands in the way of the service-linked role AWSServiceRoleForECS.",
        "https://github.com/dagster-io/dagster/blob/master/python_modules/libraries/dagster-aws/dagster_aws/ecs/utils.py",
        (
            "Unexpected EC2 error while attempting to Create Network Interface: AuthFailure",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d': UnauthorizedOperation",
            (
                "Error retrieving subnet information for [subnet-0a1b2c3d]: You are not authorized to perform this operation. (ErrorCode:"
                " UnauthorizedOperation)"
            ),
        ),
        within=_EC2,
    ),
    Cause(
        "eni-device",
        says(r"unused device index"),
        "The container instance has no free place for the task's network interface.",
        "If it lasts, use larger instances, or enable awsvpcTrunking: aws ecs "
        "put-account-setting-default --name awsvpcTrunking --value enabled.",
        _PAGE,
        (
            "Unable to attach network interface to unused device index",
            "TaskFailedToStart: Unable to attach network interface to unused device index",
            "Unable to attach network interface to unused device index on instance i-0a1b2c3d",
        ),
    ),
    Cause(
        "eni-timeout",
        says(
            r"timeout waiting for network interface|network interface .{0,60}tim(?:ed|e) ?out|eni .{0,60}tim(?:ed|e) ?out"
        ),
        "AWS did not provide the task's network interface in time.",
        "On Fargate, this passes by itself. On EC2, replace an instance where it keeps happening.",
        issue("aws/amazon-ecs-agent#4825"),
        (
            "Timeout waiting for network interface provisioning to complete.",
            "TaskFailedToStart: Timeout waiting for network interface provisioning to complete",
            "InternalError: ENI attachment timed out",
        ),
    ),
    Cause(
        "public-address",
        # No reason follows: with one, a row of its own or "eni-other" fits.
        says(r"public ip assignment enabled(?: in subnet '[^']{1,60}')?(?:: null)?[.: ]{0,4}$"),
        "ECS could not make a network interface with a public address: the subnet{subnet} is probably full.",
        "Add larger subnets, or subnets in other zones, to the option `subnets`.",
        _PAGE,
        (
            (
                "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet"
                " 'subnet-0a1b2c3d'"
            ),
            (
                "TaskFailedToStart: Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in"
                " subnet 'subnet-0a1b2c3d': null"
            ),
            "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled",
        ),
        Outlook.CAPACITY,
        (SUBNETS,),
    ),
    Cause(
        "docker-network",
        says(
            r"no available IPv4 addresses on|available, non-overlapping IPv4 address pool|no such network|network (?:[\w.-]{1,100} )?not found"
        ),
        "The host's Docker network has no free address, or is missing.",
        "On EC2, replace the instance, or give Docker a larger address pool (default-address-pools in /etc/docker/daemon.json); with "
        "networkMode awsvpc, tasks don't need one.",
        "https://docs.docker.com/engine/network/",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create endpoint ecs-airflow-1 on network bridge: no available"
                " IPv4 addresses on this network's address pools: bridge (a1b2c3)"
            ),
            "CannotStartContainerError: Error response from daemon: network airflow not found",
            "CannotStartContainerError: Error response from daemon: network not found",
        ),
    ),
    Cause(
        "network-namespace",
        says(
            r"configure eni|netplugin|failed to create endpoint|cannot join network|network namespace|ContainerNetworkingError|cni (?:plugin|config|setup)|ecscni"
        ),
        "The host could not set up the task's network.",
        "On EC2, replace an instance where it keeps happening.",
        issue("aws/amazon-ecs-agent#1520"),
        (
            "ResourceInitializationError: failed to configure ENI: failed to setup regular eni: netplugin failed with no error message",
            "ContainerNetworkingError: container resource provisioning: failed to setup network namespace: timeout",
            "ContainerNetworkingError: startContainer: cni plugin invocation failed: context deadline exceeded",
        ),
    ),
    Cause(
        "service-discovery",
        says(r"service discovery"),
        "The task could not be registered in the service discovery.",
        "Airflow's tasks need none. If the task definition's service has one, check its Cloud Map namespace.",
        guide("service-discovery"),
        (
            "The Service Discovery instance could not be registered.",
            "TaskFailedToStart: The Service Discovery instance could not be registered",
            "Service Discovery instance is unhealthy",
        ),
    ),
    Cause(
        "eni-other",
        says(r"unexpected ec2 error|network interface|\bENI\b"),
        "{words}.",
        "This may pass by itself. If it lasts, check `subnets` and `security_groups`.",
        _PAGE,
        (
            "Unexpected EC2 error while attempting to attach network interface to instance",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d': InternalError",
            "InternalError: ENI is in use",
        ),
        rank=LATE,
    ),
    Cause(
        "network-needless",
        says(r"network configuration is not valid for the given networkmode"),
        "The request has subnets or security groups, but the task definition's network mode is not awsvpc.",
        "Remove `subnets`, `security_groups` and `assign_public_ip`, or use a task definition with networkMode awsvpc.",
        issue("ansible-collections/community.aws#1145"),
        (
            "Network Configuration is not valid for the given networkMode of this task definition.",
            "InvalidParameterException: Network Configuration is not valid for the given networkMode of this task definition.",
            "network configuration is not valid for the given networkMode of this task definition",
        ),
        Outlook.USELESS,
        (SUBNETS, GROUPS, "taskDefinition"),
    ),
    Cause(
        "network-needed",
        says(r"network configuration must be provided|subnets can not be empty"),
        "The task definition's network mode is awsvpc, which needs subnets, and the request has none.",
        "Set the option `subnets`, or `networkConfiguration` where the task definition is set.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html",
        (
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            "subnets can not be empty.",
            "InvalidParameterException: Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        Outlook.USELESS,
        ("taskDefinition",),
    ),
    Cause(
        "public-address-unsupported",
        says(r"assign public ip is not supported"),
        "Only tasks on Fargate can have a public IP address.",
        "Set `assign_public_ip` to False.",
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html",
        (
            "Assign public IP is not supported for this launch type.",
            "InvalidParameterException: Assign public IP is not supported for this launch type.",
        ),
        Outlook.USELESS,
        (PUBLIC_IP, "launchType"),
    ),
)
