"""Whether the Regions that are named exist, as far as this host's botocore knows them."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor import aws_regions
from ecs_async_executor.doctor.effective import EcrImage, Effective, region_of
from ecs_async_executor.doctor.facts import Cause, Facts, Kind, Question, Unknown
from ecs_async_executor.doctor.findings import Finding, error, unknown
from ecs_async_executor.doctor.setup import Setup
from ecs_async_executor.suggestions import did_you_mean


def is_misspelt(setup: Setup, region: str) -> bool:
    """Return whether a Region is in no list and has no name that AWS would give to a new one."""
    return aws_regions.is_misspelt(region, setup.regions)


def closest(setup: Setup, region: str) -> str:
    """Return `Did you mean ...?` with the Region that is spelt most like this one; empty if none is close."""
    return did_you_mean(region, setup.regions)


def no_such_region(setup: Setup, facts: Facts) -> bool:
    """Return whether the executor's Region is misspelt. A Region that answers exists, whatever the list says."""
    return not setup.local and is_misspelt(setup, setup.region) and not _answers(setup, facts)


def region(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The executor's Region."""
    name = setup.region
    if not name or setup.connection_problem or setup.local or not setup.regions or name in setup.regions:
        return
    where = "[aws_ecs_executor] region_name, the connection's region_name or AWS_DEFAULT_REGION"
    if no_such_region(setup, facts):
        yield error(
            f"There is no AWS Region {name}.",
            "The executor's calls reach nobody.",
            f"{closest(setup, name)} Correct {where}.".strip(),
        )
    elif not _answers(setup, facts):
        yield unknown(
            f"Not known: whether there is an AWS Region {name}. This host's botocore doesn't know it.",
            "botocore's list is as old as its release: a new Region isn't in it.",
            f"{closest(setup, name)} If so, correct {where}; if it is new, upgrade boto3. AWS's list: "
            "aws ec2 describe-regions --all-regions --query Regions[].RegionName --region us-east-1".strip(),
        )


def of_resources(setup: Setup, each: Effective) -> Iterator[Finding]:
    """The Regions in ARNs, image names and log options."""
    named = [
        ("The cluster", region_of(each.cluster_name), each.cluster_name, "Correct the option `cluster`."),
        (
            "The task definition",
            region_of(each.definition_name),
            each.definition_name,
            "Correct `task_definition`.",
        ),
        *(
            ("The image", image.region, name, "Correct `image` in the task definition.")
            for name in each.images
            if (image := EcrImage.parse(name))
        ),
        *(
            (f"The secret {variable}", region_of(arn), arn, "Correct valueFrom in the task definition.")
            for variable, arn in each.secrets
        ),
        *(
            ("The log group", of, group, 'Correct "awslogs-region" in the task definition.')
            for _, group, of in each.log_groups
        ),
    ]
    for what, of, name, todo in named:
        # The executor's own Region is the check above.
        if of and of != setup.region and is_misspelt(setup, of):
            yield error(
                f"{what} {name} is in {of}, and there is no such AWS Region.",
                "AWS finds nothing there: tasks don't start.",
                f"{closest(setup, of)} {todo}".strip(),
            )


def _answers(setup: Setup, facts: Facts) -> bool:
    """Return whether ECS has answered in the executor's Region, be it with a denial."""
    asked = [Question(Kind.CLUSTER, each.cluster) for each in setup.targets]
    # What can't be known without an answer is the connection's matter: nothing is missed here.
    answers = [facts.answers[each] for each in asked if each in facts.answers]
    return any(not isinstance(each, Unknown) or each.cause is Cause.DENIED for each in answers)
