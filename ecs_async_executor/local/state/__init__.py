"""What ECS stores: clusters, tasks, task definitions, and each task's lifecycle."""
