"""The state of every ECS task, and the queues its runs wait in. Sans-I/O."""
