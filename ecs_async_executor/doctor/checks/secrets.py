"""The secrets and parameters that the task definition names."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.effective import Effective, secret_question
from ecs_async_executor.doctor.facts import Facts, Kind
from ecs_async_executor.doctor.findings import Finding, error
from ecs_async_executor.doctor.setup import Setup

_WHY = "The task stops before it starts: ResourceInitializationError, unable to pull secrets."

_MANAGER = " (a secret of Secrets Manager must be named by its ARN)"
"""API reference: Secret, valueFrom."""


def secrets(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """They exist, and aren't about to be deleted."""
    for variable, value_from in each.secrets:
        kind, name, region = secret_question(variable, value_from, setup.region)
        is_bare = kind is Kind.PARAMETER and name == value_from
        meant = (
            facts.value(Kind.SECRET, name, region) if is_bare and facts.absent(kind, name, region) else None
        )
        if meant:
            yield error(
                f"The task definition takes {variable} from {name}, the name of a secret of Secrets Manager.",
                f"ECS looks for a name in the Parameter Store, which has no such parameter; it takes secrets by their ARN. {_WHY}",
                f'Set "valueFrom" of {variable} in the task definition to {meant["arn"]}',
            )
        elif facts.absent(kind, name, region):
            manager = "Secrets Manager" if kind is Kind.SECRET else "The Parameter Store"
            listing = "secretsmanager list-secrets" if kind is Kind.SECRET else "ssm describe-parameters"
            yield error(
                f"{manager} has no {'secret' if kind is Kind.SECRET else 'parameter'} {name} in {region}, from which the task "
                f"definition takes {variable}.",
                _WHY,
                f"Create it, or correct valueFrom in the task definition{_MANAGER if is_bare else ''}: aws {listing} --region {region}",
            )
        found = facts.value(kind, name, region)
        if found and found.get("deleted"):
            yield error(
                f"The secret {name}, from which the task definition takes {variable}, is scheduled for deletion.",
                _WHY,
                f"aws secretsmanager restore-secret --region {region} --secret-id {name}",
            )
