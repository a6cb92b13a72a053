"""Stages: deprecated, and still used by what was written for older clients."""

import mlflow

from tests.mlflow.scenario.book import Book
from tests.mlflow.scenario.models import data, fitted


def from_none_to_archived(book: Book) -> None:
    client = book.client
    client.create_registered_model("staged")
    for _ in range(4):
        client.create_model_version("staged", "s3://bucket/x")
    book.same("at first", client.get_model_version("staged", "1").current_stage, "None")
    moved = client.transition_model_version_stage("staged", "1", "production")
    book.same("any case", moved.current_stage, "Production")
    client.transition_model_version_stage("staged", "2", "Production")
    client.transition_model_version_stage("staged", "3", "Staging")
    newest = client.get_latest_versions("staged")
    book.same(
        "newest of each",
        sorted([v.current_stage, str(v.version)] for v in newest),
        [["None", "4"], ["Production", "2"], ["Staging", "3"]],
    )
    only = client.get_latest_versions("staged", ["Production"])
    book.same("of one", [str(v.version) for v in only], ["2"])
    client.transition_model_version_stage(
        "staged", "4", "Production", archive_existing_versions=True
    )
    stages = [client.get_model_version("staged", str(n)).current_stage for n in (1, 2, 3, 4)]
    book.same("archived", stages, ["Archived", "Archived", "Staging", "Production"])
    book.refused(
        "no such stage",
        "INVALID_PARAMETER_VALUE",
        lambda: client.transition_model_version_stage("staged", "1", "Live"),
        "Invalid Model Version stage: Live.",
    )
    book.same(
        "all of them",
        client.get_model_version_stages("staged", "1"),
        ["None", "Staging", "Production", "Archived"],
    )


def loaded_by_stage(book: Book) -> None:
    x, _ = data()
    model = fitted()
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="m", registered_model_name="by stage")
    book.client.transition_model_version_stage("by stage", "1", "Staging")
    back = mlflow.pyfunc.load_model("models:/by stage/Staging")
    book.same("loaded", list(back.predict(x)), list(model.predict(x)))
    book.refused(
        "none in production",
        "INTERNAL_ERROR",
        lambda: mlflow.pyfunc.load_model("models:/by stage/Production"),
    )


SCENES = (from_none_to_archived, loaded_by_stage)
