"""Steps and pipelines that the tests run."""

import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from athanor.pipelines import If, operation, pipeline, step


class Parts(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


@step
def make(rows: int = 10) -> pd.DataFrame:
    return pd.DataFrame({"a": range(rows), "b": [f"x{i}" for i in range(rows)]})


@step
def split(table: pd.DataFrame, share: float = 0.3) -> Parts:
    cut = int(len(table) * share)
    return Parts(table.iloc[cut:], table.iloc[:cut])


@step
def total(table: pd.DataFrame) -> int:
    return int(table["a"].sum())


@pipeline
def sums(rows: int = 10, share: float = 0.5):
    parts = split(make(rows), share)
    first = total(parts.train)
    second = total(parts.test)
    return {"train": first, "test": second}
