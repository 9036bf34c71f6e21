"""The scheduler's half: it runs in the scheduler's thread and knows Airflow."""
