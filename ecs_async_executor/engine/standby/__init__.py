"""Standbys: ECS tasks that wait for one workload each. Which are kept, and whom they may serve."""
