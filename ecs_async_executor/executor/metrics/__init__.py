"""Tells what the executor measures: to Airflow's Stats, as spans, and as a line a minute in the scheduler's log."""
