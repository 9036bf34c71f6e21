"""The image can't be pulled, or can't be used."""

from __future__ import annotations

from ecs_async_executor.engine.diagnosis.causes.cause import Cause, Outlook, exactly, guide, issue, says
from ecs_async_executor.engine.diagnosis.causes.failure_words import (
    NO_ANSWER,
    NO_NAME,
    NO_TRUST,
    REFUSED,
    status,
)

TITLE = "Images"

_PULL = says(
    r"cannotpull|(?:ref|image manifest) has been retried|ref pull|pulling image|manifest for "
    r"|can't pull the image|cannot pull '|no such image|pull access denied|\w/v2/(?!credentials)"
)
_PAGE = guide("task_cannot_pull_image")
_ROUTE = (
    "It needs a route to the registry on port 443: in a private subnet a NAT gateway, or for ECR the VPC endpoints ecr.api, "
    "ecr.dkr and s3; in a public one `assign_public_ip` = True. The security groups must let it out."
)

CAUSES = (
    Cause(
        "image-platform",
        says(
            r"descriptor matching platform|descriptor for platform|no matching manifest for|no match for (?:current )?platform"
            r"|does not match the (?:specified|detected) (?:host )?platform|image operating system|operating system does not match|image is incompatible with"
        ),
        "The image{image} is not built for the platform{platform} that the task runs on.",
        "Build it for that platform too (docker buildx build --platform linux/amd64,linux/arm64 --push ...), or set "
        "runtimePlatform in the task definition to the image's: cpuArchitecture X86_64 or ARM64, and operatingSystemFamily.",
        issue("aws/containers-roadmap#1120"),
        (
            (
                "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain"
                " descriptor matching platform 'linux/amd64'."
            ),
            "CannotPullContainerError: failed to find a descriptor for platform {linux/amd64}",
            "CannotPullContainerError: no matching manifest for linux/arm64/v8 in the manifest list entries",
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): no match for platform in manifest"
                " sha256:32efb15cbb8a46f4b564857e534fd4c26a4a15813885f91b1a95b5758fea3fd5: not found"
            ),
            "CannotCreateContainerError: The container operating system does not match the host operating system.",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "image-processor",
        says(r"exec format error"),
        "The image{image} is built for another processor than the task runs on: its program{program} can't run.",
        "Build it for the task's processor (docker buildx build --platform linux/amd64,linux/arm64 --push ...), or set "
        "runtimePlatform.cpuArchitecture in the task definition to the image's: X86_64 or ARM64.",
        "https://repost.aws/knowledge-center/ecs-task-stopped",
        (
            (
                "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim"
                ' task: OCI runtime create failed: runc create failed: unable to start container process: exec: "/entrypoint.sh":'
                " exec format error: unknown"
            ),
            "CannotStartContainerError: OCI runtime create failed: exec: exec format error",
            "standard_init_linux.go:228: exec user process caused: exec format error",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "disk-full",
        says(
            r"no space left on device|insufficient disk space|thin pool|devmapper|dm_task_run failed|disk quota exceeded"
            r"|ephemeral storage.{0,60}(?:exceed|full|limit)"
        ),
        "The host's disk is full: there is no room for the image{image} or the container.",
        "On Fargate, set ephemeralStorage.sizeInGiB (21 to 200) in the task definition. On EC2, give the instances a larger "
        "volume, or let the agent clean up sooner (ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION, ECS_IMAGE_CLEANUP_INTERVAL).",
        _PAGE,
        (
            "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob111111111: no space left on device",
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to extract layer"
                " sha256:0a1b: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/7/fs/opt/a:"
                " no space left on device: unknown"
            ),
            (
                "CannotCreateContainerError: API error (500): devmapper: Thin Pool has 4350 free data blocks which is less than"
                " minimum required 4454 free data blocks."
            ),
            "CannotCreateContainerError: API error (500): devicemapper: Error running deviceResume dm_task_run failed",
        ),
    ),
    Cause(
        "image-rate-limit-ecr",
        says(
            r"toomanyrequests: (?:rate exceeded|data limit exceeded|quota exceeded)"
            r"|(?:public\.ecr\.aws|dkr\.ecr).{0,200}(?:too ?many ?requests|throttl)|too ?many ?requests.{0,200}(?:public\.ecr\.aws|dkr\.ecr)"
        ),
        "ECR limits how fast images may be pulled, and the limit was reached pulling the image{image}.",
        "If it happens often, raise the quota in Service Quotas (Amazon ECR), lower "
        "`run_task_rate`, or copy an image of public.ecr.aws to a private repository.",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
        (
            "CannotPullContainerError: toomanyrequests: Rate exceeded",
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"
                " public.ecr.aws/docker/library/python:3.12: unexpected status from HEAD request to"
                " https://public.ecr.aws/v2/docker/library/python/manifests/3.12: 429 Too Many Requests"
            ),
            "CannotPullContainerError: Error response from daemon: toomanyrequests: Data limit exceeded",
        ),
        within=_PULL,
    ),
    Cause(
        "image-rate-limit",
        says(rf"toomanyrequests|too many requests|pull rate limit|you have reached your|{status('429')}"),
        "The registry limits how often images may be pulled, and the limit was reached pulling the image{image}.",
        "Copy the image to ECR (a pull through cache rule does it: aws ecr create-pull-through-cache-rule), or log in: "
        "repositoryCredentials in the task definition. Docker Hub counts by the address of the NAT gateway.",
        _PAGE,
        (
            (
                "CannotPullContainerError: inspect image has been retried 5 time(s): httpReaderSeeker: failed open: unexpected"
                " status code https://registry-1.docker.io/v2/apache/airflow/manifests/sha256:2bb5: 429 Too Many Requests - Server"
                " message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating"
                " and upgrading: https://www.docker.com/increase-rate-limit"
            ),
            "CannotPullContainerError: toomanyrequests: You have reached your unauthenticated pull rate limit.",
            (
                "CannotPullContainerError: Error response from daemon: error pulling image configuration: toomanyrequests: Too Many"
                " Requests."
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "image-pull-through-cache",
        says(
            r"UnableToGetUpstream|UnableToAccessSecret|UnableToDecryptSecret|UnsupportedUpstreamRegistry|upstream registry"
            r"|upstream image|pull[- ]through[- ]cache"
        ),
        "ECR's pull through cache could not get the image{image} from the upstream registry.",
        "Check the rule: aws ecr validate-pull-through-cache-rule --ecr-repository-prefix PREFIX. Its secret holds the upstream "
        "registry's login; the upstream image must exist.",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/error-pullthroughcache.html",
        (
            (
                "CannotPullContainerError: failed to resolve ref 123456789012.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/apache/"
                "airflow:3.0.0: UnableToGetUpstreamImageException: unable to get the image from the upstream registry"
            ),
            (
                "CannotPullContainerError: UnableToAccessSecretException: The secret is unable to be accessed. Verify the resource"
                " permissions and try again."
            ),
            "CannotPullContainerError: UnableToGetUpstreamLayerException: the upstream registry returned an error",
            "CannotPullContainerError: AccessDeniedException: ECR pull-through cache rule: the credentials in the secret are invalid",
        ),
    ),
    Cause(
        "image-layers-network",
        says(rf"{NO_ANSWER}|{NO_NAME}|{REFUSED}|invalid memory address"),
        "The task could not reach S3[ at{host}], where ECR keeps the layers of the image{image}.",
        "Add a gateway endpoint for S3 to the subnets' route tables (aws ec2 create-vpc-endpoint --service-name "
        "com.amazonaws.REGION.s3), or a NAT gateway, and let the security groups out on port 443.",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
        (
            (
                "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed"
                ' to do request: Get "https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/a1b2": dial tcp'
                " 52.218.1.1:443: i/o timeout"
            ),
            (
                "CannotPullContainerError: error pulling image configuration: Get"
                " https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/c38a: net/http: TLS handshake timeout"
            ),
            (
                "CannotPullContainerError: pull command failed: panic: runtime error: invalid memory address or nil pointer"
                " dereference"
            ),
        ),
        within=says(
            r"starport-layer-bucket|httpRead\w*: failed open: failed to do request|pull command failed: panic"
        ),
    ),
    Cause(
        "image-layers-denied",
        says(rf"forbidden|access ?denied|{status('403')}"),
        "S3 refused to give the task the layers of the image{image}, which ECR keeps there.",
        "The policy of the VPC endpoint for S3 must allow s3:GetObject on "
        "arn:aws:s3:::prod-REGION-starport-layer-bucket/*.",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html",
        (
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open:"
                " unexpected status code https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/a1b2: 403"
                " Forbidden"
            ),
            (
                "CannotPullContainerError: error pulling image configuration: download failed after attempts=1: denied:"
                ' <?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>'
                "https://prod-eu-west-1-starport-layer-bucket.s3.amazonaws.com"
            ),
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open:"
                " unexpected status code: 403 Forbidden"
            ),
        ),
        within=says(r"starport-layer-bucket|httpRead\w*: failed open: unexpected status code"),
    ),
    Cause(
        "registry-name",
        says(NO_NAME),
        "The task could not look up the registry's address{host} to pull the image{image}.",
        "Check the registry's name in the image. The VPC needs DNS (enableDnsSupport and enableDnsHostnames), and a private "
        "subnet the endpoints ecr.api and ecr.dkr with private DNS, or a NAT gateway.",
        _PAGE,
        (
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"
                ' registry.example.com/airflow:3: failed to do request: Head "https://registry.example.com/v2/airflow/manifests/3":'
                " dial tcp: lookup registry.example.com on 10.0.0.2:53: no such host"
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/: dial tcp: lookup"
                " registry-1.docker.io: Temporary failure in name resolution"
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get"
                " https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/: dial tcp: lookup"
                " 123456789012.dkr.ecr.eu-west-1.amazonaws.com on 10.0.0.2:53: server misbehaving"
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "registry-certificate",
        says(NO_TRUST),
        "The task does not trust the certificate of the registry{host} with the image{image}.",
        "Fargate trusts public certificate authorities only: give the registry such a certificate, or copy the image to ECR. On "
        "EC2, put the authority into /etc/docker/certs.d of the instances. A proxy may answer in the registry's place.",
        "https://docs.docker.com/engine/security/certificates/",
        (
            (
                "CannotPullContainerError: failed to resolve ref registry.example.com/airflow:3: failed to do request: Head"
                ' "https://registry.example.com/v2/airflow/manifests/3": x509: certificate signed by unknown authority'
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get https://registry.example.com/v2/: x509: certificate has"
                " expired or is not yet valid"
            ),
            (
                'CannotPullContainerError: Error response from daemon: Get "https://10.0.0.9:5000/v2/": http: server gave HTTP'
                " response to HTTPS client"
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "registry-refused",
        says(REFUSED),
        "Nothing at the address of the registry{host}, or of the proxy before it, accepted the connection to pull the image{image}.",
        f"Check that the registry runs, and the proxy (HTTP_PROXY of the container instance). {_ROUTE}",
        _PAGE,
        (
            (
                "CannotPullContainerError: failed to resolve ref registry.example.com/airflow:3: failed to do request: Head"
                ' "https://registry.example.com/v2/airflow/manifests/3": dial tcp 10.0.0.9:443: connect: connection refused'
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/: proxyconnect tcp: dial"
                " tcp 10.0.0.3:3128: connect: no route to host"
            ),
            (
                'CannotPullContainerError: Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp [2600::1]:'
                "443: connect: network is unreachable"
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "registry-unreachable",
        says(rf"{NO_ANSWER}|no route\b"),
        "The task could not reach the registry{host} to pull the image{image}.",
        _ROUTE,
        _PAGE,
        (
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"
                " docker.io/tryretool/backend:2.110.5: failed to do request: Head"
                ' "https://registry-1.docker.io/v2/tryretool/backend/manifests/2.110.5": dial tcp 34.205.13.154:443: i/o timeout'
            ),
            (
                "CannotPullContainerError: API error (500): Get"
                " https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection"
            ),
            (
                "The task cannot pull 'airflow:3.0' from the Amazon ECR repository"
                " '123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow'. There is a connection issue between the task and Amazon"
                " ECR. Check your task network configuration."
            ),
            (
                "CannotPullContainerError: The task can\u2019t pull the image. Check your network configuration. Error response from"
                " daemon: Get https://registry-1.docker.io/v2/: net/http: request canceled while waiting for connection"
                " (Client.Timeout exceeded while awaiting headers)"
            ),
            "CannotPullContainerError: context canceled",
            "CannotPullContainerError: ref pull has been retried 5 time(s): unexpected EOF",
        ),
        within=_PULL,
    ),
    Cause(
        "registry-fault",
        says(
            rf"internal server error|service unavailable|bad gateway|gateway time-?out|{status('500', '502', '503', '504')}"
        ),
        "The registry{host} failed while the image{image} was pulled.",
        "If it lasts, look at the registry's status page.",
        _PAGE,
        (
            (
                "CannotPullContainerError: failed to resolve ref quay.io/acme/airflow:3: unexpected status from HEAD request to"
                " https://quay.io/v2/acme/airflow/manifests/3: 502 Bad Gateway"
            ),
            "CannotPullContainerError: Error response from daemon: received unexpected HTTP status: 503 Service Unavailable",
            "CannotPullContainerError: Error response from daemon: received unexpected HTTP status: 500 Internal Server Error",
        ),
        within=_PULL,
    ),
    Cause(
        "image-key",
        says(r"\bkms|master key"),
        "ECR can't decrypt the image{image}: the KMS key{kms} of its repository can't be used.",
        "Enable the key (aws kms enable-key), or cancel its deletion; its policy must let ECR use it. The key of a repository is fixed: "
        "without it, push the image to a new repository.",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html",
        (
            "CannotPullContainerError: Error response from daemon: KmsException: KMS key is disabled",
            (
                "CannotPullContainerError: failed to resolve ref 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3: KMSAccessDenied: The"
                " ciphertext refers to a customer master key that does not exist"
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "image-login-expired",
        says(r"authorization token has expired|reauthenticate|token is expired|expiredtoken"),
        "The login to the registry had expired when the image{image} was pulled.",
        "If it lasts, update the ECS agent, or renew the registry's login "
        "(repositoryCredentials in the task definition).",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
        (
            (
                "CannotPullContainerError: Error response from daemon: pull access denied for"
                " 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow, repository does not exist or may require 'docker login':"
                " denied: Your Authorization Token has expired. Please run 'aws ecr get-login --no-include-email' to fetch a new"
                " one."
            ),
            "CannotPullContainerError: denied: Your authorization token has expired. Reauthenticate and try again.",
            "CannotPullECRContainerError: ExpiredTokenException: The security token included in the request is expired",
        ),
        within=_PULL,
    ),
    Cause(
        "image-reference",
        says(
            r"invalid reference format|repository name must be lowercase|could not parse reference|invalid image name"
            r"|invalid repository name|failed to parse (?:image )?reference"
        ),
        "The name of the image{image} in the task definition is not valid.",
        "Correct `image` in the task definition: REGISTRY/REPOSITORY:TAG, in lower case, without https:// and spaces.",
        "https://docs.docker.com/reference/cli/docker/image/tag/",
        (
            "CannotPullContainerError: invalid reference format",
            "CannotPullContainerError: Error response from daemon: invalid reference format: repository name must be lowercase",
            (
                'CannotPullContainerError: failed to parse reference "https://123.dkr.ecr.eu-west-1.amazonaws.com/airflow":'
                " invalid reference format"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "image-login",
        says(
            r"unauthorized|fetch (?:anonymous|oauth) token|(?:docker|ghcr|quay|gcr)\.io.{0,300}\b403 forbidden|incorrect username or password"
            r"|authentication required|insufficient_scope|private registry credentials: not found|authorization failed"
            rf"|{status('401')}"
        ),
        "The registry{host} wants a login for the image{image}, and got none or a wrong one.",
        'Put the login into a secret of the form {"username": "...", "password": "..."}, name it in the task definition '
        "(repositoryCredentials.credentialsParameter), and let the execution role read it.",
        guide("private-auth"),
        (
            (
                "CannotPullContainerError: failed to resolve ref ghcr.io/acme/airflow:3: failed to authorize: failed to fetch"
                " anonymous token: unexpected status: 401 Unauthorized"
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/acme/airflow/manifests/3:"
                " unauthorized: incorrect username or password"
            ),
            (
                "CannotPullContainerError: pull access denied, repository does not exist or may require authorization: server"
                " message: insufficient_scope: authorization failed"
            ),
            "CannotPullContainerAuthError: engine docker private registry credentials: not found",
        ),
        Outlook.USELESS,
        within=says(r"cannotpull|/v2/|anonymous token"),
    ),
    Cause(
        "image-denied",
        says(
            r"not authorized to perform: ecr|check that the role has the permissions|no basic auth|forbidden"
            rf"|accessdenied|access ?denied ?exception|engine ecr credentials: not found|{status('403')}"
        ),
        "The task may not pull the image{image}.",
        "Give the execution role (on EC2 the instance role, unless the task definition has one) the policy "
        "AmazonECSTaskExecutionRolePolicy. An image of another account also needs that repository's policy.",
        _PAGE,
        (
            (
                "CannotPullContainerError: The task can\u2019t pull the image. Check that the role has the permissions to pull"
                " images from the registry. Error response from daemon: pull access denied for"
                " 123123123123.dkr.ecr.us-east-1.amazonaws.com/test_image, repository does not exist or may require 'docker"
                " login': denied: User: arn:aws:sts::123123123123:assumed-role/BrokenRole/xyz is not authorized to perform:"
                " ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:123123123123:repository/test_image because no"
                " identity-based policy allows the ecr:BatchGetImage action"
            ),
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to pull and unpack image"
                ' "123456789.dkr.ecr.us-east-1.amazonaws.com/myapp:latest": failed to resolve reference: unexpected status code 403'
                " Forbidden"
            ),
            (
                "CannotPullContainerError: Error response from daemon: Get"
                " https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/airflow/manifests/3: no basic auth credentials"
            ),
            (
                "CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/exec/abc is not"
                " authorized to perform: ecr:GetAuthorizationToken on resource: *"
            ),
        ),
        within=_PULL,
    ),
    Cause(
        "image-private",
        says(r"pull access denied|requested access to the resource is denied|check whether the image exists"),
        "The registry has no image{image}, or does not give it to the task.",
        "Check the image's name in the task definition. If it is private, the task definition needs repositoryCredentials.",
        _PAGE,
        (
            (
                "CannotPullContainerError: Error response from daemon: pull access denied for acme/airflow, repository does not"
                " exist or may require 'docker login': denied: requested access to the resource is denied"
            ),
            (
                "CannotPullContainerError: The task can\u2019t pull the image. Check whether the image exists. Error response from"
                " daemon: pull access denied for acme/airflow, repository does not exist"
            ),
            "CannotPullContainerError: pull access denied, repository does not exist",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "image-repository",
        says(
            r"repository (?:with name )?'?[\w./:-]{0,300}'? ?(?:not found|does not exist)|name unknown|RepositoryNotFound"
        ),
        "The registry has no repository{repository} for the image{image}.",
        "Correct `image` in the task definition (account, Region, name), or create the repository: aws ecr create-repository.",
        _PAGE,
        (
            (
                "CannotPullContainerError: Error response from daemon: repository"
                " 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow not found: name unknown: The repository with name 'airflow'"
                " does not exist in the registry with id '123456789012'"
            ),
            (
                "CannotPullECRContainerError: RepositoryNotFoundException: The repository with name 'airflow' does not exist in the"
                " registry with id '123456789012'"
            ),
            "CannotPullContainerError: API error (404): repository acme/airflow not found",
        ),
        Outlook.USELESS,
    ),
    Cause(
        "image-missing",
        says(
            rf"not ?found|manifest unknown|does not exist|no such image|repo digest matching|{status('404')}"
        ),
        "The registry has no image{image}.",
        "Push it, or correct `image` in the task definition: a tag may have been moved or expired by a lifecycle policy. List "
        "the tags: aws ecr list-images --repository-name{repository}.",
        _PAGE,
        (
            (
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"
                " 802388215838.dkr.ecr.eu-west-1.amazonaws.com/airflow:3.0.9:"
                " 802388215838.dkr.ecr.eu-west-1.amazonaws.com/airflow:3.0.9: not found"
            ),
            (
                "CannotPullContainerError: Error response from daemon: manifest for apache/airflow:9.9 not found: manifest unknown:"
                " Requested image not found"
            ),
            "CannotPullContainerError: ref pull has been retried: not found: manifest unknown",
            "CannotPullContainerError: failed to resolve ref public.ecr.aws/acme/airflow@sha256:3bb5: not found",
        ),
        Outlook.USELESS,
        within=_PULL,
    ),
    Cause(
        "image-format",
        says(
            r"no processor for media|diffIDs don't match|unsupported media ?type|manifest invalid|schema ?1|unknown image config"
            r"|encountered unknown type|mediatype in manifest"
        ),
        "The image{image} has a format that the container runtime does not know.",
        "Build it again without attestations and with one compression for all layers: docker buildx build --provenance=false "
        "--sbom=false --output type=image,push=true,force-compression=true,compression=gzip.",
        "https://docs.docker.com/build/exporters/",
        (
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to unpack image on snapshotter overlayfs:"
                " failed to extract layer sha256:c02342326b04: failed to get stream processor for application/vnd.in-toto+json: no"
                " processor for media-type"
            ),
            "CannotPullContainerError: ref pull has been retried 1 time(s): number of layers and diffIDs don't match: 3 != 15",
            (
                "CannotPullContainerError: Error response from daemon: mediaType in manifest should be"
                " 'application/vnd.docker.distribution.manifest.v2+json' not 'application/vnd.oci.image.manifest.v1+json'"
            ),
        ),
        Outlook.USELESS,
    ),
    Cause(
        "image-layers",
        says(
            r"(?:unpack|extract|register|apply|verify|verifying) (?:image|layer|commit)|filesystem layer|failed to copy|invalid argument"
            r"|failed size validation|unexpected commit digest|error pulling image conf|short read"
        ),
        "The layers of the image{image} arrived damaged, or could not be unpacked.",
        "If it happens each time, push the image again; on EC2, replace the instance.",
        _PAGE,
        (
            (
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to extract layer sha256:5b1f: invalid"
                " argument"
            ),
            (
                "CannotPullContainerError: failed to register layer: Error processing tar file(exit status 1): archive/tar: invalid"
                " tar header"
            ),
            "CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker",
            "CannotPullContainerError: filesystem layer verification failed for digest sha256:9a1b",
            "CannotPullContainerError: error pulling image configuration: unknown error",
        ),
        within=_PULL,
    ),
    Cause(
        "image-too-big",
        says(
            r"image (?:size )?(?:exceeds|is too (?:big|large))|exceeds the (?:maximum|limit).{0,40}size|layer.{0,40}too large"
        ),
        "The image{image} is too big for the task's host.",
        "Make it smaller, or raise ephemeralStorage.sizeInGiB (up to 200) in the task definition.",
        guide("fargate-task-storage"),
        (
            "CannotPullContainerError: unable to pull image: image size exceeds the maximum",
            "CannotPullContainerError: image exceeds the available ephemeral storage",
            "CannotPullContainerError: the image is too large for the available storage",
        ),
        within=_PULL,
    ),
    Cause(
        "image-cut-off",
        says(
            r"(?:failed to resolve ref(?:erence)?(?: \"?[^\s\"]{1,300}\"?)?|has been retried \d+ times?(?:\(s\))?)[.: ]{0,4}$"
        ),
        "The image{image} could not be looked up in its registry; ECS gives no reason.",
        f"Check that the image and its tag exist. {_ROUTE}",
        _PAGE,
        (
            (
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"
                " 123456789012.dkr.ecr.eu-west-1.amazonaws.com/airflow:3"
            ),
            "CannotPullContainerError: ref pull has been retried 5 time(s)",
            "CannotPullContainerError: inspect image has been retried 1 time(s)",
        ),
        within=_PULL,
    ),
    Cause(
        "image-other",
        exactly(r"\b(?i:cannotpull\w*error)|\bCannotPull"),
        "{words}.",
        f"Pull the image from a host in the same subnet to see more. {_ROUTE}",
        _PAGE,
        (
            "CannotPullContainerError: API error",
            "CannotPullImageManifestError: Error response from daemon: unknown error",
            "CannotPullContainerError: unknown: artifact err",
        ),
    ),
)
