"""The data and the models of the serving benchmark, the same in every environment."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = [f"n{place}" for place in range(9)]
CATEGORIES = [f"c{place}" for place in range(6)]


def table(kind: str, rows: int = 4_000, seed: int = 7) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and labels: 15 mixed columns for `pipeline`, 15 numbers for trees."""
    source = np.random.default_rng(seed)
    numbers = source.normal(size=(rows, 15))
    if kind != "pipeline":
        frame = pd.DataFrame(numbers, columns=[f"n{place}" for place in range(15)])
        risk = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + source.normal(size=rows)
        return frame, (risk > 0).astype(int)
    frame = pd.DataFrame(numbers[:, :9], columns=NUMBERS)
    for place, name in enumerate(CATEGORIES):
        frame[name] = source.choice([f"level {name}{item}" for item in range(3 + place)], rows)
    frame.loc[source.random(rows) < 0.05, "n3"] = np.nan
    lean = frame.n0 - frame.n1 + (frame.c0 == "level c01") + source.normal(size=rows)
    return frame, np.where(lean > 0.3, "left", "stayed")


def fitted(kind: str) -> Any:
    """The model."""
    frame, labels = table(kind)
    if kind == "lightgbm":
        from lightgbm import LGBMClassifier  # noqa: PLC0415 - not in every environment

        return LGBMClassifier(n_estimators=200, random_state=0, n_jobs=1, verbose=-1).fit(
            frame, labels
        )
    if kind == "xgboost":
        from xgboost import XGBClassifier  # noqa: PLC0415 - not in every environment

        return XGBClassifier(n_estimators=200, random_state=0, n_jobs=1).fit(frame, labels)
    encoder = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES),
        ]
    )
    return make_pipeline(encoder, LogisticRegression(max_iter=500)).fit(frame, labels)


def records(kind: str, count: int = 64) -> list[dict[str, Any]]:
    """Rows to ask about."""
    frame, _ = table(kind, count, seed=11)
    return [
        {str(name): None if value != value else value for name, value in row.items()}  # noqa: PLR0124
        for row in frame.to_dict("records")
    ]
