"""`ecs-async doctor --launch`: one real ECS task that looks from the inside at what can only be seen there."""
