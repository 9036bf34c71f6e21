"""The task's secrets, its login to ECR and its environment files can't be fetched."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, guide, issue, says
from ecs_async_executor.engine.diagnosis.causes.failure_words import DENIAL, NETWORK, THROTTLE, status

TITLE = "Secrets, registry login and environment files"

_PAGE = guide("resource-initialization-error")
_FILES = says(r"env(?:ironment)?(?: variable)? ?files?\b|environmentfile|envfile")
_SECRETS = says(
    r"unable to pull secrets|unable to retrieve secret|\basm\b|\bssm\b|secrets ?manager|parameter store|systems manager"
    r"|pull the secret|registry auth|secret with ARN"
)
_ECR = says(r"auth from amazon ecr|ecr registry auth|api\.ecr\.|operation error ecr|getauthorizationtoken")
_SSM = says(r"\bssm\b|systems manager|parameter store")
_ASM = says(r"\basm\b|secrets ?manager")


def _endpoint(service: str) -> str:
    return (
        f"In a private subnet it needs a NAT gateway or the VPC endpoint {service}, whose security group lets the task in on "
        "port 443; in a public one `assign_public_ip` = True. The task's security groups must let it out."
    )


CAUSES = (
    Cause(
        "env-file-network",
        says(NETWORK),
        "The task could not reach S3 to download its environment file{file}.",
        "Add a gateway endpoint for S3 to the subnets' route tables (com.amazonaws.REGION.s3) or a NAT gateway, and let the "
        "security groups out on port 443.",
        _PAGE,
        (
            (
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
                " RequestCanceled: request context canceled caused by: context deadline exceeded"
            ),
            (
                "The task can't download the environment variable files from Amazon S3. There is a connection issue between the task"
                " and Amazon S3. Check your task network configuration."
            ),
            (
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream: : signal:"
                " killed"
            ),
        ),
        within=_FILES,
    ),
    Cause(
        "env-file-denied",
        says(rf"{DENIAL}"),
        "The task may not read its environment file{file} in S3.",
        "Allow the execution role s3:GetObject on the file and s3:GetBucketLocation on the bucket. S3 also answers 403 if the "
        "file does not exist.",
        guide("use-environment-file"),
        (
            (
                "ResourceInitializationError: failed to download env files: service call has been retried 1 time(s): operation error"
                " S3: HeadObject, https response error StatusCode: 403, api error Forbidden: Forbidden."
            ),
            (
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
                " AccessDenied: Access Denied status code: 403"
            ),
            "unable to download env file with key prod/airflow.env from bucket acme-config, error: AccessDenied: Access Denied",
        ),
        within=_FILES,
    ),
    Cause(
        "env-file-region",
        says(
            r"PermanentRedirect|bucket is in this region|incorrect region|AuthorizationHeaderMalformed|BucketRegionError|\b301 moved"
        ),
        "The bucket{bucket} of the environment file{file} is in another Region than the task.",
        "Copy the file to a bucket in the task's Region, and correct environmentFiles in the task definition.",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        (
            (
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
                " PermanentRedirect: The bucket is in this region: us-east-1. Please use this region to retry the request"
            ),
            (
                "unable to download env file with key prod/airflow.env from bucket acme-config, error: BucketRegionError: incorrect region,"
                " the bucket is not in 'eu-west-1' region"
            ),
        ),
        Outlook.USELESS,
        within=_FILES,
    ),
    Cause(
        "env-file-bucket",
        says(r"NoSuchBucket|specified bucket does not exist"),
        "The bucket{bucket} of the environment file{file} does not exist.",
        "Correct environmentFiles in the task definition, or create the bucket in the task's Region and upload the file.",
        guide("use-environment-file"),
        (
            (
                "unable to download env file with key prod/airflow.env from bucket acme-config, error: NoSuchBucket: The specified"
                " bucket does not exist"
            ),
            "ResourceInitializationError: failed to download env files: NoSuchBucket: The specified bucket does not exist",
        ),
        Outlook.USELESS,
        within=_FILES,
    ),
    Cause(
        "env-file-missing",
        says(rf"NoSuchKey|not ?found|does not exist|{status('404')}"),
        "The environment file{file} does not exist in S3.",
        "Upload it, or correct environmentFiles in the task definition.",
        guide("use-environment-file"),
        (
            (
                "ResourceInitializationError: failed to download env files: file download command: non empty error stream:"
                " NoSuchKey: The specified key does not exist."
            ),
            (
                "ResourceInitializationError: failed to download env files: service call has been retried 1 time(s): operation error"
                " S3: HeadObject, https response error StatusCode: 404, NotFound"
            ),
            "unable to download env file with key prod/airflow.env from bucket acme-config, error: NoSuchKey",
        ),
        Outlook.USELESS,
        within=_FILES,
    ),
    Cause(
        "env-file-other",
        says(r"env(?:ironment)?(?: variable)? ?files?\b|environmentfile|envfile"),
        "{words}.",
        "Check environmentFiles in the task definition: an ARN of an object in S3, a .env file in the bucket's own Region, with "
        "a line NAME=value for each variable.",
        guide("use-environment-file"),
        (
            "ResourceInitializationError: failed to download env files: unknown",
            "unable to parse bucket and key from s3 ARN specified in environmentFile arn:aws:s3:acme, error: invalid s3 arn",
            "unable to initialize envfile resource directory, error: mkdir",
        ),
    ),
    Cause(
        "secret-throttled",
        says(THROTTLE),
        "AWS gave the task its secrets or its login too slowly: it throttled the calls.",
        "If it happens often, lower `run_task_rate`, put several values into one secret, or "
        "enable higher throughput for Parameter Store.",
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve ecr registry auth: service call has been retried 3 time(s): ThrottlingException: Rate exceeded"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 5 time(s): ThrottlingException: Rate exceeded status"
                " code: 400"
            ),
            "ResourceInitializationError: unable to pull secrets: unable to retrieve secret from asm: TooManyRequestsException",
        ),
        within=_SECRETS,
    ),
    Cause(
        "registry-login-network",
        says(NETWORK),
        "The task could not reach ECR[ at{host}] to log in to the registry.",
        _endpoint("ecr.api (and ecr.dkr, and s3 as a gateway)"),
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon"
                " ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation"
                " error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0,"
                ' RequestID: , request send failed, Post "https://api.ecr.us-east-1.amazonaws.com/": dial tcp 44.213.79.104:443: i/o'
                " timeout"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by:"
                ' Post "https://api.ecr.eu-west-1.amazonaws.com/": dial tcp 10.0.0.1:443: i/o timeout'
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed: api.ecr."
                "eu-west-1.amazonaws.com"
            ),
        ),
        within=_ECR,
    ),
    Cause(
        "parameter-network",
        says(NETWORK),
        "The task could not reach the Parameter Store[ at{host}] for its secrets.",
        _endpoint("ssm"),
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm: The task"
                " cannot pull secrets from AWS Systems Manager. There is a connection issue between the task and AWS Systems Manager"
                " Parameter Store. Check your task network configuration. RequestCanceled: request context canceled caused by: context"
                " deadline exceeded"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused"
                " by: context deadline exceeded. Please check your task network configuration."
            ),
            (
                "ResourceInitializationError: unable to pull secrets: unable to retrieve secrets from ssm: dial tcp: lookup"
                " ssm.eu-west-1.amazonaws.com: no such host"
            ),
        ),
        within=_SSM,
    ),
    Cause(
        "secret-network",
        says(NETWORK),
        "The task could not reach Secrets Manager[ for the secret{secret}].",
        _endpoint("secretsmanager"),
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 5 time(s): failed to fetch secret"
                " arn:aws:secretsmanager:us-west-2:123456789012:secret:DBPassword-a1b2c3 from secrets manager: RequestCanceled: request"
                " context canceled caused by: context deadline exceeded. Please check your task network configuration."
            ),
            (
                "The task can't pull secrets from AWS Secrets Manager. There is a connection issue between the task and Secrets"
                " Manager. Check your task network configuration."
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to get registry auth from asm: service"
                " call has been retried 1 time(s): asm fetching secret from the service for docker-hub: RequestError: send request"
                " failed"
            ),
        ),
        within=_ASM,
    ),
    Cause(
        "secrets-network",
        says(NETWORK),
        "The task could not reach AWS for its secrets or its login to the registry.",
        _endpoint("of each service it needs (secretsmanager, ssm, ecr.api)"),
        _PAGE,
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed",
            "ResourceInitializationError: unable to pull secrets or registry auth: context deadline exceeded",
            "pull command failed: unable to pull secrets or registry auth Check your task network configuration.",
        ),
        within=_SECRETS,
    ),
    Cause(
        "secrets-credentials",
        says(
            r"UnrecognizedClient|InvalidClientTokenId|ExpiredToken|InvalidSignature|SignatureDoesNotMatch"
            r"|security token included in the request is"
        ),
        "AWS did not accept the credentials with which the host fetches the task's secrets or its login.",
        "They are the execution role's, and the ECS agent of the host has them. Check that the role exists; on EC2 and ECS Anywhere, "
        "correct the host's clock and restart the agent.",
        guide("task_execution_IAM_role"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve ecr registry auth: service call has been retried 1 time(s): UnrecognizedClientException: The security token"
                " included in the request is invalid."
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm:"
                " ExpiredTokenException: The security token included in the request is expired"
            ),
        ),
        within=_SECRETS,
    ),
    Cause(
        "secret-kms-key",
        says(
            r"KMSInvalidState|kms.{0,80}(?:disabled|pending deletion|not ?found)|DecryptionFailure|customer master key"
        ),
        "The KMS key{kms} that encrypts the secret{secret}{parameter} can't be used: it is disabled, deleted or unknown.",
        "Enable the key (aws kms enable-key), or encrypt the secret with another one.",
        "https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html",
        (
            (
                "ResourceInitializationError: unable to pull secrets: unable to retrieve secret from asm: failed to fetch secret"
                " arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 from secrets manager: KMSInvalidStateException:"
                " arn:aws:kms:eu-west-1:123456789012:key/1234 is pending deletion."
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm:"
                " DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm:"
                " InvalidKeyId: The ciphertext refers to a customer master key that does not exist"
            ),
        ),
        Outlook.USELESS,
        within=_SECRETS,
    ),
    Cause(
        "secret-kms-denied",
        says(r"access to kms|kms:decrypt"),
        "The execution role may not use the KMS key{kms} that encrypts the secret{secret}{parameter}.",
        "Allow the execution role kms:Decrypt on the key, in its own policy and in the key's.",
        issue("GiamPy5/terraform-aws-directus#10"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
                " arn:aws:secretsmanager:eu-central-1:123456789012:secret:directus-EaPYTy from secrets manager: AccessDeniedException:"
                " Access to KMS is not allowed status code: 400"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm:"
                " AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform:"
                " kms:Decrypt on resource: arn:aws:kms:eu-west-1:123456789012:key/1234"
            ),
            (
                "unable to retrieve secrets from ssm: AccessDeniedException: The ciphertext can't be decrypted: not authorized to"
                " perform: kms:Decrypt"
            ),
        ),
        within=_SECRETS,
    ),
    Cause(
        "registry-login-denied",
        says(DENIAL),
        "The execution role{role} may not log in to ECR.",
        "Give the execution role the policy AmazonECSTaskExecutionRolePolicy (ecr:GetAuthorizationToken on *).",
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User:"
                " arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform: ecr:GetAuthorizationToken on resource:"
                " * because no identity-based policy allows the ecr:GetAuthorizationToken action"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon"
                " ECR: AccessDeniedException"
            ),
            "unable to retrieve ecr registry auth: AccessDeniedException: not authorized",
        ),
        within=_ECR,
    ),
    Cause(
        "parameter-denied",
        says(DENIAL),
        "The execution role{role} may not read the parameter{parameter}.",
        "Allow the execution role ssm:GetParameters on the parameter (and kms:Decrypt on its key).",
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User:"
                " arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform: ssm:GetParameters on resource:"
                " arn:aws:ssm:eu-west-1:123456789012:parameter/db because no identity-based policy allows the ssm:GetParameters action"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm: operation"
                " error SSM: GetParameters, https response error StatusCode: 400, api error AccessDeniedException: User is not"
                " authorized"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: ...."
            ),
        ),
        within=_SSM,
    ),
    Cause(
        "secret-denied",
        says(DENIAL),
        "The execution role{role} may not read the secret{secret}.",
        "Allow the execution role secretsmanager:GetSecretValue on the secret (and kms:Decrypt on its key).",
        _PAGE,
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
                " arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 from secrets manager: AccessDeniedException: User:"
                " arn:aws:sts::123456789012:assumed-role/exec/abc is not authorized to perform: secretsmanager:GetSecretValue on"
                " resource: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"
            ),
            "ResourceInitializationError: unable to pull secrets: AccessDeniedException: not authorized",
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): AccessDeniedException"
            ),
        ),
        within=_SECRETS,
    ),
    Cause(
        "secret-key",
        says(r"did not contain json key"),
        "The secret{secret} has no JSON key{key}.",
        "Add the key to the secret, or correct valueFrom in the task definition (SECRET_ARN:JSON_KEY::).",
        guide("secrets-envvar-secrets-manager"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not"
                " contain json key SUPABASE_SECRET_KEY"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: retrieved"
                " secret from Secrets Manager did not contain json key app_definition_id."
            ),
            (
                "secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3: retrieved secret from Secrets Manager did not"
                " contain json key UI_USERNAME"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "secret-no-json",
        says(
            r"invalid character .{0,40}looking for beginning|unmarshal|malformed, empty field|empty secrets value|cannot parse json"
        ),
        "The secret{secret} is not the JSON object that the task definition needs.",
        "A secret used with a JSON key must hold a JSON object; one with a registry's login must hold "
        '{"username": "...", "password": "..."}.',
        guide("private-auth"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: invalid"
                " character 'p' looking for beginning of value"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to get registry auth from asm: asm"
                " fetching authorization data: unable to unmarshal secret value, invalid schema"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: asm fetching password: AuthorizationData is"
                " malformed, empty field"
            ),
        ),
        Outlook.USELESS,
        within=_SECRETS,
    ),
    Cause(
        "parameter-missing",
        says(r"invalid parameters?:|ParameterNotFound|parameter .{0,200}not found|ParameterVersionNotFound"),
        "The parameter{parameter} does not exist.",
        "Create it in the task's Region (aws ssm put-parameter), or correct valueFrom in the task definition.",
        guide("secrets-envvar-ssm-paramstore"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: /prod/airflow/db"
            ),
            "Fetching secret data from SSM Parameter Store in eu-west-1: invalid parameters: /airflow/fernet",
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm:"
                " ParameterNotFound"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "secret-deleted",
        says(r"marked (?:for deletion|deleted)|scheduled for deletion"),
        "The secret{secret} is marked for deletion.",
        "Restore it (aws secretsmanager restore-secret --secret-id{secret}), or name another one in the task definition.",
        "https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html",
        (
            (
                "ResourceInitializationError: unable to pull secrets: unable to retrieve secret from asm: failed to fetch secret"
                " arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 from secrets manager: InvalidRequestException: You"
                " can't perform this operation on the secret because it was marked for deletion."
            ),
            (
                "unable to retrieve secret from asm: InvalidRequestException: You can't perform this operation on the secret because it"
                " was marked deleted."
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: InvalidRequestException: the secret is scheduled"
                " for deletion"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "secret-missing",
        says(
            r"ResourceNotFoundException|can't retrieve the secret with ARN|check whether the secret|can't find the specified secret|secret not found"
        ),
        "The secret{secret} does not exist, or has no value.",
        "Create it in the task's Region, or correct its ARN in the task definition. The ARN ends with six random characters: "
        "aws secretsmanager describe-secret shows it.",
        guide("resource-not-found-error"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
                " arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 from secrets manager: ResourceNotFoundException:"
                " Secrets Manager can't find the specified secret."
            ),
            (
                "ResourceNotFoundException: The task can't retrieve the secret with ARN"
                " 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3' from AWS Secrets Manager. Check whether the secret"
                " exists in the specified Region"
            ),
            (
                "ResourceInitializationError: unable to pull secrets: ResourceNotFoundException: Secrets Manager can't find the"
                " specified secret value for staging label: AWSCURRENT"
            ),
        ),
        Outlook.USELESS,
        within=_SECRETS,
    ),
    Cause(
        "secret-name",
        says(r"unexpected ARN format|invalid arn|ValidationException|InvalidParameterException|invalid name"),
        "The task definition names the secret{secret}{parameter} in a form that AWS does not know.",
        "Correct valueFrom: SECRET_ARN, SECRET_ARN:JSON_KEY:STAGE:VERSION with all colons, or a parameter's name or ARN.",
        guide("secrets-envvar-secrets-manager"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unexpected ARN format with parameters when trying"
                " to retrieve ASM secret"
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm:"
                " ValidationException: Invalid parameter name. Please use correct syntax for referencing a version/label"
            ),
            (
                "ResourceInitializationError: unable to pull secrets: unable to retrieve secret from asm: ValidationException: Invalid"
                " name. Must be a valid name containing alphanumeric characters"
            ),
        ),
        Outlook.USELESS,
        within=_SECRETS,
    ),
    Cause(
        "secrets-cut-off",
        says(
            r"(?:registry auth|unable to pull secrets|retried \d+ times?(?:\(s\))?|\d+ time\.\.\.|\w\.\.\.)[.: ]{0,4}$"
        ),
        "The task could not fetch its secrets or its login to the registry; ECS cut its reason off.",
        "Check the route to Secrets Manager, SSM and ECR (NAT gateway or VPC endpoints), that the execution role may read the "
        "secrets, and that they exist.",
        issue("aws/copilot-cli#2095"),
        (
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secrets from ssm: service call has been retried 1 time..."
            ),
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
                " retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
                " arn:aws:secretsmanager:ap-northeast-1:5394593..."
            ),
            "ResourceInitializationError: unable to pull secrets or registry auth",
        ),
        within=_SECRETS,
    ),
    Cause(
        "secrets-other",
        says(r"unable to pull secrets|unable to retrieve (?:secret|ecr registry)"),
        "{words}.",
        "Check the secrets that the task definition names, the rights of the execution role, and the route to Secrets Manager, SSM and "
        "ECR (NAT gateway or VPC endpoints).",
        _PAGE,
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: something new",
            "unable to retrieve secret from asm: InternalServiceError: An error occurred on the server side",
            "unable to retrieve secrets from ssm: empty response",
        ),
    ),
)
