"""CloudWatch Logs: ships containers' output there."""
