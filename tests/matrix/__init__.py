"""The wheel, in clean environments, with each supported Python, Airflow, Amazon provider and database: `make matrix`."""
