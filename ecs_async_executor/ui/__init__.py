"""What the executor adds to Airflow's UI. It runs in the API server."""
