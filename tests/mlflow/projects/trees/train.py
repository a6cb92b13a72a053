"""What the scenario's `mlflow run` runs."""

import sys

import mlflow

with mlflow.start_run():
    mlflow.log_metric("depth seen", float(sys.argv[1]))
    mlflow.set_tag("kind seen", sys.argv[2])
    mlflow.log_text("trained", "trained.txt")
