"""What containers print: where CloudWatch Logs has it, and how the API server reads it for the log page."""
