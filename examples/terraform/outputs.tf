# Each output is named after the environment variable that gets its value; null: there is none.

output "AIRFLOW__CORE__EXECUTOR" {
  value = local.executor.AIRFLOW__CORE__EXECUTOR
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__CLUSTER
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__TASK_DEFINITION
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__CONTAINER_NAME" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__CONTAINER_NAME
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__REGION_NAME" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__REGION_NAME
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__CAPACITY_PROVIDER_STRATEGY" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__CAPACITY_PROVIDER_STRATEGY
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__SUBNETS" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__SUBNETS
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__SECURITY_GROUPS" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__SECURITY_GROUPS
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__PAYLOAD_BUCKET
}

output "AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT" {
  value = local.executor.AIRFLOW__ECS_ASYNC_EXECUTOR__DEPLOYMENT
}

output "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT" {
  value = local.executor.AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT
}

output "AIRFLOW__CORE__EXECUTION_API_SERVER_URL" {
  value = local.execution_api.AIRFLOW__CORE__EXECUTION_API_SERVER_URL
}

output "AIRFLOW__LOGGING__REMOTE_LOGGING" {
  value = local.remote_log.AIRFLOW__LOGGING__REMOTE_LOGGING
}

output "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER" {
  value = local.remote_log.AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER
}

output "AWS_DEFAULT_REGION" {
  value = local.region
}

output "AIRFLOW__SECRETS__BACKEND" {
  value = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
}

output "AIRFLOW__SECRETS__BACKEND_KWARGS" {
  value = "{\"connections_prefix\": null, \"variables_prefix\": null, \"config_prefix\": \"\"}"
}

output "AIRFLOW__API_AUTH__JWT_SECRET_SECRET" {
  value = aws_secretsmanager_secret.jwt.arn
}

output "AIRFLOW__API__SECRET_KEY_SECRET" {
  value = aws_secretsmanager_secret.api.arn
}

output "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET" {
  value = one(aws_secretsmanager_secret.database_connection[*].arn)
}

output "AIRFLOW__CORE__FERNET_KEY_SECRET" {
  value = one(aws_secretsmanager_secret.fernet[*].arn)
}
