"""`ecs-async demo`: a whole Airflow and a local ECS on this machine, running the example Dags."""
