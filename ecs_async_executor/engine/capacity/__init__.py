"""Which launches ECS has room for: runs that it would refuse wait in the launch queue instead."""
