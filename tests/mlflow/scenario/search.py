"""The search of runs: the whole grammar, the order, the pages, and what it refuses."""

import math

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType

from tests.mlflow.scenario.book import Book


def _six_runs(book: Book) -> str:
    """Runs "a" to "f" of one experiment, a second apart."""
    client, experiment = book.client, book.experiment()
    values = {"a": 0.5, "b": 0.9, "c": math.nan, "d": 0.7, "e": None, "f": -1.0}
    for number, (name, value) in enumerate(values.items()):
        run_id = client.create_run(
            experiment, start_time=1_000_000 + number * 1000, run_name=f"run {name}"
        ).info.run_id
        client.log_batch(
            run_id,
            metrics=[] if value is None else [Metric("auc", value, 1, 0)],
            params=[Param("model", "tree" if number % 2 else "Linear"), Param("n", str(number))],
            tags=[RunTag("with space", name), RunTag("x.y", "Yes" if number < 3 else "no")],
        )
        if name in "bd":
            client.set_tag(run_id, "best", "1")
        client.set_terminated(run_id, "FAILED" if name == "f" else "FINISHED", 2_000_000 + number)
    return experiment


def filters(book: Book) -> None:
    experiment = _six_runs(book)

    def found(text: str) -> str:
        runs = book.client.search_runs([experiment], text, order_by=["start_time ASC"])
        return "".join(run.info.run_name[-1] for run in runs)

    for text, names in (
        ("", "abcdef"),
        ("metrics.auc > 0.5", "bd"),
        ("metrics.auc >= 0.5", "abd"),
        ("metric.auc < 0", "f"),
        ("metrics.auc = 0.9", "b"),
        ("metrics.auc != 0.9", "acdf"),
        ("metrics.auc <= -1", "f"),
        ("metrics.`auc` > 0.5 and metrics.auc < 0.8", "d"),
        ("metrics.nothing > 0", ""),
        ("params.model = 'tree'", "bdf"),
        ('parameters.model = "tree"', "bdf"),
        ("param.model != 'tree'", "ace"),
        ("params.model LIKE 'T%'", ""),
        ("params.model LIKE '%ree'", "bdf"),
        ("params.model ILIKE 'LIN%'", "ace"),
        ("tags.`with space` = 'c'", "c"),
        ('tags."with space" = "c"', "c"),
        ("tags.best = '1'", "bd"),
        ("tags.best != '1'", ""),
        ("tags.best IS NULL", "acef"),
        ("tags.best IS NOT NULL", "bd"),
        ("params.n IS NOT NULL", "abcdef"),
        ("tag.`x.y` ILIKE 'y%'", "abc"),
        ("attributes.status = 'FINISHED'", "abcde"),
        ("status != 'FINISHED'", "f"),
        ("attr.status = 'FAILED' AND params.model = 'tree'", "f"),
        ("run_name = 'run a'", "a"),
        ("attributes.`run name` LIKE 'run %'", "abcdef"),
        ("attributes.run_name ILIKE '%RUN B'", "b"),
        ("attributes.start_time > 1002000", "def"),
        ("start_time >= 1002000 and start_time <= 1004000", "cde"),
        ("attributes.Created = 1000000", "a"),
        ("end_time > 2000003", "ef"),
    ):
        book.same(f"filter {text}", found(text), names)
    ids = [run.info.run_id for run in book.client.search_runs([experiment], "metrics.auc > 0.5")]
    listed = ", ".join(f"'{one}'" for one in ids)
    book.same("by ids", found(f"attributes.run_id IN ({listed})"), "bd")
    book.same("by others", found(f"attributes.run_id NOT IN ({listed})"), "acef")
    book.same("by one id", found(f"run_id = '{ids[0]}'"), "d")


def orders(book: Book) -> None:
    experiment = _six_runs(book)

    def found(*order: str) -> str:
        runs = book.client.search_runs([experiment], order_by=list(order))
        return "".join(run.info.run_name[-1] for run in runs)

    for order, names in (
        ((), "fedcba"),
        (("metrics.auc",), "fadbce"),
        (("metrics.auc ASC",), "fadbce"),
        (("metrics.auc DESC",), "bdafce"),
        (("metrics.nothing",), "fedcba"),
        (("params.n DESC",), "fedcba"),
        (("params.model", "params.n DESC"), "ecafdb"),
        (("tags.best", "start_time ASC"), "bdacef"),
        (("attributes.start_time DESC",), "fedcba"),
        (("attributes.end_time ASC",), "abcdef"),
        (("run_name DESC",), "fedcba"),
        (("attributes.status", "metrics.`auc` desc"), "fbdace"),
        (("tags.`with space` DESC",), "fedcba"),
    ):
        book.same(f"order {order}", found(*order), names)


def pages(book: Book) -> None:
    experiment = _six_runs(book)
    client, seen, token = book.client, [], None
    for _ in range(4):
        page = client.search_runs(
            [experiment], "", max_results=2, order_by=["metrics.auc DESC"], page_token=token
        )
        seen.append("".join(run.info.run_name[-1] for run in page))
        token = page.token
        if not token:
            break
    book.same("pages", seen, ["bd", "af", "ce"])
    book.same(
        "more experiments",
        len(client.search_runs([experiment, _six_runs(book)], "metrics.auc > 0.5")),
        4,
    )
    book.same("none", len(client.search_runs([book.experiment()])), 0)


def as_a_table(book: Book) -> None:
    experiment = _six_runs(book)
    table = mlflow.search_runs([experiment], order_by=["start_time ASC"])
    book.same(
        "shape", [len(table), "metrics.auc" in table, "params.model" in table], [6, True, True]
    )
    book.same("columns", sorted(c for c in table.columns if c.startswith("tags.x")), ["tags.x.y"])
    book.same("values", list(table["params.n"]), list("012345"))
    book.same(
        "missing", list(table["metrics.auc"].isna()), [False, False, True, False, True, False]
    )
    by_name = mlflow.search_runs(
        experiment_names=[mlflow.get_experiment(experiment).name],
        filter_string="params.model = 'tree'",
        max_results=2,
        output_format="list",
    )
    book.same("by name", [run.info.run_name for run in by_name], ["run f", "run d"])
    book.same(
        "deleted", len(mlflow.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)), 0
    )


def what_it_refuses(book: Book) -> None:
    experiment = book.experiment()
    invalid = "INVALID_PARAMETER_VALUE"
    for text, message in (
        ("metrics.auc > 'high'", "Expected numeric value type"),
        ("params.model = tree", "not quoted"),
        ("params.model > 'tree'", ""),
        ("colour.red = 'x'", "Invalid entity type"),
        ("attributes.colour = 'x'", "Invalid attribute key"),
        ("metrics.a > 1 OR metrics.a < 0", ""),
        ("metrics.a >", ""),
        ("(metrics.a > 1)", ""),
        ("attributes.start_time > 'x'", ""),
        ("tags.a LIKE 5", ""),
        ("= 5", ""),
        ("attributes.run_name IN ('a', 'b')", "Only ['run_id'] attributes"),
    ):
        book.refused(
            f"filter {text}",
            invalid,
            lambda text=text: book.client.search_runs([experiment], text),
            message,
        )
    for order, message in (
        ("metrics.a UPWARDS", ""),
        ("colour", ""),
        ("attributes.colour", ""),
        ("metrics", ""),
    ):
        book.refused(
            f"order {order}",
            invalid,
            lambda order=order: book.client.search_runs([experiment], order_by=[order]),
            message,
        )
    book.refused(
        "50,001 runs",
        invalid,
        lambda: book.client.search_runs([experiment], max_results=50_001),
        "max_results",
    )
    book.refused(
        "a page of nothing",
        invalid,
        lambda: book.client.search_runs([experiment], page_token="not a token"),
    )


SCENES = (filters, orders, pages, as_a_table, what_it_refuses)
