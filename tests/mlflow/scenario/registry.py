"""The registry: models, versions, tags, aliases, search, renaming and deleting."""

import mlflow
from mlflow.exceptions import MlflowException

from tests.mlflow.scenario.book import Book
from tests.mlflow.scenario.models import data, fitted


def from_a_run_to_an_alias(book: Book) -> None:
    x, _ = data()
    model, client = fitted(), book.client
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(model, name="clf", input_example=x.head(1))
    first = mlflow.register_model(logged.model_uri, "credit", tags={"by": "hand"})
    second = mlflow.register_model(f"runs:/{run.info.run_id}/clf", "credit")
    book.same("numbers", [str(first.version), str(second.version)], ["1", "2"])
    book.same("status", first.status, "READY")
    book.same("its run", second.run_id, run.info.run_id)
    with mlflow.start_run():
        third = mlflow.sklearn.log_model(model, name="clf", registered_model_name="credit")
    book.same("while logging", str(third.registered_model_version), "3")
    client.set_registered_model_alias("credit", "champion", "2")
    client.set_registered_model_alias("credit", "challenger", "3")
    by_alias = mlflow.pyfunc.load_model("models:/credit@champion")
    book.same("by alias", list(by_alias.predict(x)), list(model.predict(x)))
    for uri in ("models:/credit/1", "models:/credit/latest"):
        back = mlflow.sklearn.load_model(uri)
        book.same(f"by {uri}", list(back.predict(x)), list(model.predict(x)))
    found = client.get_model_version_by_alias("credit", "champion")
    book.same(
        "version of the alias", [str(found.version), list(found.aliases)], ["2", ["champion"]]
    )
    whole = client.get_registered_model("credit")
    book.same(
        "aliases",
        {k: str(v) for k, v in whole.aliases.items()},
        {"champion": "2", "challenger": "3"},
    )
    client.set_registered_model_alias("credit", "champion", "3")
    moved = client.get_model_version("credit", "3")
    book.same("moved", sorted(moved.aliases), ["challenger", "champion"])
    client.delete_registered_model_alias("credit", "champion")
    book.refused(
        "no alias any more",
        "INVALID_PARAMETER_VALUE",
        lambda: client.get_model_version_by_alias("credit", "champion"),
        "Registered model alias champion not found.",
    )
    book.holds("where it lies", "artifacts" in client.get_model_version_download_uri("credit", "1"))
    tags = mlflow.get_logged_model(logged.model_id).tags
    book.holds("the logged model knows", "credit" in tags.get("mlflow.modelVersions", ""))
    sources = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    book.same("versions of the run", sorted(str(v.version) for v in sources), ["1", "2"])


def names_tags_descriptions(book: Book) -> None:
    client = book.client
    made = client.create_registered_model("risk ü", tags={"a": "1"}, description="first")
    book.same("made", [made.name, made.tags, made.description], ["risk ü", {"a": "1"}, "first"])
    book.holds("times", 0 < made.creation_timestamp <= made.last_updated_timestamp)
    client.update_registered_model("risk ü", "second")
    client.set_registered_model_tag("risk ü", "b", "2")
    client.delete_registered_model_tag("risk ü", "a")
    kept = client.get_registered_model("risk ü")
    book.same("changed", [kept.description, kept.tags], ["second", {"b": "2"}])
    client.create_model_version("risk ü", "s3://bucket/model", tags={"k": "v"}, description="d")
    client.update_model_version("risk ü", "1", "better")
    client.set_model_version_tag("risk ü", "1", "k2", "v2")
    client.delete_model_version_tag("risk ü", "1", "k")
    version = client.get_model_version("risk ü", "1")
    book.same("version", [version.description, version.tags], ["better", {"k2": "v2"}])
    book.same("source", version.source, "s3://bucket/model")
    client.set_registered_model_alias("risk ü", "live", "1")
    client.rename_registered_model("risk ü", "risk")
    renamed = client.get_registered_model("risk")
    book.same("renamed", {k: str(v) for k, v in renamed.aliases.items()}, {"live": "1"})
    book.same("its version too", client.get_model_version("risk", "1").name, "risk")
    book.refused(
        "the old name",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.get_registered_model("risk ü"),
        "Registered Model with name=risk ü not found",
    )
    book.refused(
        "taken",
        "RESOURCE_ALREADY_EXISTS",
        lambda: client.create_registered_model("risk"),
        "Registered Model (name=risk) already exists.",
    )
    for name in ("", "a/b", "a:b"):
        book.refused(
            f"name {name!r}",
            "INVALID_PARAMETER_VALUE",
            lambda name=name: client.create_registered_model(name),
        )
    for alias in ("latest", "v1", "", "a b"):
        book.refused(
            f"alias {alias!r}",
            "INVALID_PARAMETER_VALUE",
            lambda alias=alias: client.set_registered_model_alias("risk", alias, "1"),
        )
    book.refused(
        "alias of no version",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.set_registered_model_alias("risk", "x", "99"),
        "Model Version (name=risk, version=99) not found",
    )


def numbers_are_not_used_twice(book: Book) -> None:
    client = book.client
    client.create_registered_model("counted")
    for _ in range(3):
        client.create_model_version("counted", "s3://bucket/x")
    client.set_registered_model_alias("counted", "gone", "3")
    client.delete_model_version("counted", "3")
    book.refused(
        "deleted",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.get_model_version("counted", "3"),
        "Model Version (name=counted, version=3) not found",
    )
    book.same("its alias too", client.get_registered_model("counted").aliases, {})
    book.same("next", str(client.create_model_version("counted", "s3://b/x").version), "4")
    client.delete_registered_model("counted")
    book.refused(
        "the model", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_registered_model("counted")
    )
    book.refused(
        "its versions", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version("counted", "1")
    )
    client.create_registered_model("counted")
    book.same(
        "from one again", str(client.create_model_version("counted", "s3://bucket/y").version), "1"
    )


def found_by_filter(book: Book) -> None:
    client = book.client
    for name in ("sought A", "sought b", "sought C"):
        client.create_registered_model(name, tags={"kind": name[-1]})
    for number in range(3):
        client.create_model_version("sought A", f"s3://bucket/{number}", tags={"n": str(number)})

    def models(text: str, **how: object) -> list[str]:
        return [m.name[-1] for m in client.search_registered_models(text, **how)]  # type: ignore[arg-type]

    def versions(text: str, **how: object) -> list[str]:
        return [str(v.version) for v in client.search_model_versions(text, **how)]  # type: ignore[arg-type]

    book.same("like", models("name LIKE 'sought %'"), ["A", "C", "b"])
    book.same("case", models("name ILIKE '%B'"), ["b"])
    book.same("order", models("name LIKE 'sought %'", order_by=["name DESC"]), ["b", "C", "A"])
    book.same(
        "by time",
        models("name LIKE 'sought %'", order_by=["last_updated_timestamp ASC"]),
        ["b", "C", "A"],
    )
    book.same("by tag", models("tags.kind = 'C'"), ["C"])
    book.same("equal", models("name = 'sought b'"), ["b"])
    page = client.search_registered_models("name LIKE 'sought %'", max_results=2)
    rest = client.search_registered_models(
        "name LIKE 'sought %'", max_results=2, page_token=page.token
    )
    book.same("pages", [len(page), len(rest), bool(rest.token)], [2, 1, False])
    book.same("versions, newest first", versions("name = 'sought A'"), ["3", "2", "1"])
    book.same(
        "ordered", versions("name = 'sought A'", order_by=["version_number ASC"]), ["1", "2", "3"]
    )
    book.same("by number", versions("name = 'sought A' AND version_number > 1"), ["3", "2"])
    book.same("by source", versions("source_path = 's3://bucket/1'"), ["2"])
    book.same("by their tag", versions("name = 'sought A' and tags.n = '0'"), ["1"])
    book.same(
        "by module", len(mlflow.search_registered_models(filter_string="name LIKE 'sought%'")), 3
    )
    for what, call in (
        ("models", client.search_registered_models),
        ("versions", client.search_model_versions),
    ):
        book.refused(
            f"{what} by colour", "INVALID_PARAMETER_VALUE", lambda call=call: call("colour = 'red'")
        )
    book.refused(
        "1,001 models",
        "INVALID_PARAMETER_VALUE",
        lambda: client.search_registered_models(max_results=1001),
    )


def copied(book: Book) -> None:
    client = book.client
    client.create_registered_model("copy from")
    client.create_model_version("copy from", "s3://bucket/origin", tags={"t": "1"})
    copy = client.copy_model_version("models:/copy from/1", "copy to")
    book.same("copy", [copy.name, str(copy.version)], ["copy to", "1"])
    book.same("points at it", copy.source, "models:/copy from/1")
    book.same(
        "lies there",
        client.get_model_version_download_uri("copy to", "1"),
        "s3://bucket/origin",
    )


def sources_that_lead_away(book: Book) -> None:
    client = book.client
    client.create_registered_model("careful")
    for source in ("file:///etc", "/etc/passwd", "s3://bucket/../../x"):
        book.refused(
            f"source {source}",
            "INVALID_PARAMETER_VALUE",
            lambda source=source: client.create_model_version("careful", source),
        )
    try:
        mlflow.pyfunc.load_model("models:/careful/7")
    except MlflowException as refusal:
        book.same("no version to load", refusal.error_code, "RESOURCE_DOES_NOT_EXIST")


SCENES = (
    from_a_run_to_an_alias,
    names_tags_descriptions,
    numbers_are_not_used_twice,
    found_by_filter,
    copied,
    sources_that_lead_away,
)
