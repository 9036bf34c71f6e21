resource "aws_service_discovery_private_dns_namespace" "this" {
  count = local.on_ecs ? 1 : 0
  name  = "${var.name}.internal"
  vpc   = local.vpc
}

resource "aws_service_discovery_service" "api_server" {
  count = local.on_ecs ? 1 : 0
  name  = "api-server"
  dns_config {
    namespace_id = aws_service_discovery_private_dns_namespace.this[0].id
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
  health_check_custom_config {
    failure_threshold = 1
  }
}

locals {
  core = {
    AIRFLOW__CORE__EXECUTOR     = "ecs_async_executor.AsyncEcsExecutor"
    AIRFLOW__CORE__AUTH_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
  }
  all_of_it = merge(local.core, local.execution_api, local.remote_log, local.executor)
  wait      = "airflow db check-migrations --migration-wait-timeout 600 && exec airflow"
  make_database = join(" ", [
    "airflow db migrate && airflow users create --role Admin --username admin --password \"$ADMIN_PASSWORD\"",
    "--firstname Airflow --lastname Admin --email admin@example.com",
  ])
  # A `for`, and no `? :`, whose two sides must have one type.
  services = { for name, service in {
    api-server = {
      role        = "api-server", cpu = 1024, memory = 3072, command = ["airflow", "api-server"]
      health      = "curl -fs http://localhost:8080/api/v2/version"
      environment = local.all_of_it
    }
    scheduler = {
      role        = "scheduler", cpu = 1024, memory = 2048, command = ["bash", "-c", "${local.wait} scheduler"]
      health      = "curl -fs http://localhost:8974/health"
      environment = merge(local.all_of_it, { AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK = "True" })
    }
    dag-processor = {
      role        = "parsing", cpu = 512, memory = 2048, command = ["bash", "-c", "${local.wait} dag-processor"]
      health      = ""
      environment = merge(local.core, local.remote_log)
    }
    triggerer = {
      role        = "parsing", cpu = 512, memory = 2048, command = ["bash", "-c", "${local.wait} triggerer"]
      health      = ""
      environment = merge(local.core, local.execution_api, local.remote_log)
    }
  } : name => service if local.on_ecs }
  secrets = merge(
    {
      AIRFLOW__API_AUTH__JWT_SECRET = aws_secretsmanager_secret.jwt.arn
      AIRFLOW__API__SECRET_KEY      = aws_secretsmanager_secret.api.arn
    },
    local.has_database ? {
      AIRFLOW__DATABASE__SQL_ALCHEMY_CONN = aws_secretsmanager_secret.database_connection[0].arn
      AIRFLOW__CORE__FERNET_KEY           = aws_secretsmanager_secret.fernet[0].arn
    } : {},
  )
  log_configuration = {
    logDriver = "awslogs"
    options   = { awslogs-group = aws_cloudwatch_log_group.this.name, awslogs-region = local.region, awslogs-stream-prefix = "airflow" }
  }
  # Makes the database's tables and the first user; the other services wait for that.
  migrate = local.on_ecs ? {
    name             = "migrate"
    image            = local.image
    essential        = false
    stopTimeout      = 60
    command          = ["bash", "-c", local.make_database]
    logConfiguration = local.log_configuration
    environment      = [for name, value in local.core : { name = name, value = value }]
    secrets          = [for name, arn in merge(local.secrets, { ADMIN_PASSWORD = aws_secretsmanager_secret.admin[0].arn }) : { name = name, valueFrom = arn }]
  } : null
}

resource "aws_ecs_task_definition" "airflow" {
  for_each                 = local.services
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.airflow_execution[0].arn
  task_role_arn            = aws_iam_role.airflow[each.value.role].arn
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }
  container_definitions = jsonencode(concat(
    each.key == "api-server" ? [local.migrate] : [],
    [merge(
      {
        name             = each.key
        image            = local.image
        essential        = true
        stopTimeout      = 60
        command          = each.value.command
        logConfiguration = local.log_configuration
        environment      = [for name, value in each.value.environment : { name = name, value = value }]
        secrets          = [for name, arn in local.secrets : { name = name, valueFrom = arn }]
      },
      { for name, value in {
        healthCheck = { command = ["CMD-SHELL", each.value.health], interval = 30, timeout = 10, retries = 5, startPeriod = 300 }
      } : name => value if each.value.health != "" },
      { for name, value in {
        dependsOn    = [{ containerName = "migrate", condition = "SUCCESS" }]
        portMappings = [{ containerPort = 8080 }]
      } : name => value if each.key == "api-server" },
    )],
  ))
}

resource "aws_ecs_service" "airflow" {
  for_each               = local.services
  name                   = each.key
  cluster                = aws_ecs_cluster.this.id
  task_definition        = aws_ecs_task_definition.airflow[each.key].arn
  desired_count          = var.image_tag == "" ? 0 : 1
  launch_type            = "FARGATE"
  enable_execute_command = each.key == "api-server"
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    assign_public_ip = false
    security_groups  = [aws_security_group.airflow.id]
    subnets          = local.subnets
  }
  dynamic "service_registries" {
    for_each = each.key == "api-server" ? [1] : []
    content {
      registry_arn = aws_service_discovery_service.api_server[0].arn
    }
  }
  # The circuit breaker gives up after a few attempts: rights, secrets and a way to both come first.
  depends_on = [
    aws_iam_role_policy.airflow_execution,
    aws_iam_role_policy.api_server,
    aws_iam_role_policy_attachment.airflow,
    aws_route.nat,
    aws_route_table_association.private,
    aws_secretsmanager_secret_version.admin,
    aws_secretsmanager_secret_version.api,
    aws_secretsmanager_secret_version.database_connection,
    aws_secretsmanager_secret_version.fernet,
    aws_secretsmanager_secret_version.jwt,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
  ]
}
