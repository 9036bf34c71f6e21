"""moto with what the template uses and moto's CloudFormation lacks; `moto_stack_server.py` serves it.

Added: Fn::Cidr, secrets (generated, and read by dynamic references), resources of other kinds on paper, all members of task
definitions, buckets' lifecycle rules, the last snapshot of a database, and that route tables have subnets and go with their VPC.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import secrets
import string
from typing import Any

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.core.utils import pascal_to_camelcase, remap_nested_keys
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.vpcs import VPC
from moto.ecs.models import TaskDefinition, ecs_backends
from moto.rds.models import DBInstance, rds_backends
from moto.s3.models import FakeBucket
from moto.secretsmanager.models import secretsmanager_backends

_REFERENCE = re.compile(r"\{\{resolve:secretsmanager:(.*?)\}\}")
_SECRET = "AWS::SecretsManager::Secret"
_ACCOUNT, _REGION = "123456789012", "us-east-1"


class OnPaper(CloudFormationModel):
    """A resource of a kind that moto doesn't know: it has a name, and ARNs for attributes."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind

    @property
    def physical_resource_id(self) -> str:
        return self.name

    def get_cfn_attribute(self, attribute: str) -> str:
        return f"arn:aws:{self.kind.split('::')[1].lower()}:{_REGION}:{_ACCOUNT}:{self.name}/{attribute}"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> OnPaper:
        del account_id, region_name
        return cls(resource_name, cloudformation_json["Type"])

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        del new_resource_name, cloudformation_json, account_id, region_name
        return original_resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Nothing but paper."""


class Secret(OnPaper):
    """AWS::SecretsManager::Secret, in moto's own Secrets Manager."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Secret:
        properties = cloudformation_json.get("Properties", {})
        value = properties.get("SecretString")
        if generated := properties.get("GenerateSecretString"):
            assert generated["ExcludePunctuation"] is True
            letters = string.ascii_letters + string.digits
            value = "".join(secrets.choice(letters) for _ in range(int(generated["PasswordLength"])))
        backend = secretsmanager_backends[account_id][region_name]
        name = resource_name.partition("-")[2]
        backend.create_secret(
            name=name,
            secret_string=_resolved(value),
            secret_binary=None,
            description=properties.get("Description"),
            tags=[],
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return cls(backend.describe_secret(name).arn, cloudformation_json["Type"])

    def delete(self, account_id: str, region_name: str) -> None:
        secretsmanager_backends[account_id][region_name].delete_secret(self.name, 7, False)


def _resolved(value: Any) -> Any:
    """Put secrets in the place of dynamic references."""
    if isinstance(value, dict):
        return {name: _resolved(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_resolved(member) for member in value]
    if not isinstance(value, str):
        return value
    backend = secretsmanager_backends[_ACCOUNT][_REGION]

    def secret(match: re.Match[str]) -> str:
        return str(backend.get_secret_value(match[1], "", "")["SecretString"])

    return _REFERENCE.sub(secret, value)


def add_to_moto() -> None:
    """Add it all. Only for a process of its own."""
    module: Any = parsing
    module.clean_json = _with_cidr(parsing.clean_json)
    module.resource_class_from_type = _with_all_kinds(parsing.resource_class_from_type)
    module.parse_resource = _with_references(parsing.parse_resource)
    module.ResourceMap.create = _with_retain(parsing.ResourceMap.create)
    definition: Any = TaskDefinition
    definition.create_from_cloudformation_json = _register
    bucket: Any = FakeBucket
    bucket.create_from_cloudformation_json = _with_lifecycle(FakeBucket.create_from_cloudformation_json)
    backend: Any = EC2Backend
    backend.create_subnet_association = _with_route_table(EC2Backend.create_subnet_association)
    database: Any = DBInstance
    database.delete = _with_snapshot(DBInstance.delete)
    vpc: Any = VPC
    vpc.delete_from_cloudformation_json = _delete_vpc


def _with_cidr(plain: Any) -> Any:
    def clean_json(document: Any, resources: Any) -> Any:
        if isinstance(document, dict) and "Fn::Cidr" in document:
            block, count, bits = plain(document["Fn::Cidr"], resources)
            subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
            return [str(each) for each in itertools.islice(subnets, int(count))]
        return plain(document, resources)

    return clean_json


def _with_all_kinds(plain: Any) -> Any:
    def resource_class_from_type(kind: str) -> Any:
        if kind == _SECRET:
            return Secret
        return plain(kind) if kind in parsing.get_model_map() else OnPaper

    return resource_class_from_type


def _with_references(plain: Any) -> Any:
    def parse_resource(document: Any, resources: Any) -> Any:
        made_of, cleaned, kind = plain(document, resources)
        # A secret resolves its own, when it is made.
        return made_of, cleaned if kind == _SECRET else _resolved(cleaned), kind

    return parse_resource


def _with_retain(plain: Any) -> Any:
    def create(resource_map: Any, template: Any) -> Any:
        for each in template["Resources"].values():
            if each.get("DeletionPolicy") == "RetainExceptOnCreate":
                each["DeletionPolicy"] = "Retain"  # the one that moto knows
        return plain(resource_map, template)

    return create


def _register(_name: str, document: Any, account_id: str, region_name: str, **_: Any) -> Any:
    """Register a task definition as it stands in a template, with PascalCase names."""
    members = remap_nested_keys(document["Properties"], pascal_to_camelcase)
    return ecs_backends[account_id][region_name].register_task_definition(
        members["family"],
        members["containerDefinitions"],
        network_mode=members["networkMode"],
        requires_compatibilities=members["requiresCompatibilities"],
        cpu=members["cpu"],
        memory=members["memory"],
        task_role_arn=members["taskRoleArn"],
        execution_role_arn=members["executionRoleArn"],
        runtime_platform=members["runtimePlatform"],
    )


def _with_lifecycle(plain: Any) -> Any:
    def create(name: str, document: Any, account_id: str, region_name: str, **more: Any) -> Any:
        bucket = plain(name, document, account_id, region_name, **more)
        bucket.set_lifecycle(
            [
                {
                    "ID": each["Id"],
                    "Prefix": "",
                    "Status": "Enabled",
                    "Expiration": {"Days": each["ExpirationInDays"]},
                }
                for each in document["Properties"]["LifecycleConfiguration"]["Rules"]
            ]
        )
        return bucket

    return create


def _with_route_table(plain: Any) -> Any:
    def create_subnet_association(backend: Any, route_table_id: str, subnet_id: str) -> Any:
        backend.associate_route_table(route_table_id=route_table_id, subnet_id=subnet_id)
        return plain(backend, route_table_id, subnet_id)

    return create_subnet_association


def _with_snapshot(plain: Any) -> Any:
    def delete(database: Any, account_id: str, region_name: str) -> None:
        name = database.physical_resource_id
        rds_backends[account_id][region_name].create_db_snapshot(name, f"{name}-last")
        plain(database, account_id, region_name)

    return delete


def _delete_vpc(name: str, _document: Any, account_id: str, region_name: str) -> None:
    backend = ec2_backends[account_id][region_name]
    for table in backend.describe_route_tables(filters={"vpc-id": name}):
        table._associations.clear()
        if not table.main_association_id:
            backend.delete_route_table(table.id)
    backend.delete_vpc(name)
