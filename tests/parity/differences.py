"""All differences between the two requests that are accepted, each with the fault of AwsEcsExecutor that explains it.

A difference says what would make AwsEcsExecutor send the same: `rewrite` gives the configuration that it would have
understood, `amend` corrects what it sends all the same. They are applied in this order, to every configuration. None
knows anything of this executor's code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.parity import corrected_requests, equivalent_configurations
from tests.parity.captured_requests import Body
from tests.parity.setups import Setup


@dataclass(frozen=True)
class Difference:
    """What explains that the requests are not equal."""

    fault: str | None
    """Its number in the list of faults; None for what is no fault, or stands in no list."""
    why: str
    rewrite: Callable[[Setup], Setup] = lambda setup: setup
    amend: Callable[[Setup, Body], Body] = lambda _, body: body


DIFFERENCES = {
    # --- what every launch shows
    "token": Difference(
        "F01",
        "The token is made when the request is sent, not when the task was queued.",
        amend=corrected_requests.fresh_token,
    ),
    "executor_names": Difference(
        None,
        "The container gets `[core] executor`: it leaves out a Dag with a task whose `executor=` it does not find there.",
        amend=corrected_requests.executor_names,
    ),
    "startedBy": Difference(
        "F09",
        "`startedBy` says which run this is, so that a later scheduler finds it.",
        amend=corrected_requests.started_by,
    ),
    "clientToken": Difference(
        "F10",
        "`clientToken` is the same for every attempt to send a launch; botocore's is new for each call.",
        amend=corrected_requests.client_token,
    ),
    "count": Difference(None, "`count` is 1 unless it is sent.", amend=corrected_requests.no_count),
    # --- forms of options
    "blank": Difference(
        "F26",
        "A blank option is unset, and space around a value means nothing.",
        rewrite=equivalent_configurations.no_blanks,
    ),
    "launch_type_case": Difference(
        None, "LAUNCH_TYPE may be written in lower case.", rewrite=equivalent_configurations.launch_type_case
    ),
    "value_case": Difference(
        None,
        "Values of enums may be written in any case in RUN_TASK_KWARGS and `executor_config`, as LAUNCH_TYPE may.",
        rewrite=equivalent_configurations.value_case,
    ),
    "printed_kwargs": Difference(
        None,
        "RUN_TASK_KWARGS may be a printed dict, as the documented CAPACITY_PROVIDER_STRATEGY is a printed list.",
        rewrite=equivalent_configurations.printed_kwargs,
    ),
    "assign_public_ip": Difference(
        "F35",
        "`true`, `1` and `no` are booleans as in all of Airflow.",
        rewrite=equivalent_configurations.public_ip,
    ),
    "lists": Difference(
        "F36",
        "SUBNETS and SECURITY_GROUPS may have spaces, or be JSON lists.",
        rewrite=equivalent_configurations.stripped_lists,
    ),
    # --- spelling
    "managed_tags": Difference(
        "F32",
        "`enable_ecs_managed_tags` means `enableECSManagedTags`.",
        rewrite=equivalent_configurations.managed_tags,
    ),
    "kwargs_spelling": Difference(
        "F31",
        "RUN_TASK_KWARGS mean the same in camelCase and snake_case, at every depth.",
        rewrite=equivalent_configurations.kwargs_spelling,
    ),
    "config_spelling": Difference(
        "F33",
        "snake_case is accepted in `executor_config` as well.",
        rewrite=equivalent_configurations.config_spelling,
    ),
    "container_members": Difference(
        "F41",
        "Members of ContainerOverride, as its documentation has them, concern the Airflow container.",
        rewrite=equivalent_configurations.container_members,
    ),
    "pairs": Difference(
        "F34",
        "Tags and environment may be dicts, and the documented example works.",
        rewrite=equivalent_configurations.pairs,
    ),
    "numbers": Difference(
        None,
        "Numbers may be written as text, and text as numbers, where AWS takes the other.",
        rewrite=equivalent_configurations.numbers,
    ),
    # --- layers
    "null": Difference(
        "F27",
        "`null` removes a key.",
        rewrite=equivalent_configurations.without_nulls,
        amend=corrected_requests.without_nulls,
    ),
    "exclusive": Difference(
        "F27",
        "A launch type drives a capacity provider strategy of a lower layer out, and the other way round.",
        rewrite=equivalent_configurations.exclusive,
        amend=corrected_requests.exclusive,
    ),
    "strategy": Difference(
        "F25",
        "CAPACITY_PROVIDER_STRATEGY is parsed.",
        rewrite=equivalent_configurations.strategy,
    ),
    "network_precedence": Difference(
        None,
        "RUN_TASK_KWARGS win over the options, as documented, in `networkConfiguration` too.",
        rewrite=equivalent_configurations.network_precedence,
    ),
    "container_by_name": Difference(
        "F30",
        "The Airflow container is found by its name, wherever it stands.",
        rewrite=equivalent_configurations.main_first,
    ),
    "merged_lists": Difference(
        "F28",
        "Containers and environment are merged by name, tags by key.",
        rewrite=equivalent_configurations.merged_lists,
    ),
    "sidecar_only": Difference(
        "F29",
        "The Airflow container is added to an `executor_config` that names only others.",
        rewrite=equivalent_configurations.main_added,
    ),
    # --- what goes with a launch type
    "platform_version": Difference(
        "F26",
        "`platformVersion` is for Fargate; LATEST, the default, is not sent.",
        amend=corrected_requests.platform_version,
    ),
    "public_ip_of_ec2": Difference(
        None,
        "`assignPublicIp` is for Fargate, in whichever layer the launch type or the providers are written.",
        amend=corrected_requests.public_ip,
    ),
    "network_outside": Difference(
        None,
        "There is no awsvpc network on EXTERNAL instances: the options for all tasks do not spoil one task's launch type.",
        amend=corrected_requests.no_network_outside,
    ),
}
