"""What the steps do; nothing here knows of any platform."""

from typing import NamedTuple

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

COLUMNS = ["Customer_Age", "Credit_Limit", "Total_Trans_Amt", "Total_Trans_Ct"]


class Halves(NamedTuple):
    """Rows to learn from, and rows to judge by."""

    train: pd.DataFrame
    test: pd.DataFrame


def load(path: str) -> pd.DataFrame:
    """The columns that matter, and whether the customer left."""
    frame = pd.read_csv(path)
    kept = frame[COLUMNS].astype(float)
    kept["left"] = frame["Attrition_Flag"] == "Attrited Customer"
    return kept


def split(table: pd.DataFrame, every: int = 4) -> Halves:
    """Every so-manieth row is for judging."""
    judged = table.index % every == 0
    return Halves(table[~judged].reset_index(drop=True), table[judged].reset_index(drop=True))


def fit(train: pd.DataFrame) -> Pipeline:
    """A logistic regression on standardised columns."""
    columns = [name for name in train.columns if name != "left"]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(train[columns], train["left"])


def judge(model: Pipeline, test: pd.DataFrame) -> float:
    """The accuracy."""
    columns = [name for name in test.columns if name != "left"]
    return round(float((model.predict(test[columns]) == test["left"]).mean()), 6)
