data "aws_availability_zones" "here" {
  state = "available"
}

resource "aws_vpc" "this" {
  count                = local.new_vpc ? 1 : 0
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

# A /20 each: 4,091 addresses for tasks.
resource "aws_subnet" "private" {
  count             = local.new_vpc ? 2 : 0
  vpc_id            = aws_vpc.this[0].id
  availability_zone = data.aws_availability_zones.here.names[count.index]
  cidr_block        = cidrsubnet(var.vpc_cidr, 20 - tonumber(split("/", var.vpc_cidr)[1]), count.index)
  tags              = { Name = "${var.name}-private-${count.index}" }
}

resource "aws_route_table" "private" {
  count  = local.new_vpc ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  count          = local.new_vpc ? 2 : 0
  route_table_id = aws_route_table.private[0].id
  subnet_id      = aws_subnet.private[count.index].id
}

resource "aws_subnet" "public" {
  count             = local.nat ? 1 : 0
  vpc_id            = aws_vpc.this[0].id
  availability_zone = data.aws_availability_zones.here.names[0]
  cidr_block        = cidrsubnet(var.vpc_cidr, 20 - tonumber(split("/", var.vpc_cidr)[1]), 2)
  tags              = { Name = "${var.name}-public" }
}

resource "aws_internet_gateway" "this" {
  count = local.nat ? 1 : 0
  tags  = { Name = var.name }
}

resource "aws_internet_gateway_attachment" "this" {
  count               = local.nat ? 1 : 0
  internet_gateway_id = aws_internet_gateway.this[0].id
  vpc_id              = aws_vpc.this[0].id
}

resource "aws_route_table" "public" {
  count  = local.nat ? 1 : 0
  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  count          = local.nat ? 1 : 0
  route_table_id = aws_route_table.public[0].id
  subnet_id      = aws_subnet.public[0].id
}

resource "aws_route" "internet" {
  count                  = local.nat ? 1 : 0
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
  depends_on             = [aws_internet_gateway_attachment.this]
}

resource "aws_eip" "nat" {
  count      = local.nat ? 1 : 0
  domain     = "vpc"
  depends_on = [aws_internet_gateway_attachment.this]
}

resource "aws_nat_gateway" "this" {
  count         = local.nat ? 1 : 0
  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }
}

resource "aws_route" "nat" {
  count                  = local.nat ? 1 : 0
  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}

# Free, and images' layers come from S3: with a NAT gateway, too, that traffic costs nothing.
resource "aws_vpc_endpoint" "s3" {
  count             = local.new_vpc ? 1 : 0
  vpc_id            = aws_vpc.this[0].id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.s3"
  route_table_ids   = [aws_route_table.private[0].id]
}

# ecs, secretsmanager: Airflow, on ECS or on hosts of yours in this VPC. ssmmessages: ECS Exec, by which people reach the UI.
# In China, the names of ECR's endpoints begin with "cn.", those of the others do not.
resource "aws_vpc_endpoint" "interface" {
  for_each = toset(concat(
    local.endpoints ? ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ecs"] : [],
    local.endpoints && local.on_ecs ? ["ssmmessages"] : [],
  ))
  vpc_id              = aws_vpc.this[0].id
  vpc_endpoint_type   = "Interface"
  service_name        = "${local.partition == "aws-cn" && startswith(each.key, "ecr.") ? "cn." : ""}com.amazonaws.${local.region}.${each.key}"
  private_dns_enabled = true
  subnet_ids          = local.subnets
  security_group_ids  = [aws_security_group.endpoints[0].id]
}

resource "aws_security_group" "tasks" {
  name_prefix = "${var.name}-tasks-"
  description = "Containers of Airflow tasks. Nothing connects to them."
  vpc_id      = local.vpc
  egress {
    description = "Whatever tasks call"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# Also for your own hosts: who is in it reaches the database.
resource "aws_security_group" "airflow" {
  name_prefix = "${var.name}-airflow-"
  description = "Scheduler, API server, Dag processor and triggerer."
  vpc_id      = local.vpc
  egress {
    description = "AWS, the database, each other"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_vpc_security_group_ingress_rule" "api_server_from_tasks" {
  count                        = local.on_ecs ? 1 : 0
  security_group_id            = aws_security_group.airflow.id
  description                  = "Tasks report to the execution API"
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
  referenced_security_group_id = aws_security_group.tasks.id
}

# The triggerer serves the logs of triggers that run ([logging] trigger_log_server_port).
resource "aws_vpc_security_group_ingress_rule" "triggerer_from_api_server" {
  count                        = local.on_ecs ? 1 : 0
  security_group_id            = aws_security_group.airflow.id
  description                  = "The API server reads the logs of triggers"
  ip_protocol                  = "tcp"
  from_port                    = 8794
  to_port                      = 8794
  referenced_security_group_id = aws_security_group.airflow.id
}

resource "aws_security_group" "database" {
  count       = local.has_database ? 1 : 0
  name_prefix = "${var.name}-database-"
  description = "The metadata database. Only Airflow reaches it, tasks do not."
  vpc_id      = local.vpc
  ingress {
    description     = "Airflow"
    protocol        = "tcp"
    from_port       = 5432
    to_port         = 5432
    security_groups = [aws_security_group.airflow.id]
  }
}

resource "aws_security_group" "endpoints" {
  count       = local.endpoints ? 1 : 0
  name_prefix = "${var.name}-endpoints-"
  description = "VPC endpoints."
  vpc_id      = local.vpc
  ingress {
    description     = "Tasks and Airflow"
    protocol        = "tcp"
    from_port       = 443
    to_port         = 443
    security_groups = [aws_security_group.tasks.id, aws_security_group.airflow.id]
  }
}
