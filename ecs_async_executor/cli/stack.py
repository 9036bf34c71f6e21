"""`ecs-async stack up | env | down`: a whole set-up on AWS, made and taken down again."""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_async_executor.cli.operation import INTERRUPTED, exit_with, guarded, show
from ecs_async_executor.commands import DOWN, ENV, STACK, UP
from ecs_async_executor.errors import OperationError

if TYPE_CHECKING:
    from ecs_async_executor.stack.cloud import Cloud, Made, Stack
    from ecs_async_executor.stack.operation import Leftover, Pace
    from ecs_async_executor.stack.progress import Event, Progress
    from ecs_async_executor.stack.template import Template, Values

NO = 1
"""Exit code if the answer is no."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `stack`."""
    parser = subparsers.add_parser(STACK.name, help=STACK.help, description=STACK.description)
    actions = parser.add_subparsers(metavar="COMMAND")
    for command in STACK.commands:
        command.add_to(actions).set_defaults(run=run, subcommand=command.name)


def run(args: argparse.Namespace) -> int:
    """Run `up`, `env` or `down`; return 1 if it can't be done or the answer is no, 130 after Ctrl-C."""
    work = {UP.name: _up, ENV.name: _env, DOWN.name: _down}[args.subcommand]
    return guarded(f"stack {args.subcommand}", lambda: work(args))


def run_in_airflow(args: argparse.Namespace) -> None:
    """Run as `airflow ecs-async stack ...`, where Airflow has put the command's name into `subcommand`."""
    exit_with(run(args))


# --- up -----------------------------------------------------------------------------------------------------


def _up(args: argparse.Namespace) -> int:
    from ecs_async_executor.stack import operation  # noqa: PLC0415  boto3: a quarter of a second of imports
    from ecs_async_executor.stack.template import read_template  # noqa: PLC0415  with the others

    template = read_template()
    if args.dry_run:
        return _dry_run(args, template)
    cloud = _connect(args)
    before = cloud.stack(args.name)
    values = template.values(dict(args.given), before.parameters if before else None)
    seen = operation.seen_before(cloud, before)
    if before is not None and before.in_progress:
        _tell([f"The stack {args.name} is {before.status}: AWS works on it already. This shows it."])
        seen = set()
    else:
        _tell(_plan(template, values, cloud.region, with_parameters=False))
        what = "Change" if before else "Make"
        if not args.yes and not _agreed(f"{what} the stack {args.name} in {cloud.region}? [y/N] "):
            show(["Nothing was changed."])
            return NO
        if not operation.begin(cloud, template, args.name, values, before):
            _tell([f"The stack {args.name} is like this already."])
            return _finish(args, cloud, before)
    after = cloud.stack(args.name)
    if after is None:
        raise OperationError(f"the stack {args.name} has vanished. Run this again.")
    try:
        stack, progress = operation.watch(
            cloud, after.id, seen, _Live(len(template.resources(values))), _pace()
        )
    except KeyboardInterrupt:
        return _interrupted(f"ecs-async stack up --name {args.name}", args.name)
    if why := operation.failed(stack, progress):
        raise OperationError(f"{why}\n{_after_a_failure(stack, args.name)}")
    return _finish(args, cloud, stack)


def _dry_run(args: argparse.Namespace, template: Template) -> int:
    """Show the plan: of the stack's own parameters if it is there and can be read, else of the defaults."""
    region, before = args.region or "", None
    try:
        cloud = _connect(args)
        region, before = cloud.region, cloud.stack(args.name)
    except OperationError as error:
        sys.stderr.write(f"Whether there is such a stack is not known: {error}\n")
    values = template.values(dict(args.given), before.parameters if before else None)
    show(_plan(template, values, region, with_parameters=True))
    return 0


def _finish(args: argparse.Namespace, cloud: Cloud, stack: Stack | None) -> int:
    """Print the variables and what to do next, and let the doctor look."""
    from ecs_async_executor.stack.environment import variables  # noqa: PLC0415  with the others

    if stack is None:
        return 0
    found = variables(stack.outputs)
    _hand_over(args, found)
    _tell(_next_steps(cloud, stack))
    if not args.no_doctor:
        _tell(["The doctor looks at it from here:"])
        _doctor(found)
    return 0


def _next_steps(cloud: Cloud, stack: Stack) -> list[str]:
    if stack.parameters.get("ImageTag"):
        return []
    again = f"ecs-async stack up --name {stack.name} --set ImageTag=TAG"
    then = (
        f"Then start Airflow: {again}"
        if stack.parameters.get("Airflow") == "ecs"
        else f"Tagged latest, it is used as it is; for another tag: {again}"
    )
    image = [each.id for each in cloud.made(stack.id) if each.kind == "AWS::ECR::Repository"]
    return [f"Now build the image and push it to the repository {''.join(image)}: docs/image.md.", then]


def _doctor(found: dict[str, str]) -> None:
    """Run the doctor with the stack's variables. What it finds is told, and is no failure of the stack."""
    command = [sys.executable, "-m", "ecs_async_executor", "doctor"]
    subprocess.run(command, env={**os.environ, **found}, check=False, stdout=sys.stderr)  # noqa: S603  our own program


def _plan(template: Template, values: Values, region: str, *, with_parameters: bool) -> list[str]:
    from ecs_async_executor.stack.display import estimate_lines, resource_lines  # noqa: PLC0415  with the others
    from ecs_async_executor.stack.prices import estimate  # noqa: PLC0415  with the others

    resources = template.resources(values)
    lines = [f"{len(resources)} resources{f' in {region}' if region else ''}:", *resource_lines(resources)]
    if with_parameters:
        lines += ["", "Parameters (--set NAME=VALUE):"]
        lines += [
            f"  {name}={values[name]}  {each.description}" for name, each in template.parameters.items()
        ]
    return [*lines, "", "A month costs about:", *estimate_lines(estimate(template, values), values, region)]


def _after_a_failure(stack: Stack, name: str) -> str:
    if stack.status.startswith("UPDATE_ROLLBACK_COMPLETE"):
        return "AWS has put the stack back as it was. Correct the cause, and run this again."
    return (
        f"The stack is {stack.status}. Correct the cause, delete the stack (ecs-async stack down --name {name}), and run "
        "this again."
    )


# --- env ----------------------------------------------------------------------------------------------------


def _env(args: argparse.Namespace) -> int:
    from ecs_async_executor.stack.environment import variables  # noqa: PLC0415  with the others

    cloud = _connect(args)
    stack = _there(cloud, args.name)
    if not stack.outputs:
        raise OperationError(f"the stack {args.name} is {stack.status}, and has no variables yet.")
    _hand_over(args, variables(stack.outputs))
    return 0


def _hand_over(args: argparse.Namespace, found: dict[str, str]) -> None:
    """Print the variables, or write them to --env-file."""
    from ecs_async_executor.stack.environment import as_text, write  # noqa: PLC0415  with the others

    text = as_text(found, args.format)
    if args.env_file:
        write(Path(args.env_file), text)
        sys.stderr.write(f"Wrote {len(found)} variables to {args.env_file}.\n")
    else:
        show(text.splitlines())


# --- down ---------------------------------------------------------------------------------------------------


def _down(args: argparse.Namespace) -> int:
    from ecs_async_executor.stack import operation  # noqa: PLC0415  with the others
    from ecs_async_executor.stack.template import read_template  # noqa: PLC0415  with the others

    template = read_template()
    cloud = _connect(args)
    stack = _there(cloud, args.name)
    made = cloud.made(stack.id)
    leftovers = operation.what_is_left(made, template)
    running = operation.count_tasks(cloud, made)
    show(_farewell(args, cloud.region, len(made), leftovers, running))
    question = f"Delete the stack {args.name}{' and its data' if args.delete_data else ''}? [y/N] "
    if not args.yes and not _agreed(question):
        show(["Nothing was deleted."])
        return NO
    seen = operation.seen_before(cloud, stack)
    spared = operation.snapshots_before(cloud, leftovers) if args.delete_data else set()
    live = _Live(len(made))

    def look(new: Sequence[Event], progress: Progress) -> None:
        live(new, progress)
        _stop_tasks(cloud, made)

    _stop_tasks(cloud, made)
    cloud.delete(stack.id)
    try:
        after, progress = operation.watch(cloud, stack.id, seen, look, _pace())
    except KeyboardInterrupt:
        return _interrupted(f"ecs-async stack down --name {args.name}", args.name)
    if why := operation.failed(after, progress):
        raise OperationError(f"{why}\nRemove the cause, and run `ecs-async stack down` again.")
    gone = operation.delete_leftovers(cloud, leftovers, spared) if args.delete_data else []
    show([f"Deleted the stack {args.name}.", *(f"Deleted the {each.what} {each.id}." for each in gone)])
    if leftovers and not args.delete_data:
        show(["Kept:", *(f"  {each.what} {each.id}" for each in leftovers)])
    return 0


def _stop_tasks(cloud: Cloud, made: Sequence[Made]) -> None:
    """Stop what runs, and again what a scheduler has started meanwhile: a cluster with tasks can't be deleted.

    A failure is no reason to stop: if it matters, AWS says so at the cluster.
    """
    from ecs_async_executor.stack.operation import stop_tasks  # noqa: PLC0415  with the others

    with contextlib.suppress(OperationError):
        stop_tasks(cloud, made)


def _farewell(
    args: argparse.Namespace, region: str, count: int, leftovers: Sequence[Leftover], running: int
) -> list[str]:
    lines = [f"The stack {args.name} in {region} has {count} resources. Its image repository goes, too."]
    if running:
        lines.append(f"{running} ECS tasks run in its cluster; they will be stopped.")
    if leftovers:
        lines.append("Deleted for ever:" if args.delete_data else "Kept:")
        lines += [f"  {each.what} {each.id}" for each in leftovers]
    return lines


# --- what they share ----------------------------------------------------------------------------------------


def _connect(args: argparse.Namespace) -> Cloud:
    from ecs_async_executor.stack.cloud import Cloud  # noqa: PLC0415  boto3: a quarter of a second of imports

    return Cloud.connect(args.region, args.profile)


def _there(cloud: Cloud, name: str) -> Stack:
    stack = cloud.stack(name)
    if stack is None:
        raise OperationError(
            f"there is no stack {name} in {cloud.region}. Another name or Region? Add --name or --region."
        )
    return stack


def _pace() -> Pace:
    from ecs_async_executor.stack.operation import EVERY, Pace  # noqa: PLC0415  with the others

    return Pace(time.sleep, EVERY)


def _tell(lines: Sequence[str]) -> None:
    """Tell people on stderr: stdout is for the variables."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise OperationError("there is no terminal to ask: add --yes.")
    sys.stderr.write(question)
    sys.stderr.flush()
    return input().strip().lower() in {"y", "yes"}


def _interrupted(again: str, name: str) -> int:
    sys.stderr.write(
        f"\nAWS goes on with the stack {name}. To see it again: {again}\n"
        "To stop an update in the middle: aws cloudformation cancel-update-stack\n"
    )
    return INTERRUPTED


class _Live:
    """Shows progress on stderr: lines drawn again on a terminal, else a line an event."""

    def __init__(self, total: int, clock: Callable[[], float] = time.time) -> None:
        self._total, self._clock = total, clock
        self._began = clock()
        self._drawn = 0

    def __call__(self, new: Sequence[Event], progress: Progress) -> None:
        """Show it."""
        from ecs_async_executor.operate.text import screen_width  # noqa: PLC0415  with the others
        from ecs_async_executor.stack.display import event_line, live_lines, redraw  # noqa: PLC0415  as above

        if not sys.stderr.isatty():
            sys.stderr.writelines(f"{event_line(each)}\n" for each in new)
            sys.stderr.flush()
            return
        now = self._clock()
        lines = live_lines(progress, self._total, now - self._began, now, screen_width())
        failures = [event_line(each) for each in new if each.failed]
        sys.stderr.write(redraw(self._drawn, [*failures, *lines]))
        sys.stderr.flush()
        self._drawn = len(lines)
