"""The container can't be created, started or stopped, or was killed."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import (
    EARLY,
    LATE,
    Cause,
    Outlook,
    exactly,
    guide,
    issue,
    says,
)

TITLE = "Containers"

_COMMAND = (
    "Correct entryPoint, command or PATH in the task definition, or use an image that has it. A volume mounted over its directory "
    "hides it."
)
_AGAIN = "The executor starts the task again."
_HOST = f"{_AGAIN} If it happens often on EC2, replace the instance; on Fargate, tell AWS Support."

CAUSES = (
    Cause(
        "out-of-memory",
        exactly(
            r"\bOutOfMemoryError: |(?i:container killed due to memory usage)|\bOutOfMemory: Container|\bOOMKilled\b"
        ),
        "The container was killed: it used more memory than it has.",
        "Give the task more memory (`memory` in executor_config's overrides, or in the task definition), or let it do less at once.",
        guide("out-of-memory"),
        (
            "OutOfMemoryError: Container killed due to memory usage",
            "OutOfMemoryError: container killed due to memory usage",
            "Essential container in task exited: OutOfMemoryError: Container killed due to memory usage",
        ),
        rank=EARLY,
    ),
    Cause(
        "memory-at-start",
        says(
            r"OOM-killed|container init was oom|memory limit too low|cannot set memory|memory\.limit_in_bytes"
        ),
        "The container has too little memory to start.",
        "Give it more: `memory` of the container in the task definition or in `overrides` (Airflow needs about 1 GiB).",
        issue("aws/amazon-ecs-agent#3021"),
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task:"
                " OCI runtime create failed: runc create failed: unable to start container process: container init was OOM-killed (memory"
                " limit too low?): unknown"
            ),
            (
                "CannotStartContainerError: Error response from daemon: OCI runtime create failed: cannot set memory limit: container init"
                " was OOM-killed"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to write 6291456 to memory.limit_in_bytes: device or"
                " resource busy"
            ),
        ),
    ),
    Cause(
        "memory-minimum",
        says(r"minimum memory limit|memory limit allowed"),
        "The container's memory limit is below Docker's minimum[ of{memory}].",
        "Raise `memory` of the container in the task definition or in `overrides`.",
        guide("task_definition_parameters"),
        (
            "CannotCreateContainerError: Error response from daemon: Minimum memory limit allowed is 6MB",
            "CannotCreateContainerError: API error (500): Minimum memory limit allowed is 4MB",
            (
                "CannotCreateContainerError: Error response from daemon: Minimum memory limit can not be less than memory reservation"
                " limit, see usage"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "working-directory",
        says(r"chdir to cwd|working directory.{0,80}(?:invalid|not|no such)"),
        "The container's working directory{path} does not exist, or its user may not enter it.",
        "Correct workingDirectory in the task definition (or WORKDIR in the image), and the directory's permissions.",
        issue("coder/code-server#459"),
        (
            (
                "CannotStartContainerError: OCI runtime create failed: runc create failed: unable to start container process: chdir to cwd"
                ' ("/opt/airflow") set in config.json failed: permission denied: unknown'
            ),
            (
                "CannotStartContainerError: Error response from daemon: the working directory 'C:app' is invalid, it needs to be an"
                " absolute path"
            ),
            (
                'CannotStartContainerError: ResourceInitializationError: chdir to cwd ("/app") set in config.json failed: no such file or'
                " directory"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "user-missing",
        says(r"unable to find (?:user|group)|no matching entries in (?:passwd|group)|no users found"),
        "The image has no user or group{user}.",
        "Correct user in the task definition, or create it in the image; a number needs no entry.",
        issue("moby/moby#22323"),
        (
            "CannotStartContainerError: Error response from daemon: unable to find user airflow: no matching entries in passwd file",
            "CannotCreateContainerError: Error response from daemon: unable to find group staff: no matching entries in group file",
            (
                "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: mount callback"
                " failed on /tmp/containerd-mount: no users found"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "gpu",
        says(r"nvidia|could not select device driver|\[\[gpu\]\]|gpu device"),
        "The host has no usable GPU for the container.",
        "Use instances with GPUs and the ECS GPU-optimized AMI, with ECS_ENABLE_GPU_SUPPORT=true; Fargate has no GPUs.",
        guide("ecs-gpu"),
        (
            (
                "CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:380: starting"
                " container process caused: process_linux.go:545: container init caused: Running hook #0:: error running hook: exit status"
                " 1, stderr: nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown"
            ),
            'CannotStartContainerError: Error response from daemon: could not select device driver "" with capabilities: [[gpu]]',
            "CannotCreateContainerError: Error response from daemon: Unknown runtime specified nvidia",
        ),
    ),
    Cause(
        "device",
        says(r"gathering device information|adding custom device|error mapping device"),
        "The host has no device{device}.",
        "Place the task on instances that have it (a placement constraint), or remove it from linuxParameters.devices.",
        guide("task_definition_parameters"),
        (
            (
                "CannotStartContainerError: Error response from daemon: error gathering device information while adding custom device"
                ' "/dev/dri/renderD130": no such file or directory'
            ),
            (
                "CannotStartContainerError: Error response from daemon: error gathering device information while adding custom device"
                ' "/dev/neuron0": no such file or directory'
            ),
            'CannotCreateContainerError: error mapping device "/dev/fuse"',
        ),
    ),
    Cause(
        "exec-agent",
        says(r"ExecuteCommandAgent|execute[- ]command agent|ssm[- ]agent|exec[- ]agent|execute-command"),
        "ECS Exec's agent could not be started in the container.",
        "Set `enableExecuteCommand` to false, or allow the task role the four ssmmessages actions, keep the root file system "
        "writable, and on EC2 update the ECS agent.",
        guide("ecs-exec"),
        (
            "CannotStartContainerError: ExecuteCommandAgent failed to start",
            "ResourceInitializationError: failed to set up the execute command agent",
            "CannotCreateContainerExecError: amazon-ssm-agent: no such file or directory",
        ),
        members=("enableExecuteCommand",),
    ),
    Cause(
        "program-denied",
        says(r"permission denied"),
        "The image's program{program} is not executable.",
        "Make it executable in the image (RUN chmod +x ...), for the user that the container runs as.",
        "https://repost.aws/knowledge-center/ecs-task-stopped",
        (
            'CannotStartContainerError: ResourceInitializationError: exec: "/entrypoint.sh": permission denied',
            (
                "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
                ' failed: unable to start container process: exec: "./run.sh": permission denied: unknown'
            ),
            "CannotStartContainerError: exec /entrypoint.sh: permission denied",
        ),
        Outlook.USELESS,
        within=says(r"\bexec:? |starting container process|start container process"),
    ),
    Cause(
        "program-missing",
        says(r"executable file not found|no such file or directory|no such file or direct"),
        "The image has no program{program}, or the interpreter that the program names.",
        _COMMAND,
        issue("aws/amazon-ecs-agent#2954"),
        (
            'CannotStartContainerError: OCI runtime create failed: exec: "python": executable file not found in $PATH',
            (
                "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create"
                ' failed: container_linux.go:370: starting container process caused: exec: "/opt/sonarqube/bin/run.sh": stat'
                " /opt/sonarqube/bin/run.sh: no such file or direct..."
            ),
            (
                "CannotStartContainerError: API error (500): Cannot start container 54b6caa1: [8] System error: exec: "
                '"node index.js -i 0": executable file not found in $PATH'
            ),
            "standard_init_linux.go:228: exec user process caused: no such file or directory",
        ),
        Outlook.USELESS,
        within=says(r"\bexec:? |starting container process|start container process|exec user process"),
    ),
    Cause(
        "no-command",
        says(r"no command specified|no process found|process\.args|args must not be empty"),
        "The container has no command to run.",
        _COMMAND,
        "https://docs.docker.com/reference/dockerfile/#entrypoint",
        (
            "CannotCreateContainerError: Error response from daemon: No command specified",
            "CannotCreateContainerError: API error (400): No command specified",
            "CannotStartContainerError: OCI runtime create failed: args must not be empty",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "port",
        says(r"port is already allocated|address already in use|programming external connectivity"),
        "The port{port} that the container needs is in use on the host.",
        "Set hostPort to 0, or remove portMappings: Airflow's containers need none.",
        issue("aws/amazon-ecs-cli#83"),
        (
            (
                "CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on endpoint"
                " ecs-airflow-17: Bind for 0.0.0.0:8080 failed: port is already allocated"
            ),
            "CannotStartContainerError: bind for 0.0.0.0:8080 failed: port is already allocated",
            "CannotStartContainerError: API error (500): listen tcp 0.0.0.0:8793: bind: address already in use",
        ),
    ),
    Cause(
        "container-name",
        says(r"container name .{0,200}already in use|name .{0,200}is already in use by container"),
        "The host still has a container of the same name.",
        _HOST,
        "https://docs.docker.com/reference/cli/docker/container/run/",
        (
            (
                'CannotCreateContainerError: Error response from daemon: Conflict. The container name "/ecs-airflow-1" is already in use by'
                ' container "a1b2". You have to remove (or rename) that container to be able to reuse that name.'
            ),
            'CannotCreateContainerError: API error (409): Conflict. The container name "/ecs-airflow-1" is already in use',
            'CannotCreateContainerError: Conflict. The name "/ecs-airflow-1" is already in use by container a1b2.',
        ),
    ),
    Cause(
        "dependency",
        says(
            r"container ordering dependency|dependency graph|TaskDependencyError|dependencies cannot be resolved|container dependency"
        ),
        "A container that others depend on{dependency} failed, was not ready in time, or does not exist.",
        "Look at that container's own log and health check, and at dependsOn and startTimeout in the task definition.",
        guide("task_definition_parameters"),
        (
            (
                "dependency graph: failed to resolve container ordering dependency [init] for target [airflow] as dependency did not exit"
                " successfully."
            ),
            "dependency graph: container ordering dependency [log_router] for target [airflow] has timed out.",
            "TaskDependencyError: Task dependencies cannot be resolved, taskArn: arn:aws:ecs:eu-west-1:123456789012:task/prod/a1b2",
            (
                "dependency graph: failed to resolve container ordering dependency [init] for target [airflow] because dependency will"
                " never start"
            ),
        ),
    ),
    Cause(
        "health-check",
        says(
            r"failed container health checks|container health check|container (?:was|is|became) unhealthy|is unhealthy in|failed elb health checks"
        ),
        "The container failed its health check.",
        "Look at healthCheck in the task definition: does the image have its command, and is startPeriod long enough? Airflow's "
        "task containers need none.",
        guide("healthcheck"),
        (
            "Task failed container health checks",
            "Essential container in task exited: Task failed container health checks",
            "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/a/b)",
        ),
    ),
    Cause(
        "runtime-daemon",
        says(
            r"cannot connect to the docker daemon|is the docker daemon running|containerd\.sock|docker\.sock|connection error: desc"
        ),
        "The container runtime of the host does not answer.",
        _HOST,
        issue("aws/amazon-ecs-agent#688"),
        (
            (
                "CannotStartContainerError: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon"
                " running?"
            ),
            (
                "CannotCreateContainerError: connection error: desc = transport: error while dialing: dial unix"
                " /run/containerd/containerd.sock: connect: connection refused"
            ),
            "CannotInspectContainerError: error during connect: Get http://%2Fvar%2Frun%2Fdocker.sock/v1.24: EOF",
        ),
    ),
    Cause(
        "runtime-timeout",
        says(r"could not transition to|DockerTimeoutError|ContainerRuntimeTimeoutError"),
        "The host's container runtime was too slow[ to get the container to{step}][: it timed out after{limit}].",
        f"{_HOST} Busy disks (burst credits) and many containers starting at once are the usual reasons.",
        issue("aws/amazon-ecs-agent#4308"),
        (
            "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s",
            "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: context canceled",
            "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s",
            "CannotInspectContainerError: Could not transition to inspecting; timed out after waiting 30s",
            "ContainerRuntimeTimeoutError: could not transition",
        ),
    ),
    Cause(
        "service-connect",
        says(r"service connect|appnet|envoy|app ?mesh|SC bridge mode"),
        "The Service Connect or App Mesh proxy of the task could not be set up.",
        "Airflow's tasks need none: use a task definition without proxyConfiguration. Otherwise look at the proxy container's log.",
        guide("service-connect"),
        (
            "ContainerNetworkingError: startContainer: failed to resolve container IP for SC bridge mode pause container",
            "ResourceInitializationError: unable to initialize Service Connect: AppNet agent image not available",
            "CannotStartContainerError: envoy: failed to get the bootstrap configuration of App Mesh",
        ),
    ),
    Cause(
        "credential-spec",
        says(r"credential ?spec"),
        "The container's credential spec (gMSA) could not be set up.",
        "Check credentialSpecs in the task definition: the object or parameter it names must exist, and the execution role may read "
        "it.",
        guide("linux-gmsa"),
        (
            "ResourceInitializationError: failed to get the credentialspec file",
            "unsupported credentialspec ARN, only s3/ssm ARNs are valid",
            "invalid credentialspec file specification",
        ),
    ),
    Cause(
        "runtime-setting",
        says(
            r"rlimit|sysctl|seccomp|apparmor|\bcap(?:add|drop)\b|unknown capability|cgroup|cpu-shares|range of cpus|shm[_ ]size|ulimit|operation not permitted"
        ),
        "The host's container runtime refused a setting of the container: {words}.",
        "Compare ulimits, linuxParameters, systemControls, dockerSecurityOptions and cpu in the task definition with what the host "
        "allows (Fargate allows few of them).",
        guide("task_definition_parameters"),
        (
            (
                "CannotStartContainerError: Error response from daemon: OCI runtime create failed: error setting rlimits for ready process:"
                " error setting rlimit type 7: operation not permitted"
            ),
            'CannotCreateContainerError: Error response from daemon: sysctl "net.core.somaxconn" is not in a separate kernel namespace',
            (
                "CannotCreateContainerError: Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs"
                " available"
            ),
            "ResourceInitializationError: cgroup create: unable to create cgroup",
        ),
        rank=LATE,
    ),
    Cause(
        "cannot-stop",
        exactly(r"\b(?i:CannotStopContainerError)\b"),
        "The container could not be stopped: the host's container runtime does not answer.",
        _HOST,
        guide("cannot-stop-container"),
        (
            "CannotStopContainerError: failed sending SIGTERM to container",
            "CannotStopContainerError: Error response from daemon: cannot stop container: a1b2",
            "CannotStopContainerError: failed sending SIGKILL to container: unknown",
        ),
    ),
    Cause(
        "container-lost",
        says(
            r"No container matching saved ID|no such container|ContainerVanished|CannotDescribeContainer|CannotInspectContainerError"
        ),
        "The host's ECS agent lost sight of the container.",
        _HOST,
        guide("cannot-inspect-container"),
        (
            "ContainerVanishedError: No container matching saved ID found",
            "CannotInspectContainerError: failed to inspect container",
            "CannotDescribeContainerError: Error: No such container: a1b2",
        ),
    ),
    Cause(
        "pull-not-begun",
        says(r"stopped before (?:image )?pull"),
        "The task was stopped before its image was pulled.",
        _AGAIN,
        "https://github.com/aws/amazon-ecs-agent/blob/master/agent/engine/errors.go",
        (
            (
                "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task: arn:aws:ecs:eu-west-1:123456789012:"
                "task/prod/a1b2"
            ),
            "Task stopped before image pull could begin for task: a1b2",
            "Stopped before pull",
        ),
    ),
    Cause(
        "runtime-fault",
        says(
            r"failed to create (?:new )?(?:container runtime )?(?:shim|task)|container runtime task|OCI runtime|oci runtime error"
            r"|failed to get container status|ContainerRuntimeError|failed to start shim|ttrpc"
        ),
        "{words}.",
        f"{_HOST} If it happens each time, compare the container's command, mounts and settings in the task definition with the image.",
        guide("container-runtime-error"),
        (
            "CannotStartContainerError: failed to create shim",
            "CannotStartContainerError: failed to get container status: unknown",
            "ContainerRuntimeError: failed to create container runtime task: unknown",
            "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed",
        ),
        rank=LATE,
    ),
    Cause(
        "container-other",
        exactly(
            r"\b(?i:Cannot(?:Start|Create|Remove)Container\w*Error|HostConfigError|DockerClientConfigError|DockerStateError"
            r"|CannotGetDocker\w+Error|ImpossibleStateTransitionError)\b"
        ),
        "{words}.",
        f"{_AGAIN} If it happens each time, run the image with the same command in Docker to see more.",
        guide("cannot-start-container"),
        (
            "CannotStartContainerError: Error response from dae",
            "CannotCreateContainerError: Error response from daemon: unknown",
            "HostConfigError: Invalid link format",
        ),
        rank=LATE,
    ),
)
