"""Serves a local ECS over HTTP, in this loop, a thread or a process, and controls it."""
