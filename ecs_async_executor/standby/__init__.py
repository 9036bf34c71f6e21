"""Standbys: containers that wait, with Airflow imported, each for one workload. What they run, and where they look for it."""
