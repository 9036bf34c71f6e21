"""Checks options, queue profiles and executor_config, and builds RunTask requests from them."""
