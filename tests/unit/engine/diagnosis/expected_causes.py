"""What each cause of the table must say of each of its wordings: outlook, a word of the remedy, the summaries.

The summaries stand in the order of the cause's `wordings`, and hold what those texts name.
"""

from __future__ import annotations

from typing import TypeAlias

from ecs_async_executor.engine.diagnosis.causes.cause import Outlook

AGAIN, USELESS, CAPACITY = Outlook.AGAIN, Outlook.USELESS, Outlook.CAPACITY
Expected: TypeAlias = tuple[Outlook, str, tuple[str, ...]]

EXPECTED: dict[str, Expected] = {
    # Images
    "image-platform": (
        USELESS,
        "runtimePlatform",
        (
            "The image is not built for the platform linux/amd64 that the task runs on.",
            "The image is not built for the platform linux/amd64 that the task runs on.",
            "The image is not built for the platform linux/arm64/v8 that the task runs on.",
            "The image is not built for the platform that the task runs on.",
            "The image is not built for the platform that the task runs on.",
        ),
    ),
    "image-processor": (
        USELESS,
        "runtimePlatform",
        (
            "The image is built for another processor than the task runs on: its program /entrypoint.sh can't run.",
            "The image is built for another processor than the task runs on: its program can't run.",
            "The image is built for another processor than the task runs on: its program can't run.",
        ),
    ),
    "disk-full": (
        AGAIN,
        "ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION",
        (
            "The host's disk is full: there is no room for the image or the container.",
            "The host's disk is full: there is no room for the image or the container.",
            "The host's disk is full: there is no room for the image or the container.",
            "The host's disk is full: there is no room for the image or the container.",
        ),
    ),
    "image-rate-limit-ecr": (
        AGAIN,
        "`run_task_rate`",
        (
            "ECR limits how fast images may be pulled, and the limit was reached pulling the image.",
            "ECR limits how fast images may be pulled, and the limit was reached pulling the image public.ecr.aws/docker/library/python:3.12.",
            "ECR limits how fast images may be pulled, and the limit was reached pulling the image.",
        ),
    ),
    "image-rate-limit": (
        AGAIN,
        "aws ecr create-pull-through-cache-rule",
        (
            "The registry limits how often images may be pulled, and the limit was reached pulling the image registry-1.docker.io/apache/airflow@sha256:2bb5.",
            "The registry limits how often images may be pulled, and the limit was reached pulling the image.",
            "The registry limits how often images may be pulled, and the limit was reached pulling the image.",
        ),
    ),
    "image-pull-through-cache": (
        AGAIN,
        "aws ecr validate-pull-through-cache-rule",
        (
            "ECR's pull through cache could not get the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/apache/airflow:3.0.0 from the upstream registry.",
            "ECR's pull through cache could not get the image from the upstream registry.",
            "ECR's pull through cache could not get the image from the upstream registry.",
            "ECR's pull through cache could not get the image from the upstream registry.",
        ),
    ),
    "image-layers-network": (
        AGAIN,
        "aws ec2 create-vpc-endpoint",
        (
            "The task could not reach S3 at prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com, where ECR keeps the layers of the image.",
            "The task could not reach S3 at prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com, where ECR keeps the layers of the image.",
            "The task could not reach S3, where ECR keeps the layers of the image.",
        ),
    ),
    "image-layers-denied": (
        AGAIN,
        "s3:GetObject",
        (
            "S3 refused to give the task the layers of the image, which ECR keeps there.",
            "S3 refused to give the task the layers of the image, which ECR keeps there.",
            "S3 refused to give the task the layers of the image, which ECR keeps there.",
        ),
    ),
    "registry-name": (
        AGAIN,
        "enableDnsSupport",
        (
            "The task could not look up the registry's address registry.example.com to pull the image registry.example.com/airflow:3.",
            "The task could not look up the registry's address registry-1.docker.io to pull the image.",
            "The task could not look up the registry's address 123456789012.dkr.ecr.eu-west-1.amazonaws.com to pull the image.",
        ),
    ),
    "registry-certificate": (
        AGAIN,
        "Fargate trusts public certificate authorities",
        (
            "The task does not trust the certificate of the registry registry.example.com with the image registry.example.com/airflow:3.",
            "The task does not trust the certificate of the registry registry.example.com with the image.",
            "The task does not trust the certificate of the registry 10.0.0.9 with the image.",
        ),
    ),
    "registry-refused": (
        AGAIN,
        "`assign_public_ip`",
        (
            "Nothing at the address of the registry registry.example.com, or of the proxy before it, accepted the connection to pull the image registry.example.com/airflow:3.",
            "Nothing at the address of the registry registry-1.docker.io, or of the proxy before it, accepted the connection to pull the image.",
            "Nothing at the address of the registry registry-1.docker.io, or of the proxy before it, accepted the connection to pull the image.",
        ),
    ),
    "registry-unreachable": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The task could not reach the registry registry-1.docker.io to pull the image docker.io/tryretool/backend:2.110.5.",
            "The task could not reach the registry 111122223333.dkr.ecr.us-east-1.amazonaws.com to pull the image.",
            "The task could not reach the registry to pull the image airflow:3.0.",
            "The task could not reach the registry registry-1.docker.io to pull the image.",
            "The task could not reach the registry to pull the image.",
            "The task could not reach the registry to pull the image.",
        ),
    ),
    "registry-fault": (
        AGAIN,
        "If it lasts, look",
        (
            "The registry quay.io failed while the image quay.io/acme/airflow:3 was pulled.",
            "The registry failed while the image was pulled.",
            "The registry failed while the image was pulled.",
        ),
    ),
    "image-key": (
        AGAIN,
        "aws kms enable-key",
        (
            "ECR can't decrypt the image: the KMS key of its repository can't be used.",
            "ECR can't decrypt the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3: the KMS key of its repository can't be used.",
        ),
    ),
    "image-login-expired": (
        AGAIN,
        "repositoryCredentials",
        (
            "The login to the registry had expired when the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow was pulled.",
            "The login to the registry had expired when the image was pulled.",
            "The login to the registry had expired when the image was pulled.",
        ),
    ),
    "image-reference": (
        USELESS,
        "`image`",
        (
            "The name of the image in the task definition is not valid.",
            "The name of the image in the task definition is not valid.",
            "The name of the image https://123.dkr.ecr.eu-west-1.amazonaws.com/airflow in the task definition is not valid.",
        ),
    ),
    "image-login": (
        USELESS,
        "repositoryCredentials",
        (
            "The registry wants a login for the image ghcr.io/acme/airflow:3, and got none or a wrong one.",
            "The registry registry-1.docker.io wants a login for the image registry-1.docker.io/acme/airflow:3, and got none or a wrong one.",
            "The registry wants a login for the image, and got none or a wrong one.",
            "The registry wants a login for the image, and got none or a wrong one.",
        ),
    ),
    "image-denied": (
        AGAIN,
        "AmazonECSTaskExecutionRolePolicy",
        (
            "The task may not pull the image 123123123123.dkr.ecr.us-east-1.amazonaws.com/test_image.",
            "The task may not pull the image 123456789.dkr.ecr.us-east-1.amazonaws.com/myapp:latest.",
            "The task may not pull the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3.",
            "The task may not pull the image.",
        ),
    ),
    "image-private": (
        USELESS,
        "repositoryCredentials",
        (
            "The registry has no image acme/airflow, or does not give it to the task.",
            "The registry has no image acme/airflow, or does not give it to the task.",
            "The registry has no image, or does not give it to the task.",
        ),
    ),
    "image-repository": (
        USELESS,
        "aws ecr create-repository",
        (
            "The registry has no repository airflow for the image airflow.",
            "The registry has no repository airflow for the image airflow.",
            "The registry has no repository for the image acme/airflow.",
        ),
    ),
    "image-missing": (
        USELESS,
        "aws ecr list-images",
        (
            "The registry has no image 802388215838.dkr.ecr.eu-west-1.amazonaws.com/airflow:3.0.9.",
            "The registry has no image apache/airflow:9.9.",
            "The registry has no image.",
            "The registry has no image public.ecr.aws/acme/airflow@sha256:3bb5.",
        ),
    ),
    "image-format": (
        USELESS,
        "Build it again without attestations",
        (
            "The image has a format that the container runtime does not know.",
            "The image has a format that the container runtime does not know.",
            "The image has a format that the container runtime does not know.",
        ),
    ),
    "image-layers": (
        AGAIN,
        "If it happens each",
        (
            "The layers of the image arrived damaged, or could not be unpacked.",
            "The layers of the image arrived damaged, or could not be unpacked.",
            "The layers of the image arrived damaged, or could not be unpacked.",
            "The layers of the image arrived damaged, or could not be unpacked.",
            "The layers of the image arrived damaged, or could not be unpacked.",
        ),
    ),
    "image-too-big": (
        AGAIN,
        "ephemeralStorage",
        (
            "The image is too big for the task's host.",
            "The image is too big for the task's host.",
            "The image is too big for the task's host.",
        ),
    ),
    "image-cut-off": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3 could not be looked up in its registry; ECS gives no reason.",
            "The image could not be looked up in its registry; ECS gives no reason.",
            "The image could not be looked up in its registry; ECS gives no reason.",
        ),
    ),
    "image-other": (
        AGAIN,
        "`assign_public_ip`",
        (
            "CannotPullContainerError: API error.",
            "CannotPullImageManifestError: Error response from daemon: unknown error.",
            "CannotPullContainerError: unknown: artifact err.",
        ),
    ),
    # Secrets, registry login and environment files
    "env-file-network": (
        AGAIN,
        "Add a gateway endpoint for",
        (
            "The task could not reach S3 to download its environment file.",
            "The task could not reach S3 to download its environment file.",
            "The task could not reach S3 to download its environment file.",
        ),
    ),
    "env-file-denied": (
        AGAIN,
        "s3:GetObject",
        (
            "The task may not read its environment file in S3.",
            "The task may not read its environment file in S3.",
            "The task may not read its environment file prod/airflow.env in S3.",
        ),
    ),
    "env-file-region": (
        USELESS,
        "task's Region",
        (
            "The bucket of the environment file is in another Region than the task.",
            "The bucket acme-config of the environment file prod/airflow.env is in another Region than the task.",
        ),
    ),
    "env-file-bucket": (
        USELESS,
        "environmentFiles",
        (
            "The bucket acme-config of the environment file prod/airflow.env does not exist.",
            "The bucket of the environment file does not exist.",
        ),
    ),
    "env-file-missing": (
        USELESS,
        "environmentFiles",
        (
            "The environment file does not exist in S3.",
            "The environment file does not exist in S3.",
            "The environment file prod/airflow.env does not exist in S3.",
        ),
    ),
    "env-file-other": (
        AGAIN,
        "environmentFiles",
        (
            "ResourceInitializationError: failed to download env files: unknown.",
            "unable to parse bucket and key from s3 ARN specified in environmentFile arn:aws:s3:acme, error: invalid s3 arn.",
            "unable to initialize envfile resource directory, error: mkdir.",
        ),
    ),
    "secret-throttled": (
        AGAIN,
        "`run_task_rate`",
        (
            "AWS gave the task its secrets or its login too slowly: it throttled the calls.",
            "AWS gave the task its secrets or its login too slowly: it throttled the calls.",
            "AWS gave the task its secrets or its login too slowly: it throttled the calls.",
        ),
    ),
    "registry-login-network": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The task could not reach ECR at api.ecr.us-east-1.amazonaws.com to log in to the registry.",
            "The task could not reach ECR at api.ecr.eu-west-1.amazonaws.com to log in to the registry.",
            "The task could not reach ECR to log in to the registry.",
        ),
    ),
    "parameter-network": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The task could not reach the Parameter Store for its secrets.",
            "The task could not reach the Parameter Store for its secrets.",
            "The task could not reach the Parameter Store at ssm.eu-west-1.amazonaws.com for its secrets.",
        ),
    ),
    "secret-network": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The task could not reach Secrets Manager for the secret arn:aws:secretsmanager:us-west-2:123456789012:secret:DBPassword-a1b2c3.",
            "The task could not reach Secrets Manager.",
            "The task could not reach Secrets Manager for the secret docker-hub.",
        ),
    ),
    "secrets-network": (
        AGAIN,
        "`assign_public_ip`",
        (
            "The task could not reach AWS for its secrets or its login to the registry.",
            "The task could not reach AWS for its secrets or its login to the registry.",
            "The task could not reach AWS for its secrets or its login to the registry.",
        ),
    ),
    "secrets-credentials": (
        AGAIN,
        "restart the agent",
        (
            "AWS did not accept the credentials with which the host fetches the task's secrets or its login.",
            "AWS did not accept the credentials with which the host fetches the task's secrets or its login.",
        ),
    ),
    "secret-kms-key": (
        USELESS,
        "aws kms enable-key",
        (
            "The KMS key arn:aws:kms:eu-west-1:123456789012:key/1234 that encrypts the secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 can't be used: it is disabled, deleted or unknown.",
            "The KMS key that encrypts the secret can't be used: it is disabled, deleted or unknown.",
            "The KMS key that encrypts the secret can't be used: it is disabled, deleted or unknown.",
        ),
    ),
    "secret-kms-denied": (
        AGAIN,
        "kms:Decrypt",
        (
            "The execution role may not use the KMS key that encrypts the secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:directus-EaPYTy.",
            "The execution role may not use the KMS key arn:aws:kms:eu-west-1:123456789012:key/1234 that encrypts the secret.",
            "The execution role may not use the KMS key that encrypts the secret.",
        ),
    ),
    "registry-login-denied": (
        AGAIN,
        "ecr:GetAuthorizationToken",
        (
            "The execution role exec may not log in to ECR.",
            "The execution role may not log in to ECR.",
            "The execution role may not log in to ECR.",
        ),
    ),
    "parameter-denied": (
        AGAIN,
        "ssm:GetParameters",
        (
            "The execution role exec may not read the parameter arn:aws:ssm:eu-west-1:123456789012:parameter/db.",
            "The execution role may not read the parameter.",
            "The execution role may not read the parameter.",
        ),
    ),
    "secret-denied": (
        AGAIN,
        "secretsmanager:GetSecretValue",
        (
            "The execution role exec may not read the secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3.",
            "The execution role may not read the secret.",
            "The execution role may not read the secret.",
        ),
    ),
    "secret-key": (
        USELESS,
        "SECRET_ARN",
        (
            "The secret has no JSON key SUPABASE_SECRET_KEY.",
            "The secret has no JSON key app_definition_id.",
            "The secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 has no JSON key UI_USERNAME.",
        ),
    ),
    "secret-no-json": (
        USELESS,
        "A secret used with a",
        (
            "The secret is not the JSON object that the task definition needs.",
            "The secret is not the JSON object that the task definition needs.",
            "The secret is not the JSON object that the task definition needs.",
        ),
    ),
    "parameter-missing": (
        USELESS,
        "aws ssm put-parameter",
        (
            "The parameter /prod/airflow/db does not exist.",
            "The parameter /airflow/fernet does not exist.",
            "The parameter does not exist.",
        ),
    ),
    "secret-deleted": (
        USELESS,
        "aws secretsmanager restore-secret",
        (
            "The secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 is marked for deletion.",
            "The secret is marked for deletion.",
            "The secret is marked for deletion.",
        ),
    ),
    "secret-missing": (
        USELESS,
        "aws secretsmanager describe-secret",
        (
            "The secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 does not exist, or has no value.",
            "The secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3 does not exist, or has no value.",
            "The secret does not exist, or has no value.",
        ),
    ),
    "secret-name": (
        USELESS,
        "SECRET_ARN",
        (
            "The task definition names the secret in a form that AWS does not know.",
            "The task definition names the secret in a form that AWS does not know.",
            "The task definition names the secret in a form that AWS does not know.",
        ),
    ),
    "secrets-cut-off": (
        AGAIN,
        "Check the route to Secrets",
        (
            "The task could not fetch its secrets or its login to the registry; ECS cut its reason off.",
            "The task could not fetch its secrets or its login to the registry; ECS cut its reason off.",
            "The task could not fetch its secrets or its login to the registry; ECS cut its reason off.",
        ),
    ),
    "secrets-other": (
        AGAIN,
        "Check the secrets that the",
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: something new.",
            "unable to retrieve secret from asm: InternalServiceError: An error occurred on the server side.",
            "unable to retrieve secrets from ssm: empty response.",
        ),
    ),
    # Logs
    "log-router-file": (
        AGAIN,
        "s3:GetObject",
        (
            "FireLens could not read its configuration file extra.conf in the bucket acme-logs.",
            "FireLens could not read its configuration file fluent/extra.conf in the bucket acme-logs.",
            "FireLens could not read its configuration file.",
        ),
    ),
    "log-router": (
        AGAIN,
        "dependsOn",
        (
            "The log router (FireLens, Fluentd) could not be set up or reached.",
            "The log router (FireLens, Fluentd) could not be set up or reached.",
            "The log router (FireLens, Fluentd) could not be set up or reached.",
            "The log router (FireLens, Fluentd) could not be set up or reached.",
        ),
    ),
    "log-credentials": (
        AGAIN,
        "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE",
        (
            "The log driver got no AWS credentials to write to CloudWatch.",
            "The log driver got no AWS credentials to write to CloudWatch.",
            "The log driver got no AWS credentials to write to CloudWatch.",
        ),
    ),
    "log-group-network": (
        AGAIN,
        "In a private subnet it",
        (
            "The task could not reach CloudWatch Logs.",
            "The task could not reach CloudWatch Logs at logs.eu-west-1.amazonaws.com.",
            "The task could not reach CloudWatch Logs at logs.us-east-1.amazonaws.com.",
            "The task could not reach CloudWatch Logs.",
        ),
    ),
    "log-destination": (
        AGAIN,
        "logConfiguration",
        (
            "The log driver could not reach its destination 10.0.0.9:514.",
            "The log driver could not reach its destination graylog.example.com.",
            "The log driver could not reach its destination splunk.example.com.",
        ),
    ),
    "log-throttled": (
        AGAIN,
        "`run_task_rate`",
        (
            "CloudWatch throttled the creation of the log stream.",
            "CloudWatch throttled the creation of the log stream.",
            "CloudWatch throttled the creation of the log stream.",
        ),
    ),
    "log-denied": (
        AGAIN,
        "logs:CreateLogStream",
        (
            "The execution role exec may not write to the log group airflow.",
            "The execution role exec may not write to the log group /ecs/airflow.",
            "The execution role may not write to the log group.",
        ),
    ),
    "log-group-missing": (
        USELESS,
        "aws logs create-log-group",
        (
            "The log group of the task definition does not exist.",
            "The log group of the task definition does not exist.",
            "The log group of the task definition does not exist.",
        ),
    ),
    "log-driver": (
        USELESS,
        "ECS_AVAILABLE_LOGGING_DRIVERS",
        (
            "The host does not offer the log driver splunk2.",
            "The host does not offer the log driver.",
            "The host does not offer the log driver awslogs2.",
        ),
    ),
    "log-options": (
        USELESS,
        "logConfiguration",
        (
            "The log options of the task definition are not valid: awslogs-region.",
            "The log options of the task definition are not valid: awslogs-stream-prefix.",
            "The log options of the task definition are not valid.",
            "The log options of the task definition are not valid.",
            "The log options of the task definition are not valid: awslogs-group.",
        ),
    ),
    "log-cut-off": (
        AGAIN,
        "logs:CreateLogStream",
        (
            "The container's log could not be set up; ECS gives no reason.",
            "The container's log could not be set up; ECS gives no reason.",
            "The container's log could not be set up; ECS gives no reason.",
        ),
    ),
    "log-other": (
        AGAIN,
        "logConfiguration",
        (
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: error getting http client: splunk-token is expected.",
            "ResourceInitializationError: failed to validate logger args: something new.",
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: Unix syslog delivery error.",
        ),
    ),
    # Volumes
    "fsx": (
        AGAIN,
        "fsxWindowsFileServerVolumeConfiguration",
        (
            "The FSx file system fs-0a1b2c3d4e could not be mounted.",
            "The FSx file system could not be mounted.",
            "The FSx file system fs-0a1b2c3d4e could not be mounted.",
        ),
    ),
    "efs-name": (
        AGAIN,
        "aws efs create-mount-target",
        (
            "The task could not look up the address of the EFS file system fs-06642d00e4ec726.",
            "The task could not look up the address of the EFS file system fs-00000000.",
            "The task could not look up the address of the EFS file system fs-0a1b2c3d.",
        ),
    ),
    "efs-denied": (
        AGAIN,
        "elasticfilesystem:ClientMount",
        (
            "The EFS file system denied the task the mount of /srv/gitlab/data.",
            "The EFS file system denied the task the mount of /var/lib/ecs/volumes/efs-data.",
            "The EFS file system fs-0a1b2c3d denied the task the mount.",
        ),
    ),
    "efs-path": (
        USELESS,
        "rootDirectory",
        (
            "The EFS file system fs-0a1b2c3d has no directory /grafana.",
            "The EFS file system has no directory /airflow/dags.",
            "The EFS file system fs-0a1b2c3d has no directory /logs.",
        ),
    ),
    "efs-access-point": (
        USELESS,
        "aws efs describe-access-points",
        (
            "The EFS file system has no access point fsap-0123456789abcdef0.",
            "The EFS file system has no access point fsap-0123456789abcdef0.",
            "The EFS file system fs-0a1b2c3d has no access point.",
        ),
    ),
    "efs-network": (
        AGAIN,
        "The security group of the",
        (
            "The task could not reach the EFS file system.",
            "The task could not reach the EFS file system.",
            "The task could not reach the EFS file system.",
            "The task could not reach the EFS file system.",
            "The task could not reach the EFS file system fs-0a1b2c3d.",
        ),
    ),
    "efs-helper": (
        AGAIN,
        "On EC2, install it (sudo",
        (
            "The host can't mount the EFS file system: its mount helper is missing or failed.",
            "The host can't mount the EFS file system: its mount helper is missing or failed.",
            "The host can't mount the EFS file system: its mount helper is missing or failed.",
        ),
    ),
    "efs-other": (
        AGAIN,
        "efsVolumeConfiguration",
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: unknown.",
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: unsuccessful EFS utils command execution; code: 1.",
            "mount.nfs4: an incorrect mount option was specified.",
        ),
    ),
    "ebs-quota": (
        CAPACITY,
        "Raise the EBS storage",
        (
            "No EBS volume can be created for the task: a quota or the capacity of the zone is used up.",
            "No EBS volume can be created for the task: a quota or the capacity of the zone is used up.",
            "No EBS volume can be created for the task: a quota or the capacity of the zone is used up.",
        ),
    ),
    "ebs-key": (
        AGAIN,
        "kms:CreateGrant",
        (
            "ECS could not create the task's EBS volume: the KMS key can't be used.",
            "ECS could not create the task's EBS volume: the KMS key can't be used.",
            "ECS could not create the task's EBS volume: the KMS key can't be used.",
        ),
    ),
    "ebs-snapshot": (
        USELESS,
        "volumeConfigurations",
        (
            "The snapshot snap-0a1b2c3d for the task's EBS volume does not exist.",
            "The snapshot for the task's EBS volume does not exist.",
            "The snapshot snap-0a1b2c3d for the task's EBS volume does not exist.",
        ),
    ),
    "ebs-denied": (
        AGAIN,
        "AmazonECSInfrastructureRolePolicyForVolumes",
        (
            "The infrastructure role ecsInfrastructureRole may not create or attach the task's EBS volume.",
            "The infrastructure role may not create or attach the task's EBS volume.",
            "The infrastructure role may not create or attach the task's EBS volume.",
        ),
    ),
    "ebs-attach": (
        AGAIN,
        "volumeConfigurations",
        (
            "ECS timed out while it attached the task's EBS volume.",
            "ECS timed out while it attached the task's EBS volume.",
            "ECS timed out while it attached the task's EBS volume.",
        ),
    ),
    "ebs-other": (
        AGAIN,
        "aws ecs describe-tasks",
        (
            "ECS failed to set up the EBS volume.",
            "TaskFailedToStart: ECS failed to set up the EBS volume. Encountered InternalError.",
            "Unable to attach EBS volume vol-0a1b2c3d.",
        ),
    ),
    "ephemeral-storage": (
        AGAIN,
        "This usually passes by",
        (
            "AWS did not provide the task's ephemeral storage in time.",
            "AWS did not provide the task's ephemeral storage in time.",
            "AWS did not provide the task's ephemeral storage in time.",
        ),
    ),
    "mount-denied": (
        AGAIN,
        "mountPoints",
        (
            "The volume at /var/lib/ecs/x can't be mounted: permission is denied.",
            "The volume at /dags can't be mounted: permission is denied.",
        ),
    ),
    "mount-file-directory": (
        USELESS,
        "mountPoints",
        (
            "The volume at /var/lib/volumes/api can't be mounted: one side is a file, the other a directory.",
            "The volume can't be mounted: one side is a file, the other a directory.",
            "The volume at /etc/app.properties can't be mounted: one side is a file, the other a directory.",
        ),
    ),
    "mount-read-only": (
        AGAIN,
        "readonlyRootFilesystem",
        (
            "A volume or a program needs the directory /var/lib/docker/overlay/9fe4/merged/etc/nginx/sites-enabled, which is on a read-only file system.",
            "A volume or a program needs the directory /dags, which is on a read-only file system.",
            "A volume or a program needs the directory /run/secrets, which is on a read-only file system.",
        ),
    ),
    "mount-source": (
        AGAIN,
        "sourcePath",
        (
            "The host has no directory /mnt/dags to mount, or the mount is not valid.",
            "The host has no directory to mount, or the mount is not valid.",
            "The host has no directory /mnt to mount, or the mount is not valid.",
        ),
    ),
    "volume-driver": (
        AGAIN,
        "dockerVolumeConfiguration",
        (
            "The host's volume driver is missing or could not mount the volume.",
            "The host's volume driver rexray/ebs is missing or could not mount the volume.",
            "The host's volume driver is missing or could not mount the volume.",
        ),
    ),
    "volume-owner": (
        USELESS,
        "posixUser",
        (
            "The container's files could not be copied into the volume: its directory /var/lib/ecs/volumes/airflow does not accept their owner.",
            "The container's files could not be copied into the volume: its directory /var/lib/docker/volumes/a/_data does not accept their owner.",
            "The container's files could not be copied into the volume: its directory /data does not accept their owner.",
        ),
    ),
    "volume-other": (
        AGAIN,
        "mountPoints",
        (
            "CannotCreateVolumeError: volume.",
            "CannotCreateVolumeError: unable to create the volume mount.",
            "InvalidVolumeError: Invalid volume referenced: dags.",
        ),
    ),
    # Containers
    "out-of-memory": (
        AGAIN,
        "`memory`",
        (
            "The container was killed: it used more memory than it has.",
            "The container was killed: it used more memory than it has.",
            "The container was killed: it used more memory than it has.",
        ),
    ),
    "memory-at-start": (
        AGAIN,
        "`memory`",
        (
            "The container has too little memory to start.",
            "The container has too little memory to start.",
            "The container has too little memory to start.",
        ),
    ),
    "memory-minimum": (
        USELESS,
        "`memory`",
        (
            "The container's memory limit is below Docker's minimum of 6MB.",
            "The container's memory limit is below Docker's minimum of 4MB.",
            "The container's memory limit is below Docker's minimum.",
        ),
    ),
    "working-directory": (
        USELESS,
        "workingDirectory",
        (
            "The container's working directory /opt/airflow does not exist, or its user may not enter it.",
            "The container's working directory does not exist, or its user may not enter it.",
            "The container's working directory /app does not exist, or its user may not enter it.",
        ),
    ),
    "user-missing": (
        USELESS,
        "Correct user in the task",
        (
            "The image has no user or group airflow.",
            "The image has no user or group staff.",
            "The image has no user or group.",
        ),
    ),
    "gpu": (
        AGAIN,
        "ECS_ENABLE_GPU_SUPPORT",
        (
            "The host has no usable GPU for the container.",
            "The host has no usable GPU for the container.",
            "The host has no usable GPU for the container.",
        ),
    ),
    "device": (
        AGAIN,
        "linuxParameters",
        (
            "The host has no device /dev/dri/renderD130.",
            "The host has no device /dev/neuron0.",
            "The host has no device /dev/fuse.",
        ),
    ),
    "exec-agent": (
        AGAIN,
        "`enableExecuteCommand`",
        (
            "ECS Exec's agent could not be started in the container.",
            "ECS Exec's agent could not be started in the container.",
            "ECS Exec's agent could not be started in the container.",
        ),
    ),
    "host-setting": (
        AGAIN,
        "systemControls",
        (
            "The host's kernel does not offer a setting that the container asks for.",
            "The host's kernel does not offer a setting that the container asks for.",
        ),
    ),
    "cgroups-used-up": (
        AGAIN,
        "newer AMI",
        (
            "The host has no control group left for the container.",
            "The host has no control group left for the container.",
        ),
    ),
    "host-runtime": (
        AGAIN,
        "newer AMI",
        (
            "The container runtime of the host failed to set the container up.",
            "The container runtime of the host failed to set the container up.",
            "The container runtime of the host failed to set the container up.",
            "The container runtime of the host failed to set the container up.",
        ),
    ),
    "program-denied": (
        USELESS,
        "Make it executable in the",
        (
            "The image's program /entrypoint.sh is not executable.",
            "The image's program ./run.sh is not executable.",
            "The image's program /entrypoint.sh is not executable.",
        ),
    ),
    "program-missing": (
        USELESS,
        "entryPoint",
        (
            "The image has no program python, or the interpreter that the program names.",
            "The image has no program /opt/sonarqube/bin/run.sh, or the interpreter that the program names.",
            "The image has no program node index.js -i 0, or the interpreter that the program names.",
            "The image has no program, or the interpreter that the program names.",
        ),
    ),
    "arguments-too-long": (
        USELESS,
        "128 KiB",
        (
            "The container's command and environment are longer than Linux allows.",
            "The container's command and environment are longer than Linux allows.",
        ),
    ),
    "environment": (
        USELESS,
        "environmentFiles",
        (
            "An environment variable of the container has no valid name.",
            "An environment variable of the container has no valid name.",
        ),
    ),
    "no-command": (
        USELESS,
        "entryPoint",
        (
            "The container has no command to run.",
            "The container has no command to run.",
            "The container has no command to run.",
        ),
    ),
    "port": (
        AGAIN,
        "hostPort",
        (
            "The port 0.0.0.0:8080 that the container needs is in use on the host.",
            "The port 0.0.0.0:8080 that the container needs is in use on the host.",
            "The port 0.0.0.0:8793 that the container needs is in use on the host.",
        ),
    ),
    "container-name": (
        AGAIN,
        "If it happens often",
        (
            "The host still has a container of the same name.",
            "The host still has a container of the same name.",
            "The host still has a container of the same name.",
        ),
    ),
    "dependency-late": (
        AGAIN,
        "startTimeout",
        (
            "The container log_router, which others depend on, was not ready in time.",
            "The container log_router, which others depend on, was not ready in time.",
        ),
    ),
    "dependency": (
        AGAIN,
        "dependsOn",
        (
            "The container init, which others depend on, failed.",
            "The container init, which others depend on, failed.",
            "The container init, which others depend on, failed.",
            "The container init, which others depend on, failed.",
            "The container init, which others depend on, failed.",
        ),
    ),
    "dependencies": (
        AGAIN,
        "dependsOn",
        (
            "The containers' dependencies can't be met.",
            "The containers' dependencies can't be met.",
        ),
    ),
    "health-check": (
        AGAIN,
        "healthCheck",
        (
            "The container failed its health check.",
            "The container failed its health check.",
            "The container failed its health check.",
            "The container failed its health check.",
        ),
    ),
    "runtime-daemon": (
        AGAIN,
        "If it happens often",
        (
            "The container runtime of the host does not answer.",
            "The container runtime of the host does not answer.",
            "The container runtime of the host does not answer.",
            "The container runtime of the host does not answer.",
        ),
    ),
    "runtime-timeout": (
        AGAIN,
        "If it happens often",
        (
            "The host's container runtime was too slow to get the container to started: it timed out after 3m0s.",
            "The host's container runtime was too slow to get the container to running: it timed out after 1m.",
            "The host's container runtime was too slow to get the container to created: it timed out after 4m0s.",
            "The host's container runtime was too slow to get the container to inspecting: it timed out after 30s.",
            "The host's container runtime was too slow.",
        ),
    ),
    "service-connect": (
        AGAIN,
        "proxyConfiguration",
        (
            "The Service Connect or App Mesh proxy of the task could not be set up.",
            "The Service Connect or App Mesh proxy of the task could not be set up.",
            "The Service Connect or App Mesh proxy of the task could not be set up.",
        ),
    ),
    "credential-spec": (
        AGAIN,
        "credentialSpecs",
        (
            "The container's credential spec (gMSA) could not be set up.",
            "The container's credential spec (gMSA) could not be set up.",
            "The container's credential spec (gMSA) could not be set up.",
        ),
    ),
    "runtime-setting": (
        AGAIN,
        "linuxParameters",
        (
            "The host's container runtime refused a setting of the container: CannotStartContainerError: Error response from daemon: OCI runtime create failed: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted.",
            'The host\'s container runtime refused a setting of the container: CannotCreateContainerError: Error response from daemon: sysctl "net.core.somaxconn" is not in a separate kernel namespace.',
            "The host's container runtime refused a setting of the container: CannotCreateContainerError: Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available.",
            "The host's container runtime refused a setting of the container: ResourceInitializationError: cgroup create: unable to create cgroup.",
        ),
    ),
    "kernel": (
        AGAIN,
        "ECS-optimized AMI",
        (
            "The host's kernel can't enforce the container's limits.",
            "The host's kernel can't enforce the container's limits.",
        ),
    ),
    "cannot-stop": (
        AGAIN,
        "If it happens often",
        (
            "The container could not be stopped: the host's container runtime does not answer.",
            "The container could not be stopped: the host's container runtime does not answer.",
            "The container could not be stopped: the host's container runtime does not answer.",
        ),
    ),
    "container-lost": (
        AGAIN,
        "If it happens often",
        (
            "The host's ECS agent lost sight of the container.",
            "The host's ECS agent lost sight of the container.",
            "The host's ECS agent lost sight of the container.",
        ),
    ),
    "pull-not-begun": (
        AGAIN,
        "This usually passes by",
        (
            "The task was stopped before its image was pulled.",
            "The task was stopped before its image was pulled.",
            "The task was stopped before its image was pulled.",
        ),
    ),
    "runtime-fault": (
        AGAIN,
        "If it happens often",
        (
            "CannotStartContainerError: failed to create shim.",
            "CannotStartContainerError: failed to get container status: unknown.",
            "ContainerRuntimeError: failed to create container runtime task: unknown.",
            "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed.",
        ),
    ),
    "container-other": (
        AGAIN,
        "If it happens each",
        (
            "CannotStartContainerError: Error response from dae.",
            "CannotCreateContainerError: Error response from daemon: unknown.",
            "HostConfigError: Invalid link format.",
        ),
    ),
    # Network
    "no-addresses": (
        CAPACITY,
        "`subnets`",
        (
            "The subnet subnet-0a1b2c3d has no free IP address.",
            "The subnet has no free IP address.",
            "The subnet has no free IP address.",
        ),
    ),
    "subnet-missing": (
        USELESS,
        "aws ec2 describe-subnets",
        (
            "The subnet birdzview does not exist in this Region and account.",
            "The subnet subnet-0a1b2c3d does not exist in this Region and account.",
            "The subnet subnet-0a1b2c3d does not exist in this Region and account.",
        ),
    ),
    "security-group-missing": (
        USELESS,
        "aws ec2 describe-security-groups",
        (
            "The security group sg-1 does not exist in the VPC of the subnets.",
            "The security group sg-0a1b2c3d does not exist in the VPC of the subnets.",
            "The security group sg-0a1b2c3d does not exist in the VPC of the subnets.",
        ),
    ),
    "different-vpcs": (
        USELESS,
        "`security_groups`",
        (
            "The security group sg-0a1b2c3d and the subnets subnet-0a1b2c3d belong to different VPCs.",
            "The security group sg-0a1b2c3d and the subnets belong to different VPCs.",
            "The security group and the subnets belong to different VPCs.",
        ),
    ),
    "eni-limit": (
        CAPACITY,
        "aws ecs put-account-setting-default",
        (
            "The account or the instance has no network interface left for the task.",
            "The account or the instance has no network interface left for the task.",
            "The account or the instance has no network interface left for the task.",
        ),
    ),
    "security-group-limit": (
        USELESS,
        "`security_groups`",
        (
            "The request has too many security groups or subnets.",
            "The request has too many security groups or subnets.",
            "The request has too many security groups or subnets.",
        ),
    ),
    "eni-tag-policy": (
        USELESS,
        "`tags`",
        (
            "The organization's tag policy does not let ECS tag the task's network interface.",
            "The organization's tag policy does not let ECS tag the task's network interface.",
            "The organization's tag policy does not let ECS tag the task's network interface.",
        ),
    ),
    "eni-throttled": (
        AGAIN,
        "`run_task_rate`",
        (
            "EC2 throttled ECS while it made the task's network interface.",
            "EC2 throttled ECS while it made the task's network interface.",
            "EC2 throttled ECS while it made the task's network interface.",
        ),
    ),
    "eni-denied": (
        AGAIN,
        "This may pass by",
        (
            "EC2 did not let ECS make or read the task's network interface.",
            "EC2 did not let ECS make or read the task's network interface in subnet-0a1b2c3d.",
            "EC2 did not let ECS make or read the task's network interface in subnet-0a1b2c3d.",
        ),
    ),
    "eni-device": (
        AGAIN,
        "aws ecs put-account-setting-default",
        (
            "The container instance has no free place for the task's network interface.",
            "The container instance has no free place for the task's network interface.",
            "The container instance has no free place for the task's network interface.",
        ),
    ),
    "eni-timeout": (
        AGAIN,
        "On Fargate, this passes",
        (
            "AWS did not provide the task's network interface in time.",
            "AWS did not provide the task's network interface in time.",
            "AWS did not provide the task's network interface in time.",
        ),
    ),
    "public-address": (
        CAPACITY,
        "`subnets`",
        (
            "ECS could not make a network interface with a public address: the subnet subnet-0a1b2c3d is probably full.",
            "ECS could not make a network interface with a public address: the subnet subnet-0a1b2c3d is probably full.",
            "ECS could not make a network interface with a public address: the subnet is probably full.",
        ),
    ),
    "docker-network": (
        AGAIN,
        "default-address-pools",
        (
            "The host's Docker network has no free address, or is missing.",
            "The host's Docker network has no free address, or is missing.",
            "The host's Docker network has no free address, or is missing.",
        ),
    ),
    "network-namespace": (
        AGAIN,
        "On EC2, replace an",
        (
            "The host could not set up the task's network.",
            "The host could not set up the task's network.",
            "The host could not set up the task's network.",
        ),
    ),
    "service-discovery": (
        AGAIN,
        "Airflow's tasks need none. If",
        (
            "The task could not be registered in the service discovery.",
            "The task could not be registered in the service discovery.",
            "The task could not be registered in the service discovery.",
        ),
    ),
    "eni-other": (
        AGAIN,
        "`subnets`",
        (
            "Unexpected EC2 error while attempting to attach network interface to instance.",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-0a1b2c3d': InternalError.",
            "InternalError: ENI is in use.",
        ),
    ),
    "network-needless": (
        USELESS,
        "`subnets`",
        (
            "The request has subnets or security groups, but the task definition's network mode is not awsvpc.",
            "The request has subnets or security groups, but the task definition's network mode is not awsvpc.",
            "The request has subnets or security groups, but the task definition's network mode is not awsvpc.",
        ),
    ),
    "network-needed": (
        USELESS,
        "`subnets`",
        (
            "The task definition's network mode is awsvpc, which needs subnets, and the request has none.",
            "The task definition's network mode is awsvpc, which needs subnets, and the request has none.",
            "The task definition's network mode is awsvpc, which needs subnets, and the request has none.",
        ),
    ),
    "public-address-unsupported": (
        USELESS,
        "`assign_public_ip`",
        (
            "Only tasks on Fargate can have a public IP address.",
            "Only tasks on Fargate can have a public IP address.",
        ),
    ),
    # Capacity and placement
    "no-cpu": (
        CAPACITY,
        "Let the Auto Scaling",
        (
            "No container instance has enough free CPU for the task.",
            "No container instance has enough free CPU for the task.",
        ),
    ),
    "no-memory": (
        CAPACITY,
        "Let the Auto Scaling",
        (
            "No container instance has enough free memory for the task.",
            "No container instance has enough free memory for the task.",
        ),
    ),
    "no-gpu": (
        CAPACITY,
        "Add instances with GPUs",
        (
            "No container instance has enough free GPUs for the task.",
            "No container instance has enough free GPUs for the task.",
        ),
    ),
    "no-port": (
        CAPACITY,
        "Set hostPort to 0",
        (
            "A port that the task needs is in use on each container instance.",
            "A port that the task needs is in use on each container instance.",
        ),
    ),
    "no-interface": (
        CAPACITY,
        "aws ecs put-account-setting-default",
        (
            "No container instance has a free network interface for the task.",
            "No container instance has a free network interface for the task.",
        ),
    ),
    "no-disk": (
        CAPACITY,
        "Let the Auto Scaling",
        (
            "No container instance has enough free disk for the task.",
            "No container instance has enough free disk for the task.",
        ),
    ),
    "no-fargate": (
        CAPACITY,
        "Add subnets in other",
        (
            "Fargate has no capacity for the task now.",
            "Fargate has no capacity for the task now.",
        ),
    ),
    "no-resource": (
        CAPACITY,
        "Let the Auto Scaling",
        (
            "No container instance has enough of the resource PORTS_UDP for the task.",
            "No container instance has enough of the resource NEURON for the task.",
            "No container instance has enough of the resource INFERENCE_ACCELERATOR for the task.",
        ),
    ),
    "no-room": (
        CAPACITY,
        "Let the Auto Scaling",
        (
            "No container instance has enough room for the task.",
            "No container instance has enough room for the task.",
            "No container instance has enough room for the task.",
        ),
    ),
    "fargate-capacity": (
        CAPACITY,
        "Add subnets in other",
        (
            "Fargate has no capacity for the task now.",
            "Fargate has no capacity for the task now.",
            "Fargate has no capacity for the task now.",
        ),
    ),
    "quota-size": (
        USELESS,
        "aws service-quotas request-service-quota-increase",
        (
            "The task's size is above the account's Fargate quota.",
            "The task's size is above the account's Fargate quota.",
            "The task's size is above the account's Fargate quota.",
        ),
    ),
    "quota-vcpus": (
        CAPACITY,
        "aws service-quotas request-service-quota-increase",
        (
            "The account's quota of concurrent vCPUs is used up.",
            "The account's quota of concurrent vCPUs is used up.",
            "The account's quota of concurrent vCPUs is used up.",
        ),
    ),
    "quota-tasks": (
        CAPACITY,
        "Raise it in Service",
        (
            "The account's quota of concurrent tasks is used up.",
            "The account's quota of concurrent tasks is used up.",
            "The account's quota of concurrent tasks is used up.",
        ),
    ),
    "provisioning-limit": (
        CAPACITY,
        "Let the capacity provider's",
        (
            "The cluster has as many tasks waiting for instances as ECS allows (500 in PROVISIONING).",
            "The cluster has as many tasks waiting for instances as ECS allows (500 in PROVISIONING).",
            "The cluster has as many tasks waiting for instances as ECS allows (500 in PROVISIONING).",
        ),
    ),
    "no-instances": (
        CAPACITY,
        "`capacity_provider_strategy`",
        (
            "The cluster has no container instances.",
            "The cluster has no container instances.",
        ),
    ),
    "provider-no-instances": (
        CAPACITY,
        "Check that its Auto",
        (
            "The capacity provider has no container instances.",
            "The capacity provider has no container instances.",
        ),
    ),
    "provider-empty": (
        CAPACITY,
        "Check that its Auto",
        (
            "The capacity provider has no active instances.",
            "The capacity provider has no active instances.",
            "The capacity provider has no active instances.",
            "The capacity provider has no active instances.",
        ),
    ),
    "ec2-capacity": (
        CAPACITY,
        "Allow more instance types",
        (
            "EC2 has no capacity for the task's instance now.",
            "EC2 has no capacity for the task's instance now.",
            "EC2 has no capacity for the task's instance now.",
        ),
    ),
    "instance-requirements": (
        AGAIN,
        "aws ecs update-capacity-provider",
        (
            "No instance type of the capacity provider fits the task.",
            "No instance type of the capacity provider fits the task.",
            "No instance type of the capacity provider fits the task.",
        ),
    ),
    "agent": (
        CAPACITY,
        "If it lasts, look",
        (
            "The ECS agent of the container instance is disconnected.",
            "The ECS agent of the container instance is disconnected.",
        ),
    ),
    "location": (
        CAPACITY,
        "Choose subnets in the instances'",
        (
            "No container instance is in an Availability Zone of the subnets.",
            "No container instance is in an Availability Zone of the subnets.",
        ),
    ),
    "attribute": (
        CAPACITY,
        "aws ecs list-attributes",
        (
            "No container instance has the attribute that the task needs.",
            "No container instance has the attribute that the task needs.",
            "No container instance has the attribute com.amazonaws.ecs.capability.docker-remote-api.1.29 that the task needs.",
        ),
    ),
    "distinct-instance": (
        CAPACITY,
        "Remove the constraint from",
        (
            "Each container instance already has a task of this kind, and the placement constraint distinctInstance allows only one.",
            "Each container instance already has a task of this kind, and the placement constraint distinctInstance allows only one.",
            "Each container instance already has a task of this kind, and the placement constraint distinctInstance allows only one.",
        ),
    ),
    "constraint": (
        CAPACITY,
        "`placementConstraints`",
        (
            "No container instance meets the placement constraint MemberOf.",
            "No container instance meets the placement constraint MemberOf.",
            "No container instance meets the placement constraint.",
        ),
    ),
    "launch-type": (
        USELESS,
        "requiresCompatibilities",
        (
            "The task definition does not fit the launch type FARGATE.",
            "The task definition does not fit the launch type FARGATE.",
            "The task definition does not fit the launch type.",
            "The task definition does not fit the launch type EC2.",
        ),
    ),
    # Spot, hosts, maintenance, stops
    "spot": (
        AGAIN,
        "Give the task `retries`",
        (
            "AWS reclaimed the Spot capacity.",
            "AWS reclaimed the Spot capacity.",
            "AWS reclaimed the Spot capacity.",
        ),
    ),
    "maintenance": (
        AGAIN,
        "aws ecs put-account-setting",
        (
            "AWS stopped the task for maintenance of its host.",
            "AWS stopped the task for maintenance of its host.",
            "AWS stopped the task for maintenance of its host.",
        ),
    ),
    "host-gone": (
        AGAIN,
        "Let the task retry. If",
        (
            "The container instance i-0a1b2c3d was stopped or terminated.",
            "The container instance i-0a1b2c3d was stopped or terminated.",
            "The container instance i-0a1b2c3d was stopped or terminated.",
        ),
    ),
    "host-deregistered": (
        AGAIN,
        "aws ecs update-container-instances-state",
        (
            "The container instance was deregistered from the cluster while the task ran.",
            "The container instance was deregistered from the cluster while the task ran.",
            "The container instance was deregistered from the cluster while the task ran.",
        ),
    ),
    "host-draining": (
        AGAIN,
        "Let the task retry",
        (
            "The container instance was drained.",
            "The container instance was drained.",
            "The container instance was drained.",
        ),
    ),
    "agent-lost": (
        AGAIN,
        "If it happens often",
        (
            "The ECS agent of the container instance was disconnected or failed.",
            "The ECS agent of the container instance was disconnected or failed.",
            "The ECS agent of the container instance was disconnected or failed.",
            "The ECS agent of the container instance was disconnected or failed.",
        ),
    ),
    "host-unhealthy": (
        AGAIN,
        "Let the task retry",
        (
            "AWS stopped the task: its host is unhealthy.",
            "AWS stopped the task: its host is unhealthy.",
            "AWS stopped the task: its host is unhealthy.",
        ),
    ),
    "service-scheduler": (
        AGAIN,
        "The executor's tasks belong to",
        (
            "An ECS service stopped the task.",
            "An ECS service stopped the task.",
            "An ECS service stopped the task.",
        ),
    ),
    "stopped-by-user": (
        AGAIN,
        "aws cloudtrail lookup-events",
        (
            "A person or a program stopped the task with StopTask.",
            "A person or a program stopped the task with StopTask.",
            "A person or a program stopped the task with StopTask.",
        ),
    ),
    "internal-error": (
        AGAIN,
        "This is a fault",
        (
            "InternalError: internal.",
            "TaskFailedToStart: InternalError: unexpected.",
            "InternalError: The agent encountered an unexpected error.",
        ),
    ),
    "initialization-other": (
        AGAIN,
        "If it happens each",
        (
            "ResourceInitializationError: unable to reach the endpoint.",
            "ResourceInitializationError: resource cannot be initialized for task.",
            "TaskConfigurationError: the task can't be set up.",
        ),
    ),
    # Roles
    "service-linked-role": (
        AGAIN,
        "aws iam create-service-linked-role",
        (
            "ECS can't use its service-linked role yet.",
            "ECS can't use its service-linked role yet.",
            "ECS can't use its service-linked role yet.",
        ),
    ),
    "infrastructure-role": (
        AGAIN,
        "ECS can use a new",
        (
            "ECS can't assume the infrastructure role arn:aws:iam::111122223333:role/ecsInfrastructureRole of the task's volume.",
            "ECS can't assume the infrastructure role arn:aws:iam::111122223333:role/ebs of the task's volume.",
            "ECS can't assume the infrastructure role of the task's volume.",
        ),
    ),
    "role": (
        AGAIN,
        "sts:AssumeRole",
        (
            "ECS can't assume the task's role arn:aws:iam::123456789012:role/task.",
            "ECS can't assume the task's role arn:aws:iam::123456789012:role/exec.",
            "ECS can't assume the task's role arn:aws:iam::123456789012:role/exec.",
            "ECS can't assume the task's role arn:aws:iam::123456789012:role/exec.",
        ),
    ),
    "execution-role-credentials": (
        AGAIN,
        "executionRoleArn",
        (
            "The host got no credentials of the task's execution role.",
            "The host got no credentials of the task's execution role.",
            "The host got no credentials of the task's execution role.",
        ),
    ),
    "host-credentials": (
        AGAIN,
        "Give the container instance an",
        (
            "The host's ECS agent got no AWS credentials.",
            "The host's ECS agent got no AWS credentials.",
            "The host's ECS agent got no AWS credentials.",
        ),
    ),
    "role-invalid": (
        USELESS,
        "`overrides`",
        (
            "A role of the task is not valid.",
            "A role of the task is not valid.",
            "A role of the task is not valid.",
        ),
    ),
    "execution-role-needed": (
        USELESS,
        "executionRoleArn",
        (
            "The task definition needs an execution role: for its image, its logs or its secrets.",
            "The task definition needs an execution role: for its image, its logs or its secrets.",
            "The task definition needs an execution role: for its image, its logs or its secrets.",
        ),
    ),
    # Refused requests
    "overrides-length": (
        USELESS,
        "`payload_bucket`",
        (
            "The overrides are too long for ECS: it takes up to 8192 characters.",
            "The overrides are too long for ECS: it takes up to 8192 characters.",
        ),
    ),
    "launch-type-and-provider": (
        USELESS,
        "`launch_type`",
        (
            "The request has both a launch type and capacity providers.",
            "The request has both a launch type and capacity providers.",
            "The request has both a launch type and capacity providers.",
        ),
    ),
    "platform-version-ec2": (USELESS, "`platform_version`", ("Only Fargate has platform versions.",)),
    "platform-version-old": (
        USELESS,
        "`platform_version`",
        (
            "The task definition needs Fargate's platform version 1.4.0 or later.",
            "The task definition needs Fargate's platform version 1.4.0 or later.",
        ),
    ),
    "strategy-missing": (
        USELESS,
        "aws ecs put-cluster-capacity-providers",
        (
            "The request names neither a launch type nor a capacity provider, and the cluster has no default.",
            "The request names neither a launch type nor a capacity provider, and the cluster has no default.",
        ),
    ),
    "provider-missing": (
        USELESS,
        "aws ecs put-cluster-capacity-providers",
        (
            "The cluster has no capacity provider spot.",
            "The cluster has no capacity provider MYCP.",
            "The cluster has no capacity provider MYCP.",
        ),
    ),
    "provider-unnamed": (
        USELESS,
        "aws ecs put-cluster-capacity-providers",
        (
            "The cluster does not have one of the capacity providers that the request names.",
            "The cluster does not have one of the capacity providers that the request names.",
        ),
    ),
    "provider-mix": (
        USELESS,
        "`capacity_provider_strategy`",
        (
            "The capacity provider strategy is not valid: A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate providers. Specify one or the other and try again.",
            "The capacity provider strategy is not valid: At least one capacity provider in the strategy must have a weight greater than 0.",
        ),
    ),
    "provider-state": (
        AGAIN,
        "aws ecs describe-capacity-providers",
        (
            "The capacity provider can't be used at the moment.",
            "The capacity provider spot can't be used at the moment.",
            "The capacity provider spot can't be used at the moment.",
        ),
    ),
    "container-name-unknown": (
        USELESS,
        "`container_name`",
        (
            "The request overrides the container django, which the task definition does not have.",
            "The request overrides the container airflow, which the task definition does not have.",
        ),
    ),
    "size": (
        USELESS,
        "`cpu`",
        (
            "The task with the container artillery can't have this size.",
            "The task can't have this size.",
            "The task can't have this size.",
            "The task can't have this size.",
            "The task can't have this size.",
        ),
    ),
    "exec-role": (
        USELESS,
        "`enableExecuteCommand`",
        (
            "`enableExecuteCommand` needs a task role.",
            "`enableExecuteCommand` needs a task role.",
            "`enableExecuteCommand` needs a task role.",
        ),
    ),
    "long-arn": (
        USELESS,
        "aws ecs put-account-setting-default",
        (
            "This account must use the long ARN format before its tasks can have tags.",
            "This account must use the long ARN format before its tasks can have tags.",
            "This account must use the long ARN format before its tasks can have tags.",
            "This account must use the long ARN format before its tasks can have tags.",
        ),
    ),
    "tags": (
        USELESS,
        "`tags`",
        (
            "The tags of the request are not valid: Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @.",
            "The tags of the request are not valid: Tag keys must not start with aws:.",
            "The tags of the request are not valid: Tasks cannot have more than 50 tags.",
        ),
    ),
    "propagate-tags": (
        USELESS,
        "TASK_DEFINITION",
        (
            "`propagateTags` has a value that RunTask does not take.",
            "`propagateTags` has a value that RunTask does not take.",
        ),
    ),
    "placement-fargate": (
        USELESS,
        "Remove them",
        (
            "Tasks on Fargate can't have placement strategies or constraints.",
            "Tasks on Fargate can't have placement strategies or constraints.",
        ),
    ),
    "placement-expression": (
        USELESS,
        "Correct it: an expression such",
        (
            "The placement constraint or strategy is not valid.",
            "The placement constraint or strategy is not valid.",
            "The placement constraint or strategy is not valid.",
        ),
    ),
    "definition-inactive": (
        USELESS,
        "Name a revision that is",
        (
            "The task definition was deregistered: it is INACTIVE.",
            "The task definition was deregistered: it is INACTIVE.",
            "The task definition was deregistered: it is INACTIVE.",
        ),
    ),
    "definition-missing": (
        USELESS,
        "aws ecs list-task-definitions",
        (
            "ECS knows no such task definition.",
            "ECS knows no such task definition.",
            "ECS knows no such task definition.",
        ),
    ),
    "cluster-inactive": (
        USELESS,
        "`cluster`",
        (
            "The cluster was deleted: it is INACTIVE.",
            "The cluster was deleted: it is INACTIVE.",
        ),
    ),
    "other-account": (
        USELESS,
        "Name a cluster, a task",
        (
            "The request mixes the resources of two AWS accounts.",
            "The request mixes the resources of two AWS accounts.",
            "The request mixes the resources of two AWS accounts.",
            "The request mixes the resources of two AWS accounts.",
        ),
    ),
    "other-region": (
        USELESS,
        "`region_name`",
        (
            "The request names a resource of another Region.",
            "The request names a resource of another Region.",
            "The request names a resource of another Region.",
            "The request names a resource of another Region.",
        ),
    ),
    "volume-configuration": (
        USELESS,
        "configuredAtLaunch",
        (
            "`volumeConfigurations` does not fit the volumes of the task definition.",
            "`volumeConfigurations` does not fit the volumes of the task definition.",
            "`volumeConfigurations` does not fit the volumes of the task definition.",
        ),
    ),
    "ephemeral-size": (
        USELESS,
        "`overrides.ephemeralStorage.sizeInGiB`",
        (
            "The size of the ephemeral storage is not valid.",
            "The size of the ephemeral storage is not valid.",
            "The size of the ephemeral storage is not valid.",
        ),
    ),
    "gpu-fargate": (
        USELESS,
        "resourceRequirements",
        (
            "Fargate has no GPUs.",
            "Fargate has no GPUs.",
        ),
    ),
    "fargate-unsupported": (
        USELESS,
        "Remove it from the task",
        (
            "The task definition uses something that Fargate does not offer: Fargate compatible task definitions do not support sourcePath.",
            "The task definition uses something that Fargate does not offer: Fargate only supports network mode 'awsvpc'.",
            "The task definition uses something that Fargate does not offer: Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
        ),
    ),
    "started-by-filter": (USELESS, "Report it as a bug", ("ListTasks takes startedBy only alone.",)),
    "environment-name": (
        USELESS,
        "`environment`",
        (
            "An environment variable of the request is not valid: The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'DB'.",
            "An environment variable of the request is not valid: Invalid environment variable name.",
        ),
    ),
    "cluster-mismatch": (
        USELESS,
        "aws ecs list-clusters",
        (
            "The option `cluster` does not name the cluster of the request's resources: Invalid identifier: Identifier is for cluster default. Your cluster is prod.",
            "The option `cluster` does not name the cluster of the request's resources: No cluster found.",
            "The option `cluster` does not name the cluster of the request's resources: Cluster identifier is invalid.",
        ),
    ),
    "overrides-containers": (
        USELESS,
        "`overrides`",
        (
            "The overrides of the request are not valid: Duplicate container names in overrides.",
            "The overrides of the request are not valid: cpu override must be at least 128.",
            "The overrides of the request are not valid: Invalid container overrides.",
        ),
    ),
    "launch-type-unknown": (
        USELESS,
        "`launch_type`",
        (
            "ECS knows no such launch type.",
            "ECS knows no such launch type.",
        ),
    ),
    "spot-unsupported": (
        USELESS,
        "`capacity_provider_strategy`",
        (
            "Fargate Spot can't run this task definition: Fargate Spot is not supported on ARM64.",
            "Fargate Spot can't run this task definition: Windows tasks do not support FARGATE_SPOT.",
        ),
    ),
    "missing": (
        AGAIN,
        "`cluster`",
        (
            "ECS does not find what the request names: it says MISSING.",
            "ECS does not find what the request names: it says INACTIVE.",
        ),
    ),
    # Calls that AWS refuses: credentials, rights, throttles
}
