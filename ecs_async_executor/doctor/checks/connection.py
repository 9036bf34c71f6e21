"""The AWS connection: credentials, Region, clock, and whether what the options name is in this account and Region."""

from __future__ import annotations

from collections.abc import Iterator

from ecs_async_executor.doctor.checks.regions import closest, is_misspelt, no_such_region
from ecs_async_executor.doctor.effective import Effective, account_of, region_of
from ecs_async_executor.doctor.facts import Cause, Fact, Facts, Kind, Question, Unknown
from ecs_async_executor.doctor.findings import Finding, error, unknown, warning
from ecs_async_executor.doctor.setup import Setup

CLOCK_ERROR, CLOCK_WARNING = 300.0, 10.0
"""Seconds: AWS refuses signatures that are five minutes off ("Signature Version 4": X-Amz-Date); Airflow's `[api_auth]
jwt_leeway` is 10 by default."""


_OF_THE_EXECUTOR = frozenset({Kind.DESCRIBE_TASKS, Kind.LIST_TASKS})


def connection(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """The connection, the Region and the credentials."""
    if setup.settings is None:
        return
    if setup.connection_problem:
        yield error(
            setup.connection_problem.rstrip(".") + ".",
            "Without it, the executor can't call AWS.",
            setup.connection_todo
            or f"Create it (airflow connections add {setup.settings.conn_id} --conn-type aws), or correct the option `conn_id`.",
        )
        if setup.region and is_misspelt(setup, setup.region):
            hint = closest(setup, setup.region)
            yield error(f"There is no AWS Region {setup.region}.", "", f"{hint} Correct region_name.".strip())
        return
    if not setup.region:
        yield error(
            "No AWS Region is set.",
            "No call of AWS can be sent.",
            "Set [aws_ecs_executor] region_name, the connection's region_name, or AWS_DEFAULT_REGION (AWS_REGION isn't read).",
        )
        return
    if refused := _refused(setup, facts):
        yield error(refused.why, "AWS answers no call of the executor.", refused.todo)
        return
    if no_such_region(setup, facts):
        facts.skip(Question(Kind.IDENTITY))
        return
    for each in setup.targets[:1]:
        fact = _answered(facts, Question(Kind.CLUSTER, each.cluster))
        if isinstance(fact, Unknown) and fact.cause is Cause.NETWORK:
            yield error(
                f"ECS can't be reached in {setup.region}: {fact.why}",
                "The executor can't call ECS from this host.",
                fact.todo,
            )


def _refused(setup: Setup, facts: Facts) -> Unknown | None:
    """Return why the credentials can't be used; None if they can."""
    for kind, name in ((Kind.IDENTITY, ""), *((Kind.CLUSTER, each.cluster) for each in setup.targets)):
        fact = _answered(facts, Question(kind, name))
        if isinstance(fact, Unknown) and fact.cause is Cause.CREDENTIALS:
            return fact
    return None


def _answered(facts: Facts, question: Question) -> Fact:
    """Return the answer; a denial is one as well: AWS knows who calls, and in which Region."""
    fact = facts.answers.get(question)
    return fact if isinstance(fact, Unknown) and fact.cause is Cause.DENIED else facts.get(question)


def clock(_: Setup, facts: Facts) -> Iterator[Finding]:
    """This host's clock against AWS's."""
    ahead = (facts.value(Kind.IDENTITY) or {}).get("ahead")
    if ahead is None or abs(ahead) <= CLOCK_WARNING:
        return
    report = error if abs(ahead) >= CLOCK_ERROR else warning
    yield report(
        f"This host's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's.",
        "AWS refuses signatures that are five minutes off, and the API server refuses tokens that aren't valid yet "
        "([api_auth] jwt_leeway).",
        "Synchronise the clock: timedatectl set-ntp true, or chrony with 169.254.169.123 on EC2.",
    )


def account(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Ask nothing: that AWS knows who calls is an answer in itself."""
    del setup
    facts.value(Kind.IDENTITY)
    yield from ()


def places(setup: Setup, each: Effective) -> Iterator[Finding]:
    """ARNs of another Region or account."""
    arns = {"cluster": each.cluster_name, "taskDefinition": each.definition_name}
    for member, arn in arns.items():
        region = region_of(arn)
        if region and setup.region and region != setup.region and not is_misspelt(setup, region):
            yield error(
                f"{member} is in {region}, and the executor calls {setup.region}: {arn}.",
                "ECS looks for it in the Region of the call, and doesn't find it.",
                f"Set [aws_ecs_executor] region_name = {region}, or name one of {setup.region}.",
            )


def own_account(setup: Setup, each: Effective, facts: Facts) -> Iterator[Finding]:
    """Cluster, task definition and roles of another account than the caller's."""
    mine = str((facts.value(Kind.IDENTITY) or {}).get("Account") or "")
    if not mine or setup.local:
        return
    arns = [("cluster", each.cluster_name), ("task definition", each.definition_name), *each.roles]
    for what, arn in arns:
        owner = account_of(arn)
        if owner and owner != mine:
            yield error(
                f"The {what} {arn} belongs to the account {owner}; the executor's connection calls {mine}.",
                "ECS runs tasks only with clusters, task definitions and roles of the caller's account.",
                f"Let the connection (option `conn_id`) assume a role of {owner}, or name a {what} of {mine}.",
            )


def reachable(setup: Setup, facts: Facts) -> Iterator[Finding]:
    """Everything that couldn't be determined, a cause at a time."""
    causes: dict[tuple[str, str], list[str]] = {}
    needed: set[tuple[str, str]] = set()
    # Credentials that are refused keep every question from being answered: `connection` says so once.
    said = {Cause.CREDENTIALS} if _refused(setup, facts) else set()
    nowhere = setup.region if no_such_region(setup, facts) else ""
    for question, fact in facts:
        if isinstance(fact, Unknown) and fact.cause not in said:
            if fact.cause is Cause.NOT_ASKED and not setup.local:
                continue
            if nowhere and fact.cause is Cause.NETWORK and nowhere in fact.why:
                continue
            subject = str(question)
            if question.kind is Kind.PERMISSIONS:
                subject = (
                    f"whether {question.name.rpartition('/')[2]} may call {question.of.partition(' ')[0]}"
                )
            if question.kind is Kind.QUOTA:
                subject = "Fargate's quota of vCPUs"
            causes.setdefault((fact.why, fact.todo), []).append(subject)
            if question.kind in _OF_THE_EXECUTOR and fact.cause is Cause.DENIED:
                needed.add((fact.why, fact.todo))
    for (why, todo), subjects in causes.items():
        names = list(dict.fromkeys(subjects))
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        matters = (
            "The executor makes this call itself: the scheduler's role must be allowed it."
            if (why, todo) in needed
            else ""
        )
        yield unknown(f"Not known: {shown}. {why}", matters, todo)
