data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# --- roles of the tasks

data "aws_iam_policy_document" "start" {
  statement {
    sid       = "SignInToTheRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  statement {
    sid       = "PullTheImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.this.arn]
  }
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role" "execution" {
  name_prefix        = "${local.short}-execution-"
  description        = "ECS pulls the image of tasks and writes their output"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-tasks"
  role   = aws_iam_role.execution.name
  policy = data.aws_iam_policy_document.start.json
}

data "aws_iam_policy_document" "tasks" {
  statement {
    sid       = "LongWorkloads"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.payloads.arn}/*"]
  }
  statement {
    sid       = "FindLogs"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.logs.arn]
  }
  statement {
    sid       = "KeepLogs"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/logs/*"]
  }
}

resource "aws_iam_role" "task" {
  name_prefix        = "${local.short}-task-"
  description        = "What the code of tasks may do. Add what your tasks need."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "task" {
  name   = "tasks"
  role   = aws_iam_role.task.name
  policy = data.aws_iam_policy_document.tasks.json
}

# --- policies of Airflow, wherever it runs

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Launch"
    actions   = ["ecs:RunTask"]
    resources = ["${local.ecs}:task-definition/${var.name}-task:*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.this.arn]
    }
  }
  statement {
    sid       = "PassTheTasksRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
  statement {
    sid       = "WatchAndStop"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = ["${local.ecs}:task/${aws_ecs_cluster.this.name}/*"]
  }
  statement {
    sid       = "FindAfterACrash"
    actions   = ["ecs:ListTasks"]
    resources = ["*"]
    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.this.arn]
    }
  }
  statement {
    sid       = "DefaultCapacityProviders"
    actions   = ["ecs:DescribeClusters"]
    resources = [aws_ecs_cluster.this.arn]
  }
  statement {
    sid       = "Tags"
    actions   = ["ecs:TagResource"]
    resources = ["${local.ecs}:task/${aws_ecs_cluster.this.name}/*"]
    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }
  statement {
    sid       = "LongWorkloads"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.payloads.arn}/*"]
  }
}

resource "aws_iam_policy" "scheduler" {
  name_prefix = "${var.name}-scheduler-"
  description = "What the scheduler does. Attach it to the scheduler's role."
  policy      = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "container_logs" {
  statement {
    sid       = "FindTheLog"
    actions   = ["ecs:DescribeTasks"]
    resources = ["${local.ecs}:task/${aws_ecs_cluster.this.name}/*"]
  }
  statement {
    sid       = "FindTheLogOptions"
    actions   = ["ecs:DescribeTaskDefinition"]
    resources = ["*"]
  }
  statement {
    sid       = "ReadTheLog"
    actions   = ["logs:GetLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_policy" "container_logs" {
  name_prefix = "${var.name}-container-logs-"
  description = "Reads what containers print. Attach it to the roles of the API server and the scheduler."
  policy      = data.aws_iam_policy_document.container_logs.json
}

data "aws_iam_policy_document" "airflow" {
  statement {
    sid       = "FindLogs"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.logs.arn]
  }
  statement {
    sid       = "KeepLogs"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/logs/*"]
  }
}

resource "aws_iam_policy" "airflow" {
  name_prefix = "${var.name}-airflow-"
  description = "Airflow's remote log. Attach it to the roles of all components."
  policy      = data.aws_iam_policy_document.airflow.json
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid     = "AirflowsSecrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = concat(
      [aws_secretsmanager_secret.jwt.arn, aws_secretsmanager_secret.api.arn],
      aws_secretsmanager_secret.database_connection[*].arn,
      aws_secretsmanager_secret.fernet[*].arn,
      aws_secretsmanager_secret.admin[*].arn,
    )
  }
}

resource "aws_iam_policy" "secrets" {
  count       = local.on_ecs ? 0 : 1
  name_prefix = "${var.name}-secrets-"
  description = "Airflow's own secrets. Attach it to the roles of all components that you run yourself."
  policy      = data.aws_iam_policy_document.secrets.json
}

# --- roles of Airflow's services

resource "aws_iam_role" "airflow_execution" {
  count              = local.on_ecs ? 1 : 0
  name_prefix        = "${local.short}-airflow-execution-"
  description        = "ECS pulls the image of the services, writes their output and hands them their secrets"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "airflow_execution" {
  for_each = { for name, policy in {
    start-services = data.aws_iam_policy_document.start.json
    secrets        = data.aws_iam_policy_document.secrets.json
  } : name => policy if local.on_ecs }
  name   = each.key
  role   = aws_iam_role.airflow_execution[0].name
  policy = each.value
}

resource "aws_iam_role" "airflow" {
  for_each           = local.on_ecs ? toset(["scheduler", "api-server", "parsing"]) : toset([])
  name_prefix        = "${local.short}-${each.key}-"
  description        = "parsing: the Dag processor and the triggerer"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy_attachment" "airflow" {
  for_each = { for name, attachment in {
    scheduler-launches    = { role = "scheduler", policy = aws_iam_policy.scheduler.arn }
    scheduler-reads-logs  = { role = "scheduler", policy = aws_iam_policy.container_logs.arn }
    scheduler-keeps-logs  = { role = "scheduler", policy = aws_iam_policy.airflow.arn }
    api-server-reads-logs = { role = "api-server", policy = aws_iam_policy.container_logs.arn }
    api-server-keeps-logs = { role = "api-server", policy = aws_iam_policy.airflow.arn }
    parsing-keeps-logs    = { role = "parsing", policy = aws_iam_policy.airflow.arn }
  } : name => attachment if local.on_ecs }
  role       = aws_iam_role.airflow[each.value.role].name
  policy_arn = each.value.policy
}

data "aws_iam_policy_document" "forward_a_port" {
  statement {
    sid = "EcsExec"
    actions = [
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "api_server" {
  count  = local.on_ecs ? 1 : 0
  name   = "forward-a-port"
  role   = aws_iam_role.airflow["api-server"].name
  policy = data.aws_iam_policy_document.forward_a_port.json
}
