"""ECS's wire protocol, and the rules it checks requests against."""
