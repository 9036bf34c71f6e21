"""The live tasks of this executor and its schedulers, as Airflow's database shows them: for the page and the command line."""
