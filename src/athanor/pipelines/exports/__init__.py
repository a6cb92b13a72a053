"""Pipelines and steps in the forms of others: Airflow's DAG files, build contexts of images."""
