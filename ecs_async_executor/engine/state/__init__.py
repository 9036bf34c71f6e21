"""The state of every ECS task, and the queues around it. Does no I/O."""
