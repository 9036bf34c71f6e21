"""ECS can't use a role."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import EARLY, Cause, Outlook, guide, issue, says
from ecs_async_executor.engine.diagnosis.iam import TRUSTS_ECS_TASKS, one_line

TITLE = "Roles"

CAUSES = (
    Cause(
        "service-linked-role",
        says(r"unable to assume the service linked role|service[- ]linked role (?:exists|does not exist)"),
        "ECS can't use its service-linked role yet.",
        "AWS creates it with an account's first task, which takes a few seconds. If it still fails after that, run: "
        "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
        guide("using-service-linked-roles"),
        (
            "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
            (
                "InvalidParameterException: Unable to assume the service linked role. Please verify that the ECS service linked role"
                " exists."
            ),
            "Unable to assume the service linked role.",
        ),
    ),
    Cause(
        "infrastructure-role",
        says(r"infrastructure role"),
        "ECS can't assume the infrastructure role{role} of the task's volume.",
        "ECS can use a new role after a few seconds. If it still fails, the role's trust policy must name the service "
        "ecs.amazonaws.com.",
        guide("troubleshoot-ebs-volumes-scenarios"),
        (
            (
                "ECS was unable to assume the configured ECS Infrastructure Role 'arn:aws:iam::111122223333:role/ecsInfrastructureRole'."
                " Please verify that the role being passed has the proper trust relationship with Amazon ECS"
            ),
            "TaskFailedToStart: ECS was unable to assume the configured ECS Infrastructure Role 'arn:aws:iam::111122223333:role/ebs'.",
            "ECS was unable to assume the infrastructure role.",
        ),
        members=("volumeConfigurations",),
    ),
    Cause(
        "role",
        says(
            r"(?:unable to|could not|cannot|can't|failed to) assume (?:the |its )?(?:(?:task |task's )?execution |task )?role\b"
            r"|role .{0,200}cannot be assumed"
        ),
        "ECS can't assume the task's role{role}.",
        "ECS can use a new role after a few seconds. If it still fails, check that the role exists, and set its trust policy: "
        + one_line(TRUSTS_ECS_TASKS),
        guide("task-iam-roles"),
        (
            (
                "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/task' that was provided for this task. Please verify that"
                " the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass"
                " this role."
            ),
            "ClientException: ECS was unable to assume the role 'arn:aws:iam::123456789012:role/exec' that was provided for this task.",
            "TaskFailedToStart: ECS was unable to assume the role 'arn:aws:iam::123456789012:role/exec'",
            (
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve ecr registry auth: could not assume"
                " execution role arn:aws:iam::123456789012:role/exec"
            ),
        ),
        members=("overrides.executionRoleArn", "overrides.taskRoleArn"),
        rank=EARLY,
    ),
    Cause(
        "execution-role-credentials",
        says(r"execution role credentials"),
        "The host got no credentials of the task's execution role.",
        "Give the task definition an executionRoleArn. On EC2, check the agent's role and that it reaches ECS; the executor starts the "
        "task again.",
        guide("task_execution_IAM_role"),
        (
            "ResourceInitializationError: environment file resource: unable to find execution role credentials",
            "dependency graph: execution role credentials not available",
            "asm resource: unable to find execution role credentials",
        ),
        rank=EARLY,
    ),
    Cause(
        "host-credentials",
        says(
            r"NoCredentialProviders|CredentialsEndpointError|credentials endpoint|EC2RoleRequestError|no EC2 IMDS role found"
        ),
        "The host's ECS agent got no AWS credentials.",
        "Give the container instance an instance profile with AmazonEC2ContainerServiceforEC2Role, and let it reach 169.254.169.254 "
        "and 169.254.170.2.",
        guide("instance_IAM_role"),
        (
            "NoCredentialProviders: no valid providers in chain. Deprecated.",
            "CredentialsEndpointError: failed to load credentials",
            "EC2RoleRequestError: no EC2 instance role found",
        ),
    ),
    Cause(
        "role-invalid",
        says(r"role is not valid|invalid (?:task ?|execution ?)?role ?arn"),
        "A role of the task{role} is not valid.",
        "Correct taskRoleArn and executionRoleArn in the task definition or in `overrides`: each is a role's ARN in this account.",
        issue("fabfuel/ecs-deploy#231"),
        (
            "Role is not valid",
            "ClientException: Role is not valid",
            "Invalid task role ARN",
        ),
        Outlook.USELESS,
        ("overrides.executionRoleArn", "overrides.taskRoleArn", "taskDefinition"),
    ),
    Cause(
        "execution-role-needed",
        says(r"must also specify a value for 'executionRoleArn'|to have execution role ARN"),
        "The task definition needs an execution role: for its image, its logs or its secrets.",
        "Set executionRoleArn in the task definition, to a role with the policy AmazonECSTaskExecutionRolePolicy.",
        guide("task_execution_IAM_role"),
        (
            "Fargate requires task definition to have execution role ARN to support ECR images.",
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
        ),
        Outlook.USELESS,
        ("taskDefinition",),
    ),
)
