"""What makes this ECS slow, busy or broken, and what its simulated tasks do."""
