"""Plays the chapters against a server and writes the answers down."""

import argparse
import importlib
import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

# Before the client is imported: nothing is sent anywhere but to the server that is asked.
os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="2",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
    MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING="false",
    MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT="1",  # a guess of theirs that no server sees
    GIT_PYTHON_REFRESH="quiet",
    MPLBACKEND="agg",
)

import mlflow

from tests.mlflow.scenario.book import Book

CHAPTERS = (
    "runs",
    "metrics",
    "experiments",
    "search",
    "artifacts",
    "datasets",
    "models",
    "registry",
    "stages",
    "autologging",
    "evaluation",
    "webhooks",
    "terminal",
)
# Those that need an environment of their own.
HEAVY = ("pytorch", "keras")
SHOWN = 600  # characters of an answer on the screen


def main() -> int:
    """Play them; the number of wrong answers, up to 100."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--chapters", default=",".join(CHAPTERS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in ("mlflow", "alembic", "git"):
        logging.getLogger(name).setLevel(logging.ERROR)
    mlflow.set_tracking_uri(given.url)
    os.environ["MLFLOW_TRACKING_URI"] = given.url
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
        book = Book(given.url, Path(folder))
        for name in given.chapters.split(","):
            begun = time.monotonic()
            module = importlib.import_module(f"tests.mlflow.scenario.{name}")
            with book.chapter(name):
                for scene in module.SCENES:
                    book.scene(scene)
                    while mlflow.active_run() is not None:
                        mlflow.end_run()
            print(f"{name}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
    wrong = [entry for entry in book.entries if not entry.right]
    for entry in wrong:
        print(f"{entry.chapter}: {entry.what}")
        print(f"  seen     {str(entry.seen)[-SHOWN:]}\n  expected {str(entry.expected)[:SHOWN]}")
    print(f"{len(book.entries) - len(wrong)} right, {len(wrong)} wrong")
    if given.out:
        book.save(given.out)
    return min(len(wrong), 100)


if __name__ == "__main__":
    sys.exit(main())
