"""What a pipeline costs above its functions: two training steps, in it and in a bare script.

    python benchmarks/overhead.py [--rows 100000] [--rounds 5]

The pipeline runs each step in a fork of a warm worker. Its CPU is that of the two forks from birth
to end (reading the table, training, storing the model in a safe format, digests) and the engine's
in this process meanwhile, without what this script takes to look whether it is over. Two bare
scripts stand beside it, each a fresh interpreter with one thread, as steps have: one calls the
functions and keeps nothing; the other reads the same table from Parquet before and stores the
models in the same format afterwards. Everywhere one function runs at a time: two at once take each
other's caches, which says nothing of pipelines. Scripts and pipeline take turns, and the smallest
of each is compared, since the machine may be busy.

Wanted: at most 2 % more than the bare functions, and 50 ms a step. The same is told beside the
script that ends with the same files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor import pipeline, step
from athanor.kernel import OWNER, Database
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.pipelines import PipelineRun, Submission
from athanor.pipelines.engines.local import PRELOAD
from athanor.pipelines.materializers.table import TableMaterializer
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.testing.database import create_all
from athanor.testing.pipelines import Room, pipelines_room, yaml_of

MATERIALIZER = "athanor.registry.packaging.materializer:ModelMaterializer"
ALLOWED_RATIO = 1.02
ALLOWED_SECONDS_A_STEP = 0.05
STEPS = ("logistic", "lightgbm")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

NUMBERS = 14
CATEGORIES = {"gender": 2, "education": 7, "marital": 4, "income": 6, "card": 4}


@step
def rows_to_learn(rows: int) -> pd.DataFrame:
    """A table like the public bank churners: numbers, categories, a label."""
    return made(rows)


@step
def logistic(train: pd.DataFrame) -> Annotated[Pipeline, "model"]:
    """Logistic regression on scaled numbers and one column a category level."""
    return fitted(train, StandardScaler(), LogisticRegression(max_iter=2000, random_state=0))


@step
def lightgbm(train: pd.DataFrame) -> Annotated[Pipeline, "model"]:
    """Boosted trees."""
    trees = LGBMClassifier(n_estimators=200, random_state=0, n_jobs=1, verbose=-1)
    return fitted(train, "passthrough", trees)


def fitted(train: pd.DataFrame, scaler: Any, final: Any) -> Pipeline:
    """The encoder and a final model, fitted together."""
    rows = train.drop(columns="churned")
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoder = ColumnTransformer(
        [("categories", categories, list(CATEGORIES))], remainder=scaler
    ).set_output(transform="pandas")
    return Pipeline([("encode", encoder), ("model", final)]).fit(rows, train["churned"])


@pipeline
def two_trainings(rows: int) -> None:
    """Both at the same time."""
    table = rows_to_learn(rows)
    logistic(table)
    lightgbm(table)


def made(rows: int) -> pd.DataFrame:
    """The table."""
    random = np.random.default_rng(7)
    columns: dict[str, Any] = {
        f"number_{index}": random.normal(size=rows).round(3) for index in range(NUMBERS)
    }
    for name, levels in CATEGORIES.items():
        columns[name] = np.array([f"{name} {level}" for level in range(levels)])[
            random.integers(levels, size=rows)
        ]
    score = sum(columns[f"number_{index}"] * (index % 3) for index in range(NUMBERS))
    columns["churned"] = np.where(score + random.normal(size=rows) * 3 > 4, "yes", "no")
    return pd.DataFrame(columns)


def bare(rows: int, *, kept: bool) -> dict[str, float]:
    """CPU seconds of the two functions called in this process, with reading and storing or not."""
    tables, models = TableMaterializer(), ModelMaterializer()
    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        table = made(rows)
        about = tables.save(table, Path(place))
        for name, function in (("logistic", logistic), ("lightgbm", lightgbm)):
            folder = Path(place, name)
            folder.mkdir()
            began = time.process_time()
            if kept:
                table = cast("pd.DataFrame", tables.load(Path(place), about, pd.DataFrame))
            model = function.function(table)
            if kept:
                models.save(model, folder)
            seconds[name] = time.process_time() - began
    return seconds


def bare_script(rows: int, *extra: str) -> dict[str, float]:
    """The same in a fresh interpreter."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, __file__, "--bare", "--rows", str(rows), *extra]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def in_pipeline(room: Room, rows: int) -> dict[str, float]:
    """CPU seconds of the two steps' forks, and of the engine."""
    yaml = yaml_of(two_trainings)
    submission = Submission(yaml=yaml, parameters={"rows": rows}, cache=False)
    began = time.process_time()
    submitted = room.pipelines.submit(OWNER, submission)
    waiting = time.thread_time()
    run: PipelineRun = room.finished(submitted, 600, look=0.25)
    looking = time.thread_time() - waiting
    engine = time.process_time() - began - looking
    if run.state != "done":
        raise SystemExit(f"the pipeline failed: {run.error}")
    seconds = {task.name: task.resources["cpu_seconds"] for task in run.tasks if task.name in STEPS}
    return seconds | {"engine": engine * len(STEPS) / len(run.tasks)}


def main() -> int:
    """Measure, print, and say whether it is as wanted."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    options.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed product has its bytecode
    if given.bare:
        print(json.dumps(bare(given.rows, kept=given.kept)))
        return 0
    workers = choose_workers((*HEAVY_MODULES, *PRELOAD, MATERIALIZER.partition(":")[0]))
    workers.start()
    found: dict[str, list[dict[str, float]]] = {"bare": [], "kept": [], "pipeline": []}
    with tempfile.TemporaryDirectory() as place:
        database = Database.open(f"sqlite:///{place}/athanor.db")
        create_all(database)
        with pipelines_room(
            database, Path(place), workers, materializers=(MATERIALIZER,), slots=1
        ) as room:
            in_pipeline(room, 1000)
            for _ in range(given.rounds):
                found["bare"].append(bare_script(given.rows))
                found["kept"].append(bare_script(given.rows, "--kept"))
                found["pipeline"].append(in_pipeline(room, given.rows))
    workers.close()
    return told({name: least(items) for name, items in found.items()})


def least(items: list[dict[str, float]]) -> dict[str, float]:
    """The smallest of each figure."""
    return {name: min(item[name] for item in items) for name in items[0]}


def told(found: dict[str, dict[str, float]]) -> int:
    """Print the figures; 0 if they are as wanted."""
    print(f"{'CPU-s':<10} {'functions':>10} {'+ read, store':>14} {'step':>8}")
    for name in STEPS:
        figures = [found[kind][name] for kind in ("bare", "kept", "pipeline")]
        print(f"{name:<10} {figures[0]:>10.3f} {figures[1]:>14.3f} {figures[2]:>8.3f}")
    print(f"{'engine':<10} {'':>10} {'':>14} {found['pipeline']['engine']:>8.3f}")
    after = sum(found["pipeline"].values())
    kept = [
        _compared(after, sum(found[kind].values()), beside)
        for kind, beside in (
            ("bare", "the functions alone, which keep nothing"),
            ("kept", "the script that ends with the same files"),
        )
    ]
    return 0 if all(kept) else 1


def _compared(after: float, before: float, beside: str) -> bool:
    """Print what the pipeline may cost beside a script; whether it does not cost more."""
    allowed = before * ALLOWED_RATIO + ALLOWED_SECONDS_A_STEP * len(STEPS)
    word = "kept" if after <= allowed else "NOT KEPT"
    print(f"beside {beside}: {after:.3f} of {allowed:.3f} CPU-s allowed, ", end="")
    print(
        f"{after / allowed:.3f} of it ({word}); {after / before:.3f} times its {before:.3f} CPU-s"
    )
    return after <= allowed


if __name__ == "__main__":
    sys.exit(main())
