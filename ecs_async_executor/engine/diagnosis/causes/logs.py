"""The container's log can't be set up."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import EARLY, Cause, Outlook, guide, issue, says
from ecs_async_executor.engine.diagnosis.causes.failure_words import DENIAL, NETWORK, THROTTLE

TITLE = "Logs"

_LOGS = says(
    r"logger args|logging driver|cloudwatch log|awslogs|log group|log stream|createlogstream|logs:Create"
)
_PAGE = guide("using_awslogs")

CAUSES = (
    Cause(
        "log-router-file",
        says(r"firelens s3 config|s3 config .{0,200}from bucket|firelens.{0,60}config file"),
        "FireLens could not read its configuration file{file}[ in the bucket{bucket}].",
        "The file must exist in S3, and the execution role needs s3:GetObject on it and s3:GetBucketLocation on its bucket.",
        guide("firelens-taskdef"),
        (
            (
                "ResourceInitializationError: unable to download firelens s3 config file: unable to download s3 config extra.conf from bucket"
                " acme-logs: AccessDenied: Access Denied"
            ),
            "unable to download s3 config fluent/extra.conf from bucket acme-logs, error: NoSuchKey",
            "ResourceInitializationError: failed to download the FireLens config file",
        ),
        rank=EARLY,
    ),
    Cause(
        "log-router",
        says(r"firelens|fluentd|:24224|fluent\.sock"),
        "The log router (FireLens, Fluentd) could not be set up or reached.",
        "Start the log router before the other containers (dependsOn, condition START or HEALTHY), check its own log, and "
        "logConfiguration.options and firelensConfiguration in the task definition.",
        guide("using_firelens"),
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: dial tcp 127.0.0.1:24224:"
                " connect: connection refused"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: dial unix"
                " /var/run/fluent.sock: connect: no such file or directory"
            ),
            (
                "CannotCreateContainerError: failed to create container - container uses awsfirelens log driver and we failed to"
                " resolve Firelens bridge IP"
            ),
            "ResourceInitializationError: unable to initialize firelens resource because there's no firelens container",
        ),
        rank=EARLY,
    ),
    Cause(
        "log-credentials",
        says(
            r"CredentialsEndpointError|NoCredentialProviders|failed to load credentials|credentials not found"
        ),
        "The log driver got no AWS credentials to write to CloudWatch.",
        "Give the task definition an executionRoleArn. On EC2, the agent needs ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true "
        "and its credentials endpoint 169.254.170.2 (ECS-optimized AMIs set it up).",
        issue("aws/amazon-ecs-cli#752"),
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: CredentialsEndpointError:"
                " failed to load credentials caused by: RequestError: send request failed caused by: Get"
                " http://169.254.170.2/v2/credentials/: dial tcp 169.254.170.2:80: i/o timeout"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create"
                " Cloudwatch log stream: NoCredentialProviders: no valid providers in chain. Deprecated."
            ),
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create"
                " Cloudwatch log stream: NoCredentialProviders: no valid providers in chain"
            ),
        ),
        within=_LOGS,
    ),
    Cause(
        "log-group-network",
        says(NETWORK),
        "The task could not reach CloudWatch Logs[ at{host}][ for its log group{loggroup}].",
        "In a private subnet it needs a NAT gateway or the VPC endpoint logs, whose security group lets the task in on port 443; "
        "the task's security groups must let it out.",
        guide("resource-initialization-error"),
        (
            (
                "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group"
                " defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network"
                " configuration. : signal: killed"
            ),
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create"
                " Cloudwatch log stream: RequestError: send request failed caused by: Post"
                ' "https://logs.eu-west-1.amazonaws.com/": dial tcp 10.0.0.1:443: i/o timeout'
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create"
                " Cloudwatch log stream: RequestError: send request failed caused by: Post"
                " https://logs.us-east-1.amazonaws.com/: dial tcp: lookup logs.us-east-1.amazonaws.com: no such host"
            ),
            "ResourceInitializationError: failed to validate logger args: : signal: killed",
        ),
        within=says(r"logger args|cloudwatch|awslogs|//logs\."),
    ),
    Cause(
        "log-destination",
        says(NETWORK),
        "The log driver could not reach its destination{host}.",
        "Check the address in logConfiguration.options of the task definition, and that the host may reach it.",
        "https://docs.docker.com/engine/logging/configure/",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: dial tcp 10.0.0.9:514:"
                " connect: no route to host"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: gelf: cannot connect to"
                " GELF endpoint: graylog.example.com:12201 dial udp: lookup graylog.example.com: no such host"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: splunk: failed to verify"
                ' connection: Options "https://splunk.example.com:8088/services/collector/event/1.0": dial tcp: i/o timeout'
            ),
        ),
        within=says(r"logging driver"),
    ),
    Cause(
        "log-throttled",
        says(rf"{THROTTLE}|OperationAborted"),
        "CloudWatch throttled the creation of the log stream.",
        "If it happens often, raise the quota CreateLogStream (50 a second) in Service Quotas, "
        "or lower `run_task_rate`.",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch"
                " log stream: ThrottlingException: Rate exceeded"
            ),
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 3 times: failed to create"
                " Cloudwatch log stream: ThrottlingException: Rate exceeded"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch"
                " log group: OperationAbortedException: A conflicting operation is currently in progress against this resource."
            ),
        ),
        within=_LOGS,
    ),
    Cause(
        "log-denied",
        says(DENIAL),
        "The execution role{role} may not write to the log group{loggroup}.",
        "Allow it logs:CreateLogStream and logs:PutLogEvents (and logs:CreateLogGroup with awslogs-create-group), as "
        "AmazonECSTaskExecutionRolePolicy does.",
        _PAGE,
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch"
                " log stream: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform:"
                " logs:CreateLogStream on resource: arn:aws:logs:eu-west-1:123456789012:log-group:airflow:log-stream:a"
            ),
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create"
                " Cloudwatch log group: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to"
                " perform: logs:CreateLogGroup on resource: arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/airflow:log-stream:"
            ),
            (
                "Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log group:"
                " AccessDeniedException: User:"
            ),
        ),
        within=_LOGS,
    ),
    Cause(
        "log-group-missing",
        says(r"ResourceNotFound|does not exist|cannot find the amazon cloudwatch log group"),
        "The log group{loggroup} of the task definition does not exist.",
        "Create it in the Region of awslogs-region (aws logs create-log-group --log-group-name{loggroup}), or set "
        "awslogs-create-group to true.",
        _PAGE,
        (
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create"
                " Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch"
                " log stream: ResourceNotFoundException: The specified log group does not exist."
            ),
            (
                "ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group"
                " defined in the task definition."
            ),
        ),
        Outlook.USELESS,
        within=_LOGS,
    ),
    Cause(
        "log-driver",
        says(
            r"no log driver named|unknown log driver|unsupported log driver|log driver .{0,40}(?:not supported|is not available)"
        ),
        "The host does not offer the log driver{logdriver}.",
        "Use awslogs, splunk or awsfirelens on Fargate. On EC2, add it to the agent's ECS_AVAILABLE_LOGGING_DRIVERS.",
        guide("ecs-agent-config"),
        (
            "CannotCreateContainerError: Error response from daemon: logger: no log driver named 'splunk2' is registered",
            "CannotStartContainerError: Error response from daemon: unknown log driver: gcplogs",
            "ClientException: Log driver awslogs2 is not supported",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "log-options",
        says(
            r"invalid log (?:group|stream)|failed to satisfy constraint|unknown log opt|log opt|is required|must specify a value for|awslogs-stream-prefix|invalid (?:value for )?awslogs"
            r"|driver arguments"
        ),
        "The log options of the task definition are not valid[:{logoption}].",
        "Correct logConfiguration.options: awslogs needs awslogs-group, awslogs-region and, on Fargate, awslogs-stream-prefix.",
        _PAGE,
        (
            (
                "ResourceInitializationError: failed to validate logger args: unable to get awslogs driver arguments: awslogs-region is"
                " required"
            ),
            "CannotCreateContainerError: Error response from daemon: unknown log opt 'awslogs-stream-prefix' for awslogs log driver",
            "ResourceInitializationError: failed to validate logger args: InvalidParameterException: Invalid log group name",
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log"
                " group: InvalidParameterException: 1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint:"
                " Member must satisfy regular expression pattern: [._/#A-Za-z0-9-]+"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: must specify a value for"
                " log opt 'awslogs-group'"
            ),
        ),
        Outlook.USELESS,
        within=says(r"log opt|logging|log driver|logger|awslogs"),
    ),
    Cause(
        "log-cut-off",
        says(
            r"(?:cloudwatch log(?: (?:group|stream))?|retried \d+ times?|logging driver|logger args|AccessDeniedException: User)[.: ]{0,4}$"
        ),
        "The container's log could not be set up[ in{loggroup}]; ECS gives no reason.",
        "Check that the log group exists in the Region of awslogs-region, that the execution role may logs:CreateLogStream, and the "
        "route to CloudWatch Logs (NAT gateway or the VPC endpoint logs).",
        _PAGE,
        (
            (
                "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create"
                " Cloudwatch log"
            ),
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times",
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: ",
        ),
    ),
    Cause(
        "log-other",
        says(r"logger args|logging driver|failed to create cloudwatch|create stream has been retried"),
        "{words}.",
        "Compare logConfiguration in the task definition with what the log driver needs.",
        "https://docs.docker.com/engine/logging/configure/",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: error getting http client:"
                " splunk-token is expected"
            ),
            "ResourceInitializationError: failed to validate logger args: something new",
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: Unix syslog delivery error",
        ),
    ),
)
