"""Runs: their life, names, tags and parameters, nested ones, and what they refuse."""

import mlflow
from mlflow.entities import Param, RunTag, ViewType

from tests.mlflow.scenario.book import Book


def a_run_in_the_fluent_way(book: Book) -> None:
    mlflow.set_experiment("fluent")
    with mlflow.start_run(run_name="first", description="of many") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "kind": "tree", "none": None})
        mlflow.set_tag("team", "risk")
        mlflow.set_tags({"stage": "draft", "number": 7})
        running = mlflow.get_run(run.info.run_id)
    book.same("status inside", running.info.status, "RUNNING")
    book.holds("no end inside", running.info.end_time is None)
    ended = mlflow.get_run(run.info.run_id)
    book.same("status after", ended.info.status, "FINISHED")
    book.holds("ended after it began", ended.info.end_time >= ended.info.start_time)
    book.same("name", ended.info.run_name, "first")
    book.same("stage", ended.info.lifecycle_stage, "active")
    book.same(
        "parameters",
        ended.data.params,
        {"depth": "3", "rate": "0.1", "kind": "tree", "none": "None"},
    )
    tags = ended.data.tags
    book.same("tags", {k: tags[k] for k in ("team", "stage", "number")}, _TAGS)
    book.same("name is a tag too", tags["mlflow.runName"], "first")
    book.same("description", tags["mlflow.note.content"], "of many")
    book.same("source type", tags["mlflow.source.type"], "LOCAL")
    book.holds("user", tags["mlflow.user"] == ended.info.user_id)
    location = mlflow.get_experiment_by_name("fluent").artifact_location
    book.same("artifacts' scheme", location.split(":")[0], "mlflow-artifacts")
    book.same(
        "artifacts' place",
        ended.info.artifact_uri,
        f"{location}/{ended.info.run_id}/artifacts",
    )
    book.same("last active run", mlflow.last_active_run().info.run_id, run.info.run_id)
    book.holds("no active run", mlflow.active_run() is None)


_TAGS = {"team": "risk", "stage": "draft", "number": "7"}


def a_run_that_fails(book: Book) -> None:
    try:
        with mlflow.start_run() as run:
            raise RuntimeError
    except RuntimeError:
        pass
    book.same("status", mlflow.get_run(run.info.run_id).info.status, "FAILED")
    book.holds("it has a made-up name", len(run.info.run_name.split("-")) == 3)


def a_run_that_goes_on(book: Book) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 1.0, step=0)
    with mlflow.start_run(run_id=run.info.run_id):
        book.same("reopened", mlflow.get_run(run.info.run_id).info.status, "RUNNING")
        mlflow.log_metric("loss", 0.5, step=1)
    again = mlflow.get_run(run.info.run_id)
    book.same("closed again", again.info.status, "FINISHED")
    book.same("went on", again.data.metrics, {"loss": 0.5})
    mlflow.MlflowClient().log_metric(run.info.run_id, "late", 2.0)
    book.same("logged after the end", mlflow.get_run(run.info.run_id).data.metrics["late"], 2.0)


def nested_runs(book: Book) -> None:
    with mlflow.start_run(run_name="outer") as outer:
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            with mlflow.start_run(run_name="innermost", nested=True) as innermost:
                mlflow.log_metric("m", 3)
            mlflow.log_metric("m", 2)
        mlflow.log_metric("m", 1)
    book.same("parent", mlflow.get_parent_run(inner.info.run_id).info.run_name, "outer")
    book.same("grandchild's", mlflow.get_parent_run(innermost.info.run_id).info.run_name, "inner")
    book.holds("outermost has none", mlflow.get_parent_run(outer.info.run_id) is None)
    found = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{outer.info.run_id}'", output_format="list"
    )
    book.same("children by tag", [run.info.run_name for run in found], ["inner"])
    with mlflow.start_run(parent_run_id=outer.info.run_id, run_name="later") as later:
        pass
    book.same("a later child", mlflow.get_parent_run(later.info.run_id).info.run_name, "outer")


def the_client_makes_and_ends_runs(book: Book) -> None:
    client, experiment = book.client, book.experiment()
    run = client.create_run(
        experiment, start_time=1_700_000_000_123, tags={"a": "b"}, run_name="made"
    )
    book.same("start", run.info.start_time, 1_700_000_000_123)
    book.same("status", run.info.status, "RUNNING")
    book.same("tags", run.data.tags, {"a": "b", "mlflow.runName": "made"})
    client.set_terminated(run.info.run_id, "KILLED", end_time=1_700_000_000_999)
    ended = client.get_run(run.info.run_id)
    book.same("end", [ended.info.status, ended.info.end_time], ["KILLED", 1_700_000_000_999])
    client.update_run(run.info.run_id, status="SCHEDULED", name="renamed")
    renamed = client.get_run(run.info.run_id)
    book.same("updated", [renamed.info.status, renamed.info.run_name], ["SCHEDULED", "renamed"])
    book.same("its name's tag", renamed.data.tags["mlflow.runName"], "renamed")
    client.set_tag(run.info.run_id, "mlflow.runName", "by tag")
    book.same("name by its tag", client.get_run(run.info.run_id).info.run_name, "by tag")
    client.delete_tag(run.info.run_id, "a")
    book.holds("tag deleted", "a" not in client.get_run(run.info.run_id).data.tags)
    book.refused(
        "tag deleted twice",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.delete_tag(run.info.run_id, "a"),
        "No tag with name: a",
    )


def deleting_and_restoring_runs(book: Book) -> None:
    client, experiment = book.client, book.experiment()
    run_id = client.create_run(experiment).info.run_id
    client.delete_run(run_id)
    book.same("stage", client.get_run(run_id).info.lifecycle_stage, "deleted")
    book.same("hidden", len(client.search_runs([experiment])), 0)
    book.same("found by view", len(client.search_runs([experiment], "", ViewType.DELETED_ONLY)), 1)
    client.delete_run(run_id)
    book.refused(
        "no metrics for the deleted",
        "INVALID_PARAMETER_VALUE",
        lambda: client.log_metric(run_id, "m", 1),
        "must be in the 'active' state",
    )
    book.refused(
        "nor parameters", "INVALID_PARAMETER_VALUE", lambda: client.log_param(run_id, "p", 1)
    )
    book.refused("nor tags", "INVALID_PARAMETER_VALUE", lambda: client.set_tag(run_id, "t", 1))
    client.restore_run(run_id)
    client.log_metric(run_id, "m", 1)
    book.same("back", client.get_run(run_id).data.metrics, {"m": 1.0})
    book.same("all of them", len(client.search_runs([experiment], "", ViewType.ALL)), 1)


def parameters_stay(book: Book) -> None:
    client = book.client
    run_id = client.create_run(book.experiment()).info.run_id
    client.log_param(run_id, "a", "1")
    client.log_param(run_id, "a", "1")
    book.refused(
        "another value",
        "INVALID_PARAMETER_VALUE",
        lambda: client.log_param(run_id, "a", "2"),
        "Changing param values is not allowed",
    )
    book.refused(
        "in a batch",
        "INVALID_PARAMETER_VALUE",
        lambda: client.log_batch(run_id, params=[Param("b", "1"), Param("a", "3")]),
        "Changing param values is not allowed",
    )
    book.same("the batch is all or nothing", client.get_run(run_id).data.params, {"a": "1"})
    book.refused(
        "twice in a batch",
        "INVALID_PARAMETER_VALUE",
        lambda: client.log_batch(run_id, params=[Param("c", "1"), Param("c", "2")]),
        "Duplicate parameter keys have been submitted",
    )
    client.log_batch(run_id, tags=[RunTag("t", "1"), RunTag("t", "2")])
    book.same("of tags the last", client.get_run(run_id).data.tags["t"], "2")
    client.log_param(run_id, "empty", "")
    book.same("an empty value", client.get_run(run_id).data.params["empty"], "")
    text = "größe ✓ 测试 \n'\"\\"
    client.log_param(run_id, "text", text)
    client.set_tag(run_id, "text", text)
    data = client.get_run(run_id).data
    book.same("any letters", [data.params["text"], data.tags["text"]], [text, text])


def keys_and_limits(book: Book) -> None:
    client = book.client
    run_id = client.create_run(book.experiment()).info.run_id
    for key in ("with space", "a/b", "a.b-c_d", "ü", "a:b"):
        client.log_metric(run_id, key, 1)
        client.log_param(run_id, key, 1)
    book.same("good keys", len(client.get_run(run_id).data.metrics), 5)
    for key in ("a+b", "../up", "/abs", "a//b", "", "k" * 251):
        book.refused(
            f"key {key[:10]!r} of a metric",
            "INVALID_PARAMETER_VALUE",
            lambda key=key: client.log_metric(run_id, key, 1),
        )
    client.log_batch(run_id, params=[Param("long", "x" * 6001)])
    book.same("6,000 characters fit", len(client.get_run(run_id).data.params["long"]), 6000)
    client.set_tag(run_id, "longest", "x" * 8000)
    book.same("8,000 of a tag fit", len(client.get_run(run_id).data.tags["longest"]), 8000)


def what_does_not_exist(book: Book) -> None:
    client, nobody = book.client, "0" * 32
    book.refused("run", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_run(nobody), "not found")
    book.refused(
        "metric of no run", "RESOURCE_DOES_NOT_EXIST", lambda: client.log_metric(nobody, "m", 1)
    )
    book.refused("delete", "RESOURCE_DOES_NOT_EXIST", lambda: client.delete_run(nobody))
    book.refused(
        "run of no experiment", "RESOURCE_DOES_NOT_EXIST", lambda: client.create_run("987654321")
    )


SCENES = (
    a_run_in_the_fluent_way,
    a_run_that_fails,
    a_run_that_goes_on,
    nested_runs,
    the_client_makes_and_ends_runs,
    deleting_and_restoring_runs,
    parameters_stay,
    keys_and_limits,
    what_does_not_exist,
)
