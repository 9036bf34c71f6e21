"""AWS's error codes: what a whole call's refusal means. Who pays for it is decided in call_failures.py."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, Shortage, guide, says

TITLE = "Calls that AWS refuses: credentials, rights, throttles"

_COMMON = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html"
_RUN_TASK = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html"
READS_AGAIN = " The executor reads them again by itself."
_SOURCE = "the AWS connection (`conn_id`), or the scheduler's role, AWS_* variables and AWS files"

CLOCK = Cause(
    "clock",
    says(
        r"signature expired|signature not yet current|^request has expired|RequestTimeTooSkewed|RequestExpired|too skewed"
    ),
    "The scheduler's clock is too far from AWS's.",
    "Correct the scheduler's clock (NTP): AWS tolerates a difference of 5 minutes. Time zones don't matter.",
    _COMMON,
    (
        "InvalidSignatureException: Signature expired: 20260204T205323Z is now earlier than 20260205T141250Z",
        "InvalidSignatureException: Signature not yet current: 20260204T205323Z is still later than 20260204T204000Z",
        "RequestExpired: Request has expired.",
        "RequestTimeTooSkewed: The difference between the request time and the current time is too large.",
    ),
    Outlook.PAUSE,
)

CREDENTIALS = (
    Cause(
        "credentials-region",
        says(r"scoped to a valid region|scoped to correct service|region .{0,60}is wrong"),
        "The request was signed for another Region or service than the one that answered.",
        "Make `region_name` and the endpoint (the connection's `endpoint_url`, AWS_ENDPOINT_URL_ECS) fit together.",
        _COMMON,
        (
            "InvalidSignatureException: Credential should be scoped to a valid region.",
            "SignatureDoesNotMatch: Credential should be scoped to a valid Region, not 'us-east-1'.",
            "InvalidSignatureException: Credential should be scoped to correct service: 'ecs'.",
        ),
        Outlook.PAUSE,
        codes=frozenset({"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature"}),
    ),
    Cause(
        "credentials-expired",
        None,
        "The AWS credentials have expired.",
        f"Renew them: {_SOURCE}.{READS_AGAIN}",
        _COMMON,
        (
            "ExpiredTokenException: The security token included in the request is expired",
            "ExpiredToken: The provided token has expired.",
            "TokenRefreshRequired: The provided token must be refreshed.",
        ),
        Outlook.PAUSE,
        codes=frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}),
    ),
    Cause(
        "credentials-unknown",
        None,
        "AWS does not know the access key or the session token.",
        f"Check {_SOURCE}. A Region that must be enabled first refuses tokens of the global STS endpoint: enable it in the account, or "
        "set AWS_STS_REGIONAL_ENDPOINTS=regional.",
        _COMMON,
        (
            "UnrecognizedClientException: The security token included in the request is invalid.",
            "InvalidClientTokenId: The security token included in the request is invalid.",
            "InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records.",
            "AuthFailure: AWS was not able to validate the provided access credentials",
        ),
        Outlook.PAUSE,
        codes=frozenset(
            {
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "InvalidAccessKeyId",
                "AuthFailure",
                "InvalidToken",
            }
        ),
    ),
    Cause(
        "credentials-secret",
        None,
        "The secret access key does not fit the access key.",
        f"Check {_SOURCE}: the secret key is wrong, or was cut off. A proxy that changes the request also has this effect.",
        _COMMON,
        (
            (
                "InvalidSignatureException: The request signature we calculated does not match the signature you provided. Check your AWS"
                " Secret Access Key and signing method."
            ),
            "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.",
            "IncompleteSignature: The request signature does not conform to AWS standards.",
        ),
        Outlook.PAUSE,
        codes=frozenset(
            {
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "IncompleteSignature",
                "IncompleteSignatureException",
            }
        ),
    ),
    Cause(
        "credentials-missing",
        None,
        "The request had no AWS credentials.",
        f"Set them: {_SOURCE}.",
        _COMMON,
        (
            "MissingAuthenticationTokenException: Missing Authentication Token",
            "MissingAuthenticationToken: Request is missing Authentication Token",
        ),
        Outlook.PAUSE,
        codes=frozenset({"MissingAuthenticationToken", "MissingAuthenticationTokenException"}),
    ),
    Cause(
        "region-opt-in",
        None,
        "The account is not signed up for ECS in this Region.",
        "Enable the Region (aws account enable-region --region-name REGION), or correct `region_name`.",
        _COMMON,
        (
            "OptInRequired: The AWS Access Key Id needs a subscription for the service",
            "OptInRequired: You are not subscribed to this service.",
        ),
        Outlook.PAUSE,
        codes=frozenset({"OptInRequired", "SubscriptionRequiredException"}),
    ),
)

REFUSALS = (
    Cause(
        "blocked",
        None,
        "AWS has blocked this account.",
        "Ask AWS Support.",
        _RUN_TASK,
        ("BlockedException: Your account is currently blocked.",),
        Outlook.USELESS,
        codes=frozenset({"BlockedException"}),
    ),
    Cause(
        "cluster-missing",
        None,
        "ECS knows no such cluster.",
        "Set `cluster` to an existing one of this Region and account, or correct the Region.",
        _RUN_TASK,
        ("ClusterNotFoundException: Cluster not found.",),
        Outlook.USELESS,
        ("cluster",),
        codes=frozenset({"ClusterNotFoundException"}),
    ),
    Cause(
        "platform-version-missing",
        None,
        "ECS knows no such platform version.",
        "Set `platform_version` to one that exists, or remove it.",
        guide("platform-fargate"),
        ("PlatformUnknownException: The specified platform version does not exist.",),
        Outlook.USELESS,
        ("platformVersion",),
        codes=frozenset({"PlatformUnknownException"}),
    ),
    Cause(
        "platform-version-unfit",
        None,
        "The platform version can't run the task definition.",
        "Change `platform_version` or the task definition so that they fit.",
        guide("platform-fargate"),
        (
            (
                "PlatformTaskDefinitionIncompatibilityException: The specified platform does not satisfy the task definition's required"
                " capabilities."
            ),
        ),
        Outlook.USELESS,
        ("platformVersion", "taskDefinition"),
        codes=frozenset({"PlatformTaskDefinitionIncompatibilityException"}),
    ),
    Cause(
        "quota",
        None,
        "A quota of the account is used up[: {words}].",
        "Raise the quota in Service Quotas (ECS, Fargate).",
        guide("service-quotas"),
        (
            "LimitExceededException: The limit for the resource was exceeded.",
            "ServiceQuotaExceededException: You have exceeded the quota of tasks",
        ),
        Outlook.CAPACITY,
        codes=frozenset({"LimitExceededException", "ServiceQuotaExceededException"}),
        shortage=Shortage.QUOTA,
    ),
    Cause(
        "malformed",
        None,
        "The service at the endpoint did not understand the request[: {words}].",
        "Check that the endpoint (the connection's `endpoint_url`, AWS_ENDPOINT_URL_ECS) is ECS's. If it is, report this as a bug.",
        _COMMON,
        (
            "ValidationError: The input fails to satisfy the constraints specified by an AWS service.",
            "SerializationException: Start of structure or map found where not expected.",
            "UnknownOperationException: The requested operation is not supported in the called region.",
            "InvalidAction: The action or operation requested is invalid. Verify that the action is typed correctly.",
        ),
        Outlook.USELESS,
        codes=frozenset(
            {
                "ValidationError",
                "ValidationException",
                "SerializationException",
                "UnknownOperationException",
                "InvalidAction",
                "MalformedQueryString",
                "MalformedHttpRequestException",
                "UnknownOperation",
            }
        ),
    ),
    Cause(
        "feature-unsupported",
        None,
        "The task uses a feature that this Region does not offer.",
        "Stop using it, or use another Region.",
        _RUN_TASK,
        ("UnsupportedFeatureException: The specified task isn't supported in this Region.",),
        Outlook.USELESS,
        codes=frozenset({"UnsupportedFeatureException"}),
    ),
)

THROTTLED = Cause(
    "throttled",
    None,
    "AWS throttled the call.",
    "Nothing to do: the executor slows down. If it lasts, raise ECS's rates (AWS Support) and `run_task_rate`, or find who else calls.",
    "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html",
    (
        "ThrottlingException: Rate exceeded",
        "InvalidParameterException: Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)",
        (
            "InvalidParameterException: Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode:"
            " RequestLimitExceeded)"
        ),
        "ClientException: Too many concurrent attempts to create a new revision of the specified family.",
    ),
    Outlook.PAUSE,
    codes=frozenset({"ThrottlingException", "InvalidParameterException", "ClientException"}),
)

FAULT = Cause(
    "ecs-fault",
    None,
    "ECS had an internal error.",
    "Nothing to do: the executor repeats the call. If it lasts, look at https://health.aws.amazon.com/health/status",
    _COMMON,
    (
        "ServerException: Service Unavailable. Please try again later.",
        "InternalFailure: The request processing has failed because of an unknown error, exception or failure.",
        "ServiceUnavailable: The request has failed due to a temporary failure of the server.",
    ),
    Outlook.PAUSE,
    codes=frozenset({"ServerException", "InternalFailure", "ServiceUnavailable"}),
)

DENIED = Cause(
    "denied",
    None,
    "AWS denied the call.",
    "Allow the action where the message says: in the scheduler's role, the permissions boundary, the organization's policy or the VPC "
    "endpoint's ([iam.md](iam.md)). The executor's message has the statement to add.",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    (
        (
            "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/airflow/i-0a1b is not authorized to perform: ecs:RunTask on"
            " resource: arn:aws:ecs:eu-west-1:123456789012:task-definition/airflow:7 because no identity-based policy allows the"
            " ecs:RunTask action"
        ),
        (
            "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/airflow/i-0a1b is not authorized to perform: iam:PassRole on"
            " resource: arn:aws:iam::123456789012:role/task because no identity-based policy allows the iam:PassRole action"
        ),
        (
            "AccessDeniedException: User: arn:aws:iam::123456789012:user/airflow is not authorized to perform: ecs:TagResource on resource:"
            " arn:aws:ecs:eu-west-1:123456789012:task/prod/* with an explicit deny in a service control policy"
        ),
    ),
    codes=frozenset({"AccessDeniedException"}),
)

CAUSES = (CLOCK, *CREDENTIALS, *REFUSALS, THROTTLED, FAULT, DENIED)
