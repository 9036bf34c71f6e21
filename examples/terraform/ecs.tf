resource "aws_ecs_cluster" "this" {
  name = var.name
  # In a new account AWS makes ECS's service-linked role now, and can't use it at once. Making a role takes longer.
  depends_on = [aws_iam_role.execution]
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
    weight            = 1
  }
}

resource "aws_ecs_task_definition" "task" {
  family                   = "${var.name}-task"
  # Schedulers name the revision: an old one launches the old image until the new one takes over.
  skip_destroy             = true
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }
  container_definitions = jsonencode([{
    name      = "airflow"
    image     = local.image
    essential = true
    # The most that Fargate gives: a task on Spot has as long to end.
    stopTimeout = 120
    logConfiguration = {
      logDriver = "awslogs"
      options   = { awslogs-group = aws_cloudwatch_log_group.this.name, awslogs-region = local.region, awslogs-stream-prefix = "task" }
    }
    environment = [for name, value in merge(local.execution_api, local.remote_log) : { name = name, value = value }]
  }])
}
