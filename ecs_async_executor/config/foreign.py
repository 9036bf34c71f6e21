"""Names that people bring to a RunTask request from elsewhere: what they belong to, and what to write instead. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_SIZES = "here, cpu, memory and environment apply to the Airflow container"
_KUBERNETES = f"It is KubernetesExecutor's: {_SIZES}; the rest of a pod belongs in the task definition."
_BATCH = f"It is AwsBatchExecutor's: {_SIZES}."
_LAMBDA = f"It is AwsLambdaExecutor's: {_SIZES}."
_OPERATOR = "It is EcsRunTaskOperator's. For all tasks, use the executor's options."
_OF_TASK = "It is an argument of the operator, next to executor_config."
_OF_PROFILE = "It belongs in the profile of the task's queue (docs/queues.md)."
_RESOURCES = "Write cpu and memory, and resourceRequirements for GPUs."
TASK_DEFINITION = (
    "It belongs in the task definition: register one, or a revision, that has it, and name that in"
    " taskDefinition."
)

FOREIGN: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "kubernetesexecutor",
            "podoverride",
            "podtemplatefile",
            "affinity",
            "annotations",
            "imagepullpolicy",
            "imagepullsecrets",
            "labels",
            "namespace",
            "nodeselector",
            "nodeselectors",
            "serviceaccountname",
            "tolerations",
            "volumemounts",
        ),
        _KUBERNETES,
    ),
    **dict.fromkeys(
        (
            "arrayproperties",
            "dependson",
            "ecspropertiesoverride",
            "ekspropertiesoverride",
            "jobdefinition",
            "jobname",
            "jobqueue",
            "nodeoverrides",
            "parameters",
            "retrystrategy",
            "schedulingpriorityoverride",
            "shareidentifier",
        ),
        _BATCH,
    ),
    **dict.fromkeys(("functionname", "invocationtype", "payload", "qualifier"), _LAMBDA),
    **dict.fromkeys(
        (
            "awsconnid",
            "awslogsgroup",
            "awslogsregion",
            "awslogsstreamprefix",
            "numberlogsexception",
            "reattach",
            "stoptaskonfailure",
            "waitforcompletion",
            "waiterdelay",
            "waitermaxattempts",
        ),
        _OPERATOR,
    ),
    **dict.fromkeys(
        ("executiontimeout", "pool", "poolslots", "priorityweight", "queue", "retries", "retrydelay"),
        _OF_TASK,
    ),
    **dict.fromkeys(
        (
            "capacitytimeout",
            "containername",
            "fallback",
            "fallbackafter",
            "fallbackonoutofmemory",
            "launchtimeout",
            "maxruntaskattempts",
            "rateshare",
            "standby",
            "standbymaxage",
        ),
        _OF_PROFILE,
    ),
    "tasktags": f"{_OF_PROFILE} For a task's own tags, write tags.",
    **dict.fromkeys(("env", "envvars", "environmentvariables"), "Write environment."),
    **dict.fromkeys(
        (
            "cpulimit",
            "cpurequest",
            "limitcpu",
            "limitmemory",
            "limits",
            "memorylimit",
            "memoryrequest",
            "requestcpu",
            "requestmemory",
            "requests",
            "resources",
        ),
        _RESOURCES,
    ),
    "valuefrom": "Secrets belong in the task definition, as `secrets` of the container.",
}
"""Keyed by name in lower case without underscores. The task definition's members come from botocore's model."""
