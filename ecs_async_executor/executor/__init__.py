"""The scheduler's half: runs in the scheduler's thread, and knows Airflow."""
