"""The configuration: options, queue profiles and executor_config, checked, and made into RunTask requests."""
