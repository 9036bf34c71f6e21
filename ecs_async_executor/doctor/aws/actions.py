"""Which of AWS's actions answers each question, and which service is asked where. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_async_executor.doctor.effective import EcrImage
from ecs_async_executor.doctor.facts import Kind, Question

ACTIONS: Mapping[Kind, str] = {
    Kind.IDENTITY: "sts:GetCallerIdentity",
    Kind.CLUSTER: "ecs:DescribeClusters",
    Kind.DEFINITION: "ecs:DescribeTaskDefinition",
    Kind.PROVIDER: "ecs:DescribeCapacityProviders",
    Kind.LIST_TASKS: "ecs:ListTasks",
    Kind.DESCRIBE_TASKS: "ecs:DescribeTasks",
    Kind.SUBNET: "ec2:DescribeSubnets",
    Kind.GROUP: "ec2:DescribeSecurityGroups",
    Kind.DEFAULT_GROUP: "ec2:DescribeSecurityGroups",
    Kind.ROUTES: "ec2:DescribeRouteTables",
    Kind.ENDPOINTS: "ec2:DescribeVpcEndpoints",
    Kind.DNS: "ec2:DescribeVpcAttribute",
    Kind.ROLE: "iam:GetRole",
    Kind.PERMISSIONS: "iam:SimulatePrincipalPolicy",
    Kind.KEY_POLICY: "kms:GetKeyPolicy",
    Kind.BUCKET_POLICY: "s3:GetBucketPolicy",
    Kind.SECRET_POLICY: "secretsmanager:GetResourcePolicy",
    Kind.LOG_GROUP: "logs:DescribeLogGroups",
    Kind.SECRET: "secretsmanager:DescribeSecret",
    Kind.PARAMETER: "ssm:DescribeParameters",
    Kind.IMAGE: "ecr:DescribeImages",
    Kind.PLATFORMS: "ecr:BatchGetImage",
    Kind.CACHE_RULES: "ecr:DescribePullThroughCacheRules",
    Kind.QUOTA: "servicequotas:GetServiceQuota",
    Kind.RATES: "servicequotas:ListServiceQuotas",
    Kind.BUCKET: "s3:ListBucket",
    Kind.LIFECYCLE: "s3:GetLifecycleConfiguration",
    Kind.ENCRYPTION: "s3:GetEncryptionConfiguration",
    Kind.VERSIONING: "s3:GetBucketVersioning",
}
"""The action that allows each question. docs/iam.md has the policy."""
MORE_ACTIONS = frozenset({"ecr:GetDownloadUrlForLayer", "servicequotas:GetAWSDefaultServiceQuota"})
"""Of second calls, for an answer that the first one doesn't have."""
_OF_REGION = frozenset(
    {
        Kind.CACHE_RULES,
        Kind.KEY_POLICY,
        Kind.LOG_GROUP,
        Kind.PARAMETER,
        Kind.SECRET,
        Kind.SECRET_POLICY,
    }
)
"""Kinds of questions that name the Region to ask in."""
_SERVICES: Mapping[str, str] = {"servicequotas": "service-quotas"}
"""boto3's names of services that IAM names differently."""


def service_of(kind: Kind) -> str:
    """Return boto3's name of the service that answers a kind of question."""
    service = ACTIONS[kind].partition(":")[0]
    return _SERVICES.get(service, service)


def region_of(question: Question) -> str:
    """Return the Region to ask in; empty for the executor's."""
    if question.kind in _OF_REGION:
        return question.of
    if question.kind in {Kind.IMAGE, Kind.PLATFORMS}:
        image = EcrImage.parse(question.name)
        return image.region if image else ""
    return ""
