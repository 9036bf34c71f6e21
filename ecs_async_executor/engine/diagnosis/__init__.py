"""What failed calls and stopped tasks mean, and what to do about them. Sans-I/O."""
