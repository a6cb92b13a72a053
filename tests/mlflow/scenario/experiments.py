"""Experiments: names, tags, deletion and restoring, search."""

import mlflow
from mlflow.entities import ViewType

from tests.mlflow.scenario.book import Book


def the_first_one(book: Book) -> None:
    default = mlflow.get_experiment("0")
    book.same("name", default.name, "Default")
    book.same("stage", default.lifecycle_stage, "active")
    book.same("by name", mlflow.get_experiment_by_name("Default").experiment_id, "0")


def made_and_found(book: Book) -> None:
    made = mlflow.create_experiment("churn / weekly ü", tags={"team": "risk", "n": "1"})
    found = mlflow.get_experiment(made)
    book.same("name", found.name, "churn / weekly ü")
    book.same("tags", found.tags, {"team": "risk", "n": "1"})
    book.holds("location", found.artifact_location.endswith(f"/{made}"))
    book.holds("times", 0 < found.creation_time <= found.last_update_time)
    book.same("by name", mlflow.get_experiment_by_name(found.name).experiment_id, made)
    book.holds("no such name", mlflow.get_experiment_by_name("nowhere") is None)
    book.refused(
        "the same name again",
        "RESOURCE_ALREADY_EXISTS",
        lambda: mlflow.create_experiment(found.name),
        "already exists",
    )
    book.same("set", mlflow.set_experiment(found.name).experiment_id, made)
    mlflow.set_experiment_tag("extra", 3.5)
    mlflow.set_experiment_tags({"team": "fraud"})
    book.same(
        "tags later", mlflow.get_experiment(made).tags, {"team": "fraud", "n": "1", "extra": "3.5"}
    )
    book.client.delete_experiment_tag(made, "n")
    book.holds("tag deleted", "n" not in mlflow.get_experiment(made).tags)
    book.refused(
        "deleted twice",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: book.client.delete_experiment_tag(made, "n"),
    )


def a_place_of_its_own(book: Book) -> None:
    made = mlflow.create_experiment("elsewhere", artifact_location="s3://bucket/some/where")
    found = mlflow.get_experiment(made)
    book.same("location", found.artifact_location, "s3://bucket/some/where")
    run = book.client.create_run(made)
    book.same(
        "of its run",
        run.info.artifact_uri,
        f"s3://bucket/some/where/{run.info.run_id}/artifacts",
    )
    book.refused(
        "with a fragment",
        "INVALID_PARAMETER_VALUE",
        lambda: mlflow.create_experiment("odd", artifact_location="s3://bucket/a#b"),
    )


def renamed_deleted_restored(book: Book) -> None:
    client = book.client
    made = client.create_experiment("to rename")
    run_id = client.create_run(made).info.run_id
    client.rename_experiment(made, "renamed")
    book.same("new name", client.get_experiment(made).name, "renamed")
    client.delete_experiment(made)
    book.same("deleted", client.get_experiment(made).lifecycle_stage, "deleted")
    book.same("by name too", client.get_experiment_by_name("renamed").lifecycle_stage, "deleted")
    book.same("its runs too", client.get_run(run_id).info.lifecycle_stage, "deleted")
    book.refused(
        "the name stays taken",
        "RESOURCE_ALREADY_EXISTS",
        lambda: client.create_experiment("renamed"),
    )
    book.refused(
        "not to be set",
        "INVALID_PARAMETER_VALUE",
        lambda: mlflow.set_experiment("renamed"),
        "Cannot set a deleted experiment",
    )
    book.refused("no new runs", "INVALID_PARAMETER_VALUE", lambda: client.create_run(made))
    book.refused("deleted twice", "RESOURCE_DOES_NOT_EXIST", lambda: client.delete_experiment(made))
    client.restore_experiment(made)
    book.same("restored", client.get_experiment(made).lifecycle_stage, "active")
    book.same("its runs as well", client.get_run(run_id).info.lifecycle_stage, "active")


def found_by_filter(book: Book) -> None:
    client = book.client
    for number in range(5):
        client.create_experiment(f"sought {number}", tags={"sought": str(number % 2)})
    gone = client.create_experiment("sought gone")
    client.delete_experiment(gone)

    def names(**how: object) -> list[str]:
        return [e.name for e in client.search_experiments(**how)]  # type: ignore[arg-type]

    everything = [f"sought {i}" for i in range(4, -1, -1)]
    like = "name LIKE 'sought %'"
    book.same("newest first", names(filter_string=like), everything)
    book.same(
        "ordered", names(filter_string=like, order_by=["name ASC"]), list(reversed(everything))
    )
    book.same(
        "by tag",
        names(filter_string="tags.sought = '1'", order_by=["name"]),
        ["sought 1", "sought 3"],
    )
    book.same("any case", names(filter_string="attribute.name ILIKE 'SOUGHT 2'"), ["sought 2"])
    book.same(
        "both conditions",
        names(filter_string="name LIKE 'sought%' AND tags.sought != '1'", order_by=["name DESC"]),
        ["sought 4", "sought 2", "sought 0"],
    )
    book.same(
        "deleted only",
        names(view_type=ViewType.DELETED_ONLY, filter_string=like),
        ["sought gone"],
    )
    book.same("all", len(names(view_type=ViewType.ALL, filter_string=like)), 6)
    page = client.search_experiments(filter_string=like, max_results=2)
    rest = client.search_experiments(filter_string=like, max_results=10, page_token=page.token)
    book.same("pages", [len(page), len(rest), rest.token], [2, 3, None])
    book.refused(
        "no such attribute",
        "INVALID_PARAMETER_VALUE",
        lambda: client.search_experiments(filter_string="colour = 'red'"),
        "Invalid attribute key 'colour'",
    )
    book.refused(
        "nothing to compare",
        "INVALID_PARAMETER_VALUE",
        lambda: client.search_experiments(filter_string="name"),
    )
    book.refused(
        "too many",
        "INVALID_PARAMETER_VALUE",
        lambda: client.search_experiments(max_results=50_001),
        "max_results",
    )


SCENES = (
    the_first_one,
    made_and_found,
    a_place_of_its_own,
    renamed_deleted_restored,
    found_by_filter,
)
