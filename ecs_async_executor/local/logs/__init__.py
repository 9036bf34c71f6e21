"""CloudWatch Logs: ships containers' output there, and runs a local one."""
