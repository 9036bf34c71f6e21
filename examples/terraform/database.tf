# Secrets are made once (their versions never change), written to Secrets Manager and read from there: none is in the state.

ephemeral "aws_secretsmanager_random_password" "database" {
  password_length     = 32
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "database_password" {
  count       = local.has_database ? 1 : 0
  name_prefix = "${var.name}-database-password-"
  description = "Password of the user airflow in the metadata database"
}

resource "aws_secretsmanager_secret_version" "database_password" {
  count                    = local.has_database ? 1 : 0
  secret_id                = aws_secretsmanager_secret.database_password[0].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.database.random_password
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_secret_version" "database_password" {
  count     = local.has_database ? 1 : 0
  secret_id = aws_secretsmanager_secret_version.database_password[0].secret_id
}

# No ?sslmode: asyncpg, which Airflow gives the same address, refuses it. Both drivers use TLS; RDS takes nothing else.
resource "aws_secretsmanager_secret" "database_connection" {
  count       = local.has_database ? 1 : 0
  name_prefix = "${var.name}-database-connection-"
  description = "Airflow's [database] sql_alchemy_conn"
}

resource "aws_secretsmanager_secret_version" "database_connection" {
  count                    = local.has_database ? 1 : 0
  secret_id                = aws_secretsmanager_secret.database_connection[0].id
  secret_string_wo         = "postgresql+psycopg2://airflow:${ephemeral.aws_secretsmanager_secret_version.database_password[0].secret_string}@${aws_db_instance.this[0].address}:5432/airflow"
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_random_password" "jwt" {
  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "jwt" {
  name_prefix = "${var.name}-jwt-"
  description = "Airflow's [api_auth] jwt_secret"
}

resource "aws_secretsmanager_secret_version" "jwt" {
  secret_id                = aws_secretsmanager_secret.jwt.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.jwt.random_password
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_random_password" "api" {
  password_length     = 64
  exclude_punctuation = true
}

# One for all components: they sign with it what they ask each other for logs, and a UI session outlives its API server.
resource "aws_secretsmanager_secret" "api" {
  name_prefix = "${var.name}-api-"
  description = "Airflow's [api] secret_key"
}

resource "aws_secretsmanager_secret_version" "api" {
  secret_id                = aws_secretsmanager_secret.api.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.api.random_password
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_random_password" "fernet" {
  password_length     = 43
  exclude_punctuation = true
}

# Without it, nobody can read the connections in the database's snapshot.
resource "aws_secretsmanager_secret" "fernet" {
  count       = local.has_database ? 1 : 0
  name_prefix = "${var.name}-fernet-"
  description = "Airflow's [core] fernet_key"
}

# 43 letters and digits and a "=" are the base64 of 32 bytes, which is what a Fernet key is.
resource "aws_secretsmanager_secret_version" "fernet" {
  count                    = local.has_database ? 1 : 0
  secret_id                = aws_secretsmanager_secret.fernet[0].id
  secret_string_wo         = "${ephemeral.aws_secretsmanager_random_password.fernet.random_password}="
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_random_password" "admin" {
  password_length     = 24
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "admin" {
  count       = local.on_ecs ? 1 : 0
  name_prefix = "${var.name}-admin-"
  description = "First password of the user admin in Airflow's UI"
}

resource "aws_secretsmanager_secret_version" "admin" {
  count                    = local.on_ecs ? 1 : 0
  secret_id                = aws_secretsmanager_secret.admin[0].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.admin.random_password
  secret_string_wo_version = 1
}

resource "aws_db_subnet_group" "this" {
  count       = local.has_database ? 1 : 0
  name_prefix = "${var.name}-"
  description = "Airflow's metadata database"
  subnet_ids  = local.subnets
}

resource "aws_db_instance" "this" {
  count                      = local.has_database ? 1 : 0
  identifier_prefix          = "${var.name}-"
  engine                     = "postgres"
  engine_version             = "17"
  instance_class             = var.database
  allocated_storage          = 20
  # RDS makes it larger by itself up to here: a full disk stops Airflow.
  max_allocated_storage      = 100
  storage_type               = "gp3"
  storage_encrypted          = true
  db_name                    = "airflow"
  username                   = "airflow"
  password_wo                = ephemeral.aws_secretsmanager_secret_version.database_password[0].secret_string
  password_wo_version        = 1
  db_subnet_group_name       = aws_db_subnet_group.this[0].name
  vpc_security_group_ids     = [aws_security_group.database[0].id]
  publicly_accessible        = false
  auto_minor_version_upgrade = true
  backup_retention_period    = 7
  copy_tags_to_snapshot      = true
  skip_final_snapshot        = false
  final_snapshot_identifier  = "${var.name}-final"
}
