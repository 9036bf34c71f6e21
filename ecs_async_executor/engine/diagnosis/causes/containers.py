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
# The program, right before the reason: the runtime's own files fail with the same words, and another host may have them.
_PROGRAM = r"(?:\bexec:? \"[^\"]{1,300}\"|\bexec:? [^\s\":]{1,300}|\bexec user process caused(?: by)?)(?:: stat [^\s\":]{1,300})?"
_PASSES = "This usually passes by itself."
_HOST = "If it happens often on EC2, replace the instance; on Fargate, tell AWS Support."
# Four places speak of a lack of memory: this one (AWS's words), `exit_codes.py` (137), and of the executor `setbacks.py` (what the
# Audit Log keeps) and `retry_policy.py` (what the next try gets).
NEED_MEMORY = frozenset({"out-of-memory", "memory-at-start"})
"""The causes that more memory mends."""

CAUSES = (
    Cause(
        "out-of-memory",
        exactly(
            r"\bOutOfMemoryError: |(?i:container killed due to memory usage)|\bOutOfMemory: Container|\bOOMKilled\b"
        ),
        "The container was killed: it used more memory than it has.",
        "Give the task more memory (`memory` in executor_config's overrides, or in the task definition), or let it do less at once. Its "
        "queue can give it more with each try (docs/queues.md).",
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
        "host-setting",
        says(r"/proc/sys/[^\s:]{1,300}: (?:no such file|permission denied|read-only|invalid argument)"),
        "The host's kernel does not offer a setting that the container asks for.",
        "Remove it from systemControls in the task definition, or use instances whose kernel has it.",
        issue("opencontainers/runc#1193"),
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
                " failed: unable to start container process: error during container init: open /proc/sys/net/core/somaxconn: no such file or"
                " directory: unknown"
            ),
            (
                "CannotStartContainerError: OCI runtime create failed: write sysctl key net.ipv4.tcp_tw_reuse: open"
                " /proc/sys/net/ipv4/tcp_tw_reuse: permission denied"
            ),
        ),
    ),
    Cause(
        "cgroups-used-up",
        says(r"/sys/fs/cgroup/[^\s:]{0,400}: (?:no space left on device|cannot allocate memory)"),
        "The host has no control group left for the container.",
        "Replace the instance, and use a newer AMI: old kernels leak control groups.",
        issue("moby/moby#29638"),
        (
            (
                "CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:349: starting container"
                ' process caused "process_linux.go:297: applying cgroup configuration for process caused "mkdir'
                ' /sys/fs/cgroup/memory/ecs/a1b2/c3d4: no space left on device""'
            ),
            (
                "CannotStartContainerError: Error response from daemon: mkdir /sys/fs/cgroup/memory/docker/a1b2: cannot allocate memory"
            ),
        ),
        rank=EARLY,
    ),
    Cause(
        "host-runtime",
        says(
            r"(?:/proc/|/sys/fs/cgroup/|/dev/)[^\s:\"]{1,400}: (?:no such (?:file|process|device)|permission denied|operation not permitted"
            r"|invalid argument|input/output error|device or resource busy|read-only file system|too many open files)"
            r"|final child's pid from pipe|\bfork/exec [^\s:]{1,300}: "
            r"|\bexec: \"(?:docker-init|docker-runc|runc|containerd-shim[\w-]{0,60}|iptables)\": |: resource temporarily unavailable|pthread_create failed"
        ),
        "The container runtime of the host failed to set the container up.",
        "If it happens often on EC2, replace the instance or use a newer AMI (SELinux, kernel, Docker, its limits of processes and memory).",
        issue("opencontainers/runc#4905"),
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task: OCI"
                " runtime create failed: runc create failed: unable to start container process: error during container init: write"
                " /proc/self/attr/keycreate: permission denied: unknown"
            ),
            (
                "CannotStartContainerError: OCI runtime create failed: runc create failed: unable to start container process: unable to apply"
                " cgroup configuration: error adding pid 123 to cgroups: failed to write 123: open"
                " /sys/fs/cgroup/systemd/ecs/a1b2/cgroup.procs: no such file or directory: unknown"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task: OCI"
                " runtime create failed: runc create failed: unable to start container process: can't get final child's PID from pipe: EOF:"
                " unknown"
            ),
            (
                "CannotStartContainerError: Error response from daemon: failed to start shim: fork/exec /usr/bin/containerd-shim-runc-v2:"
                " resource temporarily unavailable: unknown"
            ),
        ),
    ),
    Cause(
        "program-denied",
        says(rf"{_PROGRAM}: permission denied"),
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
    ),
    Cause(
        "program-missing",
        says(rf"executable file not found|{_PROGRAM}: no such file or direct"),
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
    ),
    Cause(
        "arguments-too-long",
        says(r"argument list too long"),
        "The container's command and environment are longer than Linux allows.",
        "Shorten environment, environmentFiles, secrets and command: one value may have 128 KiB, and all together a quarter of the stack's "
        "ulimit.",
        "https://man7.org/linux/man-pages/man2/execve.2.html",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
                ' failed: unable to start container process: exec: "/usr/bin/dumb-init": argument list too long: unknown'
            ),
            "CannotStartContainerError: exec /entrypoint.sh: argument list too long",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "environment",
        says(r"setenv: invalid argument"),
        "An environment variable of the container has no valid name.",
        "Correct environment in the task definition and in `overrides`, and the lines of environmentFiles: a name is not empty and holds "
        "no =.",
        "https://pkg.go.dev/os#Setenv",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
                " failed: unable to start container process: error during container init: setenv: invalid argument: unknown"
            ),
            "CannotStartContainerError: OCI runtime create failed: container_linux.go:380: starting container process caused: setenv: invalid argument",
        ),
        Outlook.USELESS,
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
        "dependency-late",
        says(r"dependency .{0,600}timed out"),
        "The container{dependency}, which others depend on, was not ready in time.",
        "Look at that container's own log and health check, and raise its startTimeout in the task definition.",
        guide("task_definition_parameters"),
        (
            "dependency graph: container ordering dependency [log_router] for target [airflow] has timed out.",
            "DependencyError: dependency [log_router - HEALTHY] timed out",
        ),
    ),
    Cause(
        "dependency",
        says(
            r"container ordering dependency|dependency container|dependency \[[^\]]{1,600}\].{0,300}(?:failed|did not exit|will never)"
        ),
        "The container{dependency}, which others depend on, failed.",
        "Look at that container's own log and exit code, and at dependsOn in the task definition.",
        "https://github.com/aws/amazon-ecs-agent/pull/3218",
        (
            (
                "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency"
                " [init(public.ecr.aws/acme/init) (STOPPED->RUNNING) - Exit: 1] for target [airflow(acme/airflow:3) (NONE->RUNNING)] as"
                " dependency did not exit successfully."
            ),
            "DependencyError: dependency [init - SUCCESS] failed: exit code 1",
            "Dependency container 'init' exited with code 1: EssentialContainerExited",
            (
                "dependency graph: failed to resolve container ordering dependency [init] for target [airflow] as dependency did not exit"
                " successfully."
            ),
            (
                "dependency graph: failed to resolve container ordering dependency [init] for target [airflow] because dependency will"
                " never start"
            ),
        ),
    ),
    Cause(
        "dependencies",
        says(
            r"dependency graph|TaskDependencyError|DependencyError|dependencies cannot be resolved|container dependency"
        ),
        "The containers' dependencies can't be met.",
        "Look at dependsOn in the task definition, and at the logs and health checks of the containers that it names.",
        guide("task_definition_parameters"),
        (
            "TaskDependencyError: Task dependencies cannot be resolved, taskArn: arn:aws:ecs:eu-west-1:123456789012:task/prod/a1b2",
            "dependency graph: unknown container",
        ),
    ),
    Cause(
        "health-check",
        says(
            r"HealthCheckError|container unhealthy|failed container health checks|container health check|container (?:was|is|became) unhealthy|is unhealthy in|failed elb health checks"
        ),
        "The container failed its health check.",
        "Look at healthCheck in the task definition: does the image have its command, and is startPeriod long enough? Airflow's "
        "task containers need none.",
        guide("healthcheck"),
        (
            "Task failed container health checks",
            "HealthCheckError: container unhealthy",
            "Essential container in task exited: Task failed container health checks",
            "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/a/b)",
        ),
    ),
    Cause(
        "runtime-daemon",
        says(
            r"could not get docker client|CannotGetDockerClientError|cannot connect to the docker daemon|is the docker daemon running|containerd\.sock|docker\.sock|connection error: desc"
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
            "CannotGetDockerClientError: could not get docker client",
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
        "kernel",
        says(r"cpu[- ]cfs|kernel does(?:n't| not) support|not supported by (?:your|the) kernel"),
        "The host's kernel can't enforce the container's limits.",
        "Use the ECS-optimized AMI, or a kernel with the cgroup controllers that the limits (cpu, memory, swap) need.",
        guide("ecs-optimized_AMI"),
        (
            (
                "CannotCreateContainerError: Error response from daemon: NanoCPUs can not be set, as your kernel does not support CPU CFS"
                " scheduler or the cgroup is not mounted"
            ),
            "CannotCreateContainerError: CPU-CFS quota is not supported",
        ),
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
        _PASSES,
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
        "If it happens each time, run the image with the same command in Docker to see more.",
        guide("cannot-start-container"),
        (
            "CannotStartContainerError: Error response from dae",
            "CannotCreateContainerError: Error response from daemon: unknown",
            "HostConfigError: Invalid link format",
        ),
        rank=LATE,
    ),
)
