"""AWS, a host, a service or a person stopped the task."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import EARLY, LATE, Cause, exactly, guide, says

TITLE = "Spot, hosts, maintenance, stops"

_AGAIN = "Let the task retry."
_CLOUDTRAIL = (
    "CloudTrail tells who called StopTask: aws cloudtrail lookup-events --lookup-attributes "
    "AttributeKey=EventName,AttributeValue=StopTask."
)

SPOT = exactly(
    r"\bSpot [Tt]ask was interrupted\b|\bSpotInterruptionError\b|^SpotInterruption\b|(?i:no fargate spot capacity)"
)

CAUSES = (
    Cause(
        "spot",
        SPOT,
        "AWS reclaimed the Spot capacity.",
        "Give the task `retries`, or let its queue fall back to on-demand capacity (docs/queues.md).",
        guide("spot-interruption-errors"),
        (
            "Your Spot Task was interrupted.",
            "SpotInterruptionError: Your Spot Task was interrupted.",
            "SpotInterruption: there is no Fargate Spot capacity",
        ),
        rank=EARLY,
    ),
    Cause(
        "maintenance",
        says(
            r"performing maintenance on the underlying|scheduled for (?:retirement|maintenance)|task retirement|host maintenance"
        ),
        "AWS stopped the task for maintenance of its host.",
        f"{_AGAIN} To be asked later, raise the waiting time: aws ecs put-account-setting --name fargateTaskRetirementWaitPeriod "
        "--value 14.",
        guide("task-maintenance"),
        (
            "ECS is performing maintenance on the underlying infrastructure hosting the task",
            "Service airflow: ECS is performing maintenance on the underlying infrastructure hosting the task",
            "Task retirement: the host is scheduled for maintenance",
        ),
        rank=EARLY,
    ),
    Cause(
        "host-gone",
        says(
            r"host ec2 ?\(instance [^)]{1,40}\) ?(?:terminated|stopped)|container instance .{0,60}(?:terminated|stopped)|instance was terminated|instance termination"
        ),
        "The container instance{instance} was stopped or terminated.",
        f"{_AGAIN} If the Auto Scaling group did it, enable managed termination protection in the capacity provider.",
        guide("stopped-task-errors"),
        (
            "Host EC2 (instance i-0a1b2c3d) terminated.",
            "Host EC2 (instance i-0a1b2c3d) stopped.",
            "Host EC2 (instance i-0a1b2c3d) stopped/terminated",
        ),
        rank=EARLY,
    ),
    Cause(
        "host-deregistered",
        says(r"deregistration forced|container instance .{0,60}deregister"),
        "The container instance was deregistered from the cluster while the task ran.",
        f"{_AGAIN} Drain instances before you deregister them: aws ecs update-container-instances-state --status DRAINING.",
        guide("stopped-task-errors"),
        (
            "Container instance deregistration forced by user",
            "container instance deregistration forced by user.",
            "The container instance was deregistered",
        ),
        rank=EARLY,
    ),
    Cause(
        "host-draining",
        says(r"in DRAINING state|is draining|container instance .{0,60}drain"),
        "The container instance was drained.",
        f"{_AGAIN}",
        guide("container-instance-draining"),
        (
            "Task stopped because the container instance is in DRAINING state",
            "The container instance is draining",
            "(service airflow) stopped a task: container instance is in DRAINING state",
        ),
    ),
    Cause(
        "agent-lost",
        says(
            r"agent (?:is |was |has )?(?:been )?disconnected|\bAgentError\b|agent error|lost connection to the agent"
        ),
        "The ECS agent of the container instance was disconnected or failed.",
        f"{_AGAIN} If it happens often, look at the agent's log (/var/log/ecs/ecs-agent.log), or replace the instance.",
        "https://repost.aws/knowledge-center/ecs-agent-disconnected-linux2-ami",
        (
            "AgentError: agent disconnected",
            "Host EC2 (instance i-0a1b2c3d) agent disconnected",
            "The container instance's agent is disconnected",
            "Task stopped because the agent was disconnected",
        ),
    ),
    Cause(
        "host-unhealthy",
        says(
            r"infrastructure (?:is |was )?(?:unhealthy|impaired)|underlying hardware|host is impaired|hardware (?:failure|degradation)"
        ),
        "AWS stopped the task: its host is unhealthy.",
        _AGAIN,
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html",
        (
            "The underlying infrastructure is impaired",
            "Task stopped due to underlying hardware failure",
            "Infrastructure unhealthy",
        ),
    ),
    Cause(
        "service-scheduler",
        says(
            r"scaling activity initiated by|service scheduler|amazon ecs deployment|deployment rollback|deployment .{0,60}(?:circuit breaker|rolled back)"
        ),
        "An ECS service stopped the task.",
        "The executor's tasks belong to no service: find out which service or tool manages this one, and leave it to the executor.",
        guide("stopped-task-errors"),
        (
            "Scaling activity initiated by (deployment ecs-svc/9223370526043414679)",
            "Service scheduler initiated action by (deployment ecs-svc/123)",
            "Service scheduler initiated",
        ),
    ),
    Cause(
        "stopped-by-user",
        exactly(r"^(?i:(?:task )?stopped by \(?(?:the |an? )?user)|^UserInitiated\b"),
        "A person or a program stopped the task with StopTask.",
        _CLOUDTRAIL,
        guide("stopped-task-errors"),
        (
            "Task stopped by user",
            "Task stopped by (user) alice: too expensive",
            "UserInitiated: Task stopped by user",
        ),
        rank=EARLY,
    ),
    Cause(
        "internal-error",
        exactly(r"\b(?i:InternalError)\b"),
        "{words}.",
        "This is a fault at AWS. If it lasts, tell AWS Support the task's ARN.",
        guide("internal-error"),
        (
            "InternalError: internal",
            "TaskFailedToStart: InternalError: unexpected",
            "InternalError: The agent encountered an unexpected error",
        ),
        rank=LATE,
    ),
    Cause(
        "initialization-other",
        exactly(r"\b(?i:ResourceInitializationError|TaskConfigurationError)\b"),
        "{words}.",
        "If it happens each time, compare what the task definition needs (secrets, logs, volumes, "
        "network) with what is there.",
        guide("resource-initialization-error"),
        (
            "ResourceInitializationError: unable to reach the endpoint",
            "ResourceInitializationError: resource cannot be initialized for task",
            "TaskConfigurationError: the task can't be set up",
        ),
        rank=LATE,
    ),
)
