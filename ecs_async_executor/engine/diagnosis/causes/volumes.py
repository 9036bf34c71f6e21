"""A volume can't be created, attached or mounted."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, exactly, guide, issue, says
from ecs_async_executor.engine.diagnosis.causes.failure_words import DENIAL, NETWORK

TITLE = "Volumes"

_EFS = says(r"\befs\b|mount\.nfs4|\bfs-[0-9a-z]{3,20}\b")
_EBS = says(r"\bebs\b|ec2:(?:create|attach)volume|createvolume")
_EFS_PAGE = "https://docs.aws.amazon.com/efs/latest/ug/troubleshooting-efs-mounting.html"
_EBS_PAGE = guide("troubleshoot-ebs-volumes-scenarios")

CAUSES = (
    Cause(
        "fsx",
        says(r"\bfsx\b"),
        "The FSx file system{filesystem} could not be mounted.",
        "Check fsxWindowsFileServerVolumeConfiguration: the file system's id, the directory, and a secret with the login of a "
        "domain user that the execution role may read; the instance must reach it on port 445.",
        guide("wfsx-volumes"),
        (
            "CannotCreateVolumeError: failed to mount FSx for Windows File Server fs-0a1b2c3d4e: exit status 1",
            "ResourceInitializationError: failed to retrieve the credentials of the FSx user",
            "CannotCreateVolumeError: fsx: failed to describe file system fs-0a1b2c3d4e: AccessDeniedException",
        ),
    ),
    Cause(
        "efs-name",
        says(
            r"failed to resolve|name or service not known|mount target ip|name resolution|could not resolve"
        ),
        "The task could not look up the address of the EFS file system{filesystem}.",
        "Give the file system a mount target in each Availability Zone of the subnets (aws efs create-mount-target), and the VPC "
        "DNS (enableDnsSupport, enableDnsHostnames). A new mount target's name works after 90 seconds.",
        issue("aws/amazon-ecs-cli#1083"),
        (
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve"
                ' "fs-06642d00e4ec726.efs.ap-northeast-1.amazonaws.com" - check that your file system ID is correct, and ensure that'
                " the VPC has an EFS mount target for this file system ID. See"
                " https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail. Attempting to lookup mount target ip address"
                " using botocore. Failed to import necessary dependency botocore, please install botocore first. : unsuccessful EFS"
                " utils command execution; code: 1"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve"
                ' "fs-00000000.efs.us-east-1.amazonaws.com" - check that your file system ID is correct.'
            ),
            (
                "CannotCreateContainerError: mount.nfs4: Failed to resolve server fs-0a1b2c3d.efs.eu-west-1.amazonaws.com: Name or"
                " service not known"
            ),
        ),
        within=_EFS,
    ),
    Cause(
        "efs-denied",
        says(rf"access denied by server|operation not permitted|permission denied|{DENIAL}"),
        "The EFS file system{filesystem} denied the task the mount[ of{path}].",
        "Allow the task role elasticfilesystem:ClientMount (and ClientWrite) on it, here and in the file system's policy, with "
        "transitEncryption ENABLED and authorizationConfig.iam ENABLED in the task definition. Check the access point.",
        guide("efs-volumes"),
        (
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: access"
                " denied by server while mounting 127.0.0.1:/srv/gitlab/data' : unsuccessful EFS utils command execution; code: 32"
            ),
            (
                "CannotCreateContainerError: failed to copy file info for /var/lib/ecs/volumes/efs-data: failed to chown"
                " /var/lib/ecs/volumes/efs-data: operation not permitted: mount.nfs4"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: AccessDeniedException:"
                " User is not authorized to perform: elasticfilesystem:ClientMount on fs-0a1b2c3d"
            ),
        ),
        within=_EFS,
    ),
    Cause(
        "efs-path",
        says(r"no such file or directory|reason given by server"),
        "The EFS file system{filesystem} has no directory{path}.",
        "Create the directory, set rootDirectory in the task definition to one that exists, or use an access point with "
        "creationInfo, which creates it.",
        issue("acp-io/terraform-grafana#4"),
        (
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting"
                " fs-0a1b2c3d.efs.eu-west-1.amazonaws.com:/grafana failed, reason given by server: No such file or directory' :"
                " unsuccessful EFS utils command execution; code: 32"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: mounting"
                " 127.0.0.1:/airflow/dags failed, reason given by server: No such file or directory"
            ),
            (
                "CannotCreateContainerError: mount.nfs4: mounting fs-0a1b2c3d.efs.eu-west-1.amazonaws.com:/logs failed, reason given by"
                " server: No such file or directory"
            ),
        ),
        Outlook.USELESS,
        within=_EFS,
    ),
    Cause(
        "efs-access-point",
        says(
            r"access ?point.{0,120}(?:not ?found|does not exist|invalid)|AccessPointNotFound|FileSystemNotFound"
        ),
        "The EFS file system{filesystem} has no access point{accesspoint}.",
        "Correct authorizationConfig.accessPointId in the task definition: aws efs describe-access-points lists them.",
        guide("efs-volumes"),
        (
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: access point"
                " fsap-0123456789abcdef0 does not exist"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: AccessPointNotFound:"
                " fsap-0123456789abcdef0"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: FileSystemNotFound: File system"
                " 'fs-0a1b2c3d' does not exist."
            ),
        ),
        Outlook.USELESS,
        within=_EFS,
    ),
    Cause(
        "efs-network",
        says(rf"mount system call failed|timed ?out|timeout|tls tunnel|stunnel|{NETWORK}"),
        "The task could not reach the EFS file system{filesystem}.",
        "The security group of the file system's mount targets must let the task's security group in on port 2049 (NFS), and the "
        "task's must let it out. Each Availability Zone of the subnets needs a mount target.",
        _EFS_PAGE,
        (
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Mount attempt 1/3"
                " failed due to timeout after 15 sec, wait 0 sec before next attempt. b'mount.nfs4: mount system call failed'"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection"
                " reset by peer : unsuccessful EFS utils command execution; code: 32"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4:"
                " Connection timed out' : unsuccessful EFS utils command execution; code: 32"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: command failed : signal:"
                " killed"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to initialize"
                " TLS tunnel for fs-0a1b2c3d"
            ),
        ),
        within=_EFS,
    ),
    Cause(
        "efs-helper",
        says(
            r"unknown filesystem type|traceback|mount\.efs|efs-utils|amazon-ecs-volume-plugin|supervisor_mount_efs|botocore"
        ),
        "The host can't mount the EFS file system{filesystem}: its mount helper is missing or failed.",
        "On EC2, install it (sudo yum install -y amazon-efs-utils) or use the newest ECS-optimized AMI; on Fargate, use platform "
        "version 1.4.0 or LATEST.",
        guide("efs-volumes"),
        (
            (
                "CannotCreateContainerError: error while mounting volume: VolumeDriver.Mount: mounting volume failed: mount: unknown"
                " filesystem type 'efs'"
            ),
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Traceback (most recent"
                ' call last): File "/usr/sbin/supervisor_mount_efs", line 52'
            ),
            "CannotCreateVolumeError: amazon-ecs-volume-plugin is not running: efs",
        ),
        within=_EFS,
    ),
    Cause(
        "efs-other",
        says(r"efs utils|efs volume|mount\.nfs4"),
        "{words}.",
        "Compare efsVolumeConfiguration in the task definition with the file system: id, access point, rootDirectory, mount "
        "targets, security groups (port 2049).",
        _EFS_PAGE,
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: unknown",
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: unsuccessful EFS utils command"
                " execution; code: 1"
            ),
            "mount.nfs4: an incorrect mount option was specified",
        ),
    ),
    Cause(
        "ebs-quota",
        says(
            r"VolumeLimitExceeded|MaxIOPSLimitExceeded|InsufficientVolumeCapacity|volume storage limit|attachment limit|maximum number of attachments"
        ),
        "No EBS volume can be created for the task: a quota or the capacity of the zone is used up.",
        "Raise the EBS storage quota in Service Quotas, or use subnets in other zones.",
        _EBS_PAGE,
        (
            "ECS failed to set up the EBS volume. Encountered VolumeLimitExceeded; You have exceeded your maximum gp3 storage limit",
            "TaskFailedToStart: InsufficientVolumeCapacity: There is not enough capacity to fulfill your EBS volume create request",
            "ECS failed to set up the EBS volume. Encountered MaxIOPSLimitExceeded",
        ),
        Outlook.CAPACITY,
        ("volumeConfigurations",),
    ),
    Cause(
        "ebs-key",
        says(r"IdempotentParameterMismatch|KMS"),
        "ECS could not create the task's EBS volume{volume}: the KMS key can't be used.",
        "Name a key that exists in the Region (volumeConfigurations.managedEBSVolume.kmsKeyId), and allow the infrastructure role "
        "kms:CreateGrant, kms:GenerateDataKeyWithoutPlaintext and kms:Decrypt on it.",
        _EBS_PAGE,
        (
            (
                'ECS failed to set up the EBS volume. Encountered IdempotentParameterMismatch"; "The client token you have provided is'
                ' associated with a resource that is already deleted. Please use a different client token."'
            ),
            "TaskFailedToStart: ECS failed to set up the EBS volume. Encountered IdempotentParameterMismatch",
            "ECS failed to set up the EBS volume: the given KMS key is not accessible",
        ),
        members=("volumeConfigurations",),
        within=_EBS,
    ),
    Cause(
        "ebs-snapshot",
        says(r"InvalidSnapshot|snapshot .{0,60}(?:does not exist|not ?found)"),
        "The snapshot{snapshot} for the task's EBS volume does not exist.",
        "Correct volumeConfigurations.managedEBSVolume.snapshotId.",
        _EBS_PAGE,
        (
            "ECS failed to set up the EBS volume. Encountered InvalidSnapshot.NotFound; The snapshot 'snap-0a1b2c3d' does not exist.",
            "TaskFailedToStart: EBS volume: InvalidSnapshot.NotFound",
            "Unable to create EBS volume: snapshot snap-0a1b2c3d not found",
        ),
        Outlook.USELESS,
        ("volumeConfigurations",),
    ),
    Cause(
        "ebs-denied",
        says(DENIAL),
        "The infrastructure role{role} may not create or attach the task's EBS volume.",
        "Attach the policy AmazonECSInfrastructureRolePolicyForVolumes to it.",
        guide("infrastructure_IAM_role"),
        (
            (
                "ECS failed to set up the EBS volume. Encountered UnauthorizedOperation; You are not authorized to perform this"
                " operation. User: arn:aws:sts::123456789012:assumed-role/ecsInfrastructureRole/ECSTaskVolumesForEBS is not authorized"
                " to perform: ec2:CreateVolume on resource: arn:aws:ec2:eu-west-1:123456789012:volume/*"
            ),
            "TaskFailedToStart: ECS failed to set up the EBS volume. Encountered UnauthorizedOperation",
            "EBS volume attachment failed: AccessDenied",
        ),
        members=("volumeConfigurations",),
        within=_EBS,
    ),
    Cause(
        "ebs-attach",
        says(r"timed out while configuring the ebs|timeout waiting for ebs|ebs.{0,60}(?:timed ?out|timeout)"),
        "ECS timed out while it attached the task's EBS volume{volume}.",
        "The file system type (volumeConfigurations.managedEBSVolume.filesystemType) must fit the operating system and the "
        "snapshot. If it does, look at the log of the ECS agent on the instance.",
        _EBS_PAGE,
        (
            "ECS timed out while configuring the EBS volume attachment to your Task.",
            "TaskFailedToStart: Timeout waiting for EBS volume attachment",
            "EBS volume resource attachment timed out",
        ),
        members=("volumeConfigurations",),
    ),
    Cause(
        "ebs-other",
        says(r"ebs volume|EBS attachment"),
        "{words}.",
        "See the volume's status reason: aws ecs describe-tasks --tasks TASK --query 'tasks[].attachments'.",
        _EBS_PAGE,
        (
            "ECS failed to set up the EBS volume.",
            "TaskFailedToStart: ECS failed to set up the EBS volume. Encountered InternalError",
            "Unable to attach EBS volume vol-0a1b2c3d",
        ),
        members=("volumeConfigurations",),
    ),
    Cause(
        "ephemeral-storage",
        exactly(r"EphemeralStorage provisioning"),
        "AWS did not provide the task's ephemeral storage in time.",
        "This usually passes by itself.",
        issue("dagster-io/dagster#17234"),
        (
            "Timeout waiting for EphemeralStorage provisioning to complete.",
            "TaskFailedToStart: Timeout waiting for EphemeralStorage provisioning to complete",
            "Timeout waiting for EphemeralStorage provisioning to complete",
        ),
    ),
    Cause(
        "mount-denied",
        says(r"error mounting .{0,400}(?:permission denied|operation not permitted)"),
        "The volume[ at{path}] can't be mounted: permission is denied.",
        "Let the container runtime read the directory on the host (SELinux, permissions), or correct mountPoints in the task definition.",
        "https://docs.docker.com/engine/storage/bind-mounts/",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create shim task: OCI runtime create failed: runc create"
                ' failed: unable to start container process: error during container init: error mounting "/var/lib/ecs/x" to rootfs at "/x":'
                " mount /var/lib/ecs/x:/x, flags: 0x5000: permission denied: unknown"
            ),
            'CannotStartContainerError: OCI runtime create failed: error mounting "/dags" to rootfs at "/dags": operation not permitted',
        ),
    ),
    Cause(
        "mount-file-directory",
        says(r"mount a directory onto a file|not a directory"),
        "The volume[ at{path}] can't be mounted: one side is a file, the other a directory.",
        "Mount it at a directory: correct mountPoints.containerPath in the task definition.",
        "https://docs.docker.com/engine/storage/bind-mounts/",
        (
            (
                "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create"
                " shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container"
                ' init: error mounting "/var/lib/volumes/api" to rootfs at "/app/config.yml": not a directory: unknown'
            ),
            (
                "CannotStartContainerError: Error response from daemon: OCI runtime create failed: not a directory: unknown: Are you"
                " trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected"
                " type"
            ),
            'CannotStartContainerError: API error (500): error mounting "/etc/app.properties" to rootfs: not a directory',
        ),
        Outlook.USELESS,
    ),
    Cause(
        "mount-read-only",
        says(r"read-only file system"),
        "A volume or a program needs the directory{path}, which is on a read-only file system.",
        "Set readonlyRootFilesystem to false in the task definition, or mount a volume at that path.",
        issue("aws/amazon-ecs-agent#951"),
        (
            (
                "CannotStartContainerError: API error (500): oci runtime error: container_linux.go:247: starting container process"
                ' caused "process_linux.go:359: container init caused rootfs_linux.go:54: mounting "/opt/nginx_conf" caused "mkdir'
                " /var/lib/docker/overlay/9fe4/merged/etc/nginx/sites-enabled: read-only file system"
            ),
            (
                "CannotStartContainerError: Error response from daemon: error while creating mount source path '/dags': mkdir /dags:"
                " read-only file system"
            ),
            "CannotCreateContainerError: mkdir /run/secrets: read-only file system",
        ),
    ),
    Cause(
        "mount-source",
        says(
            r"source path does not exist|invalid mount config|invalid volume spec|mount source path|invalid mount"
        ),
        "The host has no directory{path} to mount, or the mount is not valid.",
        "Create it on the instances, or correct volumes.host.sourcePath in the task definition.",
        issue("moby/moby#34237"),
        (
            (
                'CannotCreateContainerError: Error response from daemon: invalid mount config for type "bind": bind source path does not'
                " exist: /mnt/dags"
            ),
            (
                "CannotCreateContainerError: Error response from daemon: invalid volume specification: '/mnt/dags:dags': invalid mount"
                " path: 'dags' mount path must be absolute"
            ),
            (
                "CannotStartContainerError: Error response from daemon: error while creating mount source path '/mnt/dags': mkdir /mnt:"
                " file exists"
            ),
        ),
    ),
    Cause(
        "volume-driver",
        says(r"VolumeDriver\.|volume driver|volume plugin|plugin .{0,100}not found|while mounting volume"),
        "The host's volume driver{plugin} is missing or could not mount the volume.",
        "Install and start it on the instances (docker plugin ls), or correct dockerVolumeConfiguration.driver in the task "
        "definition.",
        issue("cloudstax/firecamp#46"),
        (
            (
                "CannotStartContainerError: API error (500): error while mounting volume '/var/lib/docker/plugins/2ec1/rootfs':"
                " VolumeDriver.Mount: Mount failed, get service member error Timeout"
            ),
            (
                "CannotCreateVolumeError: Error response from daemon: create dags: error looking up volume plugin rexray/ebs: plugin"
                ' "rexray/ebs" not found'
            ),
            "CannotCreateVolumeError: Error response from daemon: create dags: VolumeDriver.Create: internal error",
        ),
    ),
    Cause(
        "volume-owner",
        says(r"failed to chown|failed to copy file info|lchown"),
        "The container's files could not be copied into the volume: its directory{path} does not accept their owner.",
        "Remove the posixUser of the access point, or create the image's directory with that user and group.",
        guide("efs-volumes"),
        (
            (
                "CannotCreateContainerError: failed to copy file info for /var/lib/ecs/volumes/airflow: failed to chown"
                " /var/lib/ecs/volumes/airflow: operation not permitted"
            ),
            (
                "CannotCreateContainerError: Error response from daemon: failed to chown /var/lib/docker/volumes/a/_data: lchown:"
                " operation not permitted"
            ),
            "CannotStartContainerError: failed to copy file info: failed to chown /data: operation not permitted",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "volume-other",
        exactly(r"\b(?i:CannotCreateVolumeError|InvalidVolumeError|CannotInspectVolumeError)\b"),
        "{words}.",
        "Compare volumes and mountPoints in the task definition with what the host has.",
        guide("cannot-create-volume"),
        (
            "CannotCreateVolumeError: volume",
            "CannotCreateVolumeError: unable to create the volume mount",
            "InvalidVolumeError: Invalid volume referenced: dags",
        ),
    ),
)
