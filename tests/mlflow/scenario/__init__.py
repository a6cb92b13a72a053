"""What a user of MLflow does all day, written down as questions with one right answer each.

Run by an interpreter that has the real client, against any server that speaks its protocol:

    python -m tests.mlflow.scenario URL [--chapters runs,search] [--out answers.json]
"""
