"""Metrics: latest values, histories, odd numbers, batches, asynchronous and system metrics."""

import math
import time

import mlflow
import requests
from mlflow.entities import Metric, Param, RunTag

from tests.mlflow.scenario.book import Book


def latest_and_history(book: Book) -> None:
    client = book.client
    run_id = client.create_run(book.experiment()).info.run_id
    points = [(0, 10, 5.0), (2, 20, 3.0), (1, 30, 4.0), (2, 20, 3.5), (2, 15, 9.0)]
    for step, at, value in points:
        client.log_metric(run_id, "loss", value, timestamp=at, step=step)
    book.same("the latest", client.get_run(run_id).data.metrics["loss"], 3.5)
    history = client.get_metric_history(run_id, "loss")
    book.same(
        "history",
        sorted((m.step, m.timestamp, m.value) for m in history),
        sorted(points),
    )
    client.log_metric(run_id, "loss", 3.5, timestamp=20, step=2)
    book.same("a point is one", len(client.get_metric_history(run_id, "loss")), 5)
    book.same("no such key", client.get_metric_history(run_id, "nothing"), [])
    client.log_metric(run_id, "below", 1.0, step=-3, timestamp=1)
    book.same("negative step", client.get_metric_history(run_id, "below")[0].step, -3)


def odd_numbers(book: Book) -> None:
    client = book.client
    run_id = client.create_run(book.experiment()).info.run_id
    odd = {"nan": math.nan, "up": math.inf, "down": -math.inf, "tiny": 5e-324, "exact": 0.1 + 0.2}
    for key, value in odd.items():
        client.log_metric(run_id, key, value, timestamp=1)
    seen = client.get_run(run_id).data.metrics
    book.holds("NaN", math.isnan(seen["nan"]))
    book.same("infinity", seen["up"], 1.7976931348623157e308)
    book.same("minus infinity", seen["down"], -1.7976931348623157e308)
    book.same("exact", [seen["exact"], seen["tiny"]], [0.1 + 0.2, 5e-324])
    book.holds("NaN's history", math.isnan(client.get_metric_history(run_id, "nan")[0].value))
    client.log_metric(run_id, "nan", 1.0, timestamp=1, step=1)
    book.same("after NaN", client.get_run(run_id).data.metrics["nan"], 1.0)


def batches(book: Book) -> None:
    client = book.client
    experiment = book.experiment()
    run_id = client.create_run(experiment).info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric("m", float(i), 1000 + i, i) for i in range(800)],
        params=[Param(f"p{i}", str(i)) for i in range(100)],
        tags=[RunTag(f"t{i}", str(i)) for i in range(100)],
    )
    run = client.get_run(run_id)
    book.same("parameters", len(run.data.params), 100)
    book.same("tags", len([k for k in run.data.tags if k.startswith("t")]), 100)
    book.same("latest", run.data.metrics, {"m": 799.0})
    history = client.get_metric_history(run_id, "m")
    book.same("in order", [m.step for m in history], list(range(800)))
    client.log_batch(run_id)
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_id=run_id):
        mlflow.log_params({f"q{i}": i for i in range(250)})
        mlflow.log_metrics({f"m{i}": i for i in range(1200)}, step=4)
        mlflow.set_tags({f"u{i}": i for i in range(150)})
    run = client.get_run(run_id)
    book.same("split by the client", [len(run.data.params), len(run.data.metrics)], [350, 1201])


def limits_on_the_wire(book: Book) -> None:
    """What the client splits or checks itself, sent as it is."""
    run_id = book.client.create_run(book.experiment()).info.run_id

    def send(**body: object) -> list[object]:
        answer = requests.post(
            f"{book.url}/api/2.0/mlflow/runs/log-batch", json={"run_id": run_id, **body}, timeout=60
        )
        return [answer.status_code, answer.json().get("error_code")]

    point = {"key": "m", "value": 1, "timestamp": 1}
    refused = [400, "INVALID_PARAMETER_VALUE"]
    book.same("1,000 metrics", send(metrics=[point] * 1000), [200, None])
    book.same("1,001 metrics", send(metrics=[point] * 1001), refused)
    book.same(
        "101 params", send(params=[{"key": f"p{i}", "value": ""} for i in range(101)]), refused
    )
    book.same("101 tags", send(tags=[{"key": f"t{i}", "value": ""} for i in range(101)]), refused)
    both = {"metrics": [point] * 950, "params": [{"key": f"p{i}", "value": ""} for i in range(51)]}
    book.same("1,001 of all", send(**both), refused)
    book.same(
        "a step as a number with a point", send(metrics=[{**point, "step": 1.0}]), [200, None]
    )
    book.same("a step as text", send(metrics=[{**point, "step": "2"}]), [200, None])
    book.same("no timestamp", send(metrics=[{"key": "m", "value": 1}]), refused)
    book.same("unknown fields", send(metrics=[{**point, "colour": "red"}], what=1), [200, None])


def logged_in_the_background(book: Book) -> None:
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        for step in range(50):
            mlflow.log_metric("m", step, step=step, synchronous=False)
        waiting = mlflow.log_params({"a": 1, "b": 2}, synchronous=False)
        mlflow.set_tag("t", "v", synchronous=False)
        waiting.wait()
        mlflow.flush_async_logging()
    data = mlflow.get_run(run.info.run_id).data
    book.same("parameters", data.params, {"a": "1", "b": "2"})
    book.same("tag", data.tags["t"], "v")
    book.same("metric", data.metrics, {"m": 49.0})
    history = book.client.get_metric_history(run.info.run_id, "m")
    book.same("history", len(history), 50)


def of_the_machine(book: Book) -> None:
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.set_system_metrics_sampling_interval(0.2)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(log_system_metrics=True) as run:
        time.sleep(1.5)
    seen = mlflow.get_run(run.info.run_id).data.metrics
    book.holds("processor", "system/cpu_utilization_percentage" in seen)
    book.holds("memory", seen.get("system/system_memory_usage_megabytes", 0) > 0)


def a_long_history(book: Book) -> None:
    client = book.client
    run_id = client.create_run(book.experiment()).info.run_id
    for begin in range(0, 30_000, 1000):
        client.log_batch(
            run_id, metrics=[Metric("m", i / 7, i, i) for i in range(begin, begin + 1000)]
        )
    history = client.get_metric_history(run_id, "m")
    book.same("all points", len(history), 30_000)
    book.same(
        "the same numbers",
        [m.value for m in history[::5000]],
        [i / 7 for i in range(0, 30_000, 5000)],
    )
    answer = requests.get(
        f"{book.url}/api/2.0/mlflow/metrics/get-history",
        params={"run_id": run_id, "metric_key": "m", "max_results": 100},
        timeout=60,
    ).json()
    book.same("a page", len(answer["metrics"]), 100)
    follow = requests.get(
        f"{book.url}/api/2.0/mlflow/metrics/get-history",
        params={
            "run_id": run_id,
            "metric_key": "m",
            "max_results": 100,
            "page_token": answer["next_page_token"],
        },
        timeout=60,
    ).json()
    book.same("the next one", follow["metrics"][0]["step"], 100)
    sampled = requests.get(
        f"{book.url}/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval",
        params={"run_ids": [run_id], "metric_key": "m", "max_results": 320},
        timeout=60,
    ).json()["metrics"]
    book.holds("sampled", 300 <= len(sampled) <= 322)
    book.same("first and last", [sampled[0]["step"], sampled[-1]["step"]], [0, 29_999])


SCENES = (
    latest_and_history,
    odd_numbers,
    batches,
    limits_on_the_wire,
    logged_in_the_background,
    of_the_machine,
    a_long_history,
)
