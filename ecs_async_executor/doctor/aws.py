"""Asks AWS: read-only calls, over the executor's connection, with short time-outs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import botocore.exceptions as boto

from ecs_async_executor.doctor.addresses import is_here
from ecs_async_executor.doctor.effective import EcrImage, region_of
from ecs_async_executor.doctor.facts import Absent, Cause, Fact, Kind, Known, Question, Unknown
from ecs_async_executor.doctor.policies import decisions
from ecs_async_executor.engine.diagnosis.call_failures import (
    CREDENTIAL_CODES,
    CREDENTIAL_ERRORS,
    THIS_HOST,
    classify,
    is_clock_error,
)
from ecs_async_executor.engine.diagnosis.faults import text_of
from ecs_async_executor.engine.diagnosis.iam import missing, remedy_of
from ecs_async_executor.tokens import without_tokens

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3.0, 5.0, 2
"""Of one call: below `gather.LIMIT` together."""
_CONFIGURATION = 1 << 20
"""Bytes of an image's configuration at most; it is some kilobytes long."""

ABSENT = frozenset(
    {
        "404",
        "ClusterNotFoundException",
        "ImageNotFoundException",
        "InvalidGroup.NotFound",
        "InvalidGroupId.Malformed",
        "InvalidGroup.Malformed",
        "InvalidSecurityGroupID.NotFound",
        "InvalidSubnetID.Malformed",
        "InvalidSubnetID.NotFound",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchLifecycleConfiguration",
        "NotFoundException",
        "RepositoryNotFoundException",
        "ResourceNotFoundException",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
"""AWS's error codes for something that doesn't exist."""
_OF_CREDENTIALS = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "CreateToken",
        "GetRoleCredentials",
        "GetSessionToken",
    }
)
"""Operations that fetch credentials, before the call that was meant is sent."""
_DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthFailure", "NotAuthorized", "UnauthorizedOperation"}
)
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
    Kind.QUOTA: "servicequotas:GetServiceQuota",
    Kind.RATES: "servicequotas:ListServiceQuotas",
    Kind.BUCKET: "s3:ListBucket",
    Kind.LIFECYCLE: "s3:GetLifecycleConfiguration",
    Kind.ENCRYPTION: "s3:GetEncryptionConfiguration",
}
"""The action that allows each question. docs/iam.md has the policy."""
MORE_ACTIONS = frozenset({"ecr:GetDownloadUrlForLayer", "servicequotas:GetAWSDefaultServiceQuota"})
"""Of second calls, for an answer that the first one doesn't have."""


class Aws:
    """Answers questions. Safe for several threads: botocore's clients are."""

    def __init__(self, conn_id: str | None, region: str | None) -> None:
        self._conn_id = conn_id
        self.region = region
        self._lock = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = "") -> Any:
        """Return a client of the executor's connection; raises what botocore and the provider raise."""
        key = (service, region or self.region or "")
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:  # many threads ask one service at once, and making a client takes long
            if key not in self._clients:
                self._clients[key] = self._connect(*key)
            return self._clients[key]

    def _connect(self, service: str, region: str) -> Any:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook  # noqa: PLC0415  a second of imports
        from botocore.config import Config  # noqa: PLC0415  as above

        hook: Any = AwsBaseHook(aws_conn_id=self._conn_id, client_type=service, region_name=region or None)
        quick = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        )
        return hook.get_client_type(region_name=region or None, config=hook.config.merge(quick))

    @property
    def local(self) -> bool:
        """Whether ECS is on this machine."""
        return is_here(urlsplit(str(self.client("ecs").meta.endpoint_url)).hostname or "")

    def answer(self, question: Question) -> Fact:
        """Answer a question about AWS; raises nothing."""
        ask = _ASK[question.kind]
        try:
            service, region = _service_of(question)
            client = self.client(service, region)
            if service != "ecs" and self.local and not _is_set(client):
                # A local ECS takes any credentials; real AWS would see them, and knows none of its resources.
                text = f"ECS is on this machine, and no endpoint is set for {service}."
                return Unknown(text, Cause.NOT_ASKED)
            if question.kind is Kind.PERMISSIONS:
                return self._permissions(question)
            found = ask(client, question)
        except Exception as error:  # noqa: BLE001  botocore, the provider and credential processes raise anything
            return fact_of(error, question)
        return found if isinstance(found, (Absent, Unknown)) else Known(found)

    def _permissions(self, question: Question) -> Fact:
        """Simulate; where that isn't allowed, read the policies, which can tell that no statement allows an action."""
        try:
            simulated = _simulate(self.client("iam"), question)
        except Exception as error:  # noqa: BLE001  as in `answer`
            simulated, unknown = None, fact_of(error, question)
        if simulated is not None and "unknown" not in simulated.values():
            return Known(simulated)
        try:
            read = _by_policies(self.client("iam"), question)
        except Exception:  # noqa: BLE001  what the simulation said counts
            return unknown if simulated is None else Known(simulated)
        if simulated is None:
            return Known(read)
        return Known({name: read[name] if told == "unknown" else told for name, told in simulated.items()})


def fact_of(error: Exception, question: Question) -> Fact:
    """Return what an exception of a call tells."""
    if isinstance(error, boto.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = _first_line(without_tokens(str(error.response.get("Error", {}).get("Message", ""))))
        of_credentials = error.operation_name in _OF_CREDENTIALS
        if of_credentials or code in CREDENTIAL_CODES or is_clock_error(code, message):
            # Every service refuses credentials alike; a call that isn't ECS's would be taken for one that provides them.
            refused = error if of_credentials else boto.ClientError(error.response, "DescribeClusters")
            diagnosis = classify(refused, THIS_HOST).diagnosis
            return Unknown(f"{diagnosis.summary} ({code}: {message})", Cause.CREDENTIALS, diagnosis.remedy)
        if code in ABSENT or (question.kind is Kind.DEFINITION and code == "ClientException"):
            return Absent(f"{code}: {message}")
        if code in _DENIED:
            action = ACTIONS[question.kind]
            todo = remedy_of(message) or missing("the role that runs the doctor", action, "*")
            return Unknown(f"AWS denies {action}.", Cause.DENIED, todo)
        return Unknown(f"{error.operation_name} answered {code}: {message}".rstrip(": .") + ".", Cause.OTHER)
    if isinstance(error, (boto.HTTPClientError, boto.ConnectionError)):
        return _unreached(error)
    if isinstance(error, (*CREDENTIAL_ERRORS, boto.NoRegionError, boto.InvalidRegionError)):
        diagnosis = classify(error, THIS_HOST).diagnosis
        return Unknown(
            f"{diagnosis.summary} ({_first_line(text_of(error))})", Cause.CREDENTIALS, diagnosis.remedy
        )
    return Unknown(f"{_first_line(text_of(error)).rstrip('.')}.", Cause.OTHER)


def _unreached(error: boto.BotoCoreError) -> Unknown:
    """Return what a call tells that got no answer: its endpoint, and what to check."""
    where = str(error.kwargs.get("endpoint_url") or "AWS") if hasattr(error, "kwargs") else "AWS"
    if isinstance(error, boto.SSLError):
        todo = "Set AWS_CA_BUNDLE, or the connection's `verify`, to a file with the certificate authority of the server or proxy."
        return Unknown(f"This host can't make a trusted TLS connection to {where}.", Cause.NETWORK, todo)
    is_late = isinstance(error, boto.ReadTimeoutError)
    why = f"{where} doesn't answer in time." if is_late else f"This host can't reach {where}."
    return Unknown(
        why,
        Cause.NETWORK,
        "Check the Region's name, this host's network and proxy (HTTPS_PROXY, VPC endpoints), the connection's `endpoint_url` and "
        "AWS_ENDPOINT_URL*.",
    )


def _first_line(text: str) -> str:
    """Return the beginning of an error's text: a proxy's page may be long."""
    return "" if text.lstrip().startswith("<") else text.partition("\n")[0][:300]


def _is_set(client: Any) -> bool:
    """Return whether a client's endpoint is not AWS's own."""
    host = urlsplit(str(client.meta.endpoint_url)).hostname or ""
    return not host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


SERVICES: Mapping[str, str] = {"servicequotas": "service-quotas"}


def _service_of(question: Question) -> tuple[str, str]:
    """Return the service to ask, and the Region if it isn't the executor's."""
    service = ACTIONS[question.kind].partition(":")[0]
    region = ""
    if question.kind in {Kind.KEY_POLICY, Kind.LOG_GROUP, Kind.PARAMETER, Kind.SECRET, Kind.SECRET_POLICY}:
        region = question.of
    if question.kind in {Kind.IMAGE, Kind.PLATFORMS}:
        image = EcrImage.parse(question.name)
        region = image.region if image else ""
    return SERVICES.get(service, service), region


# --- one function a kind: the client and the question in, the value out -------------------------------------


def _identity(client: Any, _: Question) -> Any:
    before = time.time()
    answer = client.get_caller_identity()
    now = (before + time.time()) / 2
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    # The header has whole seconds, cut off.
    ahead = now - parsedate_to_datetime(date).timestamp() - 0.5 if date else None
    return {"Arn": answer["Arn"], "Account": answer["Account"], "ahead": ahead}


def _cluster(client: Any, question: Question) -> Any:
    answer = client.describe_clusters(clusters=[question.name])
    return next(iter(answer.get("clusters") or ()), None) or Absent("MISSING")


def _definition(client: Any, question: Question) -> Any:
    return client.describe_task_definition(taskDefinition=question.name)["taskDefinition"]


def _provider(client: Any, question: Question) -> Any:
    # Without the cluster, AWS leaves out providers of Managed Instances (API reference: DescribeCapacityProviders).
    for more in ({}, {"cluster": question.of}):
        answer = client.describe_capacity_providers(capacityProviders=[question.name], **more)
        if found := answer.get("capacityProviders"):
            return found[0]
    return Absent("MISSING")


def _list_tasks(client: Any, question: Question) -> Any:
    client.list_tasks(cluster=question.name, startedBy="ecs-async-doctor")
    return True


def _describe_tasks(client: Any, question: Question) -> Any:
    client.describe_tasks(cluster=question.name, tasks=["0" * 32])
    return True


def _subnet(client: Any, question: Question) -> Any:
    found = client.describe_subnets(SubnetIds=[question.name]).get("Subnets")
    return found[0] if found else Absent()


def _group(client: Any, question: Question) -> Any:
    found = client.describe_security_groups(GroupIds=[question.name]).get("SecurityGroups")
    return found[0] if found else Absent()


def _default_group(client: Any, question: Question) -> Any:
    filters = [{"Name": "vpc-id", "Values": [question.name]}, {"Name": "group-name", "Values": ["default"]}]
    found = client.describe_security_groups(Filters=filters).get("SecurityGroups")
    return found[0] if found else Absent()


def _routes(client: Any, question: Question) -> Any:
    return client.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [question.name]}])[
        "RouteTables"
    ]


def _endpoints(client: Any, question: Question) -> Any:
    return client.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [question.name]}])[
        "VpcEndpoints"
    ]


def _dns(client: Any, question: Question) -> Any:
    found = {}
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        answer = client.describe_vpc_attribute(VpcId=question.name, Attribute=attribute)
        found[attribute] = bool(answer[attribute[0].upper() + attribute[1:]]["Value"])
    return found


def _role(client: Any, question: Question) -> Any:
    return client.get_role(RoleName=question.name)["Role"]


def _simulate(client: Any, question: Question) -> dict[str, str]:
    actions, resource, cluster = (*question.of.split(" "), "")[:3]
    context = {
        "iam:PassedToService": "ecs-tasks.amazonaws.com",
        "ecs:CreateAction": "RunTask",
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region_of(resource),
        "ecs:cluster": cluster,
    }
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
        if value
    ]
    answer = client.simulate_principal_policy(
        PolicySourceArn=question.name,
        ActionNames=actions.split(","),
        ResourceArns=[resource],
        ContextEntries=entries,
    )
    return {each["EvalActionName"]: _decision(each) for each in answer["EvaluationResults"]}


def _decision(result: Mapping[str, Any]) -> str:
    """Return IAM's decision; `unknown` where it depends on a condition whose value the simulation doesn't have."""
    decision = str(result["EvalDecision"])
    return "unknown" if decision != "allowed" and result.get("MissingContextValues") else decision


def _by_policies(client: Any, question: Question) -> dict[str, str]:
    actions, resource, *_ = question.of.split(" ")
    name = question.name.rpartition("/")[2]
    kind = "role" if ":role/" in question.name else "user"
    own = {f"{kind.title()}Name": name}
    names = _all(client, f"list_{kind}_policies", "PolicyNames", own)
    read = getattr(client, f"get_{kind}_policy")
    documents = [_policy(read(**own, PolicyName=each)["PolicyDocument"]) for each in names]
    for each in _all(client, f"list_attached_{kind}_policies", "AttachedPolicies", own):
        version = client.get_policy(PolicyArn=each["PolicyArn"])["Policy"]["DefaultVersionId"]
        answer = client.get_policy_version(PolicyArn=each["PolicyArn"], VersionId=version)
        documents.append(_policy(answer["PolicyVersion"]["Document"]))
    if kind == "user" and client.list_groups_for_user(**own)["Groups"]:
        raise LookupError("The user's groups may allow it.")
    return decisions(documents, actions.split(","), resource)


def _all(client: Any, operation: str, member: str, request: Mapping[str, Any]) -> list[Any]:
    """Return a list that AWS may answer in pages."""
    return [
        each
        for page in client.get_paginator(operation).paginate(**request)
        for each in page.get(member) or ()
    ]


def _policy(document: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(unquote(document)) if isinstance(document, str) else document
    return found


def _key_policy(client: Any, question: Question) -> Any:
    return _policy(client.get_key_policy(KeyId=question.name, PolicyName="default")["Policy"])


def _bucket_policy(client: Any, question: Question) -> Any:
    return _policy(client.get_bucket_policy(Bucket=question.name)["Policy"])


def _secret_policy(client: Any, question: Question) -> Any:
    found = client.get_resource_policy(SecretId=question.name).get("ResourcePolicy")
    return _policy(found) if found else Absent()


def _log_group(client: Any, question: Question) -> Any:
    answer = client.describe_log_groups(logGroupNamePrefix=question.name)
    found = [each for each in answer["logGroups"] if each["logGroupName"] == question.name]
    if found:
        return found[0]
    return Absent() if not answer.get("nextToken") else Unknown("Too many log groups begin with this name.")


def _secret(client: Any, question: Question) -> Any:
    answer = client.describe_secret(SecretId=question.name)
    return {"deleted": answer.get("DeletedDate") is not None, "key": answer.get("KmsKeyId") or ""}


def _parameter(client: Any, question: Question) -> Any:
    # Its metadata: GetParameters would return the value.
    filters = [{"Key": "Name", "Option": "Equals", "Values": [question.name]}]
    found = client.describe_parameters(ParameterFilters=filters).get("Parameters")
    return {"type": found[0].get("Type", "")} if found else Absent()


def _image(client: Any, question: Question) -> Any:
    image = EcrImage.parse(question.name)
    if image is None:
        return Unknown("It is in another registry.", Cause.NOT_ASKED)
    answer = client.describe_images(
        registryId=image.account, repositoryName=image.repository, imageIds=[_image_id(image)]
    )
    return {"size": answer["imageDetails"][0].get("imageSizeInBytes", 0)}


def _platforms(client: Any, question: Question) -> Any:
    """Return the processors of an image: of an index they are in the manifest, of a single image in its configuration."""
    image = EcrImage.parse(question.name)
    if image is None:
        return Unknown("It is in another registry.", Cause.NOT_ASKED)
    answer = client.batch_get_image(
        registryId=image.account, repositoryName=image.repository, imageIds=[_image_id(image)]
    )
    if not answer.get("images"):
        return Unknown("There is no such image.", Cause.NOT_ASKED)
    manifest = json.loads(answer["images"][0]["imageManifest"])
    found = sorted(
        {str((each.get("platform") or {}).get("architecture", "")) for each in manifest.get("manifests", ())}
    )
    if processors := tuple(each for each in found if each and each != "unknown"):
        return processors
    digest = str((manifest.get("config") or {}).get("digest") or "")
    found_one = _processor_of(client, image, digest) if digest else ""
    return (found_one,) if found_one else Unknown("Its manifest names no processor.", Cause.NOT_ASKED)


def _processor_of(client: Any, image: EcrImage, digest: str) -> str:
    """Return the processor in an image's configuration, a blob like a layer; empty if it can't be read."""
    try:
        answer = client.get_download_url_for_layer(
            registryId=image.account, repositoryName=image.repository, layerDigest=digest
        )
        with urlopen(answer["downloadUrl"], timeout=READ_SECONDS) as blob:  # noqa: S310  AWS's own address
            return str(json.loads(blob.read(_CONFIGURATION)).get("architecture") or "")
    except Exception:  # noqa: BLE001  denied, or no registry of AWS's: then it stays unknown
        return ""


def _image_id(image: EcrImage) -> dict[str, str]:
    return {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}


def _quota(client: Any, question: Question) -> Any:
    request = {"ServiceCode": "fargate", "QuotaCode": question.name}
    try:
        answer = client.get_service_quota(**request)
    except boto.ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchResourceException":
            raise
        # The account has no value of its own, so AWS's default holds.
        answer = client.get_aws_default_service_quota(**request)
    return float(answer["Quota"]["Value"])


def _rates(client: Any, _: Question) -> Any:
    """Return Fargate's quotas as they are granted to this account, by name."""
    quotas = _all(client, "list_service_quotas", "Quotas", {"ServiceCode": "fargate"})
    return {str(each["QuotaName"]): float(each["Value"]) for each in quotas if "Value" in each}


def _bucket(client: Any, question: Question) -> Any:
    try:
        answer = client.head_bucket(Bucket=question.name)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    except boto.ClientError as error:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if error.response.get("Error", {}).get("Code") != "301":  # another Region, which the answer names
            raise
    return {"region": headers.get("x-amz-bucket-region", "")}


def _lifecycle(client: Any, question: Question) -> Any:
    return client.get_bucket_lifecycle_configuration(Bucket=question.name)["Rules"]


def _encryption(client: Any, question: Question) -> Any:
    rules = client.get_bucket_encryption(Bucket=question.name)["ServerSideEncryptionConfiguration"]["Rules"]
    return rules[0].get("ApplyServerSideEncryptionByDefault") or {}


_ASK: Mapping[Kind, Callable[[Any, Question], Any]] = {
    Kind.IDENTITY: _identity,
    Kind.CLUSTER: _cluster,
    Kind.DEFINITION: _definition,
    Kind.PROVIDER: _provider,
    Kind.LIST_TASKS: _list_tasks,
    Kind.DESCRIBE_TASKS: _describe_tasks,
    Kind.SUBNET: _subnet,
    Kind.GROUP: _group,
    Kind.DEFAULT_GROUP: _default_group,
    Kind.ROUTES: _routes,
    Kind.ENDPOINTS: _endpoints,
    Kind.DNS: _dns,
    Kind.ROLE: _role,
    Kind.PERMISSIONS: _simulate,
    Kind.KEY_POLICY: _key_policy,
    Kind.BUCKET_POLICY: _bucket_policy,
    Kind.SECRET_POLICY: _secret_policy,
    Kind.LOG_GROUP: _log_group,
    Kind.SECRET: _secret,
    Kind.PARAMETER: _parameter,
    Kind.IMAGE: _image,
    Kind.PLATFORMS: _platforms,
    Kind.QUOTA: _quota,
    Kind.RATES: _rates,
    Kind.BUCKET: _bucket,
    Kind.LIFECYCLE: _lifecycle,
    Kind.ENCRYPTION: _encryption,
}
