data "aws_region" "here" {}
data "aws_caller_identity" "me" {}
data "aws_partition" "here" {}

locals {
  region    = data.aws_region.here.region
  account   = data.aws_caller_identity.me.account_id
  partition = data.aws_partition.here.partition
  ecs       = "arn:${local.partition}:ecs:${local.region}:${local.account}"

  new_vpc      = var.network != "existing"
  nat          = var.network == "new-nat"
  endpoints    = var.network == "new-endpoints"
  on_ecs       = var.airflow == "ecs"
  has_database = var.database != "none"

  # Names of roles and buckets are made of it: with what AWS adds, a prefix has at most 38 and 37 characters.
  short   = substr(var.name, 0, 19)
  vpc     = local.new_vpc ? aws_vpc.this[0].id : var.vpc_id
  subnets = local.new_vpc ? aws_subnet.private[*].id : var.subnet_ids
  image   = "${aws_ecr_repository.this.repository_url}:${var.image_tag == "" ? "latest" : var.image_tag}"

  # What the scheduler and the API server need, and what the outputs say.
  execution_api = {
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL = local.on_ecs ? "http://api-server.${var.name}.internal:8080/execution/" : var.execution_api_url
  }
  remote_log = {
    AIRFLOW__LOGGING__REMOTE_LOGGING         = "True"
    AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER = "s3://${aws_s3_bucket.logs.bucket}/logs"
  }
  executor = {
    AIRFLOW__CORE__EXECUTOR                                 = "ecs_async_executor.AsyncEcsExecutor"
    AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER                    = aws_ecs_cluster.this.name
    AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION            = "${aws_ecs_task_definition.task.family}:${aws_ecs_task_definition.task.revision}"
    AIRFLOW__ECS_ASYNC_EXECUTOR__CONTAINER_NAME             = "airflow"
    AIRFLOW__ECS_ASYNC_EXECUTOR__REGION_NAME                = local.region
    AIRFLOW__ECS_ASYNC_EXECUTOR__CAPACITY_PROVIDER_STRATEGY = var.spot == "yes" ? "FARGATE_SPOT:4,FARGATE:1" : "FARGATE:1"
    AIRFLOW__ECS_ASYNC_EXECUTOR__SUBNETS                    = join(",", local.subnets)
    AIRFLOW__ECS_ASYNC_EXECUTOR__SECURITY_GROUPS            = aws_security_group.tasks.id
    AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET             = "s3://${aws_s3_bucket.payloads.bucket}"
    AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT                 = var.name
    # As long as a task may be queued: capacity_timeout plus launch_timeout (docs/tuning.md). Airflow's default is 600.
    AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT = "5400"
  }
}
