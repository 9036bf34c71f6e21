"""The loops that call ECS and S3."""
