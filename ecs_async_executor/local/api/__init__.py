"""The ECS actions: one function an action, called with a request's JSON."""
