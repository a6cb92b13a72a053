"""The pipeline of functions that were wrapped from outside."""

# What stands for an output while a pipeline is written down is Any to a type checker.
# mypy: disable-error-code="no-any-return,arg-type,attr-defined"

from typing import NamedTuple

import pandas as pd
from sklearn.pipeline import Pipeline

from athanor import pipeline, step
from tests.pipelines.churn import functions


class Given(NamedTuple):
    """What the pipeline gives."""

    accuracy: float
    model: Pipeline
    test: pd.DataFrame
    train: pd.DataFrame


load, split, fit, judge = (
    step(function) for function in (functions.load, functions.split, functions.fit, functions.judge)
)


@pipeline
def churn(path: str) -> Given:
    """Who leaves?"""
    halves = split(load(path))
    model = fit(halves.train)
    return Given(judge(model, halves.test), model, halves.test, halves.train)
