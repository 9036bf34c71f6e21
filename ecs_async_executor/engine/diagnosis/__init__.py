"""What errors and stopped tasks mean. Does no I/O."""
