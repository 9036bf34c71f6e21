"""`ecs-async demo`: a complete Airflow and a local ECS on this machine that run the example Dags."""
