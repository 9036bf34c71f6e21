"""`ecs-async stack up`: makes the stack, or changes it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping

from ecs_async_executor.cli.operation import show
from ecs_async_executor.cli.stack.env import hand_over
from ecs_async_executor.cli.stack.live import Live
from ecs_async_executor.cli.stack.terminal import (
    NO,
    agreed,
    command,
    connect,
    existing,
    find,
    goes_on,
    interrupted,
    pace,
    tell,
)
from ecs_async_executor.errors import ConfigurationError, OperationError
from ecs_async_executor.stack import operation
from ecs_async_executor.stack.cloud import Cloud, Stack
from ecs_async_executor.stack.display import change_lines, estimate_lines, resource_lines
from ecs_async_executor.stack.environment import variables
from ecs_async_executor.stack.prices import estimate
from ecs_async_executor.stack.template import Template, Values, read_template

_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def run(args: argparse.Namespace) -> int:
    """Make or change the stack, hand over its variables, and let the doctor look."""
    template = read_template()
    if args.dry_run:
        return _dry_run(args, template)
    cloud = connect(args)
    before = find(cloud, args.name)
    if before is not None:
        operation.check(before, cloud.region)
    values = template.values(dict(args.given), before.parameters if before else None)
    if before is not None and before.in_progress:
        return _attend(args, cloud, template, before)
    if before is None and values["Airflow"] == "ecs" and values["ImageTag"]:
        raise ConfigurationError(
            "--set ImageTag: a new stack has no image yet, because its repository is part of it. Make it without ImageTag, "
            "push the image, and set the tag then."
        )
    tell(_plan(template, values, cloud.region, before.parameters if before else None))
    what = "Change" if before else "Make"
    if not args.yes and not agreed(f"{what} the stack {args.name} in {cloud.region}? [y/N] "):
        show(["Nothing was changed."])
        return NO
    seen = operation.seen_before(cloud, before)
    try:
        if not operation.begin(cloud, template, args.name, values, before):
            tell([f"The stack {args.name} is like this already. A new image needs a new tag."])
            return _finish(args, cloud, before)
        return _watched(args, cloud, len(template.resources(values)), seen)
    except KeyboardInterrupt:
        return interrupted(args, "up")


def _attend(args: argparse.Namespace, cloud: Cloud, template: Template, before: Stack) -> int:
    """Show what AWS does with the stack already."""
    tell([f"The stack {args.name} is {before.status}: AWS works on it already. This shows it."])
    if args.given:
        tell(["Your parameters (--set) come too late for that. When it is done, run this again."])
    try:
        count = len(template.resources(template.values({}, before.parameters)))
        code = _watched(args, cloud, count, operation.seen_before(cloud, before))
    except KeyboardInterrupt:
        return interrupted(args, "up")
    return NO if args.given else code


def _watched(args: argparse.Namespace, cloud: Cloud, count: int, seen: set[str]) -> int:
    """Watch the stack until AWS is done with it, and finish."""
    try:
        stack, progress = operation.watch(cloud, existing(cloud, args.name).id, seen, Live(count), pace())
    except OperationError as error:
        raise OperationError(f"{error}\n{goes_on(args, 'up')}") from error
    if why := operation.failed(stack, progress):
        raise OperationError(f"{why}\n{_after_a_failure(args, cloud, stack)}")
    return _finish(args, cloud, stack)


def _dry_run(args: argparse.Namespace, template: Template) -> int:
    """Show the plan: of the stack's own parameters if it is there and can be read, else of the defaults."""
    region, before = args.region or "", None
    try:
        cloud = connect(args)
        region, before = cloud.region, find(cloud, args.name)
    except OperationError as error:
        tell([f"Whether there is such a stack is not known: {error}"])
    own = before.parameters if before else None
    values = template.values(dict(args.given), own)
    parameters = ["", "Parameters (--set NAME=VALUE):"]
    parameters += [
        f"  {name}={values[name]}  {each.description}" for name, each in template.parameters.items()
    ]
    show([*_plan(template, values, region, own), *parameters])
    return 0


def _plan(template: Template, values: Values, region: str, before: Values | None) -> list[str]:
    """Return what the stack has with these values, what that costs, and what changes if it is there already."""
    resources = template.resources(values)
    lines = [f"{len(resources)} resources{f' in {region}' if region else ''}:", *resource_lines(resources)]
    if before is not None:
        lines += ["", *change_lines(template, template.values({}, before), values)]
    return [*lines, "", "A month costs about:", *estimate_lines(estimate(template, values), values, region)]


def _finish(args: argparse.Namespace, cloud: Cloud, stack: Stack | None) -> int:
    """Hand over the variables, say what to do next, and let the doctor look."""
    if stack is None:
        return 0
    found = variables(stack.outputs)
    hand_over(args, found)
    tell(_next_steps(args, cloud, stack))
    if not args.no_doctor:
        tell(["The doctor looks at it from here:"])
        _doctor(args, found)
    return 0


def _next_steps(args: argparse.Namespace, cloud: Cloud, stack: Stack) -> list[str]:
    if stack.parameters.get("ImageTag"):
        return []
    again = command(args, "up", "--set", "ImageTag=TAG")
    then = (
        f"Then start Airflow: {again}"
        if stack.parameters.get("Airflow") == "ecs"
        else f"Tagged latest, it is used as it is; for another tag: {again}"
    )
    image = [each.id for each in cloud.made(stack.id) if each.kind == "AWS::ECR::Repository"]
    return [f"Now build the image and push it to the repository {''.join(image)}: docs/image.md.", then]


def _doctor(args: argparse.Namespace, found: Mapping[str, str]) -> None:
    """Run the doctor with the stack's variables. What it finds is shown, and is no failure of the stack."""
    environment = {**os.environ, **found}
    if args.profile:
        # Keys in the environment would win over the profile, and may be those of another account.
        environment = {name: value for name, value in environment.items() if name not in _CREDENTIALS}
        environment["AWS_PROFILE"] = args.profile
    words = [sys.executable, "-m", "ecs_async_executor", "doctor"]
    subprocess.run(words, env=environment, check=False, stdout=sys.stderr)  # noqa: S603  our own program


def _after_a_failure(args: argparse.Namespace, cloud: Cloud, stack: Stack) -> str:
    if stack.status == "UPDATE_ROLLBACK_COMPLETE":
        return "AWS has put the stack back as it was. Correct the cause, and run this again."
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return operation.how_to_continue(args.name, cloud.region)
    return f"The stack is {stack.status}. Correct the cause, delete the stack ({command(args, 'down')}), and run this again."
